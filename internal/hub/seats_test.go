package hub

import (
	"iter"
	"testing"
	"testing/synctest"
	"time"
)

// crowdAtTheDoor is a manager with a snapshot of several parts that is too large to
// go without a seat, and n who join it.
func crowdAtTheDoor(t *testing.T, n int) (*Manager, []*Sub) {
	t.Helper()
	m := NewManager(Options{Epoch: "e"})
	m.Push(State{Parts: func(_ Class, max int) iter.Seq[[]byte] { return lent(make([]byte, max), make([]byte, max)) }})
	var subs []*Sub
	for range n {
		s, err := m.AddSub(SubOptions{})
		must(t, err)
		take(s, 1) // the heartbeat
		subs = append(subs, s)
	}
	return m, subs
}

// reading returns how many of the subscribers are given frames.
func reading(subs []*Sub) (n int) {
	for _, s := range subs {
		n += len(take(s, 1))
	}
	return n
}

// TestFewReadSnapshotsAtATime, in the order in which they came.
func TestFewReadSnapshotsAtATime(t *testing.T) {
	m, subs := crowdAtTheDoor(t, maxSeats+3)
	first, rest := subs[:maxSeats], subs[maxSeats:]
	if got := reading(first); got != maxSeats {
		t.Errorf("%d read, want %d", got, maxSeats)
	}
	if got := reading(rest); got != 0 {
		t.Errorf("%d more read, want none", got)
	}
	var b Batch
	first[0].Next(&b, 1)
	if len(b.Frames) != 1 || !b.More {
		t.Errorf("the last part came with more %v, want its writer to come back", b.More)
	}
	if got := reading(rest); got != 0 {
		t.Errorf("%d read before the last part of another was written", got)
	}
	first[0].Next(&b, 1)
	for len(rest[0].Wake()) > 0 {
		<-rest[0].Wake()
	}
	m.RemoveSub(first[1])
	first[2].End(TokenEnded)
	<-rest[1].Wake()
	<-rest[2].Wake()
	if got := reading(rest); got != 3 {
		t.Errorf("%d read after three have left, want 3", got)
	}
	for _, s := range subs {
		m.RemoveSub(s)
	}
	idle(t, m)
}

// lapseAll lets the time of all seats pass, which have just been taken, and
// checks that as many of those who queue read after it, and none before.
func lapseAll(t *testing.T, queue []*Sub) {
	t.Helper()
	advance(seatTime - time.Millisecond)
	if got := reading(queue); got != 0 {
		t.Errorf("%d read before a seat has lapsed", got)
	}
	advance(time.Millisecond)
	if got := reading(queue); got != maxSeats {
		t.Errorf("%d read when the first seats have lapsed, want %d", got, maxSeats)
	}
}

// TestSeatsLapse: those who read slowly keep nobody out for long.
func TestSeatsLapse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, subs := crowdAtTheDoor(t, 3*maxSeats)
		reading(subs)
		lapseAll(t, subs[maxSeats:])
		if got := reading(subs[:maxSeats]); got != maxSeats {
			t.Errorf("%d of those who had them read on, want all", got)
		}
		advance(seatTime)
		if got := reading(subs[2*maxSeats:]); got != maxSeats {
			t.Errorf("%d read when the next seats have lapsed, want %d", got, maxSeats)
		}
		for _, s := range subs {
			m.RemoveSub(s)
		}
		idle(t, m)
	})
}

// TestEncodingTakesNoSeatTime: who waits for a snapshot to be encoded has its time
// when it is, and keeps out nobody meanwhile but those who would wait as well.
func TestEncodingTakesNoSeatTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := NewManager(Options{Epoch: "e"})
		release := make(chan struct{})
		m.Push(State{Parts: func(c Class, max int) iter.Seq[[]byte] {
			if c == odd {
				<-release
			}
			return lent(make([]byte, max), make([]byte, max))
		}})
		feed, subs := feedOf(t, m, 2*maxSeats, odd)
		serve(feed)
		advance(10 * seatTime)
		var others []*Sub
		for range maxSeats {
			s, err := m.AddSub(SubOptions{Class: all})
			must(t, err)
			take(s, 1) // the heartbeat
			others = append(others, s)
		}
		if got := reading(others); got != maxSeats-1 {
			t.Errorf("%d of another class read while a snapshot is encoded, want %d", got, maxSeats-1)
		}
		advance(seatTime)
		if got := reading(others[maxSeats-1:]); got != 1 {
			t.Error("the last of another class does not read when the seats of the others have lapsed")
		}
		for _, s := range others {
			m.RemoveSub(s)
		}

		close(release)
		synctest.Wait()
		if got := reading(subs); got != maxSeats {
			t.Errorf("%d read when the snapshot is encoded, want %d", got, maxSeats)
		}
		lapseAll(t, subs[maxSeats:])
		for _, s := range subs {
			m.RemoveSub(s)
		}
		idle(t, m)
	})
}

// TestSmallSnapshotsNeedNoSeat once they are handed out.
func TestSmallSnapshotsNeedNoSeat(t *testing.T) {
	m, _ := start(Options{})
	for range 2 * maxSeats {
		s, err := m.AddSub(SubOptions{Class: all})
		must(t, err)
		if got := take(s, 1<<20); len(got) != 2 {
			t.Fatalf("%d frames, want a heartbeat and a snapshot", len(got))
		}
	}
}

// TestTheSlowMakeRoom: when snapshots take more than they may and another is to be
// encoded, those are ended who keep theirs and hardly read on, and nobody else.
func TestTheSlowMakeRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := NewManager(Options{Epoch: "e"})
		m.snapshots.budget = 1
		m.Push(State{Parts: func(_ Class, max int) iter.Seq[[]byte] {
			return lent(make([]byte, max), make([]byte, max), make([]byte, max), make([]byte, max))
		}})
		var subs []*Sub
		join := func() {
			s, err := m.AddSub(SubOptions{Class: Class(rune('a' + len(subs)))}) // each of another class
			must(t, err)
			take(s, 1) // the heartbeat
			take(s, 1) // the first part, 256 KiB, if there is a seat
			subs = append(subs, s)
		}
		for range maxSeats + 2 {
			join()
		}
		advance(seatTime) // two lapse, and two more read
		reading(subs[maxSeats:])
		reading(subs[1:2])
		late := func(kib int) time.Duration { return slowGrace + time.Duration(kib<<10)*time.Second/slowPace }
		advance(late(200) - seatTime)
		join()
		advance(0) // its seat is another's who has had it for long
		reading(subs[maxSeats+2:])
		for i, s := range subs {
			if s.Ended() {
				t.Errorf("reader %d was ended when none was slow", i)
			}
		}
		advance(late(300) - late(200))
		join()
		advance(0)
		reading(subs[maxSeats+3:])
		for i, s := range subs {
			// The first has lapsed and read one part; the second has read two; two more have lapsed to let others in.
			if want := i == 0 || i == 2 || i == 3; s.Ended() != want || want && s.Cause() != TooMany {
				t.Errorf("reader %d: ended %v with %v, want %v", i, s.Ended(), s.Cause(), want)
			}
		}
		for _, s := range subs {
			m.RemoveSub(s)
		}
		idle(t, m)
	})
}
