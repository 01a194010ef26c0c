package main

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/replication-gateway/gateway/bench/fanout/internal/crowd"
	"github.com/replication-gateway/gateway/bench/fanout/internal/publish"
	"github.com/replication-gateway/gateway/bench/fanout/internal/tally"
	"github.com/replication-gateway/gateway/bench/internal/report"
)

const (
	steadyFigure = "steady"

	joinTime  = 2 * time.Minute  // for all subscribers to join
	grace     = 10 * time.Second // for the last deliveries, after the last answer
	chatQueue = 16               // deltas that a subscriber of a hub may be behind, where nobody is asked to be
)

// steady measures CPU, latency and memory at a pace that everybody can hold.
func (b *bench) steady(ctx context.Context) error {
	return b.turns(ctx, steadyFigure, b.steadyCandidates(), chatQueue, func(s *subject) (map[string]float64, error) {
		return b.steadyOn(ctx, s)
	})
}

// steadyCandidates are all, and the limit once more as it is when it writes like the gateway.
func (b *bench) steadyCandidates() []candidate {
	return beside(b.candidates(), rawName, pastName)
}

func (b *bench) steadyOn(ctx context.Context, s *subject) (map[string]float64, error) {
	if err := s.rehearse(ctx); err != nil {
		return nil, err
	}
	alone, err := s.Usage()
	if err != nil {
		return nil, err
	}
	warm := max(1, int(b.Warm.Seconds()*float64(b.Rate)))
	writes := warm + max(1, int(b.For.Seconds()*float64(b.Rate)))
	account := tally.New(writes, b.Subscribers)
	start := time.Now()
	c, err := s.open(crowd.Options{Subscribers: b.Subscribers, Tally: account})
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
	joined := time.Since(start)
	if err := pause(ctx, b.Settle); err != nil {
		return nil, err
	}
	idle, err := s.Usage()
	if err != nil {
		return nil, err
	}
	if err := s.paced(ctx, c, account, 0, warm, b.Rate); err != nil {
		return nil, err
	}
	account.Begin(warm)
	measured, err := s.spent(func() error { return s.paced(ctx, c, account, warm, writes, b.Rate) })
	if err != nil {
		return nil, err
	}
	seen := account.End(time.Now())
	got := c.Close(writes)
	c = nil
	return map[string]float64{
		"cpu_micros":    micros(measured.CPU) / float64(seen.Deliveries),
		"p50_ms":        millis(seen.Latency.Quantile(0.5)),
		"p99_ms":        millis(seen.Latency.Quantile(0.99)),
		"max_ms":        millis(seen.Latency.Max()),
		"resident_kb":   float64(idle.Resident-alone.Resident) / 1000 / float64(b.Subscribers),
		"joined_s":      joined.Seconds(),
		"deliveries":    float64(seen.Deliveries),
		"exact_streams": float64(got.Exact),
	}, nil
}

// rehearse lets one subscriber come and go, so that what the first of all costs is not counted for those after it.
func (s *subject) rehearse(ctx context.Context) error {
	c, err := s.open(crowd.Options{Subscribers: 1})
	if err != nil {
		return err
	}
	defer c.Close(0)
	if err := await(ctx, c.Joined(), c.Ended(), joinTime, c.Err); err != nil {
		return fmt.Errorf("the first subscriber: %w", err)
	}
	return nil
}

// paced makes the writes from and up to, and waits until they have reached everybody.
func (s *subject) paced(ctx context.Context, c *crowd.Crowd, account *tally.Tally, from, to, rate int) error {
	if err := publish.Pace(ctx, s.writes, account, from, to, rate, 1); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	if err := await(ctx, account.Complete(to), c.Ended(), grace, c.Err); err != nil {
		return fmt.Errorf("deliver: %w", err)
	}
	return nil
}

// spent returns what the subject used while do was done.
func (s *subject) spent(do func() error) (spending, error) {
	before, err := s.Usage()
	if err != nil {
		return spending{}, err
	}
	start := time.Now()
	if err := do(); err != nil {
		return spending{}, err
	}
	took := time.Since(start)
	after, err := s.Usage()
	return spending{CPU: after.CPU - before.CPU, Clock: took}, err
}

// spending is CPU of a process, and time by the clock.
type spending struct{ CPU, Clock time.Duration }

func (b *bench) steadySections() []report.Section {
	s := report.Section{
		Title: fmt.Sprintf("At %s subscribers, %d commits a second", report.Count(float64(b.Subscribers)), b.Rate),
		Text: fmt.Sprintf("Deltas of %d bytes. First all subscribers join and are idle for %v, which shows what each takes; then the server pushes. "+
			"Memory is what the process grew by since it had had its first subscriber, divided by their number. "+
			"A stream is exact if it brought each delta once.", len(deltaOf(100)), b.Settle),
		Table: report.Table{Head: []string{"candidate", "CPU a delivery, µs", "of raw", "p50, ms", "p99, ms", "of raw", "memory idle, KB", "exact streams"}},
	}
	for _, c := range b.steadyCandidates() {
		get := b.getter(steadyFigure, c.name)
		s.Table.Add(c.name,
			report.Spread(get("cpu_micros"), report.Number),
			report.Number(b.ratio(steadyFigure, c.name, rawName, "cpu_micros")),
			report.Number(get("p50_ms").Median()),
			report.Spread(get("p99_ms"), report.Number),
			report.Number(b.ratio(steadyFigure, c.name, rawName, "p99_ms")),
			report.Spread(get("resident_kb"), report.Number),
			share(get("exact_streams"), b.Subscribers))
	}
	s.Notes = b.failed(steadyFigure)
	if ratio := b.ratio(steadyFigure, gatewayName, pastName, "cpu_micros"); !math.IsNaN(ratio) {
		s.Notes = append(s.Notes, fmt.Sprintf("The limit that the aims are judged by tells Go's scheduler of each write, as a write of any library "+
			"does. The gateway does not tell it, and takes %s of the CPU of a limit that does not either.", report.Number(ratio)))
	}
	return []report.Section{s}
}
