package crowd

import (
	"math/rand/v2"
	"sync"

	"github.com/replication-gateway/gateway/bench/fanout/internal/tally"
)

// Options sets up a Crowd.
type Options struct {
	Addr        string // HOST:PORT, which is also the Host header
	Path        string // without a query
	Token       string // of the Authorization header, none if empty
	Dialect     *Dialect
	Subscribers int
	AtOnce      int          // subscribers being opened at the same time; 0 for 64
	Tally       *tally.Tally // is told of all that is received; may be nil
	Deflate     bool         // offer compression, and insist on it
	Parts       int          // with Deflate: messages that the snapshot consists of, which cannot be looked into
	Narrow      bool         // small receive buffers and segments: a stalled subscriber fills what the kernel has for it soon
	Losable     bool         // losing a subscriber does not end the crowd
	Seed        uint64       // which subscribers reconnect comes from
}

// Figures is what a crowd has seen so far.
type Figures struct {
	Joined   int    // subscribers that are in
	Lost     int    // subscribers whose stream the server ended
	Messages uint64 // whole ones, of all kinds
	Bytes    uint64 // taken from the kernel, handshakes included
}

// Crowd is many subscribers, read by one goroutine. Its methods may be called from any goroutine.
type Crowd struct {
	options Options
	loop    loop
	joined  chan struct{} // closed when all have joined for the first time
	ended   chan struct{} // closed when the loop has ended, err says why

	messages, bytes uint64 // the loop's; they are passed on after each round of it

	mu      sync.Mutex
	figures Figures
	orders  []func(*loop) error
	err     error
}

// Start opens the subscribers of a crowd and reads them until Close. Unless they are Losable, the loss of one ends all.
func Start(o Options) (*Crowd, error) {
	if o.AtOnce == 0 {
		o.AtOnce = 64
	}
	c := &Crowd{options: o, joined: make(chan struct{}), ended: make(chan struct{})}
	if err := c.loop.init(c); err != nil {
		return nil, err
	}
	go func() {
		defer close(c.ended)
		err := c.loop.run()
		c.mu.Lock()
		defer c.mu.Unlock()
		c.err = err
	}()
	return c, nil
}

// Joined returns a channel that is closed when all subscribers are in.
func (c *Crowd) Joined() <-chan struct{} { return c.joined }

// Ended returns a channel that is closed when the crowd has ended. Err says why.
func (c *Crowd) Ended() <-chan struct{} { return c.ended }

// Err returns why the crowd ended: nil after Close, and while it goes on.
func (c *Crowd) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// Figures returns what has been seen so far.
func (c *Crowd) Figures() Figures {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.figures
}

// Stall lets all subscribers stop reading, for good. It does not wait for it.
func (c *Crowd) Stall() {
	c.order(func(l *loop) error { return l.stall() })
}

// Reconnect lets some subscribers, chosen at random of those that are in, cut their connection and come back to where
// they stood. It does not wait for them.
func (c *Crowd) Reconnect(subscribers int) {
	c.order(func(l *loop) error { return l.reconnect(subscribers) })
}

// order has the loop do something between two rounds.
func (c *Crowd) order(do func(*loop) error) {
	c.mu.Lock()
	c.orders = append(c.orders, do)
	c.mu.Unlock()
	c.loop.rouse()
}

// Outcome is what became of the subscribers of a crowd.
type Outcome struct {
	Exact   int // subscribers that received each write once
	Alike   int // of these, those that received them in the order in which the first of them did
	Resumes int // connections that went on where the one before had ended
	Refused int // connections that asked for it and were given a snapshot instead
	Resyncs int // snapshots in the middle of a stream
	Gaps    int // deltas that did not follow on what came before
}

// Close ends all subscribers, if the crowd has not ended by itself, and waits for it. Their connections are reset, so
// that nothing lingers. It is called once, and says what became of the subscribers, who were to receive the first so
// many writes.
func (c *Crowd) Close(writes int) Outcome {
	c.order(func(l *loop) error { return errStopped })
	<-c.ended
	c.loop.close()
	return outcome(c.loop.subs, writes)
}

func outcome(subs []*subscriber, writes int) (o Outcome) {
	sum := uint64(0)
	for w := range writes {
		sum += fingerprint(uint64(w))
	}
	var first *subscriber
	for _, sub := range subs {
		o.Resumes += sub.resumes
		o.Refused += sub.refused
		o.Resyncs += sub.resyncs
		o.Gaps += sub.gaps
		if sub.writes != uint64(writes) || sub.sum != sum {
			continue
		}
		o.Exact++
		if first == nil {
			first = sub
		}
		if sub.order == first.order {
			o.Alike++
		}
	}
	return o
}

// pick returns so many different numbers below n, or all of them.
func pick(r *rand.Rand, n, many int) []int {
	return r.Perm(n)[:min(n, many)]
}
