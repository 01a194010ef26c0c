package api_test

import (
	"context"
	"errors"
	"fmt"
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
	"github.com/replication-gateway/gateway/internal/directory"
	"github.com/replication-gateway/gateway/internal/gateway"
	"github.com/replication-gateway/gateway/internal/hub/hubtest"
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

// bubble is a gateway in a synctest bubble.
type bubble struct {
	t        *testing.T
	server   *api.Server
	gateway  *gateway.Gateway
	listener pipes
	client   *http.Client
	stop     func()
}

func newBubble(t *testing.T, heartbeat time.Duration) *bubble {
	t.Helper()
	b := &bubble{t: t, listener: pipes{make(chan net.Conn), make(chan struct{})}}
	b.gateway = gateway.New(gateway.Options{Dir: t.TempDir(), Heartbeat: heartbeat, Logger: zerolog.Nop()})
	if err := b.gateway.Open(); err != nil {
		t.Fatal(err)
	}
	b.server = api.New(api.Options{Gateway: b.gateway, Logger: zerolog.Nop(), Registry: prometheus.NewRegistry(),
		WriteTimeout: writeTimeout, Assets: os.DirFS("../../web")})
	b.server.Open(adminToken)
	server := &http.Server{Handler: b.server.Handler()}
	go func() { _ = server.Serve(b.listener) }()
	transport := &http.Transport{DialContext: b.listener.dial}
	b.client = &http.Client{Transport: transport}
	b.stop = func() {
		transport.CloseIdleConnections()
		_ = server.Close()
		if err := b.gateway.Close(); err != nil {
			t.Error(err)
		}
	}
	return b
}

// subscribe opens a WebSocket.
func (b *bubble) subscribe() *websocket.Conn {
	b.t.Helper()
	conn, _, err := websocket.Dial(b.t.Context(), "http://gateway/subscribe", &websocket.DialOptions{
		HTTPClient: b.client, HTTPHeader: http.Header{"Authorization": {"Bearer " + adminToken}}})
	if err != nil {
		b.t.Fatal(err)
	}
	return conn
}

// still is a bubble with streams whose readers take every frame, or none. ends
// receives the time at which a reader saw its stream end.
func still(t *testing.T, streams int, read bool) (s *api.Server, ends chan time.Time, stop func()) {
	b := newBubble(t, time.Hour)
	ends = make(chan time.Time, streams)
	for range streams {
		conn := b.subscribe()
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
	return b.server, ends, b.stop
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

// TestReadersComeBackAfterTheLastTurn: not only when the time for the drain is over,
// which with a few readers it hardly takes.
func TestReadersComeBackAfterTheLastTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, time.Hour)
		defer b.stop()
		const streams, over = 4, 20 * time.Second
		backs := make(chan time.Duration, streams)
		start := time.Now()
		for range streams {
			conn := b.subscribe()
			go func() {
				for {
					if _, _, err := conn.Read(t.Context()); err != nil {
						var ms int
						closed, _ := errors.AsType[websocket.CloseError](err)
						_, _ = fmt.Sscanf(closed.Reason, "retry in %d ms", &ms)
						backs <- time.Since(start) + time.Duration(ms)*time.Millisecond
						return
					}
				}
			}()
		}
		synctest.Wait() // until the streams are all there
		if err := b.server.Drain(t.Context(), over); err != nil {
			t.Errorf("drain: %v", err)
		}
		const last = over * (streams - 1) / streams
		for range streams {
			if back := <-backs; back < last || back > last+2*time.Second {
				t.Errorf("a reader is to come back after %v, want it soon after %v", back, last)
			}
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

// TestDrainDeliversWhatIsDue has a reader that has fallen behind, further than the
// kernel's buffers reach, when the drain begins. It gets all that was committed
// before, then the close.
func TestDrainDeliversWhatIsDue(t *testing.T) {
	h := start(t)
	r := h.rawSubscribe()
	valid := hubtest.New(hubtest.Options{})
	for range 3 { // heartbeat, ping, snapshot
		if first, payload, err := r.frame(); err != nil || first == rawFinal|rawText && valid.Frame(payload) != nil {
			t.Fatalf("a frame that begins with %x, %v", first, err)
		}
	}
	for i := range 6 {
		h.commit(60, 8000, i)
	}
	drained := make(chan error, 1)
	go func() { drained <- h.server.Drain(t.Context(), 10*time.Second) }()
	for {
		first, payload, err := r.frame()
		if err != nil {
			t.Fatal(err)
		}
		if first == rawFinal|rawClose {
			break
		}
		if err := valid.Frame(payload); err != nil {
			t.Fatal(err)
		}
	}
	if at, _ := valid.Position(); at.SeqNo != h.seqNo() {
		t.Errorf("closed at %d, want all up to %d", at.SeqNo, h.seqNo())
	}
	r.send(rawFinal|rawClose, nil)
	if err := <-drained; err != nil {
		t.Error(err)
	}
}

// TestStandbysAreTheLastToGo: what is written after the readers were sent away reaches
// a standby before it is.
func TestStandbysAreTheLastToGo(t *testing.T) {
	h := start(t)
	replica, _ := h.token("replica")
	standby, reader := h.subscribe(replica, "?standby=a"), h.subscribe(adminToken, "")
	standby.until(h.seqNo())
	reader.until(h.seqNo())
	drained := make(chan error, 1)
	go func() { drained <- h.server.Drain(t.Context(), 0) }()
	if code, _ := reader.closed(); code != websocket.StatusServiceRestart {
		t.Errorf("the reader ended with %d, want 1012", code)
	}
	if err := <-drained; err != nil {
		t.Fatal(err)
	}
	h.subscribe(replica, "?standby=b") // comes back meanwhile
	h.call(replica, "GET", "/subscribe?network_id=7", "", "Accept: text/event-stream").refused(t, 503, "draining")
	h.ok("PUT", "/networks/7", `{}`)
	go func() { drained <- h.server.DismissStandbys(t.Context(), 0) }()
	standby.until(h.seqNo())
	if code, _ := standby.closed(); code != websocket.StatusServiceRestart {
		t.Errorf("the standby ended with %d, want 1012", code)
	}
	if err := <-drained; err != nil {
		t.Error(err)
	}
}

// TestSlowReadersHaveTheTimeOfTheDrain for what they are given last, not only a second.
func TestSlowReadersHaveTheTimeOfTheDrain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, time.Hour)
		defer b.stop()
		conn := b.subscribe()
		read := func() error { _, _, err := conn.Read(t.Context()); return err }
		for range 2 { // heartbeat and snapshot
			if err := read(); err != nil {
				t.Fatal(err)
			}
		}
		for id := range uint32(2) { // the one waits in the socket, the other behind it
			if _, _, err := gateway.Do(t.Context(), b.gateway, "gateway", directory.PutNode{Node: directory.Node{NodeID: id + 1}}); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		drained := make(chan error, 1)
		go func() { drained <- b.server.Drain(t.Context(), 10*time.Second) }()
		for range 2 {
			time.Sleep(4 * time.Second) // of the bubble's clock
			if err := read(); err != nil {
				t.Fatal(err)
			}
		}
		if err := read(); websocket.CloseStatus(err) != websocket.StatusServiceRestart {
			t.Errorf("closed with %v, want 1012", err)
		}
		if err := <-drained; err != nil {
			t.Error(err)
		}
	})
}
