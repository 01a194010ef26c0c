package api

import (
	"bufio"
	"errors"
	"net"
	"net/http"
	"slices"
)

// errTaken ends a websocket.Accept that has come to its Hijack. The handshake is
// done then, and what is left for it to make is a connection with both its ends,
// 3 KB that nobody would use.
var errTaken = errors.New("the connection has been taken over")

// hijacker is a response writer that keeps the connection for itself when it is
// hijacked, and fails with errTaken. The answer has been sent then, and what is
// said of the failure goes nowhere.
type hijacker struct {
	http.ResponseWriter

	// Set by take.
	conn  net.Conn
	early []byte // what the peer has sent behind its request
}

// take takes the connection over.
func (h *hijacker) take() error {
	conn, rw, err := http.NewResponseController(h.ResponseWriter).Hijack()
	if err != nil {
		return err
	}
	early, err := rw.Reader.Peek(rw.Reader.Buffered())
	if err != nil {
		return errors.Join(err, conn.Close())
	}
	h.conn, h.early = conn, slices.Clone(early)
	return nil
}

// Hijack implements http.Hijacker.
func (h *hijacker) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	if err := h.take(); err != nil {
		return nil, nil, err
	}
	return nil, nil, errTaken
}

// WriteHeader implements http.ResponseWriter.
func (h *hijacker) WriteHeader(status int) {
	if h.conn == nil {
		h.ResponseWriter.WriteHeader(status)
	}
}

// Write implements http.ResponseWriter.
func (h *hijacker) Write(b []byte) (int, error) {
	if h.conn == nil {
		return h.ResponseWriter.Write(b)
	}
	return len(b), nil
}
