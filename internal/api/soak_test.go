package api_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/coder/websocket"

	"github.com/replication-gateway/gateway/internal/api"
	"github.com/replication-gateway/gateway/internal/gateway"
	"github.com/replication-gateway/gateway/internal/hub/hubtest"
)

// roamer is a subscriber that comes and goes, reads and stands still, over any of
// the ways there are. Its validator sees all of its connections.
type roamer struct {
	h         *harness
	mode      string // plain, deflated or events
	random    *rand.Rand
	validator *hubtest.Validator
	read      func() ([]byte, error)
	close     func()
}

// connect opens a stream where the last one ended, or anew.
func (r *roamer) connect() error {
	query := ""
	if at, ok := r.validator.Position(); ok && r.random.IntN(4) > 0 {
		r.validator.ConnectAt(at)
		query = fmt.Sprintf("?epoch=%s&since=%d", at.Epoch, at.SeqNo)
	} else {
		r.validator.Connect()
	}
	if r.mode == "events" {
		e, err := r.h.dialEvents(http.DefaultClient, r.h.url+"/subscribe"+query)
		if err != nil {
			return err
		}
		r.close = func() { _ = e.resp.Body.Close() }
		r.read = func() ([]byte, error) {
			event, err := e.event()
			return []byte(event.data), err
		}
		return nil
	}
	mode := map[string]websocket.CompressionMode{"plain": websocket.CompressionDisabled, "deflated": websocket.CompressionNoContextTakeover}[r.mode]
	conn, _, err := websocket.Dial(r.h.t.Context(), r.h.url+"/subscribe"+query, &websocket.DialOptions{
		HTTPHeader: http.Header{"Authorization": {"Bearer " + adminToken}}, CompressionMode: mode})
	if err != nil {
		return err
	}
	conn.SetReadLimit(1 << 20)
	r.close = func() { _ = conn.CloseNow() }
	r.read = func() ([]byte, error) {
		_, b, err := conn.Read(r.h.t.Context())
		return b, err
	}
	return nil
}

// roam reads until it stands at the last commit, in its own way.
func (r *roamer) roam(last uint64) error {
	if err := r.connect(); err != nil {
		return err
	}
	defer func() { r.close() }()
	for {
		at, _ := r.validator.Position()
		if at.SeqNo >= last && !r.validator.Partial() {
			return nil
		}
		switch r.random.IntN(30) {
		case 0: // stands still, while more is committed than the buffers hold
			_, now := r.h.gateway.State()
			now.SeqNo = min(now.SeqNo+10, last)
			if err := r.h.gateway.Await(context.Background(), now); err != nil {
				return err
			}
		case 1: // goes, in the middle of whatever there is
			r.close()
			if err := r.connect(); err != nil {
				return err
			}
		}
		frame, err := r.read()
		if err == nil && len(frame) > 0 {
			err = r.validator.Frame(frame)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", r.mode, err)
		}
	}
}

// TestStreamsKeepPromisesOverSockets has subscribers of every kind come, go and stall
// while small and large commits are made, and fall out of a window of a few. What each has put together in the end must
// be the state.
func TestStreamsKeepPromisesOverSockets(t *testing.T) {
	h := start(t, compressed, func(_ *api.Options, g *gateway.Options) { g.WindowCommits = 4 })
	const commits = 48
	last := h.seqNo() + commits
	var roaming sync.WaitGroup
	roamers := make([]*roamer, 9)
	for i := range roamers {
		r := &roamer{h: h, mode: []string{"plain", "deflated", "events"}[i%3], random: rand.New(rand.NewPCG(uint64(i), 7)),
			validator: hubtest.New(hubtest.Options{})}
		roamers[i] = r
		roaming.Go(func() {
			if err := r.roam(last); err != nil {
				t.Error(err)
			}
		})
	}
	for i := range commits {
		h.commit(1+i%3, 100+i%16/15*100_000, i) // some take more than a frame
	}
	roaming.Wait()
	if t.Failed() {
		return
	}
	var want []string
	state, _ := h.gateway.State()
	for n := range state.Nodes(0) {
		want = append(want, n.Hostname)
	}
	for _, r := range roamers {
		names := map[uint32]string{}
		note := func(raw json.RawMessage) {
			var n struct {
				NodeID   uint32 `json:"node_id"`
				Hostname string `json:"hostname"`
			}
			if err := json.Unmarshal(raw, &n); err != nil {
				t.Fatal(err)
			}
			names[n.NodeID] = n.Hostname
		}
		for _, row := range r.validator.Snapshot()["nodes"] {
			note(row)
		}
		for _, raw := range r.validator.Entries() {
			var e struct{ Data json.RawMessage }
			if err := json.Unmarshal(raw, &e); err != nil {
				t.Fatal(err)
			}
			note(e.Data)
		}
		var got []string
		for id := range uint32(len(names)) {
			got = append(got, names[id+1])
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: holds %s, want %s", r.mode, got, want)
		}
	}
	if errs := strings.Count(h.log.String(), `"level":"error"`); errs > 0 {
		t.Errorf("%d errors in the log", errs)
	}
}
