package api

import (
	"errors"
	"time"
)

// errSilent is why a stream is cut whose peer shows no sign of life.
var errSilent = errors.New("no sign of life since a ping an interval ago")

// pulse tells peers that live from those that are gone without a word. Each
// heartbeat of a WebSocket carries a ping; a peer that is silent until the next is
// given up, and so within two intervals of its end, but never sooner than after the
// write timeout: however short the interval, a program may be busy for so long.
//
// Not so if its host has taken bytes that were sent after the ping, or has come
// nearer to it: then the peer is slow, and the answer stands behind what it has
// still to read. Peers of a stream of events answer nothing, and live as long as
// their host takes the heartbeats. A peer that takes nothing at all does not come
// here: something waits in its socket, and the write timeout decides.
type pulse struct {
	asked time.Time // when the first ping went that is not answered, zero for none
	taken uint64    // bytes that the peer's host had taken before it
	mark  uint64    // bytes sent up to the last ping
}

// beats reports whether the peer of st lives, right before a heartbeat is sent to it.
func (p *pulse) beats(st *stream, interval time.Duration) bool {
	heard := st.socket.heard.Swap(false)
	taken := st.socket.taken()
	switch {
	case p.asked.IsZero(), heard && st.kind.answers:
	case time.Since(p.asked) < max(interval*9/10, st.socket.timeout):
		return true // it has not had its time
	case taken < p.mark && taken > p.taken, taken > p.mark:
	case taken == p.mark && !st.kind.answers:
	default:
		return false
	}
	p.asked, p.taken = time.Time{}, taken
	return true
}

// ask notes that a heartbeat has been sent.
func (p *pulse) ask(st *stream) {
	if p.mark = st.socket.total(); p.asked.IsZero() {
		p.asked = time.Now()
	}
}
