package main

import (
	"context"
	"flag"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/replication-gateway/gateway/internal/hub/hubtest"
)

var takeoverRounds = flag.Int("takeover-rounds", 4, "primaries that TestTakeovers and TestWhatIsLostIsWhatWasReported lose")

// takeover is how a fleet comes to lose its primary.
type takeover struct {
	name string
	lose func(old, heir, other *member)
	// The old primary lives on, and takes what it is given.
	lives bool
	// The heir is chosen beforehand, the other one follows it already.
	chosen bool
}

var takeovers = []takeover{
	{name: "is killed", lose: func(old, _, _ *member) { old.kill() }},
	{name: "stands still", lives: true, lose: func(old, heir, other *member) {
		marks := []int{heir.mark(), other.mark()}
		old.signal(syscall.SIGSTOP)
		// What it sent may still arrive, and be acknowledged. After this no more.
		heir.awaitLogAfter(marks[0], "out of reach")
		other.awaitLogAfter(marks[1], "out of reach")
	}},
	{name: "is left alone by its standbys", lives: true, chosen: true, lose: func(_, _, _ *member) {}},
	{name: "has a disk that breaks", lose: func(old, _, _ *member) {
		old.disk.breakDown()
		old.awaitLog("storage failed")
		old.kill()
		old.disk.repair()
	}},
	{name: "has a disk that stands still", lose: func(old, _, _ *member) {
		old.disk.hold()
		old.disk.awaitStuck()
		old.kill()
		old.disk.release()
	}},
}

// Again and again the primary is lost under load, or cut off by hand, and the
// standby that has most takes over, slow as any disk may be: no acknowledged write
// is lost, every stream goes on as promised, and who was lost comes back, keeps
// aside what it alone had, and holds the same. Or it never comes back.
func TestTakeovers(t *testing.T) {
	random := seeded(t)
	fleet := newFleet(t, 2, "--heartbeat", "100ms", "--sync-standbys", "1", "--ack-timeout", "1s")
	var reading sync.WaitGroup
	streams, hangUp := context.WithCancel(t.Context())
	for _, m := range fleet {
		reading.Go(func() { keepReading(streams, t, m.addr, hubtest.New(hubtest.Options{})) })
	}

	var nodes atomic.Uint32
	var acked []uint32
	kept := 0
	order := random.Perm(len(takeovers))
	for round := range *takeoverRounds {
		how := takeovers[order[round%len(order)]]
		old, heir, other := fleet[0], fleet[1], fleet[2]
		slow := fleet[random.IntN(len(fleet))]
		slow.disk.slow(time.Duration(random.IntN(10)) * time.Millisecond)
		var before, after fleetLoad
		before.begin(old.process, &nodes)
		before.await(random.IntN(60))
		if how.chosen {
			if random.IntN(2) == 0 {
				heir, other = other, heir
			}
			other.follow(t, heir) // which thereby is the only one to acknowledge
			before.await(20)
		}
		t.Log("the primary " + how.name)
		how.lose(old, heir, other)
		if !how.chosen && other.onDisk() > heir.onDisk() {
			heir, other = other, heir
		}
		heir.promote()
		fork := heir.onDisk()
		asides := other.asides()
		if !how.chosen {
			other.follow(t, heir)
		}
		after.begin(heir.process, &nodes)
		after.await(20)
		if how.lives {
			old.signal(syscall.SIGCONT)
		}
		before.end()
		behind := heir
		if random.IntN(2) == 0 {
			behind = other // and is the third of a chain
		}
		returned := old.comeBack(t, behind, fork, random.IntN(4) == 0)
		after.await(20)
		after.end()
		slow.disk.slow(0)

		acked = slices.Concat(acked, before.acked, after.acked)
		for _, m := range []*member{other, old} {
			m.reach(heir.position())
			alike(t, heir.process, m.process)
		}
		heir.holds(acked)
		other.keptAside(nil, asides)
		old.keptAside(returned.alone, returned.asides)
		kept += len(returned.alone)
		fleet = []*member{heir, other, old}
	}
	hangUp()
	reading.Wait()
	t.Logf("%d acknowledged writes, %d others kept aside", len(acked), kept)
}

// comeback is what a gateway had when it came back.
type comeback struct {
	alone  []keptCommit // what it alone had
	asides []string
}

// comeBack starts an old primary again behind another gateway; with an empty folder
// when its own is lost for good. fork is the last commit that both share.
func (m *member) comeBack(t *testing.T, behind *member, fork uint64, lost bool) (c comeback) {
	t.Helper()
	m.kill()
	if lost {
		t.Log("its data is lost for good")
		m.startAfresh(t, behind)
	} else {
		c = comeback{m.beyond(fork), m.asides()}
		m.follow(t, behind)
	}
	m.awaitLog(`,"message":"following`)
	return c
}

// Two standbys that were both promoted under load, while their primary goes on, are
// two branches: each stays, takes writes and says so when it hears of the other.
// The old primary goes over to the one that it is told to follow. One branch has
// to go, and does as the runbook says.
func TestTwoPrimaries(t *testing.T) {
	fleet := newFleet(t, 2)
	old, one, two := fleet[0], fleet[1], fleet[2]
	var nodes atomic.Uint32
	var writing [3]fleetLoad
	writing[0].begin(old.process, &nodes)
	writing[0].await(20)
	one.promote()
	two.promote()
	fork := one.onDisk()
	for i, m := range []*member{one, two} {
		writing[1+i].begin(m.process, &nodes)
	}
	for i := range writing {
		writing[i].await(20)
		writing[i].end()
	}

	one.follow(t, two)
	two.follow(t, one)
	for i, m := range []*member{one, two} {
		m.awaitLog("another branch of the history")
		if role := m.replication().Role; role != "primary" {
			t.Errorf("a primary became a %s of another branch", role)
		}
		writing[1+i].check(m.process)
		if other := writing[2-i].acked; len(missing(other, m.nodes())) != len(other) {
			t.Error("a primary of one branch took over from the other")
		}
		m.put(10_000, 10_000)
	}

	returned := old.comeBack(t, one, fork, false)
	old.reach(one.position())
	alike(t, one.process, old.process)
	old.keptAside(returned.alone, returned.asides)
	old.holds(missing(writing[0].acked, nodeSet(nodesOf(returned.alone))))

	two.startAfresh(t, one)
	one.put(10_001, 10_002)
	two.reach(one.position())
	alike(t, one.process, two.process)
	writing[1].check(two.process)
	if strings.Contains(old.log(), "another branch") {
		t.Errorf("the old primary is no branch:\n%s", old.log())
	}
}

func nodeSet(nodes []uint32) map[uint32]bool {
	set := make(map[uint32]bool, len(nodes))
	for _, n := range nodes {
		set[n] = true
	}
	return set
}
