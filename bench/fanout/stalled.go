package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/replication-gateway/gateway/bench/fanout/internal/crowd"
	"github.com/replication-gateway/gateway/bench/fanout/internal/tally"
	"github.com/replication-gateway/gateway/bench/internal/figures"
	"github.com/replication-gateway/gateway/bench/internal/report"
)

func stalledFigure(stalled int) string { return fmt.Sprintf("stalled %d", stalled) }

// stalled measures what readers feel of others that do not read.
func (b *bench) stalled(ctx context.Context) error {
	type beside struct {
		candidate
		stalled int
	}
	var list []beside
	for _, c := range b.candidates() {
		for _, n := range b.Stalled { // one after the other, so that their ratios are taken within a minute
			list = append(list, beside{c, n})
		}
	}
	return figures.Turns(ctx, b.Rounds, list, func(round int, t beside) error {
		return b.turn(ctx, stalledFigure(t.stalled), round, t.candidate, chatQueue, func(s *subject) (map[string]float64, error) {
			return b.stalledOn(ctx, s, t.stalled)
		})
	})
}

func (b *bench) stalledOn(ctx context.Context, s *subject, stalled int) (map[string]float64, error) {
	warm := max(1, int(b.Warm.Seconds()*float64(b.StalledRate)))
	writes := warm + int(b.StalledFor.Seconds()*float64(b.StalledRate))
	account := tally.New(writes, b.Readers)
	readers, err := s.open(crowd.Options{Subscribers: b.Readers, Tally: account})
	if err != nil {
		return nil, err
	}
	defer readers.Close(0)
	if err := await(ctx, readers.Joined(), readers.Ended(), joinTime, readers.Err); err != nil {
		return nil, fmt.Errorf("join: %w", err)
	}
	others := 0
	if stalled > 0 {
		lame, err := s.open(crowd.Options{Subscribers: stalled, Narrow: true, Losable: true})
		if err != nil {
			return nil, err
		}
		defer lame.Close(0)
		if err := await(ctx, lame.Joined(), lame.Ended(), joinTime, lame.Err); err != nil {
			return nil, fmt.Errorf("join: %w", err)
		}
		lame.Stall()
	}
	if err := s.paced(ctx, readers, account, 0, warm, b.StalledRate); err != nil {
		return nil, err
	}
	account.Begin(warm)
	// A server that lets one hold up all gets no further; its time is over with that of the others.
	limited, cancel := context.WithTimeout(ctx, b.StalledFor+grace)
	defer cancel()
	err = s.paced(limited, readers, account, warm, writes, b.StalledRate)
	if err != nil && !errors.Is(err, errLate) && limited.Err() == nil {
		return nil, err
	}
	seen := account.End(time.Now())
	if stalled > 0 {
		if others, err = s.stuck(); err != nil {
			return nil, err
		}
	}
	return map[string]float64{
		"p50_ms":  millis(seen.Latency.Quantile(0.5)),
		"p99_ms":  millis(seen.Latency.Quantile(0.99)),
		"max_ms":  millis(seen.Latency.Max()),
		"missing": float64(seen.Missing),
		"stuck":   float64(others),
	}, nil
}

// stuck is how many sockets of the subject's hold bytes that nobody takes.
func (s *subject) stuck() (int, error) {
	at, err := netip.ParseAddrPort(s.subscribers)
	if err != nil {
		return 0, err
	}
	return unsent(at.Port(), narrowlyFull)
}

func (b *bench) stalledSections() []report.Section {
	s := report.Section{
		Title: fmt.Sprintf("Others that do not read, beside %s readers", report.Count(float64(b.Readers))),
		Text: fmt.Sprintf("%d commits a second for %v, the same deltas. The stalled subscribers have small receive buffers and segments and stop reading "+
			"once they are in, so after some seconds nothing goes into their sockets any more. What the readers have not received %v after "+
			"the last write counts with its age. Full sockets is how many of the server's the kernel still held bytes for at the end, "+
			"whether the server had given them up or not.", b.StalledRate, b.StalledFor, grace),
		Table: report.Table{Head: []string{"candidate"}},
	}
	for i, n := range b.Stalled {
		s.Table.Head = append(s.Table.Head, fmt.Sprintf("%d stalled: p99, ms", n))
		if i > 0 {
			s.Table.Head = append(s.Table.Head, "of none", "full sockets")
		}
		s.Notes = append(s.Notes, b.failed(stalledFigure(n))...)
	}
	for _, c := range b.candidates() {
		row := []string{c.name}
		for i, n := range b.Stalled {
			get := b.getter(stalledFigure(n), c.name)
			row = append(row, report.Spread(get("p99_ms"), report.Number))
			if i > 0 {
				row = append(row, report.Number(b.stalledRatio(c.name, n)), report.Number(get("stuck").Median()))
			}
		}
		s.Table.Add(row...)
	}
	return []report.Section{s}
}

// stalledRatio is what the p99 of readers is of that without anybody stalled.
func (b *bench) stalledRatio(name string, stalled int) float64 {
	return b.ratioOf(series{stalledFigure(stalled), name, "p99_ms"}, series{stalledFigure(b.Stalled[0]), name, "p99_ms"})
}
