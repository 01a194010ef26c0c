package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"

	"github.com/coder/websocket"

	"github.com/replication-gateway/gateway/bench/internal/command"
	"github.com/replication-gateway/gateway/bench/internal/rawhttp"
	"github.com/replication-gateway/gateway/bench/internal/server"
)

// state is what joiners are given.
type state struct {
	data     string // a folder from which a gateway starts with it
	encoding []byte // as one message
	parts    int    // messages in which the gateway sends it
}

// batchOps is how many changes one batch may have.
const batchOps = 10_000

// makeState has a gateway take the state in, and looks at what it sends of it.
func (b *bench) makeState(ctx context.Context) (_ *state, err error) {
	data, err := os.MkdirTemp(b.dir, "state-")
	if err != nil {
		return nil, err
	}
	s, err := b.startGateway(ctx, data)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.Stop(ctx)) }()
	command.Progress("making a state of %d nodes", b.Nodes)
	c, err := rawhttp.Dial(s.Addr)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	random := rand.New(rand.NewPCG(b.Seed, 1))
	for first := 1; first <= b.Nodes; first += batchOps {
		a, err := c.Do(rawhttp.Request("POST", "/batch", server.Token, batchOf(random, first, min(first+batchOps, b.Nodes+1))))
		if err == nil && a.Status != http.StatusOK {
			err = fmt.Errorf("a batch was answered with %d: %.1000s", a.Status, a.Body)
		}
		if err != nil {
			return nil, err
		}
	}
	made := &state{data: data}
	err = s.Get(ctx, "/snapshot", func(r io.Reader) error {
		body, err := io.ReadAll(r)
		made.encoding = append([]byte(`{"type":"snapshot",`), body[min(1, len(body)):]...)
		return err
	})
	if err != nil {
		return nil, err
	}
	made.parts, err = partsOf(ctx, s.Addr)
	return made, err
}

// batchOf puts the nodes from and up to, as a fleet has them.
func batchOf(random *rand.Rand, from, to int) []byte {
	b := []byte(`{"ops":[`)
	for id := from; id < to; id++ {
		if id > from {
			b = append(b, ',')
		}
		b = fmt.Appendf(b, `{"type":"node.put","data":{"node_id":%d,"hostname":"host-%06x.site-%02d.corp.example",`+
			`"external_id":"person-%06x@corp.example","tags":["linux","rack-%02d"]}}`,
			id, random.IntN(1<<24), random.IntN(100), random.IntN(1<<24), random.IntN(100))
	}
	return append(b, "]}"...)
}

// partsOf counts the messages of a snapshot, as any client receives them.
func partsOf(ctx context.Context, addr string) (int, error) {
	conn, _, err := websocket.Dial(ctx, "ws://"+addr+"/subscribe", &websocket.DialOptions{
		HTTPHeader: http.Header{"Authorization": {"Bearer " + server.Token}},
	})
	if err != nil {
		return 0, err
	}
	defer conn.CloseNow()
	conn.SetReadLimit(-1)
	for parts := 0; ; {
		_, m, err := conn.Read(ctx)
		if err != nil {
			return 0, err
		}
		if !bytes.HasPrefix(m, []byte(`{"type":"snapshot"`)) {
			continue
		}
		if parts++; !bytes.HasSuffix(m, []byte(`,"more":true}`)) {
			return parts, nil
		}
	}
}
