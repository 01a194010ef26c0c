package main

import (
	"context"
	"flag"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/replication-gateway/gateway/internal/hub/hubtest"
)

var (
	fleetRounds  = flag.Int("fleet-rounds", 8, "accidents that TestFleetUnderAccidents goes through")
	accidentSeed = flag.Uint64("accident-seed", 0, "dice of the tests that go through accidents; 0 throws others each time")
)

// scene is a fleet under load, and the one of its standbys that an accident is to
// hit. The other one acknowledges meanwhile.
type scene struct {
	t       *testing.T
	random  *rand.Rand
	writing *fleetLoad
	primary *member
	standby *member
	other   *member
	wire    *wire // from the standby to the primary
}

// accidents happen to a fleet under load, and are over when the func returns.
var accidents = []struct {
	name   string
	happen func(s *scene)
}{
	{"the primary is killed", func(s *scene) { s.primary.restart(s.t) }},
	{"a standby is killed", func(s *scene) {
		s.writing.await(20)
		s.standby.restart(s.t)
	}},
	{"the primary stands still", func(s *scene) {
		mark := s.standby.mark()
		s.primary.signal(syscall.SIGSTOP)
		s.standby.awaitLogAfter(mark, "out of reach")
		s.primary.signal(syscall.SIGCONT)
	}},
	{"a standby stands still", func(s *scene) {
		s.standby.signal(syscall.SIGSTOP)
		s.writing.await(20)
		s.standby.signal(syscall.SIGCONT)
	}},
	{"all three stand still, and go on in another order", func(s *scene) {
		all := []*member{s.primary, s.standby, s.other}
		for _, i := range s.random.Perm(len(all)) {
			all[i].signal(syscall.SIGSTOP)
		}
		for _, i := range s.random.Perm(len(all)) {
			all[i].signal(syscall.SIGCONT)
		}
	}},
	{"the wire to a standby is dead", func(s *scene) {
		mark := s.standby.mark()
		s.wire.block()
		s.standby.awaitLogAfter(mark, "out of reach")
		s.writing.await(20)
		s.wire.unblock()
	}},
	{"a standby is cut off for a moment", func(s *scene) { s.wire.cut() }},
	{"the primary's disk is slow", func(s *scene) {
		s.primary.disk.slow(s.aWhile())
		s.writing.await(20)
		s.primary.disk.slow(0)
	}},
	{"the disk of a standby is slow", func(s *scene) {
		s.standby.disk.slow(s.aWhile())
		s.writing.await(20)
		s.standby.disk.slow(0)
	}},
	{"the disks of both standbys are slow", func(s *scene) {
		s.standby.disk.slow(s.aWhile())
		s.other.disk.slow(s.aWhile())
		s.writing.await(20)
		s.standby.disk.slow(0)
		s.other.disk.slow(0)
	}},
	{"the primary's disk stands still", func(s *scene) {
		s.primary.disk.hold()
		s.primary.disk.awaitStuck()
		s.primary.disk.release()
	}},
	{"the disk of a standby stands still", func(s *scene) {
		s.standby.disk.hold()
		s.standby.disk.awaitStuck()
		s.writing.await(20)
		s.standby.disk.release()
	}},
	{"the primary's disk breaks", func(s *scene) {
		s.primary.disk.breakDown()
		s.primary.awaitLog("storage failed")
		s.primary.disk.repair()
		s.primary.restart(s.t)
	}},
	{"the disk of a standby breaks", func(s *scene) {
		s.standby.disk.breakDown()
		s.standby.awaitLog("storage failed")
		s.writing.await(20)
		s.standby.disk.repair()
		s.standby.restart(s.t)
	}},
}

func (s *scene) aWhile() time.Duration { return time.Duration(1+s.random.IntN(20)) * time.Millisecond }

// A primary and two standbys, of which it waits for one, under load: whatever
// happens to them, no acknowledged write is lost, no stream is wrong, and in the
// end all hold the same.
func TestFleetUnderAccidents(t *testing.T) {
	t.Parallel()
	inFleets(t, *fleetRounds, underAccidents)
}

// underAccidents has so many accidents happen to one fleet.
func underAccidents(t *testing.T, random *rand.Rand, rounds int) {
	primary := newPrimary(t, "--heartbeat", "100ms", "--sync-standbys", "1", "--ack-timeout", "1s")
	wires, standbys := make([]*wire, 2), make([]*member, 2)
	for i := range standbys {
		wires[i] = newWire(t, primary.addr)
		standbys[i] = primary.newStandby(t, wires[i].addr())
		standbys[i].reach(primary.position())
	}
	var reading sync.WaitGroup
	streams, hangUp := context.WithCancel(t.Context())
	for _, m := range []*member{primary, standbys[0], standbys[1]} {
		reading.Go(func() { keepReading(streams, t, m.addr, hubtest.New(hubtest.Options{})) })
	}

	var writing fleetLoad
	var nodes atomic.Uint32
	happened := map[string]int{}
	for range rounds {
		writing.begin(primary.process, &nodes)
		writing.await(20)
		i, accident := random.IntN(2), accidents[random.IntN(len(accidents))]
		t.Log(accident.name)
		happened[accident.name]++
		accident.happen(&scene{t, random, &writing, primary, standbys[i], standbys[1-i], wires[i]})
		writing.await(20)
		writing.end()
		at := primary.position()
		for _, s := range standbys {
			s.reach(at)
			alike(t, primary.process, s.process)
		}
		writing.check(primary.process)
	}
	hangUp()
	reading.Wait()
	t.Logf("%d acknowledged writes; %v", len(writing.acked), happened)
}
