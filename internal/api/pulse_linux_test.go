package api

import (
	"testing"
	"time"
)

// TestSlowPeersLive has a host that takes some bytes and then no more. Whether its
// peer lives shows in what is taken from one heartbeat to the next.
func TestSlowPeersLive(t *testing.T) {
	near, far := connected(t)
	_ = far.SetReadBuffer(4 << 10)
	const interval, timeout = 10 * time.Second, time.Minute
	s := newSocket(near, nil, timeout, func() {})
	defer s.close()
	if _, err := s.send([][]byte{make([]byte, 60<<10)}); err != nil {
		t.Fatal(err)
	}
	before := s.taken()
	for again := s.taken(); before == 0 || again != before; again = s.taken() { // until its host takes no more
		before = again
	}
	total := s.total()
	if before >= total {
		t.Fatalf("a host whose buffer is full has taken %d of %d bytes", before, total)
	}
	long, lately := time.Now().Add(-timeout), time.Now().Add(-timeout/2)
	for _, c := range []struct {
		name  string
		pulse pulse
		heard bool
		lives map[*streamKind]bool
	}{
		{"before the first ping", pulse{}, false, map[*streamKind]bool{plainSocket: true, eventStream: true}},
		{"the ping lies ahead, nothing was taken", pulse{long, before, total}, false, map[*streamKind]bool{plainSocket: false, eventStream: false}},
		{"the ping lies ahead, something was taken", pulse{long, before - 1, total}, false, map[*streamKind]bool{plainSocket: true, eventStream: true}},
		{"the ping was taken, nothing since", pulse{long, 0, before}, false, map[*streamKind]bool{plainSocket: false, eventStream: true}},
		{"more than the ping was taken", pulse{long, 0, before - 1}, false, map[*streamKind]bool{plainSocket: true, eventStream: true}},
		{"it has not had its time", pulse{lately, before, total}, false, map[*streamKind]bool{plainSocket: true, eventStream: true}},
		{"something was heard", pulse{long, before, total}, true, map[*streamKind]bool{plainSocket: true, eventStream: false}},
	} {
		for kind, want := range c.lives {
			st := &stream{socket: s, kind: kind, pulse: c.pulse}
			s.heard.Store(c.heard)
			if got := st.pulse.beats(st, interval); got != want {
				t.Errorf("%s, %s: lives %v, want %v", kind.name, c.name, got, want)
			}
		}
	}
}
