package hub

import (
	"iter"
	"testing"
)

// TestFinish: a stream that is to end is given first what was due then, and no more.
func TestFinish(t *testing.T) {
	again := Restarting(0)
	m, mod := start(Options{MaxFrame: 250})
	up := join(t, m, mod, SubOptions{Class: all})
	behind := join(t, m, mod, SubOptions{Class: all})
	fresh := newReader(m, mod, SubOptions{Class: all})
	must(t, fresh.connect(false))
	large := make([]change, 30)
	for i := range large {
		large[i] = change{key: i, pad: 20}
	}
	c := mod.commit(large...)
	m.PushDelta(mod.head(), c)
	must(t, up.drain())
	halfway := newReader(m, mod, SubOptions{Class: all}) // inside its snapshot
	must(t, halfway.connect(false))
	for range 2 {
		_, err := halfway.next(1)
		must(t, err)
	}
	for _, r := range []*reader{up, behind, fresh, halfway} {
		r.sub.Finish(again)
		r.sub.Finish(TokenEnded) // counts for nothing
	}
	push(m, mod, 1) // came too late

	for name, c := range map[string]struct {
		r    *reader
		last string // type of the last frame
		at   uint64
	}{
		"up to date":        {up, "", 1},
		"behind":            {behind, "delta", 1},
		"new":               {fresh, "heartbeat", 0},
		"inside a snapshot": {halfway, "snapshot", 1},
	} {
		got := append([]string{""}, types(c.r.sub)...)
		if last, at := got[len(got)-1], c.r.sub.Stats().SeqNo; last != c.last || at != c.at {
			t.Errorf("%s: came %v up to %d, want the last a %s, at %d", name, got[1:], at, c.last, c.at)
		}
		c.r.sub.Next(&c.r.batch, 1)
		if !c.r.batch.Ended || c.r.sub.Cause() != again {
			t.Errorf("%s: ended %v, cause %v", name, c.r.batch.Ended, c.r.sub.Cause())
		}
		m.RemoveSub(c.r.sub)
	}
	idle(t, m)
}

// TestEndOutranksFinish: nothing is due any more.
func TestEndOutranksFinish(t *testing.T) {
	m, mod := start(Options{})
	r := join(t, m, mod, SubOptions{Class: all})
	push(m, mod, 1)
	r.sub.Finish(Restarting(0))
	r.sub.End(TokenEnded)
	r.sub.Next(&r.batch, 1)
	if len(r.batch.Frames) != 0 || !r.batch.Ended || !r.sub.Ended() || r.sub.Cause() != TokenEnded {
		t.Errorf("%d frames, ended %v, cause %v", len(r.batch.Frames), r.batch.Ended, r.sub.Cause())
	}
}

// TestFinishBeforeTheFirstPart: a snapshot of which nothing was sent is not due, also
// when it is being encoded for the one that is to go.
func TestFinishBeforeTheFirstPart(t *testing.T) {
	m := NewManager(Options{Epoch: "e"})
	release := make(chan struct{})
	m.Push(State{Parts: func(Class, int) iter.Seq[[]byte] { <-release; return lent([]byte(`{}`)) }})
	feed, subs := feedOf(t, m, 1, all)
	serve(feed)
	if subs[0].piece == nil {
		t.Fatal("nothing is encoded for it")
	}
	subs[0].Finish(Restarting(0))
	var b Batch
	if subs[0].Next(&b, 1); len(b.Frames) != 0 || !b.Ended {
		t.Errorf("%d frames, ended %v", len(b.Frames), b.Ended)
	}
	close(release)
}

// TestEndOutranksAFailedEncoding: the panic is nobody's who has been ended before.
func TestEndOutranksAFailedEncoding(t *testing.T) {
	m, mod := start(Options{})
	r := join(t, m, mod, SubOptions{Class: all})
	r.sub.End(TokenEnded)
	r.sub.failure = "encoding failed"
	if r.sub.Next(&r.batch, 1); !r.batch.Ended || r.sub.Cause() != TokenEnded {
		t.Errorf("ended %v, cause %v", r.batch.Ended, r.sub.Cause())
	}
}
