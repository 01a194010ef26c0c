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
	replayFigure = "replay"
	checkedName  = "read and check the same bytes"

	replayGroup = 64 // records that each append of the log to be read has written
)

// replay measures how fast a log is read back from its beginning.
func replay(ctx context.Context, b *bench) (_ []report.Section, err error) {
	opened, err := b.open(logs.Peers())
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, closeAll(opened)) }()
	records := logs.Records(rand.New(rand.NewPCG(b.Seed, 2)), replayGroup, loneSize)
	for _, o := range opened {
		command.Progress("%s: writing %d records to %s", replayFigure, b.ReplayRecords, o.Name)
		if err := fill(ctx, o, records, b.ReplayRecords); err != nil {
			return nil, fmt.Errorf("%s: %w", o.Name, err)
		}
	}
	bare, err := findBytes(opened[0].dir) // the gateway's
	if err != nil {
		return nil, err
	}
	turns := append([]*openLog{{Candidate: logs.Candidate{Name: checkedName, Reader: bare.open}}}, opened...)
	if err := figures.Turns(ctx, b.Rounds, turns, func(round int, o *openLog) error { return b.replayTurn(round, o) }); err != nil {
		return nil, err
	}
	return []report.Section{b.replaySection(turns)}, nil
}

// fill appends count records, made up of the given ones, and closes the log.
func fill(ctx context.Context, o *openLog, records [][]byte, count int) error {
	for done := 0; done < count; {
		if err := ctx.Err(); err != nil {
			return err
		}
		group := records[:min(len(records), count-done)]
		if err := o.log.Append(uint64(done)+1, group); err != nil {
			return err
		}
		done += len(group)
	}
	return o.close()
}

func (b *bench) replayTurn(round int, o *openLog) error {
	runtime.GC()
	start := time.Now()
	r, err := o.Reader(o.dir)
	if err != nil {
		return fmt.Errorf("%s: %w", o.Name, err)
	}
	opening := time.Since(start)
	n := 0
	err = r.Each(func([]byte) error { n++; return nil })
	whole := time.Since(start)
	if err := errors.Join(err, r.Close()); err != nil {
		return fmt.Errorf("%s: %w", o.Name, err)
	}
	if o.Name != checkedName && n != b.ReplayRecords {
		return fmt.Errorf("%s: read %d records of %d", o.Name, n, b.ReplayRecords)
	}
	millions := float64(b.ReplayRecords) / 1e6
	b.samples.Note(replayFigure, o.Name, round, map[string]float64{
		"open_ms": micros(opening) / 1e3,
		"read":    millions / (whole - opening).Seconds(),
		"whole":   millions / whole.Seconds(),
	})
	command.Progress("%s, round %d, %s: open %v, read %v", replayFigure, round+1, o.Name,
		opening.Round(time.Millisecond), (whole - opening).Round(time.Millisecond))
	return nil
}

func (b *bench) replaySection(turns []*openLog) report.Section {
	s := report.Section{
		Title: "Replay",
		Text: fmt.Sprintf("A log of %s records of %d bytes, written in groups of %d, is opened as a program that starts on it "+
			"opens it, and read from its beginning, in millions of records a second. The files are in the page cache. The gateway checks every frame "+
			"when it opens and once more when it reads; raft-wal and tidwall/wal check no checksum when they read. The bare "+
			"reader reads the gateway's files %d KiB at a time and sums them up with CRC-32C.",
			report.Count(float64(b.ReplayRecords)), loneSize, replayGroup, readAhead>>10),
	}
	s.Table.Head = []string{"candidate", "open, ms", "read, M/s", "of bare", "open and read, M/s", "of bare"}
	for _, o := range turns {
		row := []string{o.Name, report.Spread(b.samples.Series(replayFigure, o.Name, "open_ms"), report.Number)}
		for _, value := range []string{"read", "whole"} {
			got := b.samples.Series(replayFigure, o.Name, value)
			ratio := got.RatioTo(b.samples.Series(replayFigure, checkedName, value))
			row = append(row, report.Spread(got, report.Number), report.Number(ratio.Median()))
		}
		s.Table.Add(row...)
	}
	ratio := b.samples.Series(replayFigure, "gateway", "read").RatioTo(b.samples.Series(replayFigure, checkedName, "read")).Median()
	s.Notes = append(s.Notes, report.Goal("the gateway reads at 0.5 of what reading and checking the same bytes takes", ratio, ratio >= 0.5))
	return s
}
