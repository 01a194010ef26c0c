package client

import (
	"io"
	"net/http"
	"sync/atomic"
)

// link is the connection under a stream. It remembers what reading it failed with:
// of a compressed frame that was cut the WebSocket makes one that has ended.
type link struct {
	io.ReadWriteCloser
	failure atomic.Pointer[error]
}

func (l *link) Read(p []byte) (int, error) {
	n, err := l.ReadWriteCloser.Read(p)
	if err != nil {
		l.failure.Store(&err)
	}
	return n, err
}

// lost returns what reading the connection failed with, nil if it has not failed.
func (l *link) lost() error {
	if err := l.failure.Load(); err != nil {
		return lost(*err)
	}
	return nil
}

// linking is a transport that keeps the connection which a handshake has opened.
type linking struct {
	http.RoundTripper
	link *link
}

func (t *linking) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := t.RoundTripper.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	if opened, ok := answer.Body.(io.ReadWriteCloser); ok {
		t.link = &link{ReadWriteCloser: opened}
		answer.Body = t.link
	}
	return answer, nil
}

// linked returns an http.Client like c, for one handshake.
func linked(c *http.Client) (*http.Client, *linking) {
	t := &linking{RoundTripper: c.Transport}
	if t.RoundTripper == nil {
		t.RoundTripper = http.DefaultTransport
	}
	copied := *c
	copied.Transport = t
	return &copied, t
}
