package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/replication-gateway/gateway/internal/hub/hubtest"
)

var fleetRounds = flag.Int("fleet-rounds", 6, "accidents that TestFleetUnderAccidents goes through")

// member is a gateway of a fleet that is killed and started again at the same
// place.
type member struct {
	*process
	dir    string
	args   []string
	common []string // of args, those that stay whomever it follows
	token  string   // to follow with
}

func (m *member) restart(t *testing.T) {
	m.kill()
	m.process = launch(t, m.dir, append([]string{"--listen", m.addr}, m.args...)...)
	m.awaitLog(`"message":"ready"`)
}

// A primary and two standbys, of which it waits for one, under load: whatever
// happens to them, no acknowledged write is lost, no stream is wrong, and in the
// end all hold the same.
func TestFleetUnderAccidents(t *testing.T) {
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 1))
	t.Logf("seed %d", seed)
	common := []string{"--heartbeat", "100ms", "--sync-standbys", "1", "--ack-timeout", "1s"}
	primary := &member{dir: t.TempDir(), args: common}
	primary.process = start(t, primary.dir, primary.args...)
	token := primary.replicaToken()
	wires := make([]*wire, 2)
	standbys := make([]*member, 2)
	for i := range standbys {
		wires[i] = newWire(t, primary.addr)
		s := &member{dir: t.TempDir(), args: append([]string{"--follow", "http://" + wires[i].addr(), "--follow-token", token}, common...)}
		s.process = launch(t, s.dir, s.args...)
		s.awaitLog(`,"message":"following`)
		s.reach(primary.position())
		standbys[i] = s
	}

	readers := []*hubtest.Validator{hubtest.New(hubtest.Options{}), hubtest.New(hubtest.Options{}), hubtest.New(hubtest.Options{})}
	var writing fleetLoad
	var nodes atomic.Uint32
	for range *fleetRounds {
		writing.begin(primary.process, &nodes)
		var following sync.WaitGroup
		streams, hangUp := context.WithCancel(t.Context())
		gateways := []*process{primary.process, standbys[0].process, standbys[1].process}
		for i, p := range gateways {
			following.Go(func() { p.followStreamContext(streams, readers[i]) })
		}
		writing.await(20)
		i := random.IntN(2)
		s, w := standbys[i], wires[i]
		switch accident := random.IntN(7); accident {
		case 0:
			t.Log("the primary is killed")
			primary.restart(t)
		case 1:
			t.Logf("standby %d is killed", i)
			writing.await(20) // the other one acknowledges
			s.restart(t)
		case 2:
			t.Log("the primary stands still")
			mark := s.mark()
			primary.signal(syscall.SIGSTOP)
			s.awaitLogAfter(mark, "out of reach")
			primary.signal(syscall.SIGCONT)
		case 3:
			t.Logf("standby %d stands still", i)
			s.signal(syscall.SIGSTOP)
			writing.await(20)
			s.signal(syscall.SIGCONT)
		case 4:
			t.Logf("the wire to standby %d is dead", i)
			mark := s.mark()
			w.block()
			s.awaitLogAfter(mark, "out of reach")
			writing.await(20)
			w.unblock()
		case 5:
			t.Logf("standby %d is cut off for a moment", i)
			w.cut()
		case 6:
			t.Log("the disk of all three is kept busy")
			free := keepDiskBusy(t)
			writing.await(20)
			free()
		}
		writing.await(20)
		writing.end()
		at := primary.position()
		for _, s := range standbys {
			s.reach(at)
			alike(t, primary.process, s.process)
		}
		writing.check(primary.process)
		hangUp()
		following.Wait()
	}
	t.Logf("%d acknowledged writes", len(writing.acked))
}

// fleetLoad is writers that put new nodes at a gateway, whatever it answers.
type fleetLoad struct {
	writers sync.WaitGroup
	stop    chan struct{}
	mu      sync.Mutex
	acked   []uint32
	more    sync.Cond
}

func (l *fleetLoad) begin(p *process, nodes *atomic.Uint32) {
	l.stop, l.more.L = make(chan struct{}), &l.mu
	for range 4 {
		l.writers.Go(func() {
			for {
				select {
				case <-l.stop:
					return
				default:
				}
				node := nodes.Add(1)
				if status := put(p, node); status == 200 {
					l.mu.Lock()
					l.acked = append(l.acked, node)
					l.more.Broadcast()
					l.mu.Unlock()
				}
			}
		})
	}
}

// put makes a node and returns the status of the answer, 0 without one.
func put(p *process, node uint32) int {
	status, _ := p.callContext(p.t.Context(), "PUT", fmt.Sprint("/nodes/", node), map[string]any{"hostname": fmt.Sprint("n", node)})
	return status
}

// await waits for so many more acknowledged writes.
func (l *fleetLoad) await(n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for enough := len(l.acked) + n; len(l.acked) < enough; {
		l.more.Wait()
	}
}

func (l *fleetLoad) end() {
	close(l.stop)
	l.writers.Wait()
}

// check looks for all that was acknowledged.
func (l *fleetLoad) check(p *process) {
	p.t.Helper()
	held := string(p.must("GET", "/snapshot", nil))
	for _, node := range l.acked {
		if !strings.Contains(held, fmt.Sprintf(`{"node_id":%d,`, node)) {
			p.t.Fatalf("node %d was acknowledged and is gone", node)
		}
	}
}

// keepDiskBusy writes and syncs beside the gateways, so that each of their syncs
// waits for more than its own, until it is told to stop.
func keepDiskBusy(t *testing.T) (stop func()) {
	var writers sync.WaitGroup
	enough := make(chan struct{})
	for range 3 {
		f, err := os.Create(filepath.Join(t.TempDir(), "busy"))
		if err != nil {
			t.Fatal(err)
		}
		writers.Go(func() {
			defer f.Close()
			block := make([]byte, 4<<20)
			for {
				select {
				case <-enough:
					return
				default:
				}
				_, err := f.WriteAt(block, 0)
				if err = errors.Join(err, f.Sync()); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	return func() { close(enough); writers.Wait() }
}

func (p *process) signal(s syscall.Signal) {
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Error(err)
	}
}

// mark is where the log stands, for awaitLogAfter.
func (p *process) mark() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.stderr.Len()
}

// wire is a connection between two gateways that can be cut, or go dead.
type wire struct {
	t        *testing.T
	listener net.Listener
	to       string

	mu   sync.Mutex
	dead bool
	ends []net.Conn
}

func newWire(t *testing.T, to string) *wire {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{t: t, listener: l, to: to}
	t.Cleanup(func() { l.Close(); w.cut() })
	go func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			go w.carry(in)
		}
	}()
	return w
}

func (w *wire) addr() string { return w.listener.Addr().String() }

// carry passes bytes on until the wire is cut. While it is dead it takes none,
// and tells neither side.
func (w *wire) carry(in net.Conn) {
	out, err := net.Dial("tcp", w.to)
	if err != nil {
		in.Close()
		return
	}
	w.mu.Lock()
	w.ends = append(w.ends, in, out)
	w.mu.Unlock()
	pass := func(to io.WriteCloser, from net.Conn) {
		defer to.Close()
		b := make([]byte, 4<<10)
		for {
			n, err := from.Read(b)
			if err != nil {
				return
			}
			w.mu.Lock()
			dead := w.dead
			w.mu.Unlock()
			if dead {
				continue // into the void
			}
			if _, err := to.Write(b[:n]); err != nil {
				return
			}
		}
	}
	go pass(out, in)
	pass(in, out)
}

func (w *wire) block() { w.set(true) }

// unblock lets new connections live; those that lost bytes are cut.
func (w *wire) unblock() {
	w.set(false)
	w.cut()
}

func (w *wire) set(dead bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.dead = dead
}

func (w *wire) cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, end := range w.ends {
		end.Close()
	}
	w.ends = nil
}
