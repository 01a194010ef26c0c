package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/replication-gateway/gateway/bench/fanout/internal/crowd"
	"github.com/replication-gateway/gateway/bench/fanout/internal/publish"
	"github.com/replication-gateway/gateway/bench/fanout/internal/tally"
	"github.com/replication-gateway/gateway/bench/internal/report"
)

const (
	reconnectsFigure = "reconnects"

	churnConnections = 64
	churnEvery       = 100 * time.Millisecond
)

// reconnects measures whether those who come back go on exactly where they were, while commits go on.
func (b *bench) reconnects(ctx context.Context) error {
	list := slices.DeleteFunc(b.candidates(), func(c candidate) bool { return c.name != gatewayName }) // only it can resume
	return b.turns(ctx, reconnectsFigure, list, 1, func(s *subject) (map[string]float64, error) {
		return b.reconnectsOn(ctx, s)
	})
}

func (b *bench) reconnectsOn(ctx context.Context, s *subject) (map[string]float64, error) {
	writes := int(b.ChurnFor.Seconds() * float64(b.ChurnRate))
	account := tally.New(writes, b.ChurnSubscribers)
	c, err := s.open(crowd.Options{Subscribers: b.ChurnSubscribers, Tally: account, Seed: b.Seed})
	if err != nil {
		return nil, err
	}
	defer func() {
		if c != nil {
			c.Close(0)
		}
	}()
	if err := await(ctx, c.Joined(), c.Ended(), joinTime, c.Err); err != nil {
		return nil, fmt.Errorf("join: %w", err)
	}
	churning, stop := context.WithCancel(ctx)
	go b.churn(churning, c)
	defer stop()
	used, err := s.spent(func() error {
		return publish.Pace(ctx, s.writes, account, 0, writes, b.ChurnRate, churnConnections)
	})
	stop()
	if err != nil {
		return nil, fmt.Errorf("write: %w", err)
	}
	late := await(ctx, account.Complete(writes), c.Ended(), grace, c.Err) // what is missing is a figure
	if ctx.Err() != nil || c.Err() != nil {
		return nil, late
	}
	seen := account.End(time.Now())
	got := c.Close(writes)
	c = nil
	return map[string]float64{
		"commits":    float64(writes) / used.Clock.Seconds(),
		"deliveries": float64(seen.Deliveries),
		"missing":    float64(seen.Missing),
		"surplus":    float64(account.Surplus()),
		"p50_ms":     millis(seen.Latency.Quantile(0.5)),
		"p99_ms":     millis(seen.Latency.Quantile(0.99)),
		"resumes":    float64(got.Resumes),
		"refused":    float64(got.Refused),
		"resyncs":    float64(got.Resyncs),
		"gaps":       float64(got.Gaps),
		"exact":      float64(got.Exact),
		"alike":      float64(got.Alike),
		"cores":      used.CPU.Seconds() / used.Clock.Seconds(),
	}, nil
}

// churn lets one in a hundred subscribers reconnect each second, until ctx ends.
func (b *bench) churn(ctx context.Context, c *crowd.Crowd) {
	ticker := time.NewTicker(churnEvery)
	defer ticker.Stop()
	owed := 0.0
	for {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
		owed += float64(b.ChurnSubscribers) / 100 * churnEvery.Seconds()
		c.Reconnect(int(owed))
		owed -= float64(int(owed))
	}
}

func (b *bench) reconnectsSections() []report.Section {
	get := b.getter(reconnectsFigure, gatewayName)
	s := report.Section{
		Title: fmt.Sprintf("%s commits a second, one in a hundred reconnects", report.Count(float64(b.ChurnRate))),
		Text: fmt.Sprintf("%s subscribers of the gateway, over %v; each second one in a hundred of them cuts its connection in the middle of whatever is under way "+
			"and comes back to where it stood. Writes come over %d connections. A stream is exact if it brought each write once over "+
			"all connections of its subscriber, and alike if that was in the same order as for the first. A gap is a delta whose "+
			"`prev_seq_no` is not what came before.", report.Count(float64(b.ChurnSubscribers)), b.ChurnFor, churnConnections),
		Table: report.Table{Head: []string{"", "median of the rounds"}},
		Notes: b.failed(reconnectsFigure),
	}
	s.Table.Add("commits a second", report.Spread(get("commits"), report.Count))
	s.Table.Add("deliveries missing, surplus", fmt.Sprintf("%s, %s", report.Count(get("missing").Max()), report.Count(get("surplus").Max())))
	s.Table.Add("resumed", report.Spread(get("resumes"), report.Count))
	s.Table.Add("given a snapshot when they came back", report.Spread(get("refused"), report.Count))
	s.Table.Add("given a snapshot in the middle", report.Spread(get("resyncs"), report.Count))
	s.Table.Add("gaps", report.Spread(get("gaps"), report.Count))
	s.Table.Add("exact streams", share(get("exact"), b.ChurnSubscribers))
	s.Table.Add("alike", share(get("alike"), b.ChurnSubscribers))
	s.Table.Add("write due → received, p50 and p99, ms", fmt.Sprintf("%s, %s", report.Number(get("p50_ms").Median()), report.Number(get("p99_ms").Median())))
	s.Table.Add("server's CPU, cores", report.Number(get("cores").Median()))
	return []report.Section{s}
}
