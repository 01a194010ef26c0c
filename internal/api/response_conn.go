package api

import (
	"context"
	"net"
	"net/http"
	"sync"
	"time"
)

// responseConn is the answer to a request on a connection that others use as well,
// as with HTTP/2. It stands in for a connection of the stream's own.
type responseConn struct {
	w    http.ResponseWriter // whose deadlines are the socket's
	ctx  context.Context     // of the request: ends when the reader goes
	gone chan struct{}       // closed by Close

	local, remote net.Addr

	writing sync.Mutex // held during a write
	closed  sync.Once

	mu       sync.Mutex
	returned bool // the handler has, or is about to: w is no more
}

// shareConnection makes st a stream of events and returns when it has ended: the
// answer may not be written to once the handler has returned.
func (s *Server) shareConnection(c *call, st *stream) {
	local, _ := c.Context().Value(http.LocalAddrContextKey).(net.Addr)
	remote, _ := net.ResolveTCPAddr("tcp", c.RemoteAddr) // an address, so that nothing is looked up
	conn := &responseConn{w: c.w.ResponseWriter, ctx: c.Context(), local: local, remote: remote, gone: make(chan struct{})}
	c.w.status = http.StatusOK
	conn.w.WriteHeader(c.w.status) // without a deadline for a whole answer
	s.report(c)
	st.socket = newSocket(conn, nil, s.options.WriteTimeout, st.sub.Signal)
	s.begin(st)
	s.readEvents(st)
	<-conn.gone
	conn.mu.Lock()
	conn.returned = true
	conn.mu.Unlock()
	conn.writing.Lock() // what is under way ends before
	defer conn.writing.Unlock()
}

// Read waits until the reader has gone; it says nothing.
func (r *responseConn) Read([]byte) (int, error) {
	select {
	case <-r.ctx.Done():
		return 0, context.Cause(r.ctx)
	case <-r.gone:
		return 0, net.ErrClosed
	}
}

func (r *responseConn) Write(b []byte) (int, error) {
	r.writing.Lock()
	defer r.writing.Unlock()
	select {
	case <-r.gone:
		return 0, net.ErrClosed
	default:
	}
	n, err := r.w.Write(b)
	if err == nil {
		err = http.NewResponseController(r.w).Flush()
	}
	return n, err
}

// Close ends reading and writing. A write that waits for the reader ends at its
// deadline.
func (r *responseConn) Close() error {
	r.closed.Do(func() { close(r.gone) })
	return nil
}

// SetWriteDeadline implements net.Conn.
func (r *responseConn) SetWriteDeadline(t time.Time) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.returned {
		return net.ErrClosed
	}
	return http.NewResponseController(r.w).SetWriteDeadline(t)
}

// SetDeadline sets the deadline of writes. Reading ends with Close.
func (r *responseConn) SetDeadline(t time.Time) error { return r.SetWriteDeadline(t) }

// SetReadDeadline does nothing.
func (r *responseConn) SetReadDeadline(time.Time) error { return nil }

// LocalAddr and RemoteAddr are those of the connection that is shared.
func (r *responseConn) LocalAddr() net.Addr  { return r.local }
func (r *responseConn) RemoteAddr() net.Addr { return r.remote }
