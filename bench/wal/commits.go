package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"

	"github.com/replication-gateway/gateway/bench/internal/command"
	"github.com/replication-gateway/gateway/bench/internal/figures"
	"github.com/replication-gateway/gateway/bench/internal/grouping"
	"github.com/replication-gateway/gateway/bench/internal/logs"
	"github.com/replication-gateway/gateway/bench/internal/report"
)

var (
	writerCounts = []int{1, 64, 512}
	recordSizes  = []int{120, 300}
)

const rawName = "raw limit"

// commits measures how many records a second become durable while writers wait for each of theirs.
func commits(ctx context.Context, b *bench) ([]report.Section, error) {
	var sections []report.Section
	for _, size := range recordSizes {
		if err := b.commitsOf(ctx, size); err != nil {
			return nil, err
		}
		sections = append(sections, b.commitsSection(size))
	}
	return sections, nil
}

func commitsFigure(size, writers int) string {
	return fmt.Sprintf("commits, %d bytes, %d writers", size, writers)
}

func (b *bench) commitsOf(ctx context.Context, size int) (err error) {
	opened, err := b.open(logs.Writers())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeAll(opened)) }()
	drivers := map[string]*grouping.Writer{}
	for _, o := range opened {
		drivers[o.Name] = grouping.NewWriter(o.log)
	}
	random := rand.New(rand.NewPCG(b.Seed, uint64(size)))
	for _, writers := range writerCounts {
		records := logs.Records(random, writers, size)
		name := commitsFigure(size, writers)
		err := figures.Turns(ctx, b.Rounds, opened, func(round int, o *openLog) error {
			p, err := drivers[o.Name].Drive(records, b.Warm, b.For)
			if err != nil {
				return fmt.Errorf("%s: %w", o.Name, err)
			}
			b.samples.Note(name, o.Name, round, map[string]float64{
				"per_second": p.PerSecond, "cpu_micros": p.CPUMicros, "group_size": p.GroupSize,
			})
			command.Progress("%s, round %d, %s: %s/s", name, round+1, o.Name, report.Count(p.PerSecond))
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) commitsSection(size int) report.Section {
	s := report.Section{
		Title: fmt.Sprintf("Durable commits a second, records of %d bytes", size),
		Text: fmt.Sprintf("Each of 1, 64, 512 writers hands in a record of %d bytes, waits until it is durable, and hands in the "+
			"next. CPU is that of the whole process at 64 writers, which is writers and grouping as well as the log, in "+
			"µs for each commit.", size),
	}
	s.Table.Head = []string{"candidate"}
	for _, w := range writerCounts {
		s.Table.Head = append(s.Table.Head, fmt.Sprintf("%d writers", w), "of raw")
	}
	s.Table.Head = append(s.Table.Head, "CPU, µs")
	for _, c := range logs.Writers() {
		row := []string{c.Name}
		for _, w := range writerCounts {
			name := commitsFigure(size, w)
			got := b.samples.Series(name, c.Name, "per_second")
			ratio := got.RatioTo(b.samples.Series(name, rawName, "per_second"))
			row = append(row, report.Spread(got, report.Count), report.Number(ratio.Median()))
		}
		cpu := b.samples.Series(commitsFigure(size, 64), c.Name, "cpu_micros")
		s.Table.Add(append(row, report.Number(cpu.Median()))...)
	}
	s.Notes = append(s.Notes, b.commitsGoals(commitsFigure(size, 64))...)
	return s
}

// commitsGoals judges the figure for 64 writers.
func (b *bench) commitsGoals(figure string) []string {
	ours := b.samples.Series(figure, "gateway", "per_second")
	raw := ours.RatioTo(b.samples.Series(figure, rawName, "per_second")).Median()
	notes := []string{report.Goal("at 64 writers the gateway reaches 0.8 of the raw limit", raw, raw >= 0.8)}
	lead, best := 0.0, ""
	for _, c := range logs.Peers()[1:] {
		if ratio := ours.RatioTo(b.samples.Series(figure, c.Name, "per_second")).Median(); best == "" || ratio < lead {
			lead, best = ratio, c.Name
		}
	}
	aim := fmt.Sprintf("at 64 writers the gateway is ahead of all that keep their records; the next is %s, of which it does this many times as much", best)
	return append(notes, report.Goal(aim, lead, lead > 1))
}
