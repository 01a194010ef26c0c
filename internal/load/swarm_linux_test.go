package load

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/coder/websocket"
)

// endpoint stands where a gateway would: each stream begins with a heartbeat and
// a snapshot and goes on with what is published.
type endpoint struct {
	t    *testing.T
	addr string
	then func(*websocket.Conn) error // after the snapshot, nil for nothing

	mu      sync.Mutex
	streams []chan string
	ended   []websocket.StatusCode // how the subscribers ended their streams
	handler sync.WaitGroup
}

func newEndpoint(t *testing.T, then func(*websocket.Conn) error) *endpoint {
	e := &endpoint{t: t, then: then}
	server := httptest.NewServer(http.HandlerFunc(e.serve))
	t.Cleanup(server.Close)
	e.addr = server.Listener.Addr().String()
	return e
}

func (e *endpoint) serve(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Authorization") != "Bearer secret" {
		http.Error(w, "no", http.StatusForbidden)
		return
	}
	conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: []string{"gateway.v1"}})
	if err != nil {
		e.t.Error(err)
		return
	}
	defer conn.CloseNow()
	e.handler.Add(1)
	defer e.handler.Done()
	stream := make(chan string, 100)
	stream <- `{"type":"heartbeat","seq_no":0,"resumed":false}`
	stream <- `{"type":"snapshot","snapshot":{}}`
	e.mu.Lock()
	e.streams = append(e.streams, stream)
	e.mu.Unlock()

	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		defer cancel()
		_, _, err := conn.Read(ctx)
		e.mu.Lock()
		defer e.mu.Unlock()
		e.ended = append(e.ended, websocket.CloseStatus(err))
	}()
	for sent := 0; ; sent++ {
		if sent == 2 && e.then != nil {
			if err := e.then(conn); err != nil {
				return
			}
		}
		select {
		case message := <-stream:
			if conn.Write(ctx, websocket.MessageText, []byte(message)) != nil {
				return
			}
		case <-ctx.Done():
			return
		}
	}
}

// publish sends a message to the first n streams.
func (e *endpoint) publish(message string, n int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, s := range e.streams[:n] {
		s <- message
	}
}

func (e *endpoint) start(subscribers int, l *Ledger) *Swarm {
	e.t.Helper()
	s, err := Start(Options{Target: Target{Addr: e.addr, Path: "/subscribe", Token: "secret"}, Subscribers: subscribers, Mark: run, Ledger: l})
	if err != nil {
		e.t.Fatal(err)
	}
	return s
}

func TestEverySubscriberIsRead(t *testing.T) {
	const subscribers, writes = 200, 20 // more than are opened at the same time
	e := newEndpoint(t, nil)
	ledger := NewLedger(writes)
	s := e.start(subscribers, ledger)
	<-s.Joined()
	reached := s.Reached(subscribers * writes)
	err := ledger.Pace(t.Context(), 1000, 4, func(_ context.Context, i int) error {
		e.publish(deltaOf(i), subscribers)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	e.publish(`{"type":"delta","entries":["of somebody else"]}`, subscribers)
	<-reached
	f := s.Figures()
	if f.Joined != subscribers || f.Deliveries != subscribers*writes || f.Snapshots != subscribers || f.Heartbeats != subscribers {
		t.Errorf("got %d joined, %d deliveries, %d snapshots, %d heartbeats", f.Joined, f.Deliveries, f.Snapshots, f.Heartbeats)
	}
	if f.SinceDue.Count() != f.Deliveries || f.SinceAnswer.Count() != f.Deliveries || f.Last.IsZero() {
		t.Errorf("%d and %d latencies of %d deliveries", f.SinceDue.Count(), f.SinceAnswer.Count(), f.Deliveries)
	}
	if uneven := s.Close(writes); uneven != 0 || s.Err() != nil {
		t.Errorf("%d subscribers are uneven, %v", uneven, s.Err())
	}
	e.handler.Wait()
	for _, code := range e.ended {
		if code != websocket.StatusNormalClosure {
			t.Fatalf("a subscriber left with %v, want 1000", code)
		}
	}
}

// A delivery that is missing in one place and repeated in another makes the sum
// right, and still shows.
func TestUnevenSubscribersAreCounted(t *testing.T) {
	e := newEndpoint(t, nil)
	ledger := NewLedger(1)
	s := e.start(3, ledger)
	<-s.Joined()
	reached := s.Reached(3)
	err := ledger.Pace(t.Context(), 1, 1, func(_ context.Context, i int) error {
		e.publish(deltaOf(i), 2)
		e.publish(deltaOf(i), 1)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	<-reached
	if uneven := s.Close(1); uneven != 2 {
		t.Errorf("%d subscribers are uneven, want the one with two deliveries and the one with none", uneven)
	}
}

func TestPingsAreAnswered(t *testing.T) {
	e := newEndpoint(t, func(c *websocket.Conn) error { return c.Ping(context.Background()) })
	ledger := NewLedger(1)
	s := e.start(1, ledger)
	<-s.Joined()
	reached := s.Reached(1)
	err := ledger.Pace(t.Context(), 1, 1, func(_ context.Context, i int) error {
		e.publish(deltaOf(i), 1) // is sent when the pong has come
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	<-reached
	s.Close(1)
	e.handler.Wait()
}

func TestTheLossOfASubscriberEndsTheSwarm(t *testing.T) {
	for want, then := range map[string]func(*websocket.Conn) error{
		"1012 retry in 5 ms":               func(c *websocket.Conn) error { return c.Close(websocket.StatusServiceRestart, "retry in 5 ms") },
		"the gateway ended the connection": func(c *websocket.Conn) error { return c.CloseNow() },
	} {
		t.Run(want, func(t *testing.T) {
			s := newEndpoint(t, then).start(1, NewLedger(1))
			<-s.Ended()
			if err := s.Err(); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("got %v, want it to say %q", err, want)
			}
			s.Close(0)
		})
	}
}

func TestARefusedHandshakeEndsTheSwarm(t *testing.T) {
	e := newEndpoint(t, nil)
	s, err := Start(Options{Target: Target{Addr: e.addr, Path: "/subscribe", Token: "wrong"}, Subscribers: 5, Mark: run, Ledger: NewLedger(1)})
	if err != nil {
		t.Fatal(err)
	}
	<-s.Ended()
	if err := s.Err(); err == nil || !strings.Contains(err.Error(), "403 Forbidden") {
		t.Errorf("got %v, want the refusal", err)
	}
	s.Close(0)
}

func TestNobodyListens(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	if _, err := Start(Options{Target: Target{Addr: l.Addr().String()}, Subscribers: 1}); err == nil {
		t.Error("started")
	}
}
