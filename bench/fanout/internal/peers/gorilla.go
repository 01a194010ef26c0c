package peers

import (
	"net/http"
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"github.com/replication-gateway/gateway/bench/fanout/internal/crowd"
)

var gorillaPeer = Peer{
	Name:   "gorilla PreparedMessage",
	Module: "github.com/gorilla/websocket",
	About: "a hub that queues one PreparedMessage for all; two goroutines for each subscriber, a pool of write buffers, small " +
		"read buffers, a deadline of 10 s on each write; who is a queue behind is dropped",
	Dialect: crowd.Stream,
	start:   startGorilla,
}

// writeTime is how long a subscriber has for one message, where nothing else is said.
const writeTime = 10 * time.Second

// gorillaUpgrader keeps what a quiet connection takes small.
var gorillaUpgrader = websocket.Upgrader{
	ReadBufferSize:  512,
	WriteBufferPool: new(sync.Pool),
	CheckOrigin:     func(*http.Request) bool { return true },
}

type gorillaHub struct {
	queue int

	mu    sync.Mutex
	subs  map[*gorillaSub]struct{}
	state *websocket.PreparedMessage
}

type gorillaSub struct {
	conn *websocket.Conn
	send chan *websocket.PreparedMessage // closed when it leaves the hub
}

func startGorilla(o Options) (*fanout, error) {
	h := &gorillaHub{queue: o.Queue, subs: map[*gorillaSub]struct{}{}}
	if err := h.setState([]byte(emptyState)); err != nil {
		return nil, err
	}
	return &fanout{subscribe: http.HandlerFunc(h.subscribe), publish: h.publish, setState: h.setState, close: h.close}, nil
}

func (h *gorillaHub) setState(b []byte) error {
	m, err := websocket.NewPreparedMessage(websocket.TextMessage, b)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.state = m
	return err
}

func (h *gorillaHub) subscribe(w http.ResponseWriter, r *http.Request) {
	conn, err := gorillaUpgrader.Upgrade(w, r, nil)
	if err != nil {
		return // it has been answered
	}
	s := &gorillaSub{conn, make(chan *websocket.PreparedMessage, h.queue)}
	h.mu.Lock()
	s.send <- h.state
	h.subs[s] = struct{}{}
	h.mu.Unlock()
	go s.write()
	go func() {
		discard(conn)
		h.mu.Lock()
		defer h.mu.Unlock()
		h.remove(s)
	}()
}

// discard reads until the connection ends, which answers pings.
func discard(conn *websocket.Conn) {
	for {
		if _, _, err := conn.NextReader(); err != nil {
			return
		}
	}
}

// remove takes a subscriber out. The lock is held.
func (h *gorillaHub) remove(s *gorillaSub) {
	if _, in := h.subs[s]; in {
		delete(h.subs, s)
		close(s.send)
	}
}

func (s *gorillaSub) write() {
	defer s.conn.Close()
	for m := range s.send {
		if s.conn.SetWriteDeadline(time.Now().Add(writeTime)) != nil || s.conn.WritePreparedMessage(m) != nil {
			return
		}
	}
}

func (h *gorillaHub) publish(delta []byte) error {
	m, err := websocket.NewPreparedMessage(websocket.TextMessage, delta)
	if err != nil {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for s := range h.subs {
		select {
		case s.send <- m:
		default:
			h.remove(s)
		}
	}
	return nil
}

func (h *gorillaHub) close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for s := range h.subs {
		h.remove(s)
	}
}
