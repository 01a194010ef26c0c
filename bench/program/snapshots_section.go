package main

import (
	"fmt"

	"github.com/replication-gateway/gateway/bench/internal/figures"
	"github.com/replication-gateway/gateway/bench/internal/report"
)

func (b *bench) besideSection() report.Section {
	s := report.Section{
		Title: "Latency of commits while the state is stored",
		Text: fmt.Sprintf("%d puts a second on %d connections, each from when it was due to its answer, on the loaded fleet. The gateway "+
			"stores a snapshot by itself when the log has grown by as much as the state takes, or 64 MiB; big batches make it grow, "+
			"and end before the time that counts, which is the one that the gateway names in its line “%s”. "+
			"`GET /backup` encodes the same state, compresses it in the same way and sends it out: it neither writes to the disk nor "+
			"follows on big batches, whose garbage is still being collected when the snapshot begins.", b.Rate, pacedConnections, snapshotStored),
		Table: report.Table{Head: []string{"beside it", "p50, ms", "to nothing else", "p99, ms", "to nothing else", "longest, ms", "commits", "it took, s"}},
	}
	get := func(x, value string) figures.Series { return b.samples.Series(besideFigure, x, value) }
	for _, x := range besides {
		row := []string{x.name}
		for _, value := range []string{"p50_ms", "p99_ms"} {
			ratio := get(x.name, value).RatioTo(get(besides[0].name, value))
			row = append(row, report.Spread(get(x.name, value), report.Number), report.Number(ratio.Median()))
		}
		s.Table.Add(append(row, report.Number(get(x.name, "max_ms").Max()), report.Count(get(x.name, "commits").Median()),
			report.Spread(get(x.name, "seconds"), report.Number))...)
	}
	rows := b.samples.Series(snapshotFigure, besideFigure, "rows")
	size := b.samples.Series(snapshotFigure, besideFigure, "bytes")
	took := b.samples.Series(snapshotFigure, besideFigure, "seconds")
	if len(took) > 0 {
		s.Notes = []string{fmt.Sprintf("A snapshot had %s rows, %s MB before compression, and took %s s beside the puts: %s rows a second.",
			report.Count(rows.Median()), report.Number(size.Median()/1e6), report.Spread(took, report.Number), report.Count(rows.RatioTo(took).Median()))}
	}
	return s
}
