package hub

import (
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
