package main

import (
	"context"
	"flag"
	"math/rand/v2"
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

// takeovers are how a fleet comes to lose its primary, which lives on or does not.
var takeovers = []struct {
	name  string
	lives bool
	lose  func(old *member)
}{
	{"is killed", false, func(old *member) { old.kill() }},
	{"stands still", true, func(old *member) { old.signal(syscall.SIGSTOP) }},
	{"is left alone by its standbys", true, nil},
	{"has a disk that breaks", false, func(old *member) {
		old.disk.breakDown()
		old.awaitLog("storage failed")
		old.kill()
		old.disk.repair()
	}},
	{"has a disk that stands still", false, func(old *member) {
		old.disk.hold()
		old.disk.awaitStuck()
		old.kill()
		old.disk.release()
	}},
}

// Again and again the primary is lost under load, or left alone, and the standby
// that has most takes over, however slow a disk is: no acknowledged write is lost,
// every stream goes on as promised, and who was lost comes back, keeps aside what
// it alone had, and holds the same. Or its data never comes back.
func TestTakeovers(t *testing.T) {
	t.Parallel()
	inFleets(t, *takeoverRounds, losePrimaries)
}

// losePrimaries has one fleet lose so many primaries.
func losePrimaries(t *testing.T, random *rand.Rand, rounds int) {
	fleet := newFleet(t, 2, "--heartbeat", "100ms", "--sync-standbys", "1", "--ack-timeout", "1s")
	var reading sync.WaitGroup
	streams, hangUp := context.WithCancel(t.Context())
	for _, m := range fleet {
		reading.Go(func() { keepReading(streams, t, m.addr, hubtest.New(hubtest.Options{})) })
	}

	var nodes atomic.Uint32
	var acked []uint32
	order := random.Perm(len(takeovers))
	chain := false // the last one follows the one before it, not the primary
	aside := 0
	for round := range rounds {
		how := takeovers[order[round%len(order)]]
		old, heir, other := fleet[0], fleet[1], fleet[2]
		slow := fleet[random.IntN(len(fleet))]
		slow.disk.slow(time.Duration(random.IntN(10)) * time.Millisecond)
		var before, after fleetLoad
		before.begin(old.process, &nodes)
		before.await(random.IntN(60))
		t.Log("the primary " + how.name)
		if how.lose == nil {
			if !chain && random.IntN(2) == 0 {
				heir, other = other, heir
			}
			if !chain {
				other.follow(t, heir) // which thereby is the only one to acknowledge
				chain = true
			}
			before.await(20)
		} else {
			marks := []int{heir.mark(), other.mark()}
			how.lose(old)
			// What it sent may still arrive, and be acknowledged. After this no more.
			heir.awaitLogAfter(marks[0], "out of reach")
			if !chain {
				other.awaitLogAfter(marks[1], "out of reach")
				if other.onDisk() > heir.onDisk() {
					heir, other = other, heir
				}
			}
		}
		heir.promote()
		fork, asides := heir.onDisk(), other.asides()
		returned := comeback{fork: fork, asides: old.asides()}
		if !chain {
			other.follow(t, heir)
		}
		after.begin(heir.process, &nodes)
		after.await(20)
		if how.lives {
			old.signal(syscall.SIGCONT)
		}
		before.end()
		behind := heir
		if chain = random.IntN(2) == 0; chain {
			t.Log("it comes back as the last of a chain")
			behind = other
		}
		old.comeBack(t, &returned, behind, random.IntN(4) == 0)
		after.await(20)
		after.end()
		slow.disk.slow(0)

		acked = slices.Concat(acked, before.acked, after.acked)
		for _, m := range []*member{other, old} {
			m.reach(heir.position())
			alike(t, heir.process, m.process)
		}
		heir.holds(acked)
		if kept := other.aside(asides); len(kept) > 0 {
			t.Errorf("%d commits kept aside by who had none alone", len(kept))
		}
		aside += len(old.checkAside(returned))
		fleet = []*member{heir, other, old}
	}
	hangUp()
	reading.Wait()
	t.Logf("%d acknowledged writes, %d others kept aside", len(acked), aside)
}

// comeback is what an old primary had when it came back.
type comeback struct {
	fork   uint64       // the newest commit that it shares with the new one
	asides []string     // what it had kept aside before
	alone  []keptCommit // what it alone has
	itself bool         // it found out by itself that its epoch is over
}

// comeBack starts an old primary again behind another gateway; with an empty folder
// when its own is lost for good.
func (m *member) comeBack(t *testing.T, c *comeback, behind *member, lost bool) {
	t.Helper()
	m.kill()
	if lost {
		t.Log("its data is lost for good")
		c.asides = nil
		m.startAfresh(t, behind)
	} else {
		c.itself = strings.Contains(m.log(), `"message":"demoted`)
		if !c.itself { // else it may have been killed while it let go of that
			c.alone = m.beyond(c.fork)
		}
		m.follow(t, behind)
	}
	m.awaitLog(`,"message":"following`)
}

// checkAside fails the test unless an old primary that has come back has kept aside
// what it alone had, to the last commit, and returns that. Of one that went over by
// itself it is not known which the last was.
func (m *member) checkAside(c comeback) []keptCommit {
	m.t.Helper()
	kept := m.aside(c.asides)
	if !c.itself && !slices.EqualFunc(kept, c.alone, keptCommit.equal) {
		m.t.Fatalf("kept aside: nodes %v, want %v\n%s", nodesOf(kept), nodesOf(c.alone), m.log())
	}
	for i, k := range kept {
		if k.SeqNo != c.fork+1+uint64(i) {
			m.t.Fatalf("kept aside: commit %d where %d was due", k.SeqNo, c.fork+1+uint64(i))
		}
	}
	return kept
}

// Two standbys that were both promoted under load, while their primary goes on, are
// two branches: each stays, takes writes and says so when it hears of the other.
// The old primary goes over to the one that it is told to follow. One branch has
// to go, and does as the runbook says.
func TestTwoPrimaries(t *testing.T) {
	t.Parallel()
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

	returned := comeback{fork: fork}
	old.comeBack(t, &returned, one, false)
	old.reach(one.position())
	alike(t, one.process, old.process)
	old.holds(missing(writing[0].acked, nodeSet(nodesOf(old.checkAside(returned)))))

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
