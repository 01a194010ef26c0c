package peers

import (
	"context"
	"encoding/json"
	"net/http"
	"sync"
	"time"

	"github.com/coder/websocket"

	"github.com/replication-gateway/gateway/bench/fanout/internal/crowd"
)

var textbookPeer = Peer{
	Name:   "textbook hub",
	Module: "github.com/coder/websocket",
	About: "on coder/websocket: a channel for each subscriber, a context with a deadline for each write, of 5 s and for the state of " +
		"2 min; deltas are encoded once, the state for each who joins; who is a queue behind is dropped",
	Dialect: crowd.Stream,
	start:   startTextbook,
}

type textbookHub struct {
	queue int

	mu    sync.Mutex
	subs  map[*textbookSub]struct{}
	state *snapshot
}

type textbookSub struct {
	messages chan []byte
	drop     func()
}

func startTextbook(o Options) (*fanout, error) {
	h := &textbookHub{queue: o.Queue, subs: map[*textbookSub]struct{}{}}
	if err := h.setState([]byte(emptyState)); err != nil {
		return nil, err
	}
	return &fanout{subscribe: http.HandlerFunc(h.subscribe), publish: h.publish, setState: h.setState, close: h.close}, nil
}

func (h *textbookHub) setState(b []byte) error {
	s, err := parseSnapshot(b)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.state = s
	return err
}

func (h *textbookHub) subscribe(w http.ResponseWriter, r *http.Request) {
	conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{CompressionMode: websocket.CompressionDisabled})
	if err != nil {
		return // it has been answered
	}
	defer conn.CloseNow()
	s := &textbookSub{messages: make(chan []byte, h.queue), drop: func() { _ = conn.CloseNow() }}
	h.mu.Lock()
	state := h.state
	h.subs[s] = struct{}{}
	h.mu.Unlock()
	defer h.remove(s)

	ctx := conn.CloseRead(r.Context())
	first, err := json.Marshal(state)
	if err != nil || writeWithin(ctx, conn, first, 2*time.Minute) != nil {
		return
	}
	for {
		select {
		case m := <-s.messages:
			if writeWithin(ctx, conn, m, 5*time.Second) != nil {
				return
			}
		case <-ctx.Done():
			return
		}
	}
}

// writeWithin writes a message under a deadline.
func writeWithin(ctx context.Context, conn *websocket.Conn, message []byte, most time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	return conn.Write(ctx, websocket.MessageText, message)
}

func (h *textbookHub) remove(s *textbookSub) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.subs, s)
}

func (h *textbookHub) publish(delta []byte) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	for s := range h.subs {
		select {
		case s.messages <- delta:
		default:
			delete(h.subs, s)
			go s.drop()
		}
	}
	return nil
}

func (h *textbookHub) close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for s := range h.subs {
		go s.drop()
	}
}
