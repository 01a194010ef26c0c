package api

import (
	"bytes"
	"fmt"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// wantsEvents reports whether the request asks for server-sent events by name.
func wantsEvents(h http.Header) bool {
	for _, line := range h.Values("Accept") {
		for part := range strings.SplitSeq(line, ",") {
			kind, params, err := mime.ParseMediaType(part)
			if err != nil || kind != "text/event-stream" {
				continue
			}
			if q, err := strconv.ParseFloat(params["q"], 64); err != nil || q > 0 {
				return true
			}
		}
	}
	return false
}

// openEvents makes st a stream of events. The body ends with the connection, so
// that events travel as they are: every reader of HTTP/1 knows that form, and a
// stream that was cut short is taken up again in any case.
func (s *Server) openEvents(c *call, st *stream) (opened bool, err error) {
	c.header().Set("Content-Type", "text/event-stream")
	c.header().Set("Cache-Control", "no-store")
	c.header().Set("X-Accel-Buffering", "no") // proxies that hold back what is small
	if c.Method == http.MethodHead {
		c.w.WriteHeader(http.StatusOK)
		return false, nil
	}
	st.kind = eventStream
	if c.ProtoMajor > 1 {
		s.shareConnection(c, st)
		return true, nil
	}
	h := &hijacker{ResponseWriter: c.w}
	if err := h.take(); err != nil {
		return false, fmt.Errorf("take over the connection: %w", err)
	}
	c.w.status = http.StatusOK
	st.socket = newSocket(h.conn, nil, s.options.WriteTimeout, st.sub.Signal)
	// Before the writer comes to it. An error is the socket's, and ends the stream.
	_, _ = st.socket.send([][]byte{c.eventHead()})
	s.begin(st)
	go s.readEvents(st)
	return true, nil
}

// eventHead is the head of the answer that a stream of events begins with.
func (c *call) eventHead() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "HTTP/1.%d 200 OK\r\nDate: %s\r\n", c.ProtoMinor, time.Now().UTC().Format(http.TimeFormat))
	_ = c.header().Write(&b) // into memory, which does not fail
	b.WriteString("Connection: close\r\n\r\n")
	return b.Bytes()
}
