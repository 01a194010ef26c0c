package peers

import (
	"encoding/json"
	"net/http"
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"github.com/replication-gateway/gateway/bench/fanout/internal/crowd"
)

var serialPeer = Peer{
	Name:   "serial pusher",
	Module: "github.com/gorilla/websocket",
	About: "one goroutine goes from subscriber to subscriber: it encodes the delta for each, from a struct, and writes it under a " +
		"deadline of 5 s; who misses it is dropped",
	Dialect: crowd.Stream,
	start:   startSerial,
}

// serialTime is how long one subscriber may hold up all others.
const serialTime = 5 * time.Second

type serialHub struct {
	mu    sync.Mutex // held while a delta is pushed
	subs  map[*websocket.Conn]struct{}
	state *snapshot
}

func startSerial(Options) (*fanout, error) {
	h := &serialHub{subs: map[*websocket.Conn]struct{}{}}
	if err := h.setState([]byte(emptyState)); err != nil {
		return nil, err
	}
	return &fanout{subscribe: http.HandlerFunc(h.subscribe), publish: h.publish, setState: h.setState, close: h.close}, nil
}

func (h *serialHub) setState(b []byte) error {
	s, err := parseSnapshot(b)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.state = s
	return err
}

func (h *serialHub) subscribe(w http.ResponseWriter, r *http.Request) {
	conn, err := gorillaUpgrader.Upgrade(w, r, nil)
	if err != nil {
		return // it has been answered
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.push(conn, h.state) == nil {
		h.subs[conn] = struct{}{}
		go func() {
			discard(conn)
			h.mu.Lock()
			defer h.mu.Unlock()
			h.remove(conn)
		}()
	}
}

// push encodes and writes one message. The lock is held.
func (h *serialHub) push(conn *websocket.Conn, message any) error {
	b, err := json.Marshal(message)
	if err != nil {
		return err
	}
	if err := conn.SetWriteDeadline(time.Now().Add(serialTime)); err != nil {
		return err
	}
	return conn.WriteMessage(websocket.TextMessage, b)
}

// remove takes a subscriber out. The lock is held.
func (h *serialHub) remove(conn *websocket.Conn) {
	delete(h.subs, conn)
	_ = conn.Close()
}

func (h *serialHub) publish(body []byte) error {
	var d delta
	if err := json.Unmarshal(body, &d); err != nil {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for conn := range h.subs {
		if h.push(conn, &d) != nil {
			h.remove(conn)
		}
	}
	return nil
}

func (h *serialHub) close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for conn := range h.subs {
		h.remove(conn)
	}
}
