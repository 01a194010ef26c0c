package main

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/replication-gateway/gateway/bench/internal/server"
	"github.com/replication-gateway/gateway/client"
)

func TestStandbys(t *testing.T) {
	b := newBench(t)
	b.For = 300 * time.Millisecond // one connection has to use CPU that can be measured
	sections, err := standbys(t.Context(), b)
	if err != nil {
		t.Fatal(err)
	}
	whole(t, sections, 2) // what nobody waits for is not seen to be acknowledged
	all := pairs()
	for _, p := range all[1:] {
		// The check within has found each of these commits at the standby.
		if n := value(t, b, lagFigure, p.name, "commits"); n < 1 {
			t.Errorf("%s: the lag of %v commits", p.name, n)
		}
	}
	required := all[2].name
	if ack, visible := value(t, b, lagFigure, required, "ack_p50_ms"), value(t, b, lagFigure, required, "p50_ms"); ack <= 0 || visible <= 0 {
		t.Errorf("acknowledged after %v ms, visible after %v ms", ack, visible)
	}
	losses := b.losses()
	if got := b.samples.Series(takeoverFigure, losses[0].name, "write_ms"); len(got) != killsEach || got.Min() <= 0 {
		t.Errorf("first writes after %v ms, want %d", got, killsEach)
	}
	// Silence is no sign before the heartbeat that is due has not come.
	if beats := value(t, b, takeoverFigure, losses[1].name, "notice_beats"); beats < 1 {
		t.Errorf("a primary that stands still is noticed after %v heartbeats", beats)
	}
}

// TestAPutThatAPrimaryTakesIsNoTakeover: the first write counts only where writes were refused before.
func TestAPutThatAPrimaryTakesIsNoTakeover(t *testing.T) {
	err := newBench(t).onGateway(t.Context(), "primary", func(s *server.Server) error {
		_, err := writeUntilTaken(s)
		return err
	})
	if err == nil {
		t.Error("a primary passes for a standby")
	}
}

func TestLagIsThatOfTheCommitsOfATime(t *testing.T) {
	start := time.Now()
	at := func(ms int) time.Time { return start.Add(time.Duration(ms) * time.Millisecond) }
	there := &arrivals{at: map[uint64]time.Time{1: at(0), 2: at(10), 3: at(11), 4: at(12), 5: at(20)}}
	here := &arrivals{at: map[uint64]time.Time{1: at(100), 2: at(13), 3: at(13), 4: at(11), 5: at(100)}}
	l, err := here.after(there, at(10), at(20))
	if err != nil || l.Len() != 3 || l.Max() != 3*time.Millisecond || l.Quantile(0.5) != 2*time.Millisecond || l.Quantile(0) != 0 {
		t.Errorf("%d commits, half of them over %v, from %v to %v (%v)", l.Len(), l.Quantile(0.5), l.Quantile(0), l.Max(), err)
	}
	delete(here.at, 3)
	if _, err := here.after(there, at(10), at(20)); err == nil {
		t.Error("a commit has not arrived and nobody noticed")
	}
}

func TestWhoAwaitsACommitIsToldOfTheEnd(t *testing.T) {
	a := &arrivals{at: map[uint64]time.Time{}}
	a.note([]client.Commit{{SeqNo: 7}}, time.Now())
	if err := a.await(t.Context(), 7); err != nil {
		t.Error(err)
	}
	a.ended = client.ErrClosed
	if err := a.await(t.Context(), 8); !errors.Is(err, client.ErrClosed) {
		t.Errorf("%v, want %v", err, client.ErrClosed)
	}
	a.ended = nil
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := a.await(ctx, 8); !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want %v", err, context.Canceled)
	}
}
