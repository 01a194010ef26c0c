package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"time"

	"github.com/replication-gateway/gateway/bench/internal/command"
	"github.com/replication-gateway/gateway/bench/internal/figures"
	"github.com/replication-gateway/gateway/bench/internal/logs"
	"github.com/replication-gateway/gateway/bench/internal/report"
)

const (
	latencyFigure = "lone commit"
	batchFigure   = "batch of 1,000"
	loneSize      = 120
)

// latency measures how long one record takes to become durable when nobody else writes.
func latency(ctx context.Context, b *bench) ([]report.Section, error) {
	s := report.Section{
		Title: "Latency of a lone commit",
		Text:  "One record of 120 bytes appended and durable, one after the other, without the grouping, in µs.",
	}
	if err := b.appends(ctx, latencyFigure, 1); err != nil {
		return nil, err
	}
	b.latencyTable(&s, latencyFigure)
	p50 := b.samples.Series(latencyFigure, "gateway", "p50").RatioTo(b.samples.Series(latencyFigure, rawName, "p50"))
	s.Notes = append(s.Notes, report.Goal("the gateway's median is at most 1.2 of the raw limit's", p50.Median(), p50.Median() <= 1.2))
	return []report.Section{s}, nil
}

// batch measures how long 1,000 records in one append take to become durable.
func batch(ctx context.Context, b *bench) ([]report.Section, error) {
	s := report.Section{
		Title: "A batch of 1,000 records",
		Text:  "1,000 records of 120 bytes in one append, durable, one batch after the other, in µs.",
	}
	if err := b.appends(ctx, batchFigure, 1000); err != nil {
		return nil, err
	}
	b.latencyTable(&s, batchFigure)
	return []report.Section{s}, nil
}

// appends measures appends of a fixed number of records, in µs.
func (b *bench) appends(ctx context.Context, figure string, count int) (err error) {
	opened, err := b.open(logs.Writers())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeAll(opened)) }()
	records := logs.Records(rand.New(rand.NewPCG(b.Seed, uint64(count))), count, loneSize)
	next := map[string]uint64{}
	return figures.Turns(ctx, b.Rounds, opened, func(round int, o *openLog) error {
		runtime.GC()
		var took figures.Latencies
		turn := time.Now()
		for elapsed := time.Duration(0); elapsed < b.Warm+b.For; elapsed = time.Since(turn) {
			start := time.Now()
			if err := o.log.Append(next[o.Name]+1, records); err != nil {
				return fmt.Errorf("%s: %w", o.Name, err)
			}
			if elapsed >= b.Warm {
				took.Add(time.Since(start))
			}
			next[o.Name] += uint64(count)
		}
		b.samples.Note(figure, o.Name, round, map[string]float64{
			"p50": micros(took.Quantile(0.5)), "p99": micros(took.Quantile(0.99)), "max": micros(took.Max()), "appends": float64(took.Len()),
		})
		command.Progress("%s, round %d, %s: p50 %s µs, p99 %s µs", figure, round+1, o.Name,
			report.Micros(took.Quantile(0.5)), report.Micros(took.Quantile(0.99)))
		return nil
	})
}

func micros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

func (b *bench) latencyTable(s *report.Section, figure string) {
	s.Table.Head = []string{"candidate", "p50", "of raw", "p99", "of raw"}
	for _, c := range logs.Writers() {
		row := []string{c.Name}
		for _, value := range []string{"p50", "p99"} {
			got := b.samples.Series(figure, c.Name, value)
			ratio := got.RatioTo(b.samples.Series(figure, rawName, value))
			row = append(row, report.Spread(got, report.Number), report.Number(ratio.Median()))
		}
		s.Table.Add(row...)
	}
}
