package crowd

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// subscriber is one connection on its way from connecting through its handshake to its stream. One that reconnects
// stays the same subscriber. Only the loop touches it.
type subscriber struct {
	crowd      *Crowd
	fd         int // -1 when it has been lost
	connecting bool
	opening    *handshake // nil once the stream is open, and over plain TCP
	scanner    scanner
	pending    []int // writes whose marks came in the message under way
	joined     bool
	counted    bool // among those that have joined
	parts      int  // of the snapshot so far

	// What it received, over all its connections.
	writes uint64 // how many
	sum    uint64 // of their fingerprints, which is the same in any order
	order  uint64 // changes with the order

	// Of the gateway's protocol: where it stands, and what went wrong.
	epoch    string
	seq      uint64
	resuming bool // this connection asked to be resumed
	resumes  int
	refused  int // resumes that were not granted
	resyncs  int // snapshots in the middle of a stream
	gaps     int // deltas that did not follow on what came before
}

// path is what the subscriber asks for.
func (sub *subscriber) path() string {
	if sub.resuming {
		return fmt.Sprintf("%s?epoch=%s&since=%d", sub.crowd.options.Path, sub.epoch, sub.seq)
	}
	return sub.crowd.options.Path
}

// send writes what is short enough for any connection that is read.
func (sub *subscriber) send(b []byte) error {
	if len(b) == 0 {
		return nil
	}
	n, err := unix.Write(sub.fd, b)
	if err != nil {
		return err
	}
	if n < len(b) {
		return fmt.Errorf("the connection took %d bytes of %d", n, len(b))
	}
	return nil
}

// opened sends what a subscriber has to say once its connection is there, or its stream is open.
func (sub *subscriber) opened() error {
	o := &sub.crowd.options
	if sub.connecting && !o.Dialect.bare {
		sub.opening = newHandshake(o.Deflate)
		return sub.send(sub.opening.request(o.Addr, sub.path(), o.Token))
	}
	return sub.send(o.Dialect.hello)
}

var errEnded = errors.New("the server ended the stream")

// receive reads what has come, and notes which writes have come whole. marks is the loop's; it is returned for the
// next use.
func (sub *subscriber) receive(b []byte, now time.Time, marks []int) ([]int, error) {
	if sub.opening != nil {
		rest, open, err := sub.opening.feed(b)
		if err != nil || !open {
			return marks, err
		}
		sub.opening = nil
		if err := sub.opened(); err != nil {
			return marks, err
		}
		b = rest
	}
	marks = append(marks[:0], sub.pending...)
	whole := 0
	for len(b) > 0 {
		n, what, found, err := sub.scanner.next(b, sub.crowd.options.Dialect.counts, marks)
		if err != nil {
			return found, err
		}
		b, marks = b[n:], found
		switch what {
		case message:
			sub.crowd.messages++
			whole = len(marks)
			sub.crowd.options.Dialect.hears(sub, &sub.scanner)
		case ping:
			if err := sub.send(clientFrame(opPong, string(sub.scanner.control))); err != nil {
				return marks, err
			}
		case closing:
			return marks, fmt.Errorf("%w: %q", errEnded, sub.scanner.control)
		}
	}
	sub.pending = append(sub.pending[:0], marks[whole:]...)
	for _, w := range marks[:whole] {
		p := fingerprint(uint64(w))
		sub.writes++
		sub.sum += p
		sub.order = sub.order*31 + p
	}
	if t := sub.crowd.options.Tally; t != nil {
		t.Received(marks[:whole], now)
	}
	return marks, nil
}

// fingerprint turns the number of a write into one that looks random, so that a sum of them tells sets of writes apart. It
// is the finalizer of splitmix64.
func fingerprint(w uint64) uint64 {
	w += 0x9e3779b97f4a7c15
	w = (w ^ w>>30) * 0xbf58476d1ce4e5b9
	w = (w ^ w>>27) * 0x94d049bb133111eb
	return w ^ w>>31
}
