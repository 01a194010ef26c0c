package hub

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"

	"pgregory.net/rapid"
)

// Limits so small that every rule of the window and of cutting applies often.
var tight = Options{MaxCommits: 8, MaxBytes: 2000, MaxFrame: 400}

// TestStreamsKeepPromises drives a manager and several subscribers at random and
// validates every frame against the model.
func TestStreamsKeepPromises(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m, mod := start(tight)
		shown := uint64(0)
		epochs := 1
		var readers []*reader
		for range rapid.IntRange(1, 6).Draw(t, "readers") {
			readers = append(readers, newReader(m, mod, SubOptions{
				Class:  rapid.SampledFrom([]Class{all, odd, none}).Draw(t, "class"),
				Ahead:  rapid.Bool().Draw(t, "ahead"),
				Digest: rapid.Bool().Draw(t, "digest"),
			}))
		}
		for _, r := range readers {
			must(t, r.connect(false))
		}
		pick := func(t *rapid.T) *reader { return rapid.SampledFrom(readers).Draw(t, "reader") }
		limit := func(r *reader) uint64 {
			if r.options.Ahead {
				return mod.last
			}
			return shown
		}

		// afresh has all connect again when a history has begun.
		afresh := func(t *rapid.T) {
			for _, r := range readers {
				if n, _ := r.next(1); n != 0 || r.sub.Cause() != HistoryChanged {
					t.Fatalf("stream goes on into another epoch, cause %v", r.sub.Cause())
				}
				must(t, r.connect(true))
			}
		}

		t.Repeat(map[string]func(*rapid.T){
			"push": func(t *rapid.T) {
				var commits []Commit
				for range rapid.IntRange(0, 12).Draw(t, "commits") {
					var changes []change
					for range rapid.IntRange(1, 6).Draw(t, "changes") {
						changes = append(changes, change{
							key: rapid.IntRange(0, 40).Draw(t, "key"),
							pad: rapid.SampledFrom([]int{0, 0, 0, 50, 300, 900}).Draw(t, "pad"),
						})
					}
					commits = append(commits, mod.commit(changes...))
				}
				if rapid.Bool().Draw(t, "show all") {
					shown = mod.last
				} else {
					shown = rapid.Uint64Range(shown, mod.last).Draw(t, "shown")
				}
				m.PushDelta(mod.state(shown), commits...)
			},
			"next": func(t *rapid.T) {
				_, err := pick(t).next(rapid.IntRange(1, 3000).Draw(t, "bytes"))
				must(t, err)
			},
			"drain": func(t *rapid.T) {
				r := pick(t)
				must(t, r.drain())
				if got := r.sub.Stats().SeqNo; got < limit(r) || r.sub.Stats().Behind != 0 {
					t.Fatalf("drained at %d, limit %d", got, limit(r))
				}
				must(t, r.check())
			},
			"tick": func(*rapid.T) { m.tick() },
			"reconnect": func(t *rapid.T) {
				r := pick(t)
				resume := rapid.Bool().Draw(t, "resume")
				p, ok := r.valid.Position()
				first, last := m.Window()
				must(t, r.connect(resume))
				_, err := r.next(1)
				must(t, err)
				floor := m.floor
				want := resume && ok && p.SeqNo+1 >= first && p.SeqNo <= last && p.SeqNo >= floor
				if r.valid.Resumed() != want {
					t.Fatalf("resumed %v at %v with window %d to %d", !want, p, first, last)
				}
			},
			"replace": func(t *rapid.T) {
				s := mod.replace(rapid.Uint64Range(1, 5).Draw(t, "skip"))
				shown = s.SeqNo
				if rapid.Bool().Draw(t, "same history") {
					m.Push(s)
					return
				}
				epochs++
				m.Replace(fmt.Sprintf("e%d", epochs), s, rapid.Bool().Draw(t, "distrust"))
				afresh(t)
			},
			"rename": func(t *rapid.T) {
				epochs++
				m.SetEpoch(fmt.Sprintf("e%d", epochs))
				afresh(t)
			},
		})

		for _, r := range readers {
			must(t, r.drain())
		}
		m.tick()
		for _, r := range readers {
			must(t, r.drain())
			must(t, r.check())
			// The heartbeat brings even those who see nothing up to the end.
			if p, _ := r.valid.Position(); p.SeqNo < limit(r) {
				t.Fatalf("class %s stands at %v, want %d", r.options.Class, p, limit(r))
			}
			m.RemoveSub(r.sub)
		}
		idle(t, m)
	})
}

// idle checks that nothing is left of subscribers that have gone.
func idle(t interface{ Fatalf(string, ...any) }, m *Manager) {
	if m.SubCount() != 0 || len(m.classes) != 0 || len(m.pinned) != 0 || len(m.snapshots.pieces) != 0 ||
		m.snapshots.bytes != 0 || len(m.feeds) != 0 || len(m.seats.taken) != 0 || len(m.seats.lapsed) != 0 || len(m.seats.queue) != 0 {
		t.Fatalf("left over: %d subscribers in %d feeds, %d classes, %d pins, %d snapshots of %d bytes, %d seats, %d waiting",
			m.SubCount(), len(m.feeds), len(m.classes), len(m.pinned), len(m.snapshots.pieces), m.snapshots.bytes,
			len(m.seats.taken), len(m.seats.queue))
	}
}

// TestStreamsKeepPromisesConcurrently has subscribers of every class read at their
// own pace and reconnect while a writer pushes.
func TestStreamsKeepPromisesConcurrently(t *testing.T) {
	const commits, subs = 1500, 24
	m, mod := start(Options{MaxCommits: 40, MaxBytes: 20_000, MaxFrame: 1000})
	written := make(chan struct{})
	errs := make(chan error, subs)
	var running sync.WaitGroup

	for i := range subs {
		r := newReader(m, mod, SubOptions{Class: []Class{all, odd, none}[i%3], Digest: true})
		random := rand.New(rand.NewPCG(uint64(i), 1))
		running.Go(func() { errs <- follow(r, random, i%4 == 0, commits, written) })
	}
	running.Go(func() {
		defer close(written)
		random := rand.New(rand.NewPCG(99, 1))
		for mod.last < commits {
			var group []Commit
			for range 1 + random.IntN(4) {
				changes := make([]change, 1+random.IntN(3))
				for i := range changes {
					changes[i] = change{key: random.IntN(60), pad: random.IntN(200)}
				}
				group = append(group, mod.commit(changes...))
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

// follow reads until everything has been written and read.
func follow(r *reader, random *rand.Rand, slow bool, atLeast uint64, written <-chan struct{}) error {
	if err := r.connect(false); err != nil {
		return err
	}
	defer func() { r.manager.RemoveSub(r.sub) }()
	for {
		most := 1 + random.IntN(5000)
		if slow {
			most = 1
			for range 50 {
				runtime.Gosched()
			}
		}
		n, err := r.next(most)
		if err != nil {
			return err
		}
		if random.IntN(40) == 0 {
			if err := r.connect(random.IntN(4) > 0); err != nil {
				return err
			}
		}
		if n > 0 {
			continue
		}
		select {
		case <-r.sub.Wake():
		case <-written:
			n, err := r.next(1 << 20)
			if err != nil {
				return err
			}
			if st := r.sub.Stats(); n == 0 && st.Behind == 0 && st.SeqNo >= atLeast {
				return r.check()
			}
		}
	}
}
