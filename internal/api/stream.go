package api

import (
	"context"
	"strconv"
	"sync"
	"time"

	"github.com/coder/websocket"

	"github.com/replication-gateway/gateway/internal/hub"
)

// stream is one open subscription on its socket. Only this file and socket.go
// know how frames travel.
type stream struct {
	sub    *hub.Sub
	conn   *websocket.Conn
	socket *socket
}

// batchBytes bounds what is taken from the hub at a time.
const batchBytes = 256 << 10

// lastWords is how long a reader gets for its last frame and the close code
// once the stream is to end.
const lastWords = time.Second

// end ends the stream with a close code. It does not wait. The first end
// counts.
func (st *stream) end(d hub.Disconnect) {
	st.sub.End(d)
	st.socket.hurry(lastWords)
}

// stream writes frames until the stream ends, for whatever reason, and closes
// the connection.
func (s *Server) stream(st *stream, tokenID string) {
	defer s.streams.add(st)()
	if s.draining.Load() { // began after this one was let in
		st.end(hub.Restarting(time.Second))
	}
	defer s.watch.add(tokenID, st)()

	var reading sync.WaitGroup
	defer reading.Wait()
	defer func() { _ = st.conn.CloseNow() }()
	reading.Go(st.listen)

	err := s.write(st)
	s.options.Gateway.Unsubscribe(st.sub) // it counts no more, however long the farewell takes
	cause := st.sub.Cause()
	if err != nil && cause.Code == 0 {
		cause.Code = int(websocket.StatusAbnormalClosure)
	}
	s.metrics.disconnects.WithLabelValues(closeLabel(cause.Code)).Inc()
	if err == nil && cause.Reason != "" { // else the subscriber ended it
		_ = st.conn.Close(websocket.StatusCode(cause.Code), cause.Reason)
	}
}

// write hands frames to the socket as they become due. It returns nil once the
// stream has ended, or what was wrong with the connection.
func (s *Server) write(st *stream) error {
	var frames [][]byte
	for {
		if frames = st.sub.Next(frames[:0], batchBytes); len(frames) == 0 {
			select {
			case <-st.sub.Wake():
				continue
			case <-st.sub.Done():
				return nil
			}
		}
		oldest := st.sub.Oldest()
		for _, frame := range frames {
			if err := st.conn.Write(context.Background(), websocket.MessageText, frame); err != nil {
				return err
			}
		}
		if !oldest.IsZero() {
			s.metrics.delivery.Observe(time.Since(oldest).Seconds())
		}
		clear(frames) // shared with others, and not to be kept alive from here
	}
}

// listen reads what the subscriber sends: pings are answered, its close ends
// the stream, and so does any message, which is misuse.
func (st *stream) listen() {
	_, _, err := st.conn.Reader(context.Background())
	if err == nil {
		st.end(hub.ProtocolMisuse)
		return
	}
	code := websocket.CloseStatus(err)
	if code < 0 {
		code = websocket.StatusAbnormalClosure
	}
	st.end(hub.Disconnect{Code: int(code)})
}

// closeLabel bounds the close codes of the metrics, which subscribers choose as
// well.
func closeLabel(code int) string {
	switch code {
	case hub.TokenEnded.Code, hub.HistoryChanged.Code:
	default:
		if code < 1000 || code > 1015 {
			return "other"
		}
	}
	return strconv.Itoa(code)
}
