package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/replication-gateway/gateway/bench/internal/figures"
	"github.com/replication-gateway/gateway/bench/internal/server"
	"github.com/replication-gateway/gateway/client"
)

// pollEvery is how often something is looked at that is soon to come.
const pollEvery = time.Millisecond

// arrivals are when each commit came to a reader of a gateway, by the driver's clock.
type arrivals struct {
	mu    sync.Mutex
	at    map[uint64]time.Time // by seq_no
	ended error                // why no more come
}

// arrivalsAt reads a gateway until ctx ends, as whom a token makes it. It returns when the state is there, from which on
// commits come.
func arrivalsAt(ctx context.Context, s *server.Server, token string) (*arrivals, error) {
	conn, err := client.Dial(ctx, client.Options{URL: "http://" + s.Addr, Token: token})
	if err != nil {
		return nil, err
	}
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
	a := &arrivals{at: make(map[uint64]time.Time)}
	go a.read(ctx, conn)
	return a, nil
}

func (a *arrivals) read(ctx context.Context, conn *client.Conn) {
	defer conn.Close()
	for {
		f, err := conn.Next(ctx)
		now := time.Now()
		if err != nil {
			a.mu.Lock()
			a.ended = err
			a.mu.Unlock()
			return
		}
		if delta, ok := f.(*client.Delta); ok {
			a.note(delta.Commits, now)
		}
	}
}

func (a *arrivals) note(commits []client.Commit, now time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, c := range commits {
		a.at[c.SeqNo] = now
	}
}

// await waits until a commit has come, and so all before it.
func (a *arrivals) await(ctx context.Context, seqNo uint64) error {
	return until(ctx, pollEvery, func() (bool, error) {
		a.mu.Lock()
		defer a.mu.Unlock()
		_, here := a.at[seqNo]
		return here, a.ended
	})
}

// after is how much later commits came here than there: all those that came there between two moments. One of them that
// has not come here is an error. Two readers of one process may be woken in the wrong order: then it is 0.
func (a *arrivals) after(there *arrivals, from, to time.Time) (*figures.Latencies, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	there.mu.Lock()
	defer there.mu.Unlock()
	var l figures.Latencies
	for seqNo, first := range there.at {
		if first.Before(from) || !first.Before(to) {
			continue
		}
		at, here := a.at[seqNo]
		if !here {
			return nil, fmt.Errorf("commit %d has not arrived", seqNo)
		}
		l.Add(max(0, at.Sub(first)))
	}
	return &l, nil
}

// until looks again and again whether something holds, for as long as patience allows.
func until(ctx context.Context, every time.Duration, holds func() (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		if done, err := holds(); done || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(every):
		}
	}
}
