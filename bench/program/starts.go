package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/replication-gateway/gateway/bench/internal/command"
	"github.com/replication-gateway/gateway/bench/internal/figures"
	"github.com/replication-gateway/gateway/bench/internal/report"
	"github.com/replication-gateway/gateway/bench/internal/server"
)

// startable is a data folder that gateways are started on again and again, and stays as it is.
type startable struct {
	name   string
	data   string
	rows   int
	stop   bool // cleanly; else kill -9
	intact func(f startable, says startReport) error
}

// startReport is what the gateway says of its start.
type startReport struct {
	Rows       float64 // that came from a snapshot
	Replayed   float64 // commits
	DurationMS float64 `json:"duration_ms"` // of reading the data, without opening and checking the log
}

// anyStart is content with whatever the rows come from.
func anyStart(startable, startReport) error { return nil }

// snapshotAlone is content when a snapshot is all that was read.
func snapshotAlone(f startable, says startReport) error {
	if says.Rows != float64(f.rows) || says.Replayed != 0 {
		return fmt.Errorf("%v rows from a snapshot and %v commits replayed, want a snapshot of %d rows alone", says.Rows, says.Replayed, f.rows)
	}
	return nil
}

// logAlone is content when every row was replayed.
func logAlone(_ startable, says startReport) error {
	if says.Rows != 0 || says.Replayed == 0 {
		return fmt.Errorf("%v rows from a snapshot and %v commits replayed, want a log alone", says.Rows, says.Replayed)
	}
	return nil
}

// starts measures how long gateways take until they are ready.
func (b *bench) starts(ctx context.Context, figure string, folders []startable) error {
	return figures.Turns(ctx, b.Rounds, folders, func(round int, f startable) error {
		if err := b.startOn(ctx, figure, f, round); err != nil {
			return fmt.Errorf("start on %s: %w", f.name, err)
		}
		return nil
	})
}

func (b *bench) startOn(ctx context.Context, figure string, f startable, round int) error {
	s, err := server.Gateway(ctx, b.program, f.data)
	if err != nil {
		return err
	}
	defer s.Kill()
	u, err := s.Usage()
	if err != nil {
		return err
	}
	took := s.Said("ready")[0].At.Sub(s.Started)
	var says startReport
	if lines := s.Said("data read"); len(lines) != 1 {
		return errors.New("the gateway does not say what it read")
	} else if err := lines[0].Decode(&says); err != nil {
		return err
	}
	if err := f.intact(f, says); err != nil {
		return err
	}
	b.samples.Note(figure, f.name, round, map[string]float64{
		"ready_seconds": took.Seconds(), "rows_per_second": float64(f.rows) / took.Seconds(),
		"read_seconds": says.DurationMS / 1e3, "read_rows_per_second": float64(f.rows) / (says.DurationMS / 1e3),
		"cpu_seconds": u.CPU.Seconds(), "snapshot_rows": says.Rows, "replayed_commits": says.Replayed, "resident": float64(u.Resident),
	})
	command.Progress("%s, round %d, %s: ready after %s s", figure, round+1, f.name, report.Number(took.Seconds()))
	if f.stop {
		return s.Stop(ctx)
	}
	return nil
}

// startTable shows starts.
func (b *bench) startTable(figure string, folders []startable) report.Table {
	t := report.Table{Head: []string{"data folder", "ready, s", "rows a second", "reading the data, s", "rows a second", "rows from a snapshot", "commits replayed", "CPU, s"}}
	for _, f := range folders {
		get := func(value string) figures.Series { return b.samples.Series(figure, f.name, value) }
		t.Add(f.name,
			report.Spread(get("ready_seconds"), report.Number),
			report.Count(get("rows_per_second").Median()),
			report.Spread(get("read_seconds"), report.Number),
			report.Count(get("read_rows_per_second").Median()),
			report.Count(get("snapshot_rows").Median()),
			report.Count(get("replayed_commits").Median()),
			report.Number(get("cpu_seconds").Median()))
	}
	return t
}
