package peers_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/replication-gateway/gateway/bench/fanout/internal/crowd"
	"github.com/replication-gateway/gateway/bench/fanout/internal/peers"
	"github.com/replication-gateway/gateway/bench/fanout/internal/publish"
	"github.com/replication-gateway/gateway/bench/fanout/internal/tally"
	"github.com/replication-gateway/gateway/bench/internal/rawhttp"
)

// deltaOf is a delta as the gateway sends it.
func deltaOf(write int) []byte {
	return fmt.Appendf(nil, `{"type":"delta","epoch":"none","prev_seq_no":%d,"seq_no":%d,"entries":[{"seq_no":%d,"type":"node.put","node_id":1,`+
		`"at":"2026-01-01T00:00:00.000Z","actor":"token:admin","data":{"node_id":1,"hostname":"%s","external_id":"","tags":[],`+
		`"created_at":"2026-01-01T00:00:00.000Z"}}]}`, write, write+1, write+1, tally.Mark(write))
}

func target(s *peers.Server) publish.Target {
	return publish.Target{Addr: s.Writes, Request: func(write int) []byte {
		return rawhttp.Request("POST", "/publish", "", deltaOf(write))
	}}
}

// start starts a peer and its subscribers.
func start(t *testing.T, p peers.Peer, o crowd.Options) (*peers.Server, *crowd.Crowd) {
	t.Helper()
	s, err := peers.Start(p.Name, peers.Options{Queue: 64})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	o.Addr, o.Path, o.Dialect = s.Subscribers, "/subscribe", p.Dialect
	c, err := crowd.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	return s, c
}

func await(t *testing.T, what string, c *crowd.Crowd, done <-chan struct{}) {
	t.Helper()
	timeout, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	select {
	case <-done:
	case <-c.Ended():
		t.Fatalf("%s: the crowd ended: %v", what, c.Err())
	case <-timeout.Done():
		t.Fatalf("%s: not in time; %+v", what, c.Figures())
	}
}

func TestEverySubscriberReceivesEveryDeltaOnce(t *testing.T) {
	const subscribers, paced, flooded = 20, 10, 200
	for _, p := range peers.All() {
		t.Run(p.Name, func(t *testing.T) {
			account := tally.New(paced+flooded, subscribers)
			s, c := start(t, p, crowd.Options{Subscribers: subscribers, Tally: account})
			await(t, "join", c, c.Joined())
			if err := publish.Pace(t.Context(), target(s), account, 0, paced, 1000, 1); err != nil {
				t.Fatal(err)
			}
			if err := publish.Flood(t.Context(), target(s), account, paced, 32, 4); err != nil {
				t.Fatal(err)
			}
			await(t, "deliveries", c, account.Complete(paced+flooded))
			if now := account.Now(); now.Deliveries != subscribers*(paced+flooded) || account.Surplus() > 0 {
				t.Errorf("%d deliveries, %d beyond those, want %d and 0", now.Deliveries, account.Surplus(), subscribers*(paced+flooded))
			}
			if got := c.Close(paced + flooded); got.Exact != subscribers {
				t.Errorf("%d of %d streams are exact", got.Exact, subscribers)
			}
		})
	}
}

func TestStateIsGivenToWhoJoins(t *testing.T) {
	const nodes = 20_000
	state := []byte(`{"type":"snapshot","epoch":"none","seq_no":0,"snapshot":{"networks":[],"nodes":[`)
	for i := range nodes {
		if i > 0 {
			state = append(state, ',')
		}
		state = fmt.Appendf(state, `{"node_id":%d,"hostname":"h-%d","external_id":"","tags":[],"created_at":"2026-01-01T00:00:00.000Z"}`, i+1, i)
	}
	state = append(state, `],"members":[]}}`...)
	for _, name := range []string{"raw limit", "gorilla PreparedMessage", "textbook hub", "serial pusher"} {
		t.Run(name, func(t *testing.T) {
			s, err := peers.Start(name, peers.Options{Queue: 1})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			w, err := rawhttp.Dial(s.Writes)
			if err != nil {
				t.Fatal(err)
			}
			defer w.Close()
			if a, err := w.Do(rawhttp.Request("POST", "/state", "", state)); err != nil || a.Status != 200 {
				t.Fatalf("the state was answered with %d (%v)", a.Status, err)
			}
			dialect := crowd.Stream
			if name == "raw limit" {
				dialect = crowd.Bare
			}
			c, err := crowd.Start(crowd.Options{Addr: s.Subscribers, Path: "/subscribe", Dialect: dialect, Subscribers: 2})
			if err != nil {
				t.Fatal(err)
			}
			await(t, "join", c, c.Joined())
			if got := c.Figures().Bytes; got < 2*uint64(len(state)) || got > 2*uint64(len(state))+1000 {
				t.Errorf("%d bytes came, want twice %d and two handshakes", got, len(state))
			}
			c.Close(0)
		})
	}
}
