package gateway

import "time"

// Upstream says how a standby stands to the gateway that it follows.
type Upstream struct {
	URL     string
	Up      bool      // it was heard of lately
	Answers bool      // it is there, and only does not let itself be followed: what is passed on reaches it
	Since   time.Time // when Up became what it is
	Due     bool      // a snapshot of it is due: the standby lacks more than what it was not sent
	Heard   time.Time // when it was last heard of and nothing was due: the standby then had all that it had been sent; zero for never
	Trouble error     // why it cannot be followed, as long as that lasts
}

// SetUpstream notes how the standby stands to the gateway that it follows, each
// time that it is heard of or missed. Since and Heard are set here. Who follows is
// one goroutine.
func (g *Gateway) SetUpstream(u Upstream) {
	before, now := g.Upstream(), time.Now()
	if u.Since = before.Since; u.Up != before.Up || u.Since.IsZero() {
		u.Since = now
	}
	if u.Heard = before.Heard; u.Up && !u.Due {
		u.Heard = now
	}
	g.upstream.Store(&u)
}

// Upstream returns what SetUpstream was told last.
func (g *Gateway) Upstream() Upstream {
	if u := g.upstream.Load(); u != nil {
		return *u
	}
	return Upstream{}
}

// NoteDifference counts a state that was found to differ from the primary's.
func (g *Gateway) NoteDifference() { g.metrics.differences.Inc() }
