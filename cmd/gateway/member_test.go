package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"syscall"
	"testing"
	"time"

	"github.com/replication-gateway/gateway/internal/hub/hubtest"
)

// member is a gateway of a fleet, which is stopped and started again at the same
// address.
type member struct {
	*process
	dir    string
	disk   *disk
	common []string // flags that stay, whomever it follows
	token  string   // to follow with
	args   []string // flags, as it was started last
}

func newMember(t *testing.T, token string, common ...string) *member {
	return &member{dir: t.TempDir(), disk: newDisk(t), common: common, token: token}
}

// launch starts the gateway for the first time and waits until it listens.
func (m *member) launch(t *testing.T, args []string) {
	t.Helper()
	m.args = args
	m.process = launchOn(t, m.disk, m.dir, args...)
}

// restart kills the gateway and starts it again as it was.
func (m *member) restart(t *testing.T) {
	t.Helper()
	m.kill()
	m.process = launchOn(t, m.disk, m.dir, append([]string{"--listen", m.addr}, m.args...)...)
	m.awaitLog(`"message":"ready"`)
}

// following are the flags of a gateway that follows the one at an address.
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

// newFleet starts a primary and so many standbys of it, all with common flags.
func newFleet(t *testing.T, standbys int, common ...string) []*member {
	t.Helper()
	fleet := []*member{newPrimary(t, common...)}
	for range standbys {
		fleet = append(fleet, fleet[0].newStandby(t, fleet[0].addr))
	}
	return fleet
}

// newPrimary starts a gateway that others are to follow.
func newPrimary(t *testing.T, common ...string) *member {
	t.Helper()
	m := newMember(t, "", common...)
	m.launch(t, common)
	m.awaitLog(`"message":"ready"`)
	m.token = m.replicaToken()
	return m
}

// newStandby starts a standby of the gateway, which reaches it at an address.
func (m *member) newStandby(t *testing.T, addr string) *member {
	t.Helper()
	s := newMember(t, m.token, m.common...)
	s.launch(t, s.following(addr))
	s.awaitLog(`,"message":"following`)
	return s
}

// onDisk is the newest commit that the gateway has on disk.
func (p *process) onDisk() uint64 {
	p.t.Helper()
	return p.replication().DurableSeqNo
}

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

// keepReading reads the gateway at an address, whoever that is at the time, until
// ctx ends, and has every frame checked.
func keepReading(ctx context.Context, t *testing.T, addr string, reader *hubtest.Validator) {
	for ctx.Err() == nil {
		err := readStream(ctx, addr, reader)
		if errors.Is(err, errStream) {
			t.Error(err)
			return
		}
		if err != nil { // nobody is there
			select {
			case <-ctx.Done():
			case <-time.After(50 * time.Millisecond):
			}
		}
	}
}

// roundsOfAFleet is how many rounds one fleet goes through.
const roundsOfAFleet = 20

// inFleets goes through so many rounds with one fleet after the other. Each of them is
// a test of its own, with which its processes and folders go: a long run takes no more
// of the disk than a short one.
func inFleets(t *testing.T, rounds int, test func(t *testing.T, random *rand.Rand, rounds int)) {
	random := seeded(t)
	for fleet := 1; rounds > 0 && !t.Failed(); fleet++ {
		some := min(rounds, roundsOfAFleet)
		t.Run(fmt.Sprint("fleet ", fleet), func(t *testing.T) { test(t, random, some) })
		rounds -= some
	}
}

// seeded returns the dice of a test that goes through accidents, the same again for
// -accident-seed.
func seeded(t *testing.T) *rand.Rand {
	seed := *accidentSeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("-accident-seed %d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}
