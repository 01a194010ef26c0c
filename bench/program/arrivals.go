package main

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"github.com/replication-gateway/gateway/bench/internal/figures"
	"github.com/replication-gateway/gateway/bench/internal/rawhttp"
	"github.com/replication-gateway/gateway/bench/internal/server"
	"github.com/replication-gateway/gateway/client"
)

// arrivals are when the commits of a gateway came to a reader of it.
type arrivals struct {
	mu sync.Mutex
	at map[uint64]time.Time // by seq_no
}

// arrivalsAt reads a gateway until ctx ends. It returns when the state is there, from which on commits come.
func arrivalsAt(ctx context.Context, s *server.Server) (*arrivals, error) {
	conn, err := client.Dial(ctx, client.Options{URL: "http://" + s.Addr, Token: server.Token})
	if err != nil {
		return nil, err
	}
	a := &arrivals{at: make(map[uint64]time.Time)}
	for {
		f, err := conn.Next(ctx)
		if err != nil {
			conn.Close()
			return nil, err
		}
		if part, ok := f.(*client.SnapshotPart); ok && !part.More {
			break
		}
	}
	go func() {
		defer conn.Close()
		for {
			f, err := conn.Next(ctx)
			if err != nil {
				return
			}
			a.note(f, time.Now())
		}
	}()
	return a, nil
}

func (a *arrivals) note(f client.Frame, now time.Time) {
	delta, ok := f.(*client.Delta)
	if !ok {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, c := range delta.Commits {
		a.at[c.SeqNo] = now
	}
}

// after is how much later each commit came here than there, of those that came to both; 0 for one that came earlier.
func (a *arrivals) after(there *arrivals) *figures.Latencies {
	a.mu.Lock()
	defer a.mu.Unlock()
	there.mu.Lock()
	defer there.mu.Unlock()
	var l figures.Latencies
	for seqNo, at := range a.at {
		if first, ok := there.at[seqNo]; ok {
			l.Add(max(0, at.Sub(first)))
		}
	}
	return &l
}

// replicationStatus is what GET /replication says of standbys and of the primary.
type replicationStatus struct {
	Upstream struct{ Up bool }
	Standbys []struct{ Behind uint64 }
}

func replicationOf(s *server.Server) (r replicationStatus, err error) {
	c, err := rawhttp.Dial(s.Addr)
	if err != nil {
		return r, err
	}
	defer c.Close()
	a, err := request(c, "GET", "/replication", nil)
	if err != nil {
		return r, err
	}
	if err := json.Unmarshal(a.Body, &r); err != nil {
		return r, fmt.Errorf("/replication: %w", err)
	}
	return r, nil
}
