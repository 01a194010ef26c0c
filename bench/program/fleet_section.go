package main

import (
	"context"
	"fmt"

	"github.com/replication-gateway/gateway/bench/internal/rawhttp"
	"github.com/replication-gateway/gateway/bench/internal/report"
	"github.com/replication-gateway/gateway/bench/internal/server"
)

const fleetStarts = "start of the fleet"

// wholeFleet measures loading, memory and starts of a large state.
func wholeFleet(ctx context.Context, b *bench) ([]report.Section, error) {
	loaded, err := b.theFleet(ctx)
	if err != nil {
		return nil, err
	}
	rows := b.Fleet.rows()
	folders := []startable{
		{name: "after kill -9", data: loaded.killed, rows: rows, intact: anyStart},
		{name: "after a clean stop", data: loaded.stopped, rows: rows, stop: true, intact: anyStart},
		{name: "restored from a backup", data: loaded.restored, rows: rows, intact: snapshotAlone},
	}
	if err := b.starts(ctx, fleetStarts, folders); err != nil {
		return nil, err
	}
	if err := b.memoryAfterStart(ctx, loaded.stopped, stoppedMemory); err != nil {
		return nil, err
	}
	if err := b.memoryAfterStart(ctx, loaded.restored, restoredMemory); err != nil {
		return nil, err
	}
	return []report.Section{b.loadSection(), b.memorySection(), b.startSection(folders)}, nil
}

// memoryAfterStart notes the memory of a gateway that has just read its data.
func (b *bench) memoryAfterStart(ctx context.Context, data, when string) error {
	s, err := server.Gateway(ctx, b.program, data)
	if err != nil {
		return err
	}
	defer s.Kill()
	c, err := rawhttp.Dial(s.Addr)
	if err != nil {
		return err
	}
	defer c.Close()
	if err := b.noteMemory(ctx, s, when); err != nil {
		return err
	}
	return b.noteHeap(ctx, s, c, when)
}

func (b *bench) loadSection() report.Section {
	f := b.Fleet
	s := report.Section{
		Title: "Loading a fleet",
		Text: fmt.Sprintf("%s nodes, each a member of one of %s networks, and %s users of one of these, on one connection, one request after the "+
			"other. Networks, nodes and members come by `POST /batch` of %s ops, users by one `POST /directory-sync`, whose own record "+
			"makes one row more. Making the bodies of batches is in the time, and costs little beside it.",
			report.Count(float64(f.Nodes)), report.Count(float64(f.Networks)), report.Count(float64(f.Users)), report.Count(maxOps)),
		Table: report.Table{Head: []string{"", "rows", "requests", "s", "rows a second", "CPU, s"}},
	}
	var rows, posts, seconds, cpu float64
	for _, x := range f.stages() {
		get := func(value string) float64 { return b.samples.Series(loadFigure, x.name, value).Median() }
		s.Table.Add(x.name, report.Count(get("rows")), report.Count(get("posts")), report.Number(get("seconds")),
			report.Count(get("rows")/get("seconds")), report.Number(get("cpu_seconds")))
		rows, posts, seconds, cpu = rows+get("rows"), posts+get("posts"), seconds+get("seconds"), cpu+get("cpu_seconds")
	}
	s.Table.Add("all", report.Count(rows), report.Count(posts), report.Number(seconds), report.Count(rows/seconds), report.Number(cpu))
	return s
}

func (b *bench) memorySection() report.Section {
	rows := float64(b.Fleet.rows())
	s := report.Section{
		Title: "Memory for each row",
		Text: fmt.Sprintf("Resident memory as /proc tells it, heap as /metrics tells it. **Live** is what a garbage collection left, made to "+
			"happen by small writes that change nothing, when the gateway was at rest again. For each row: less that of the same gateway "+
			"without rows, divided by %s rows. The window of newest commits, up to 64 MiB of them, is in it, except "+
			"for the gateway started from a backup, whose window is empty.", report.Count(rows)),
		Table: report.Table{Head: []string{"", "resident, MB", "a row, bytes", "live heap, MB", "a row, bytes"}},
	}
	get := func(when, value string) float64 { return b.samples.Series(memoryFigure, when, value).Median() }
	empty := func(value string) float64 { return get(emptyMemory, value) }
	add := func(name, when, resident, heap string) {
		row := []string{name, report.Number(get(when, resident) / 1e6), report.Number((get(when, resident) - empty("resident")) / rows)}
		if heap == "" {
			row = append(row, "–", "–")
		} else {
			row = append(row, report.Number(get(when, heap)/1e6), report.Number((get(when, heap)-empty("heap"))/rows))
		}
		s.Table.Add(row...)
	}
	s.Table.Add("without rows", report.Number(empty("resident")/1e6), "–", report.Number(empty("heap")/1e6), "–")
	for _, when := range []string{loadedMemory, stoppedMemory, restoredMemory} {
		add(when, when, "resident", "")
		add(when+", collected", when, "resident_after", "live_heap")
	}
	return s
}

func (b *bench) startSection(folders []startable) report.Section {
	s := report.Section{
		Title: "Starting on a fleet",
		Text: fmt.Sprintf("From the making of the process to its line “ready”, on %s rows, with the files in the page cache. Reading the data is "+
			"what the gateway itself reports: the snapshot and the commits after it, without opening and checking the log. The window is warm "+
			"after a start, so a gateway that was stopped cleanly replays its commits onto an older snapshot, too; the one "+
			"restored from a backup has its snapshot alone.", report.Count(float64(b.Fleet.rows()))),
		Table: b.startTable(fleetStarts, folders),
	}
	stop := b.samples.Series(snapshotFigure, cleanStop, "seconds")
	rows := b.samples.Series(snapshotFigure, cleanStop, "rows")
	size := b.samples.Series(snapshotFigure, cleanStop, "bytes")
	s.Notes = []string{fmt.Sprintf("The snapshot that the clean stop stored: %s rows, %s MB before compression, in %s s.",
		report.Count(rows.Median()), report.Number(size.Median()/1e6), report.Number(stop.Median()))}
	return s
}
