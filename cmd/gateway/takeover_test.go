package main

import (
	"context"
	"encoding/json"
	"flag"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/replication-gateway/gateway/internal/hub/hubtest"
)

var takeoverRounds = flag.Int("takeover-rounds", 3, "primaries that TestTakeovers loses")

// newFleet starts a primary and so many standbys of it, each on the folder and
// at the place that it keeps, all with common flags.
func newFleet(t *testing.T, standbys int, common ...string) []*member {
	t.Helper()
	fleet := []*member{{dir: t.TempDir(), args: common}}
	fleet[0].process = start(t, fleet[0].dir, common...)
	token := fleet[0].replicaToken()
	for range standbys {
		m := &member{dir: t.TempDir(), common: common, token: token}
		m.args = m.following(fleet[0].addr)
		m.process = launch(t, m.dir, m.args...)
		m.awaitLog(`,"message":"following`)
		fleet = append(fleet, m)
	}
	fleet[0].common, fleet[0].token = common, token
	return fleet
}

// following are the flags of a gateway that follows another one.
func (m *member) following(addr string) []string {
	return append([]string{"--follow", "http://" + addr, "--follow-token", m.token}, m.common...)
}

// follow starts the gateway again, as one that follows another.
func (m *member) follow(t *testing.T, primary *member) {
	t.Helper()
	m.args = m.following(primary.addr)
	m.restart(t)
}

// startAfresh drops the data of the gateway, and starts it again as one that follows
// another.
func (m *member) startAfresh(t *testing.T, primary *member) {
	t.Helper()
	m.dir = t.TempDir()
	m.follow(t, primary)
}

// onDisk is the newest commit that the gateway has on disk.
func (p *process) onDisk() uint64 { return p.replication().DurableSeqNo }

func (p *process) replication() (r replication) {
	p.t.Helper()
	if err := json.Unmarshal(p.must("GET", "/replication", nil), &r); err != nil {
		p.t.Fatal(err)
	}
	return r
}

func (p *process) promote() {
	p.t.Helper()
	p.must("POST", "/replication/promote", nil)
}

// keepReading reads the gateway at an address, whoever that is at the time, until
// ctx ends, and has every frame checked.
func keepReading(ctx context.Context, t *testing.T, addr string, reader *hubtest.Validator) {
	for ctx.Err() == nil {
		query := ""
		if at, ok := reader.Position(); ok {
			query = "?epoch=" + at.Epoch + "&since=" + strconv.FormatUint(at.SeqNo, 10)
			reader.ConnectAt(at)
		} else {
			reader.Connect()
		}
		conn, _, err := websocket.Dial(ctx, "ws://"+addr+"/subscribe"+query, &websocket.DialOptions{
			Subprotocols: []string{"gateway.v1"},
			HTTPHeader:   http.Header{"Authorization": {"Bearer " + testToken}},
		})
		if err != nil {
			select {
			case <-ctx.Done():
			case <-time.After(50 * time.Millisecond):
			}
			continue
		}
		conn.SetReadLimit(1 << 20)
		for {
			_, frame, err := conn.Read(ctx)
			if err != nil {
				break // killed, stopped, or another epoch
			}
			if err := reader.Frame(frame); err != nil {
				t.Errorf("stream of %s: %v\n%s", addr, err, frame)
				conn.CloseNow()
				return
			}
		}
		conn.CloseNow()
	}
}

// Again and again the primary is lost under load, or cut off by hand, and the
// standby that has most takes over: no acknowledged write is lost, every stream
// goes on as promised, and who was lost comes back and holds the same.
func TestTakeovers(t *testing.T) {
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 2))
	t.Logf("seed %d", seed)
	fleet := newFleet(t, 2, "--heartbeat", "100ms", "--sync-standbys", "1", "--ack-timeout", "1s")
	var reading sync.WaitGroup
	streams, hangUp := context.WithCancel(t.Context())
	for _, m := range fleet {
		reading.Go(func() { keepReading(streams, t, m.addr, hubtest.New(hubtest.Options{})) })
	}

	var nodes atomic.Uint32
	var acked []uint32
	for round := range *takeoverRounds {
		old, heir, other := fleet[0], fleet[1], fleet[2]
		var before, after fleetLoad
		before.begin(old.process, &nodes)
		before.await(random.IntN(60))
		how := []string{"is killed", "stands still", "is left alone by its standbys"}[round%3]
		t.Log("the primary " + how)
		switch round % 3 {
		case 0:
			old.kill()
		case 1:
			marks := []int{heir.mark(), other.mark()}
			old.signal(syscall.SIGSTOP)
			// What it sent may still arrive, and be acknowledged. After this no more.
			heir.awaitLogAfter(marks[0], "out of reach")
			other.awaitLogAfter(marks[1], "out of reach")
		case 2:
			if random.IntN(2) == 0 {
				heir, other = other, heir
			}
			other.follow(t, heir) // which thereby is the only one to acknowledge
			before.await(20)
		}
		if round%3 != 2 && other.onDisk() > heir.onDisk() {
			heir, other = other, heir
		}
		heir.promote()
		if round%3 != 2 {
			other.follow(t, heir)
		}
		after.begin(heir.process, &nodes)
		after.await(20)
		if round%3 == 1 {
			old.signal(syscall.SIGCONT)
		}
		before.end()
		old.follow(t, heir)
		old.awaitLog(`,"message":"following`)
		after.await(20)
		after.end()

		acked = slices.Concat(acked, before.acked, after.acked)
		for _, m := range fleet {
			m.reach(heir.position())
			alike(t, heir.process, m.process)
		}
		(&fleetLoad{acked: acked}).check(heir.process)
		fleet = []*member{heir, other, old}
	}
	hangUp()
	reading.Wait()
	t.Logf("%d acknowledged writes", len(acked))
}

// Without required acknowledgements, promoting a standby that lags loses what it
// lacks, which is what the primary said of it; who has more keeps that aside.
func TestPromotionOfTheOneThatLags(t *testing.T) {
	fleet := newFleet(t, 1)
	primary, ahead := fleet[0], fleet[1]
	w := newWire(t, primary.addr)
	lagging := &member{dir: t.TempDir(), token: primary.token}
	lagging.args = lagging.following(w.addr())
	lagging.process = launch(t, lagging.dir, lagging.args...)
	primary.put(1, 10)
	lagging.reach(primary.position())
	fork := lagging.onDisk()
	w.block()
	primary.put(11, 30)
	ahead.reach(primary.position())

	all := primary.replication()
	i := slices.IndexFunc(all.Standbys, func(s standby) bool { return s.Behind > 0 })
	if i < 0 || all.Standbys[i].Behind != 20 || all.Standbys[i].BehindMS == 0 || !all.Standbys[i].Connected {
		t.Fatalf("standbys: %+v, want one that is 20 commits behind", all.Standbys)
	}
	primary.kill()
	lagging.promote()
	if lagging.onDisk() != fork || all.SeqNo-fork != all.Standbys[i].Behind {
		t.Errorf("promoted at %d of %d, want to lose %d", lagging.onDisk(), all.SeqNo, all.Standbys[i].Behind)
	}
	lagging.put(101, 105)
	for _, m := range []*member{ahead, primary} {
		m.follow(t, lagging)
		m.reach(lagging.position())
		alike(t, lagging.process, m.process)
		m.keptAside(11, 30)
	}
}

// keptAside fails the test unless a file holds the commits that made the nodes
// from one to another, and no other.
func (m *member) keptAside(from, to int) {
	m.t.Helper()
	files, err := filepath.Glob(filepath.Join(m.dir, "aside-*.jsonl"))
	if err != nil || len(files) != 1 {
		m.t.Fatalf("kept aside: %q, %v", files, err)
	}
	text, err := os.ReadFile(files[0])
	if err != nil {
		m.t.Fatal(err)
	}
	commits := strings.Split(strings.TrimSpace(string(text)), "\n")
	if len(commits) != to-from+1 {
		m.t.Fatalf("%d commits are kept aside, want %d:\n%s", len(commits), to-from+1, text)
	}
	for i, c := range commits {
		if !strings.Contains(c, `"node_id":`+strconv.Itoa(from+i)+",") {
			m.t.Errorf("commit %d that is kept aside is not of node %d: %s", i, from+i, c)
		}
	}
}

// Two standbys that were both promoted are two branches: each stays, and says so
// when it hears of the other. One has to go.
func TestTwoPrimaries(t *testing.T) {
	fleet := newFleet(t, 2)
	fleet[0].put(1, 10)
	one, two := fleet[1], fleet[2]
	for _, m := range fleet[1:] {
		m.reach(fleet[0].position())
	}
	fleet[0].kill()
	one.promote()
	two.promote()
	one.put(11, 12)
	two.put(21, 23)

	two.follow(t, one)
	two.awaitLog("another branch of the history")
	two.put(24, 24)
	if held := string(two.must("GET", "/snapshot", nil)); !strings.Contains(held, `"node_id":24,`) || strings.Contains(held, `"node_id":11,`) {
		t.Errorf("a primary of one branch took over the other: %s", held)
	}
	two.startAfresh(t, one)
	two.reach(one.position())
	alike(t, one.process, two.process)
	one.put(13, 14)
	two.reach(one.position())
	alike(t, one.process, two.process)
}
