package hub

import (
	"fmt"
	"iter"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// advance lets d pass in a synctest bubble, and what falls due in it happen.
func advance(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

// types names the frames that are due.
func types(s *Sub) (list []string) {
	for _, f := range frames(s) {
		_, rest, _ := strings.Cut(f, `"type":"`)
		typ, _, _ := strings.Cut(rest, `"`)
		list = append(list, typ)
	}
	return list
}

func TestHeartbeatEveryInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, mod := start(Options{})
		stop := m.StartHeartbeat(time.Second)
		defer stop()
		idle := join(t, m, mod, SubOptions{Class: none})
		busy := join(t, m, mod, SubOptions{Class: all})
		late := join(t, m, mod, SubOptions{Class: all})
		for range 3 {
			push(m, mod, 1)
			equal(t, types(busy.sub), []string{"delta"})
			advance(time.Second)
			<-idle.sub.Wake()
			equal(t, types(idle.sub), []string{"heartbeat"})
			equal(t, types(busy.sub), []string{"heartbeat"})
		}
		// Who missed several gets one, and what it missed.
		equal(t, types(late.sub), []string{"heartbeat", "delta"})

		// Who sees nothing learns how far it has come.
		must(t, idle.connect(false))
		must(t, idle.drain())
		push(m, mod, 1)
		must(t, idle.drain())
		advance(time.Second)
		must(t, idle.drain())
		if p, _ := idle.valid.Position(); p.SeqNo != mod.last {
			t.Errorf("heartbeat at %v, want %d", p, mod.last)
		}
	})
}

// TestHeartbeatWaitsForParts: none between the parts of a snapshot or a commit,
// one right after them.
func TestHeartbeatWaitsForParts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, mod := start(Options{MaxFrame: 250})
		stop := m.StartHeartbeat(time.Second)
		defer stop()
		large := make([]change, 30)
		for i := range large {
			large[i] = change{key: i, pad: 20}
		}
		c := mod.commit(large...)
		m.PushDelta(mod.head(), c)

		// interrupt reads the first part, lets a heartbeat fall due, and reads on.
		r := newReader(m, mod, SubOptions{Class: all})
		interrupt := func(parts string) {
			t.Helper()
			_, err := r.next(1)
			must(t, err)
			if r.sub.piece == nil {
				t.Fatalf("the %s has one part", parts)
			}
			advance(time.Second)
			rest := types(r.sub)
			last := len(rest) - 1
			for i, typ := range rest {
				if want := map[bool]string{true: "heartbeat", false: parts}[i == last]; typ != want {
					t.Errorf("after the first of the parts came %v, want one heartbeat at the end", rest)
				}
			}
		}
		must(t, r.connect(false))
		_, err := r.next(1)
		must(t, err)
		interrupt("snapshot")
		must(t, r.connect(false))
		must(t, r.drain())
		c = mod.commit(large...)
		m.PushDelta(mod.head(), c)
		interrupt("delta")
	})
}

// TestHeartbeatStops: no more heartbeats after stop has returned.
func TestHeartbeatStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, mod := start(Options{})
		stop := m.StartHeartbeat(time.Second)
		r := join(t, m, mod, SubOptions{Class: all})
		stop()
		stop()
		advance(time.Minute)
		equal(t, types(r.sub), nil)
	})
}

// TestHeartbeatsWhileWaiting: who queues for a seat, or for what is being encoded,
// is sent heartbeats that say what its stream has said already.
func TestHeartbeatsWhileWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, mod := start(Options{MaxCommits: 2, MaxFrame: 100})
		stop := m.StartHeartbeat(time.Second)
		defer stop()
		wide := func() Commit { // needs several frames, and so does a snapshot with it
			return mod.commit(make([]change, 10)...)
		}
		for key := range 40 {
			c := mod.commit(change{key: key})
			m.PushDelta(mod.head(), c)
		}
		fallen := join(t, m, mod, SubOptions{Class: all, Ahead: true, Digest: true})
		stood := mod.last
		for range 3 {
			c := wide()
			m.PushDelta(mod.head(), c)
		}
		seated := make([]*reader, maxSeats)
		for i := range seated {
			seated[i] = newReader(m, mod, SubOptions{Class: all})
			must(t, seated[i].connect(false))
			for range 2 { // the heartbeat, and the first part
				_, err := seated[i].next(1)
				must(t, err)
			}
		}
		joiner := newReader(m, mod, SubOptions{Class: all, Ahead: true, Digest: true})
		must(t, joiner.connect(false))
		must(t, joiner.drain())

		m.tick()
		m.tick()
		equal(t, undated(frames(joiner.sub)), []string{`{"type":"heartbeat","epoch":"e1","seq_no":0,"committed_seq_no":0,"interval_ms":1000,"digest":"0000000000000000"}`})
		equal(t, undated(frames(fallen.sub)), []string{
			fmt.Sprintf(`{"type":"heartbeat","epoch":"e1","seq_no":%d,"committed_seq_no":%d,"interval_ms":1000,"digest":"%016x"}`, stood, stood, digestOf(stood))})
		for range 3 {
			m.tick()
			for _, r := range []*reader{joiner, fallen} {
				n, err := r.next(1 << 20)
				must(t, err)
				if n != 1 {
					t.Errorf("%d frames at an interval, want a heartbeat", n)
				}
			}
		}
		for _, r := range append(seated, joiner, fallen) {
			must(t, r.drain())
			must(t, r.check())
			m.RemoveSub(r.sub)
		}
		idle(t, m)
	})
}

// TestHeartbeatsWhileEncoding: likewise while a snapshot is encoded beside the
// writer, for the one that it is for and for those who wait for it as well.
func TestHeartbeatsWhileEncoding(t *testing.T) {
	m := NewManager(Options{Epoch: "e"})
	release := make(chan struct{})
	m.Push(State{Digest: 0xa0, Parts: func(Class, int) iter.Seq[[]byte] { <-release; return lent() }})
	f, subs := feedOf(t, m, 2, all)
	for s, got := range serve(f) {
		if len(got) != 1 {
			t.Errorf("subscriber %v began with %q", s.Owner(), got)
		}
	}
	beats := func(want string) {
		t.Helper()
		m.tick()
		<-f.Wake()
		got := serve(f)
		for _, s := range subs {
			equal(t, undated(got[s]), []string{want})
		}
	}
	beats(`{"type":"heartbeat","epoch":"e","seq_no":0,"interval_ms":0}`)
	release <- struct{}{}
	serveUntil(f, subs...)

	// A heartbeat that falls due while a large delta is encoded comes after it.
	large := fixed(1, "1")
	entries := large.Entries
	large.Bytes = briefBytes + 1
	large.Entries = func(c Class) [][]byte { <-release; return entries(c) }
	serveUntil(f, subs...)
	m.PushDelta(State{SeqNo: 1}, large)
	serve(f)
	m.tick()
	if got := serve(f); len(got) != 0 {
		t.Errorf("before the delta came %v", got)
	}
	close(release)
	for _, got := range serveUntil(f, subs...) {
		if len(got) == 0 || !strings.Contains(got[0], `"type":"delta"`) {
			t.Errorf("came %q, want the delta first", got)
		}
	}
	for _, s := range subs {
		m.RemoveSub(s)
	}
	idle(t, m)
}

// undated takes the time out of heartbeats.
func undated(frames []string) (list []string) {
	for _, f := range frames {
		before, rest, _ := strings.Cut(f, `"at":"`)
		_, after, _ := strings.Cut(rest, `",`)
		list = append(list, before+after)
	}
	return list
}
