package hub

import (
	"errors"
	"iter"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
)

// feedOf returns a feed with n subscribers of a class.
func feedOf(t *testing.T, m *Manager, n int, c Class) (*Feed, []*Sub) {
	t.Helper()
	f := NewFeed()
	var subs []*Sub
	for i := range n {
		s, err := m.AddSub(SubOptions{Class: c})
		must(t, err)
		f.Add(s, nil, i)
		subs = append(subs, s)
	}
	return f, subs
}

// serve carries out rounds until nothing is due any more, and returns the frames
// of each subscriber.
func serve(f *Feed) map[*Sub][]string {
	got := map[*Sub][]string{}
	var b Batch
	for {
		due := f.Begin(nil)
		if len(due) == 0 {
			return got
		}
		for _, s := range due {
			for more := true; more; more = b.More {
				s.Next(&b, 1<<10)
				for _, frame := range b.Frames {
					got[s] = append(got[s], string(frame))
				}
			}
		}
		f.End()
	}
}

// upToDate reports whether nothing is due to s.
func upToDate(s *Sub) bool {
	m := s.manager
	m.mu.Lock()
	defer m.mu.Unlock()
	return !m.lacksState(s) && s.piece == nil && s.pos >= m.limit(s)
}

// serveUntil serves a feed until the given subscribers are up to date.
func serveUntil(f *Feed, subs ...*Sub) map[*Sub][]string {
	got := map[*Sub][]string{}
	for {
		for s, frames := range serve(f) {
			got[s] = append(got[s], frames...)
		}
		if !slices.ContainsFunc(subs, func(s *Sub) bool { return !upToDate(s) }) {
			return got
		}
		<-f.Wake()
	}
}

func TestFeedWakesOnceForAll(t *testing.T) {
	m, mod := start(Options{})
	f, subs := feedOf(t, m, 3, all)
	if subs[2].Owner() != 2 || len(f.subs) != 3 {
		t.Errorf("owner %v of %d", subs[2].Owner(), len(f.subs))
	}
	serveUntil(f, subs...)
	for len(f.wake) > 0 {
		<-f.Wake()
	}
	push(m, mod, 2)
	<-f.Wake()
	subs[1].Signal()
	if due := f.Begin(nil); len(due) != 3 || !slices.Contains(due, subs[0]) {
		t.Errorf("%d are due after a push, want all three, each once", len(due))
	}
	subs[1].Signal()
	subs[1].Signal()
	<-f.Wake()
	if due := f.Begin(nil); !slices.Equal(due, subs[1:2]) {
		t.Errorf("%d are due after one was signalled", len(due))
	}
	subs[1].End(TokenEnded)
	<-f.Wake()
	m.RemoveSub(subs[0])
	if due := f.Begin(nil); !slices.Equal(due, []*Sub{subs[1], subs[0]}) {
		t.Errorf("%d are due after one has ended and one was removed, want both", len(due))
	}
	for _, s := range subs {
		m.RemoveSub(s)
	}
	if len(f.subs) != 0 {
		t.Errorf("%d left", len(f.subs))
	}
	idle(t, m)
}

// TestRoundLeadsAllToOneCommit: a push in the middle of a round does not part those
// who stand together.
func TestRoundLeadsAllToOneCommit(t *testing.T) {
	m := NewManager(Options{Epoch: "e"})
	var n counted
	m.Push(n.state(0))
	f, subs := feedOf(t, m, 3, all)
	serveUntil(f, subs...)
	m.PushDelta(n.state(1), n.commit(1))
	f.Begin(nil)
	bytes := map[*byte]bool{}
	for i, s := range subs {
		got := take(s, 1<<20)
		if len(got) != 1 {
			t.Fatalf("%d frames", len(got))
		}
		bytes[&got[0][0]] = true
		m.PushDelta(n.state(uint64(i+2)), n.commit(uint64(i+2)))
	}
	if len(bytes) != 1 || n.entries.Load() != 1 {
		t.Errorf("%d frames, encoded %d times, want one for all", len(bytes), n.entries.Load())
	}
	for s, got := range serve(f) {
		equal(t, got, []string{`{"type":"delta","epoch":"e","prev_seq_no":1,"seq_no":4,"entries":[1,1,1]}`})
		m.RemoveSub(s)
	}
	idle(t, m)
}

// TestJoinersLetGoOfTheWindow: who has come to where his round leads has caught up,
// also if something is pushed in every round before his turn.
func TestJoinersLetGoOfTheWindow(t *testing.T) {
	m := NewManager(Options{Epoch: "e"})
	var n counted
	m.Push(n.state(0))
	f, subs := feedOf(t, m, 1, all)
	for round, pinned := uint64(1), false; ; round++ {
		<-f.Wake()
		f.Begin(nil)
		m.PushDelta(n.state(round), n.commit(round))
		take(subs[0], 1<<20)
		f.End()
		for runtime.Gosched(); len(m.encoders[Snapshot])+len(m.encoders[Delta]) > 0; { // what is encoded beside
			runtime.Gosched()
		}
		m.mu.Lock()
		pins := len(m.pinned)
		m.mu.Unlock()
		if pinned = pinned || pins > 0; pinned && pins == 0 {
			break
		}
		if round == 1000 {
			t.Fatalf("pinned: %v, and %d pins after %d rounds", pinned, pins, round)
		}
	}
	m.RemoveSub(subs[0])
	idle(t, m)
}

// TestLongEncodingHoldsUpNobody: while a snapshot or a large commit is encoded for
// one, the writer goes on with the others.
func TestLongEncodingHoldsUpNobody(t *testing.T) {
	m := NewManager(Options{Epoch: "e"})
	release := make(chan struct{})
	m.Push(State{Parts: func(c Class, _ int) iter.Seq[[]byte] {
		if c == odd {
			<-release
		}
		return lent()
	}})
	f, subs := feedOf(t, m, 1, all)
	serveUntil(f, subs...)
	slow, err := m.AddSub(SubOptions{Class: odd})
	must(t, err)
	f.Add(slow, nil, nil)
	if got := serve(f)[slow]; len(got) != 1 {
		t.Errorf("before its snapshot is encoded, came %q, want a heartbeat", got)
	}
	m.PushDelta(State{SeqNo: 1}, fixed(1, "1"))
	if got := serveUntil(f, subs...)[subs[0]]; len(got) != 1 || !strings.Contains(got[0], `"entries":[1]`) {
		t.Errorf("while a snapshot is encoded, came %q", got)
	}
	release <- struct{}{}
	if got := serveUntil(f, slow)[slow]; len(got) != 2 || !strings.Contains(got[1], `"entries":[1]`) {
		t.Errorf("once it is encoded, came %q", got)
	}

	large := Commit{SeqNo: 2, Bytes: briefBytes + 1, Entries: func(Class) [][]byte {
		<-release
		return [][]byte{[]byte("2")}
	}}
	m.PushDelta(State{SeqNo: 2}, large)
	if got := serve(f); len(got) != 0 {
		t.Errorf("before a large commit is encoded, came %v", got)
	}
	close(release)
	for s, got := range serveUntil(f, subs[0], slow) {
		if len(got) != 1 || !strings.Contains(got[0], `"entries":[2]`) {
			t.Errorf("class %s: once a large commit is encoded, came %q", s.options.Class, got)
		}
	}
}

// TestFailedEncodingBeside: a panic of an encoding beside the writer is that of the
// subscriber it was for. Another tries again.
func TestFailedEncodingBeside(t *testing.T) {
	m := NewManager(Options{Epoch: "e"})
	tries := 0
	m.Push(State{Parts: func(Class, int) iter.Seq[[]byte] {
		if tries++; tries == 1 {
			panic(errors.ErrUnsupported)
		}
		return lent()
	}})
	f, subs := feedOf(t, m, 2, all)
	next := func(s *Sub) (frames int, failure any) {
		defer func() { failure = recover() }()
		return len(take(s, 1<<20)), nil
	}
	var failed []*Sub
	frames := map[*Sub]int{}
	for frames[subs[0]] < 2 && frames[subs[1]] < 2 { // a heartbeat and a snapshot
		<-f.Wake()
		for _, s := range f.Begin(nil) {
			n, failure := next(s)
			frames[s] += n
			if failure != nil {
				failed = append(failed, s)
				s.End(Failed)
			}
		}
	}
	if len(failed) != 1 || tries != 2 {
		t.Errorf("%d subscribers failed of %d tries, want one of two", len(failed), tries)
	}
	for _, s := range subs {
		m.RemoveSub(s)
	}
	idle(t, m)
}

// TestStreamsThroughFeedsKeepPromises has a few writers serve many subscribers who
// come and go while commits are pushed.
func TestStreamsThroughFeedsKeepPromises(t *testing.T) {
	const commits, feeds, subs = 1200, 3, 12
	m, mod := start(Options{MaxCommits: 40, MaxBytes: 20_000, MaxFrame: 1000})
	written := make(chan struct{})
	errs := make(chan error, feeds)
	var running sync.WaitGroup
	for i := range feeds {
		running.Go(func() { errs <- lead(m, mod, rand.New(rand.NewPCG(uint64(i), 2)), subs, written) })
	}
	running.Go(func() {
		defer close(written)
		random := rand.New(rand.NewPCG(98, 1))
		for mod.last < commits {
			var group []Commit
			for range 1 + random.IntN(4) {
				c := mod.commit(change{key: random.IntN(60), pad: random.IntN(200)})
				if random.IntN(8) == 0 {
					c.Bytes += briefBytes // as if it took long to encode
				}
				group = append(group, c)
			}
			m.PushDelta(mod.head(), group...)
			if random.IntN(20) == 0 {
				m.tick()
			}
			runtime.Gosched()
		}
	})
	running.Wait()
	close(errs)
	for err := range errs {
		must(t, err)
	}
	idle(t, m)
}

// lead is a writer: it serves readers of its own until everything has been written
// and read. Now and then it lets one be, or has one reconnect.
func lead(m *Manager, mod *model, random *rand.Rand, n int, written <-chan struct{}) error {
	f := NewFeed()
	connect := func(r *reader, resume bool) error {
		err := r.connect(resume)
		if err == nil {
			f.Add(r.sub, nil, r)
		}
		return err
	}
	for i := range n {
		if err := connect(newReader(m, mod, SubOptions{Class: []Class{all, odd, none}[i%3]}), false); err != nil {
			return err
		}
	}
	for done := false; !done; {
		select {
		case <-f.Wake():
		case <-written:
			written = nil
		}
		for _, s := range f.Begin(nil) {
			r := s.Owner().(*reader)
			reconnect := written != nil && random.IntN(60) == 0
			switch {
			case r.sub != s: // it has reconnected
				continue
			case written != nil && random.IntN(4) == 0:
				s.Signal() // later
				continue
			case reconnect:
				if err := connect(r, random.IntN(4) > 0); err != nil {
					return err
				}
				continue
			}
			if _, err := r.next(1 + random.IntN(3000)); err != nil {
				return err
			}
			if r.batch.More {
				s.Signal()
			}
		}
		f.End()
		done = written == nil && !slices.ContainsFunc(f.subs, func(s *Sub) bool { return s.Stats().SeqNo < mod.last })
	}
	for _, s := range slices.Clone(f.subs) {
		r := s.Owner().(*reader)
		if err := r.drain(); err != nil {
			return err
		}
		if err := r.check(); err != nil {
			return err
		}
		m.RemoveSub(s)
	}
	return nil
}
