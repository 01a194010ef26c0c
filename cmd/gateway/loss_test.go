package main

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"testing"
	"time"
)

// Without required acknowledgements the last report of the primary bounds what is
// lost with it, whatever its standby lagged for: of the writes that were
// acknowledged before the report was asked for, no more than it says that the
// standby lacks. When the old primary comes back, nothing is lost: what the new one
// has not is kept aside.
func TestWhatIsLostIsWhatWasReported(t *testing.T) {
	t.Parallel()
	inFleets(t, *takeoverRounds, loseUnacknowledged)
}

// loseUnacknowledged has one pair of gateways lose so many primaries.
func loseUnacknowledged(t *testing.T, random *rand.Rand, rounds int) {
	primary := newPrimary(t, "--heartbeat", "100ms")
	w := newWire(t, primary.addr)
	heir := primary.newStandby(t, w.addr())
	var nodes atomic.Uint32
	acked, lost, reported := []uint32{}, 0, uint64(0)
	for range rounds {
		heir.reach(primary.position())
		var writing fleetLoad
		writing.begin(primary.process, &nodes)
		writing.await(20)
		goOn := fallBehind(t, random, heir, w)
		writing.await(20 + random.IntN(60))

		before := writing.soFar()
		report := primary.replication()
		primary.kill()
		writing.end()
		goOn()
		if len(report.Standbys) != 1 {
			t.Fatalf("standbys: %+v, want the one there is", report.Standbys)
		}
		says := report.Standbys[0]
		heir.promote()
		fork := heir.onDisk()
		if fork < says.AckedSeqNo {
			t.Fatalf("promoted at %d, which had acknowledged %d", fork, says.AckedSeqNo)
		}
		gone := missing(before, heir.nodes())
		if uint64(len(gone)) > says.Behind {
			t.Fatalf("%d writes are lost that were acknowledged before the primary said that its standby lacks %d", len(gone), says.Behind)
		}
		lost, reported = lost+len(gone), reported+says.Behind

		returned := comeback{fork: fork, asides: primary.asides()}
		primary.comeBack(t, &returned, heir, false)
		primary.reach(heir.position())
		alike(t, heir.process, primary.process)
		aside := nodeSet(nodesOf(primary.checkAside(returned)))
		acked = slices.Concat(acked, missing(writing.acked, aside))
		heir.holds(acked)

		primary, heir = heir, primary
		w = newWire(t, primary.addr)
		heir.args = heir.following(w.addr())
		heir.restart(t)
		heir.awaitLog(`,"message":"following`)
	}
	t.Logf("%d writes lost where %d were reported", lost, reported)
}

// fallBehind has a standby lag in one way or another, until the returned func.
func fallBehind(t *testing.T, random *rand.Rand, standby *member, w *wire) (goOn func()) {
	switch random.IntN(4) {
	case 0:
		t.Log("the standby's disk is slow")
		standby.disk.slow(time.Duration(5+random.IntN(20)) * time.Millisecond)
		return func() { standby.disk.slow(0) }
	case 1:
		t.Log("the standby's disk stands still")
		standby.disk.hold()
		return standby.disk.release
	case 2:
		t.Log("what is sent to the standby is lost")
		w.block()
		return func() {}
	}
	t.Log("nothing keeps the standby from following")
	return func() {}
}

// A standby that lags is promoted though another one has more: what it lacks is
// what the primary said of it, and each who has more keeps just that aside, takes a
// snapshot, and follows.
func TestPromotionOfTheOneThatLags(t *testing.T) {
	t.Parallel()
	fleet := newFleet(t, 1)
	primary, ahead := fleet[0], fleet[1]
	w := newWire(t, primary.addr)
	lagging := primary.newStandby(t, w.addr())
	primary.put(1, 10)
	lagging.reach(primary.position())
	fork := lagging.onDisk()
	w.block()
	primary.put(11, 30)
	ahead.reach(primary.position())

	all := primary.replication()
	// The other's last acknowledgement may be under way.
	most := slices.MaxFunc(all.Standbys, func(a, b standby) int { return cmp.Compare(a.Behind, b.Behind) })
	if most.Behind != 20 || most.BehindMS == 0 || !most.Connected {
		t.Fatalf("standbys: %+v, want one that is 20 commits behind", all.Standbys)
	}
	primary.kill()
	lagging.promote()
	if lagging.onDisk() != fork || all.SeqNo-fork != most.Behind {
		t.Errorf("promoted at %d of %d, want to lose %d", lagging.onDisk(), all.SeqNo, most.Behind)
	}
	lagging.put(101, 105)
	for _, m := range []*member{ahead, primary} {
		returned := comeback{fork: fork}
		m.comeBack(t, &returned, lagging, false)
		m.reach(lagging.position())
		alike(t, lagging.process, m.process)
		if kept := nodesOf(m.checkAside(returned)); len(kept) != 20 || kept[0] != 11 || kept[19] != 30 {
			t.Errorf("kept aside: the nodes %v, want 11 to 30", kept)
		}
		m.awaitLog("snapshot taken over") // said once the state can be seen
	}
}
