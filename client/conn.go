package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"

	"github.com/replication-gateway/gateway/internal/directory"
)

// Conn is one stream of frames. Next is called by one goroutine at a time; Ack
// and Close by any, also meanwhile.
//
// The gateway is answered, and its silence noticed, only while Next runs. A Conn
// that nobody calls Next on is given up by the gateway after a while.
type Conn struct {
	ws      *websocket.Conn
	link    *link           // under ws
	reading context.Context // what is read is read under it
	hangUp  context.CancelFunc

	// Of the goroutine in Next.
	stream   stream
	silence  time.Duration // without a byte, after which the gateway is gone
	watchdog *time.Timer   // runs while Next does
	signs    *time.Timer   // runs between busy and idle
	buf      []byte        // the frame being read

	pause atomic.Int64 // between two signs of life while nobody reads, 0 while somebody does

	mu    sync.Mutex
	cause error // why the connection is over, nil while it is not
}

const (
	// maxFrame bounds a frame, in bytes. Frames stay under 256 KiB, unless one row
	// alone is larger: it came in a commit, and that is smaller than this.
	maxFrame = 320 << 20
	// chunk is how much is read at a time. Each is a sign of life.
	chunk = 8 << 10
	// kept is the buffer that one large frame may leave behind for the next.
	kept = 1 << 20
	// farewell is how long the gateway gets for its answer to a close, while Next runs
	// and while it does not.
	farewell     = time.Second
	longFarewell = 5 * time.Second
	// assumedInterval is taken for the interval until the gateway tells it.
	assumedInterval = 15 * time.Second
)

func newConn(ws *websocket.Conn, link *link, since *Position) *Conn {
	ws.SetReadLimit(maxFrame)
	c := &Conn{ws: ws, link: link, silence: 2 * assumedInterval}
	if since != nil {
		p := *since
		c.stream.asked = &p
	}
	c.reading, c.hangUp = context.WithCancel(context.Background())
	c.watchdog = time.AfterFunc(c.silence, func() { c.cut(ErrSilent) })
	c.watchdog.Stop()
	c.signs = time.AfterFunc(c.silence, c.sign)
	c.signs.Stop()
	return c
}

// Next returns the next frame, checked, as soon as it is there. Frames of types
// that this version does not know are passed over.
//
// An error ends the connection, and Next returns it from then on: a *CloseError
// if the gateway ended the stream, ErrSilent, ErrProtocol, ErrClosed after Close,
// the cause of ctx if that ended, or what became of the network.
func (c *Conn) Next(ctx context.Context) (Frame, error) {
	closed := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(closed)
		c.leave(context.Cause(ctx))
	})
	f, err := c.next()
	if !stop() {
		<-closed // so that nothing of the connection outlives it
	}
	return f, err
}

func (c *Conn) next() (Frame, error) {
	c.watchdog.Reset(c.silence)
	defer c.watchdog.Stop()
	for {
		b, err := c.read()
		if over := c.over(); over != nil {
			return nil, over
		}
		if err != nil {
			return nil, c.cut(err)
		}
		f, err := c.stream.accept(b)
		if err != nil {
			if lost := c.link.lost(); lost != nil { // in the middle of the frame
				err = lost
			}
			return nil, c.cut(err)
		}
		if beat, ok := f.(*Heartbeat); ok {
			c.silence = 2 * beat.Interval
		}
		if f != nil {
			return f, nil
		}
	}
}

// read returns the next message, in memory of its own.
func (c *Conn) read() ([]byte, error) {
	typ, r, err := c.ws.Reader(c.reading)
	if err != nil {
		return nil, lost(err)
	}
	if typ != websocket.MessageText {
		return nil, fmt.Errorf("%w: a binary message", ErrProtocol)
	}
	for c.buf = c.buf[:0]; err == nil; {
		c.watchdog.Reset(c.silence)
		c.buf = slices.Grow(c.buf, chunk)
		at := len(c.buf)
		var n int
		n, err = r.Read(c.buf[at : at+chunk])
		c.buf = c.buf[:at+n]
	}
	if !errors.Is(err, io.EOF) {
		return nil, lost(err)
	}
	b := bytes.Clone(c.buf)
	if cap(c.buf) > kept {
		c.buf = nil
	}
	return b, nil
}

// lost says what an error of the WebSocket means.
func lost(err error) error {
	if closed, ok := errors.AsType[websocket.CloseError](err); ok {
		return &CloseError{Code: int(closed.Code), Reason: closed.Reason, RetryAfter: retryIn(closed.Reason)}
	}
	if errors.Is(err, websocket.ErrMessageTooBig) {
		return fmt.Errorf("%w: a frame of more than %d bytes", ErrProtocol, maxFrame)
	}
	return fmt.Errorf("connection lost: %w", err)
}

// Ack tells the gateway that commit p is durable with this standby, and all
// before it are. It is for streams opened with a replica token; any other is
// ended by it. The connection does not survive the end of ctx while it writes.
func (c *Conn) Ack(ctx context.Context, p Position) error {
	if !directory.ValidEpoch(p.Epoch) {
		return fmt.Errorf("%w: acknowledgement of %q", ErrOptions, p)
	}
	message := fmt.Appendf(nil, `{"type":"ack","epoch":"%s","seq_no":%d}`, p.Epoch, p.SeqNo)
	err := c.ws.Write(ctx, websocket.MessageText, message)
	if over := c.over(); over != nil {
		return over
	}
	return err
}

// Close ends the stream and lets Next return ErrClosed. It takes leave of the
// gateway, which takes a round trip. If the gateway is gone it takes a second, or
// up to five while Next does not run. Closing what is closed does nothing.
func (c *Conn) Close() error {
	c.leave(ErrClosed)
	return nil
}

// leave ends the connection for a cause of this side, and says so to the gateway.
func (c *Conn) leave(cause error) {
	c.end(cause)
	late := time.AfterFunc(farewell, c.hangUp) // closes the connection if it is being read
	defer late.Stop()
	last := time.AfterFunc(longFarewell, func() { _ = c.link.Close() }) // where a frame has begun and does not go on
	defer last.Stop()
	_ = c.ws.Close(websocket.StatusNormalClosure, "") // the connection is over, whatever comes of it
}

// cut ends the connection at once and returns why it is over.
func (c *Conn) cut(cause error) error {
	cause = c.end(cause)
	_ = c.ws.CloseNow()
	return cause
}

// end notes why the connection is over and returns it. The first cause counts.
func (c *Conn) end(cause error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cause == nil {
		c.cause = cause
	}
	return c.cause
}

func (c *Conn) over() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.cause
}
