package api_test

import (
	"context"
	"net"
	"net/http"
	"os"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"github.com/replication-gateway/gateway/internal/api"
	"github.com/replication-gateway/gateway/internal/gateway"
)

// pipes is a listener whose connections are pipes, since time stands still
// under synctest only while nobody waits for a real socket.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
}

func (p pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p pipes) Close() error   { close(p.closed); return nil }
func (p pipes) Addr() net.Addr { return &net.TCPAddr{} }

func (p pipes) dial(context.Context, string, string) (net.Conn, error) {
	client, server := net.Pipe()
	p.conns <- server
	return client, nil
}

// still is a gateway in a synctest bubble with streams whose readers take every
// frame, or none. ends receives the time at which a reader saw its stream end.
func still(t *testing.T, streams int, read bool) (s *api.Server, ends chan time.Time, stop func()) {
	g := gateway.New(gateway.Options{Dir: t.TempDir(), Heartbeat: time.Hour, Logger: zerolog.Nop()})
	if err := g.Open(); err != nil {
		t.Fatal(err)
	}
	s = api.New(api.Options{Gateway: g, Logger: zerolog.Nop(), Registry: prometheus.NewRegistry(),
		WriteTimeout: 10 * time.Second, Assets: os.DirFS("../../web")})
	s.Open(adminToken)
	listener := pipes{make(chan net.Conn), make(chan struct{})}
	server := &http.Server{Handler: s.Handler()}
	go func() { _ = server.Serve(listener) }()
	transport := &http.Transport{DialContext: listener.dial}
	ends = make(chan time.Time, streams)
	for range streams {
		conn, _, err := websocket.Dial(t.Context(), "http://gateway/subscribe", &websocket.DialOptions{
			HTTPClient: &http.Client{Transport: transport}, HTTPHeader: http.Header{"Authorization": {"Bearer " + adminToken}}})
		if err != nil {
			t.Fatal(err)
		}
		if !read {
			t.Cleanup(func() { _ = conn.CloseNow() })
			continue
		}
		go func() {
			for {
				if _, _, err := conn.Read(t.Context()); err != nil {
					ends <- time.Now()
					return
				}
			}
		}()
	}
	synctest.Wait() // until the streams are all there
	return s, ends, func() {
		transport.CloseIdleConnections()
		_ = server.Close()
		if err := g.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestDrainIsPaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, ends, stop := still(t, 5, true)
		defer stop()
		start := time.Now()
		if err := s.Drain(t.Context(), 10*time.Second); err != nil {
			t.Errorf("drain: %v", err)
		}
		var got []time.Duration
		for range 5 {
			got = append(got, (<-ends).Sub(start))
		}
		slices.Sort(got)
		if want := []time.Duration{0, 2e9, 4e9, 6e9, 8e9}; !slices.Equal(got, want) {
			t.Errorf("streams ended after %v, want %v", got, want)
		}
	})
}

func TestDrainDoesNotWaitForStalledReaders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _, stop := still(t, 3, false)
		defer stop()
		start := time.Now()
		if err := s.Drain(t.Context(), 0); err != nil {
			t.Errorf("drain: %v", err)
		}
		if got := time.Since(start); got != time.Second {
			t.Errorf("took %v, want the second that a reader gets for its last frame", got)
		}
	})
}

func TestDrainEndsAllAtOnceWhenItsTimeIsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, ends, stop := still(t, 4, true)
		defer stop()
		start := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		_ = s.Drain(ctx, time.Hour)
		for range 4 {
			if got := (<-ends).Sub(start); got > 3*time.Second {
				t.Errorf("a stream ended after %v, want all within 3s", got)
			}
		}
	})
}
