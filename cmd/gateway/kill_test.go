package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/coder/websocket"

	"github.com/replication-gateway/gateway/internal/hub/hubtest"
)

// TestKillLosesNothingAcknowledged kills a gateway while sixteen writers write,
// again and again, and looks for every acknowledged commit in its place. A
// subscriber that resumes across the kills sees a stream without a gap.
func TestKillLosesNothingAcknowledged(t *testing.T) {
	const rounds, writers = 8, 16
	dir := t.TempDir()
	reader := hubtest.New(hubtest.Options{})
	acked := make(map[uint64]uint32) // seq_no → node
	epoch, nextNode := "", new(atomic.Uint32)
	for round := range rounds {
		p := start(t, dir, "--heartbeat", "50ms")
		for seqNo, ack := range p.writeUntilKilled(writers, 100+rand.IntN(300), nextNode, reader) {
			if other, twice := acked[seqNo]; twice {
				t.Fatalf("round %d: seq_no %d was acknowledged for node %d and node %d", round, seqNo, other, ack.node)
			}
			acked[seqNo] = ack.node
			epoch = ack.epoch
		}
		p = start(t, dir, "--heartbeat", "50ms")
		p.checkAcknowledged(epoch, acked)
		p.kill()
	}
	t.Logf("%d acknowledged commits in %d rounds", len(acked), rounds)
}

// ack is an acknowledged write.
type ack struct {
	node  uint32
	epoch string
}

// writeUntilKilled lets writers put new nodes until enough are acknowledged,
// kills the gateway under them, and returns what was acknowledged by seq_no.
// The reader follows meanwhile, from where it stood.
func (p *process) writeUntilKilled(writers, enough int, nextNode *atomic.Uint32, reader *hubtest.Validator) map[uint64]ack {
	var (
		wg    sync.WaitGroup
		mu    sync.Mutex
		acked = make(map[uint64]ack)
		kill  = make(chan struct{})
	)
	wg.Go(func() {
		if err := readStream(p.t.Context(), p.addr, reader); err != nil {
			p.t.Error(err)
		}
	})
	for range writers {
		wg.Go(func() {
			for {
				node := nextNode.Add(1)
				status, body := p.call("PUT", fmt.Sprint("/nodes/", node), map[string]any{"hostname": fmt.Sprint("n", node)})
				if status != 200 {
					return // killed
				}
				var answer struct {
					SeqNo uint64 `json:"seq_no"`
					Epoch string `json:"epoch"`
				}
				if err := json.Unmarshal(body, &answer); err != nil {
					p.t.Error(err)
					return
				}
				mu.Lock()
				acked[answer.SeqNo] = ack{node, answer.Epoch}
				if len(acked) == enough {
					close(kill)
				}
				mu.Unlock()
			}
		})
	}
	<-kill
	p.kill()
	wg.Wait()
	return acked
}

// dialStream opens a stream of the gateway at an address, with a query such as
// ?epoch=…&since=….
func dialStream(ctx context.Context, addr, query string) (*websocket.Conn, error) {
	conn, _, err := websocket.Dial(ctx, "ws://"+addr+"/subscribe"+query, &websocket.DialOptions{
		Subprotocols: []string{"gateway.v1"},
		HTTPHeader:   http.Header{"Authorization": {"Bearer " + testToken}},
	})
	if err == nil {
		conn.SetReadLimit(1 << 20)
	}
	return conn, err
}

// subscribe opens a stream, or notes why not and returns nil.
func (p *process) subscribe(ctx context.Context, query string) *websocket.Conn {
	p.t.Helper()
	conn, err := dialStream(ctx, p.addr, query)
	if err != nil {
		p.t.Errorf("subscribe: %v", err)
		return nil
	}
	return conn
}

// errStream says that a frame was wrong.
var errStream = errors.New("stream")

// readStream goes on where a reader stands, to the end of one connection, and has
// every frame checked. The error is errStream, or that of dialling.
func readStream(ctx context.Context, addr string, reader *hubtest.Validator) error {
	query := ""
	if at, ok := reader.Position(); ok {
		query = fmt.Sprintf("?epoch=%s&since=%d", at.Epoch, at.SeqNo)
		reader.ConnectAt(at)
	} else {
		reader.Connect()
	}
	conn, err := dialStream(ctx, addr, query)
	if err != nil {
		return err
	}
	defer conn.CloseNow()
	for {
		_, frame, err := conn.Read(ctx)
		if err != nil {
			return nil // killed, stopped, or another epoch
		}
		if err := reader.Frame(frame); err != nil {
			return fmt.Errorf("%w of %s: %w\n%s", errStream, addr, err, frame)
		}
	}
}

// checkAcknowledged reads the whole history of a restarted gateway, before
// anything new is written, and looks for what was acknowledged.
func (p *process) checkAcknowledged(epoch string, acked map[uint64]uint32) {
	p.t.Helper()
	ctx, cancel := context.WithCancel(p.t.Context())
	defer cancel()
	conn := p.subscribe(ctx, "?since=0&epoch="+epoch)
	if conn == nil {
		p.t.FailNow()
	}
	defer conn.CloseNow()
	end := p.replication().SeqNo
	last := uint64(0)
	for at := uint64(0); at < end; { // heartbeats may come in between
		_, b, err := conn.Read(ctx)
		if err != nil {
			p.t.Fatalf("history: %v", err)
		}
		var frame struct {
			Type    string `json:"type"`
			SeqNo   uint64 `json:"seq_no"`
			Resumed *bool  `json:"resumed"`
			Entries []struct {
				SeqNo  uint64 `json:"seq_no"`
				NodeID uint32 `json:"node_id"`
			} `json:"entries"`
		}
		if err := json.Unmarshal(b, &frame); err != nil {
			p.t.Fatal(err)
		}
		if frame.Resumed != nil && !*frame.Resumed {
			p.t.Fatalf("the history cannot be resumed after the restart: %s", b)
		}
		at = frame.SeqNo
		for _, e := range frame.Entries {
			if e.SeqNo != last+1 {
				p.t.Fatalf("seq_no %d follows %d", e.SeqNo, last)
			}
			last = e.SeqNo
			if node, ok := acked[last]; ok && node != e.NodeID {
				p.t.Fatalf("seq_no %d was acknowledged for node %d and holds node %d", last, node, e.NodeID)
			}
		}
	}
	for seqNo, node := range acked {
		if seqNo > last {
			p.t.Errorf("seq_no %d, node %d, was acknowledged and is gone: the history ends at %d", seqNo, node, last)
		}
		if status, body := p.call("GET", fmt.Sprint("/nodes/", node), nil); status != 200 {
			p.t.Fatalf("node %d was acknowledged at %d: %d %s", node, seqNo, status, body)
		}
	}
}
