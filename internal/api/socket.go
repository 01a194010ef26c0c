package api

import (
	"bufio"
	"errors"
	"net"
	"net/http"
	"os"
	"sync"
	"time"
)

// socket is the connection beneath a WebSocket. A write goes on as long as the
// peer takes bytes, and fails once it takes none for the timeout. Deadlines
// live here, so that a frame costs neither a context nor a timer.
type socket struct {
	net.Conn
	timeout time.Duration

	mu    sync.Mutex
	until time.Time // after which nothing is written, zero while the stream goes on
}

// chunk is how much is written under one deadline.
const chunk = 64 << 10

// Write implements io.Writer.
func (s *socket) Write(b []byte) (written int, err error) {
	for written < len(b) {
		if err := s.extend(); err != nil {
			return written, err
		}
		n, err := s.Conn.Write(b[written:min(written+chunk, len(b))])
		written += n
		stalled := errors.Is(err, os.ErrDeadlineExceeded)
		if err != nil && !(stalled && n > 0) {
			return written, err
		}
	}
	return written, nil
}

// extend gives the peer its time for the next chunk, or what is left of it.
func (s *socket) extend() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.until.IsZero() {
		return s.Conn.SetWriteDeadline(s.until)
	}
	return s.Conn.SetWriteDeadline(time.Now().Add(s.timeout))
}

// hurry lets what is being written, and all that follows, take no longer than
// grace. The first call counts.
func (s *socket) hurry(grace time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.until.IsZero() {
		s.until = time.Now().Add(grace)
		_ = s.Conn.SetWriteDeadline(s.until) // fails on a closed connection only
	}
}

// hijacker is a response writer whose connection, once hijacked, is a socket.
type hijacker struct {
	http.ResponseWriter
	socket *socket
}

// socketBuffer gathers the parts of a small frame, in bytes.
const socketBuffer = 1 << 10

// Hijack implements http.Hijacker.
func (h *hijacker) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := http.NewResponseController(h.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	h.socket.Conn = conn
	return h.socket, bufio.NewReadWriter(rw.Reader, bufio.NewWriterSize(h.socket, socketBuffer)), nil
}
