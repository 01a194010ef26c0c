package api

import (
	"bufio"
	"net"
	"net/http"
	"slices"
)

// hijacker is a response writer that keeps the connection for itself when it is
// hijacked. Whoever asked for it may use the connection, but not close it.
type hijacker struct {
	http.ResponseWriter

	// Set by Hijack.
	conn  net.Conn
	early []byte // what the peer has sent behind its request
}

// Hijack implements http.Hijacker.
func (h *hijacker) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := http.NewResponseController(h.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	early, err := rw.Reader.Peek(rw.Reader.Buffered())
	if err != nil {
		return nil, nil, err
	}
	h.conn, h.early = conn, slices.Clone(early)
	const least = 16
	return kept{conn}, bufio.NewReadWriter(bufio.NewReaderSize(conn, least), bufio.NewWriterSize(conn, least)), nil
}

// kept is a connection that others cannot close.
type kept struct{ net.Conn }

// Close does nothing.
func (kept) Close() error { return nil }
