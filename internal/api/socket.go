package api

import (
	"errors"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// socket is the connection beneath a stream. What is written to it goes to the
// kernel at once, as far as that takes it; the rest waits here and is written by a
// goroutine that is there as long as something waits. So nobody who writes is ever
// held up by the peer, and an idle socket has no goroutine for writing.
//
// Whole frames only are handed in, one or several, and leave in the order in which
// they were. So an answer of the stream's reader never comes into the middle of a
// frame of its writer.
//
// A peer that takes no byte for the timeout is cut: its host neither makes room for
// more nor acknowledges any of what it was sent. Deadlines live here, so that a frame
// costs neither a context nor a timer.
//
// The first attempt at a frame goes straight to the descriptor: on the way through
// conn lie the runtime's poller and its locks, which are all out of the processor's
// caches when there are many sockets. A descriptor that has been closed may be
// another connection's, so it is used with the lock held and no err only. conn is
// the socket's alone from the hijack on, fail alone closes it, and sets err under
// the same lock.
type socket struct {
	conn    net.Conn
	fd      int // of conn, or noDescriptor
	timeout time.Duration
	written func() // called when what waited has been written, or will not be

	left  []byte // of the handshake, read before anything else
	heard atomic.Bool

	mu       sync.Mutex
	waiting  [][]byte // whole frames; of the first the beginning may be written
	control  int      // bytes of control frames among them
	flushing bool     // there is a goroutine for waiting, and it alone writes
	sealed   bool     // the last frame has been handed in
	hangup   bool     // to be closed when nothing waits
	err      error
	until    time.Time // after which nothing is written or read, zero while the stream goes on
	handed   uint64    // bytes handed in
	sent     uint64    // bytes taken by the kernel
	moved    time.Time // while flushing: when the peer was last seen to take some
	seen     uint64    // bytes that it had taken when it was last looked at
}

func newSocket(conn net.Conn, left []byte, timeout time.Duration, written func()) *socket {
	return &socket{conn: conn, fd: descriptor(conn), left: left, timeout: timeout, written: written}
}

// Read implements io.Reader, for the reader of the stream.
func (s *socket) Read(b []byte) (n int, err error) {
	if len(s.left) > 0 {
		n = copy(b, s.left)
		if s.left = s.left[n:]; len(s.left) == 0 {
			s.left = nil
		}
	} else {
		n, err = s.conn.Read(b)
	}
	if n > 0 && !s.heard.Load() {
		s.heard.Store(true)
	}
	return n, err
}

// RemoteAddr is the peer's address.
func (s *socket) RemoteAddr() net.Addr { return s.conn.RemoteAddr() }

// errSealed is what is wrong with a frame behind the last one.
var errSealed = errors.New("the stream has been closed")

// send hands in frames, whose bytes must not change any more, and reports whether
// the kernel has taken all of them. If not, written is called when it has.
func (s *socket) send(frames [][]byte) (all bool, err error) {
	if len(frames) == 0 {
		return true, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.err != nil:
		return false, s.err
	case s.sealed:
		return false, errSealed
	}
	return s.hand(frames)
}

// maxControl bounds the control frames that wait, in bytes. A peer that asks more
// than it reads goes without the answers.
const maxControl = 4 << 10

// answer hands in a control frame, for the reader of the stream. Behind the last
// frame it is dropped.
func (s *socket) answer(frame []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil || s.sealed || s.control > maxControl {
		return
	}
	if all, _ := s.hand([][]byte{frame}); !all { // an error closes the socket
		s.control += len(frame)
	}
}

// hand writes frames or lets them wait. The lock is held.
func (s *socket) hand(frames [][]byte) (all bool, err error) {
	s.handed += uint64(size(frames))
	if s.fd != noDescriptor && !s.flushing {
		n, err := s.attempt(frames)
		s.sent += uint64(n)
		if err != nil {
			s.fail(err)
			return false, err
		}
		frames = skip(frames, n)
	}
	if len(frames) == 0 {
		return true, nil
	}
	s.waiting = append(s.waiting, frames...)
	if !s.flushing {
		s.flushing = true
		s.moved = time.Now()
		go s.flush()
	}
	return false, nil
}

// attempt writes frames as far as the kernel takes them now. The lock is held, the
// socket has not failed and nothing is being flushed.
func (s *socket) attempt(frames [][]byte) (n int, err error) {
	if s.late() {
		return 0, os.ErrDeadlineExceeded
	}
	return attempt(s.fd, frames)
}

// late reports whether nothing may be written any more. The lock is held.
func (s *socket) late() bool { return !s.until.IsZero() && !time.Now().Before(s.until) }

// skip drops the first n bytes of frames.
func skip(frames [][]byte, n int) [][]byte {
	for len(frames) > 0 && n >= len(frames[0]) {
		n -= len(frames[0])
		frames = frames[1:]
	}
	if n > 0 {
		frames[0] = frames[0][n:]
	}
	return frames
}

// chunk is how much is written under one deadline. A connection without progress
// inside a write, as TLS, gets smaller ones.
const (
	chunk       = 64 << 10
	opaqueChunk = 16 << 10
)

// looks is how many times within its timeout a peer is looked at that makes no room.
// The kernel wants much of it to be free before it says so.
const looks = 8

// flush writes what waits, until nothing does.
func (s *socket) flush() {
	for b := s.first(); b != nil; b = s.first() {
		s.took(s.conn.Write(b))
	}
	s.written()
}

// first returns the next bytes to be written and gives the peer its time to take
// some of them. It returns nil, and the flushing is over, if nothing waits.
func (s *socket) first() []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.waiting) == 0 || s.err != nil {
		s.flushing, s.waiting, s.control = false, nil, 0
		_ = s.conn.SetWriteDeadline(s.until)
		if s.hangup {
			s.fail(net.ErrClosed)
		}
		return nil
	}
	most, patience := chunk, s.timeout/looks
	if s.fd == noDescriptor {
		most, patience = opaqueChunk, s.timeout // nothing is to be seen of it, and a write that was late may be the last
	}
	deadline := time.Now().Add(patience)
	if !s.until.IsZero() && s.until.Before(deadline) {
		deadline = s.until
	}
	_ = s.conn.SetWriteDeadline(deadline) // fails on a closed connection only, and so will the write
	return s.waiting[0][:min(most, len(s.waiting[0]))]
}

// took notes what came of a write. A deadline is missed by a peer that took nothing
// for all of the timeout, which one write waits for where no descriptor is; and
// after a write of TLS that was late no other will do.
func (s *socket) took(n int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sent += uint64(n)
	now := time.Now()
	patient := n > 0
	switch {
	case patient:
		s.moved = now
	case s.fd != noDescriptor:
		if taken := s.accepted(); taken > s.seen {
			s.seen, s.moved = taken, now
		}
		patient = now.Sub(s.moved) < s.timeout
	}
	if s.waiting != nil {
		s.waiting[0] = s.waiting[0][n:]
		if len(s.waiting[0]) == 0 {
			s.waiting[0] = nil
			s.waiting = s.waiting[1:]
		}
	}
	if err != nil && (!patient || s.late() || !errors.Is(err, os.ErrDeadlineExceeded)) {
		s.fail(err)
	}
}

// busy reports whether something waits to be written.
func (s *socket) busy() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.flushing
}

// total is how many bytes have been handed in.
func (s *socket) total() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.handed
}

// taken is how many of them the peer's host has taken, as far as is known.
func (s *socket) taken() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.accepted()
}

// accepted is taken with the lock held.
func (s *socket) accepted() uint64 {
	if s.fd == noDescriptor || s.err != nil {
		return s.sent
	}
	return s.sent - min(s.sent, uint64(untaken(s.fd)))
}

// hurry lets all that is still to be written or read take no longer than grace.
// The soonest end counts.
func (s *socket) hurry(grace time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.end(time.Now().Add(grace))
}

// hasten is hurry, but leaves what waits the time that it was given before.
func (s *socket) hasten(grace time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.flushing || s.until.IsZero() {
		s.end(time.Now().Add(grace))
	}
}

func (s *socket) end(at time.Time) {
	if s.until.IsZero() || at.Before(s.until) {
		s.until = at
		_ = s.conn.SetDeadline(at) // fails on a closed connection only
	}
}

// seal hands in the last frame, which may be nil. What comes after it is dropped.
func (s *socket) seal(last []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sealed || s.err != nil {
		return
	}
	s.sealed = true
	if last != nil {
		_, _ = s.hand([][]byte{last}) // a socket that fails is closed
	}
}

// close closes the connection. What waits has the time of lastWords to leave
// before, unless it was given one already, and nothing comes after it.
func (s *socket) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sealed, s.hangup = true, true
	if s.flushing {
		if s.until.IsZero() {
			s.end(time.Now().Add(lastWords))
		}
	} else {
		s.fail(net.ErrClosed)
	}
}

// fail closes the connection for good, which ends the stream's reader. The lock is
// held.
func (s *socket) fail(err error) {
	switch {
	case s.err != nil:
		return
	case s.fd == noDescriptor:
		go s.conn.Close() // with TLS it may wait for the peer
	default:
		_ = s.conn.Close()
	}
	s.err, s.waiting = err, nil
}

// cut fails the socket at once.
func (s *socket) cut(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fail(err)
}
