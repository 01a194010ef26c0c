package client_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/replication-gateway/gateway/client"
)

// scripted is a gateway that says what a test has it say. Its connections are
// pipes, so that it works where time stands still.
type scripted struct {
	t     testing.TB
	pipes chan net.Conn
	done  chan struct{}
}

// script answers each request for a stream with handler, and returns the options
// to reach it with.
func script(t testing.TB, handler http.HandlerFunc) client.Options {
	s := &scripted{t, make(chan net.Conn), make(chan struct{})}
	server := &http.Server{Handler: handler}
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = server.Serve(s)
	}()
	transport := &http.Transport{DialContext: s.dial}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		_ = server.Close()
		<-served
	})
	return client.Options{URL: "http://gateway", Token: "token", HTTPClient: &http.Client{Transport: transport}}
}

// stream is a script that opens each stream and then speaks on it.
func stream(t testing.TB, speak func(*speaker)) client.Options {
	return script(t, func(w http.ResponseWriter, r *http.Request) {
		ws, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: []string{"gateway.v1"}})
		if err != nil {
			t.Errorf("accept: %v", err)
			return
		}
		defer ws.CloseNow()
		speak(&speaker{t: t, ws: ws, request: r})
	})
}

func (s *scripted) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	mine, theirs := net.Pipe()
	select {
	case s.pipes <- theirs:
		return mine, nil
	case <-s.done:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (s *scripted) Accept() (net.Conn, error) {
	select {
	case c := <-s.pipes:
		return c, nil
	case <-s.done:
		return nil, net.ErrClosed
	}
}

func (s *scripted) Close() error   { close(s.done); return nil }
func (s *scripted) Addr() net.Addr { return &net.TCPAddr{} }

// speaker is the gateway's end of a stream.
type speaker struct {
	t       testing.TB
	ws      *websocket.Conn
	request *http.Request
}

const (
	at      = `"at":"2026-01-02T03:04:05.000Z"`
	second  = `"interval_ms":1000`
	entry   = `{"seq_no":%d,"type":"node.put","node_id":%d,` + at + `,"actor":"token:admin","data":{"node_id":%d,"hostname":"h","external_id":"","tags":[],"created_at":"2026-01-02T03:04:05.000Z"}}`
	row     = `{"node_id":%d,"hostname":"h","external_id":"","tags":[],"created_at":"2026-01-02T03:04:05.000Z"}`
	hello   = `{"type":"heartbeat","epoch":"e","seq_no":0,` + at + `,` + second + `,"resumed":false}`
	nothing = `{"type":"snapshot","epoch":"e","seq_no":1,"snapshot":{}}`
)

func entryOf(seqNo, node int) string { return fmt.Sprintf(entry, seqNo, node, node) }

func beat(seqNo int) string {
	return fmt.Sprintf(`{"type":"heartbeat","epoch":"e","seq_no":%d,%s,%s}`, seqNo, at, second)
}

func delta(prev, seqNo int, entries string, more bool) string {
	return fmt.Sprintf(`{"type":"delta","epoch":"e","prev_seq_no":%d,"seq_no":%d,"entries":[%s],"more":%t}`, prev, seqNo, entries, more)
}

// say sends frames.
func (s *speaker) say(frames ...string) {
	for _, f := range frames {
		if err := s.ws.Write(context.Background(), websocket.MessageText, []byte(f)); err != nil {
			return // the other end has left
		}
	}
}

// greet opens a stream: resumed where that was asked for, else with an empty state
// at 1. It returns where the stream stands.
func (s *speaker) greet() (seqNo int) {
	if since := s.request.FormValue("since"); since != "" {
		fmt.Sscan(since, &seqNo)
		s.say(fmt.Sprintf(`{"type":"heartbeat","epoch":"e","seq_no":%d,%s,%s,"resumed":true}`, seqNo, at, second))
		return seqNo
	}
	s.say(hello, nothing)
	return 1
}

// listen reads until the other end has left, and returns what it sent and how it
// left.
func (s *speaker) listen() (messages []string, end error) {
	for {
		_, b, err := s.ws.Read(context.Background())
		if err != nil {
			return messages, err
		}
		messages = append(messages, string(b))
	}
}

// next returns the next frame, which must come.
func next(t testing.TB, c *client.Conn) client.Frame {
	t.Helper()
	f, err := c.Next(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// failure reads frames until the stream fails.
func failure(t testing.TB, c *client.Conn) error {
	for {
		if _, err := c.Next(t.Context()); err != nil {
			return err
		}
	}
}

// dial opens a stream, which must succeed, and closes it at the end.
func dial(t testing.TB, o client.Options) *client.Conn {
	t.Helper()
	c, err := client.Dial(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// silence is a handler that takes everything.
type silence struct{}

func (silence) Connected(context.Context, *client.Conn, *client.Heartbeat) error { return nil }
func (silence) Snapshot(context.Context, *client.SnapshotPart) error             { return nil }
func (silence) Delta(context.Context, *client.Delta) error                       { return nil }
func (silence) Heartbeat(context.Context, *client.Heartbeat) error               { return nil }
func (silence) Disconnected(error, time.Duration)                                {}
