package api

import (
	"errors"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/replication-gateway/gateway/internal/gateway"
	"github.com/replication-gateway/gateway/internal/hub"
)

// stream is one open subscription. Two goroutines have to do with it: its reader,
// which lasts as long as the stream and cleans up behind it, and the writer that it
// shares with others.
type stream struct {
	sub    *hub.Sub
	socket *socket
	kind   *streamKind
	id     string // X-Request-Id of the request that opened it
	token  string // its id, empty for the admin token
	writer *writer
	gone   atomic.Bool // counts no more

	follower *gateway.Follower // of a standby's stream, else nil

	// The writer's own.
	over  bool      // the last frame has been handed in
	late  time.Time // when the oldest commit was pushed that waits in the socket
	pulse pulse
}

// streamKind is how frames travel on a stream, and how it ends.
type streamKind struct {
	name     string
	encoding *hub.Encoding
	last     func(hub.Disconnect) []byte
	answers  bool // peers answer the ping that comes with a heartbeat, and a close
}

var (
	plainSocket    = &streamKind{"websocket", textFrames, closeFrame, true}
	deflatedSocket = &streamKind{"websocket", deflatedFrames, closeFrame, true}
	narrowSocket   = &streamKind{"websocket", narrowFrames, closeFrame, true}
	eventStream    = &streamKind{"sse", eventFrames, lastEvent, false}
)

// lastWords is how long a reader gets for its last frame and its answer to the
// close once the stream is to end.
const lastWords = time.Second

// end ends the stream with a close code. Nothing more is taken for it, what is
// under way gets the time of lastWords. It does not wait. The first end counts.
func (st *stream) end(d hub.Disconnect) { st.sub.End(d) }

// finish ends the stream once it has been given what is due now, or when grace is
// over. It does not wait.
func (st *stream) finish(d hub.Disconnect, grace time.Duration) {
	st.socket.hurry(max(grace, lastWords))
	st.sub.Finish(d)
}

// begin hands the stream to a writer and everybody who may end it.
func (s *Server) begin(st *stream) {
	s.leftovers.add()
	s.streams.of(st).add(st)
	s.writers.add(st)
	s.watch.add(st)
	if s.sendsAway(st.follower != nil) { // since this one was let in
		st.finish(hub.Restarting(time.Second), 0)
	}
}

// uncount makes room for another stream in place of one that has ended, however
// long its farewell takes.
func (s *Server) uncount(st *stream) {
	if !st.gone.Swap(true) {
		s.watch.dismiss(st.token)
		s.unfollow(st)
		s.options.Gateway.Unsubscribe(st.sub)
	}
}

// left closes a stream whose reader is through, and cleans up behind it.
func (s *Server) left(st *stream) {
	st.end(hub.Disconnect{Code: abnormal})
	st.socket.close()
	cause := st.sub.Cause()
	s.uncount(st)
	s.watch.remove(st)
	s.writers.remove(st)
	s.metrics.disconnects.WithLabelValues(closeLabel(cause.Code)).Inc()
	s.options.Logger.Info().Str("kind", st.kind.name).Int("code", cause.Code).Uint64("seq_no", st.sub.Stats().SeqNo).
		Dur("duration_ms", time.Since(st.sub.Stats().Connected)).Str("request_id", st.id).Msg("stream ended")
	s.streams.of(st).remove(st)
}

// readSocket reads what the subscriber of a WebSocket sends, until the connection
// is closed: pings are answered, its close ends the stream, and so does any
// message that is not a standby's acknowledgement, which is misuse.
func (s *Server) readSocket(st *stream) {
	defer s.left(st)
	var p peer
	if st.follower != nil {
		p.keep = maxAck
	}
	for {
		n, err := st.socket.Read(p.buffer[:])
		if err != nil {
			return
		}
		for b := p.buffer[:n]; len(b) > 0; b = b[n:] {
			var f peerFrame
			var complete bool
			if n, f, complete, err = p.feed(b); err == nil && complete {
				err = st.received(f)
			}
			if err != nil {
				st.broken(err)
				return
			}
			if p.beyondKeeping() {
				st.end(hub.ProtocolMisuse) // without waiting for the rest, which may never come
			}
		}
	}
}

// errClosed is returned for a peer that has closed the stream.
var errClosed = errors.New("the peer closed the stream")

// received does what a frame of the peer asks for.
func (st *stream) received(f peerFrame) error {
	switch {
	case f.message():
		if !st.acknowledge(f) {
			st.end(hub.ProtocolMisuse)
		}
	case f.opcode() == opPing:
		st.socket.answer(framed(final|opPong, f.payload))
	case f.opcode() == opClose:
		code, err := closeCode(f.payload)
		if err != nil {
			return err
		}
		st.end(hub.Disconnect{Code: code})
		st.socket.seal(framed(final|opClose, f.payload[:min(2, len(f.payload))]))
		return errClosed
	}
	return nil
}

// broken ends the stream of a peer that is not listened to any more.
func (st *stream) broken(err error) {
	if errors.Is(err, errProtocol) {
		st.end(protocolError)
		st.socket.seal(closeFrame(protocolError))
	}
}

// readEvents waits until the subscriber of a stream of events has gone. HTTP gives
// it nothing to say.
func (s *Server) readEvents(st *stream) {
	defer s.left(st)
	var b [64]byte
	for {
		if _, err := st.socket.Read(b[:]); err != nil {
			return
		}
	}
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
