package main

import (
	"fmt"

	"github.com/replication-gateway/gateway/bench/internal/figures"
	"github.com/replication-gateway/gateway/bench/internal/report"
)

const (
	syncFigure = "directory sync"

	// aimedTimes is how many times as long as the bare decoding a sync may take, by the project's own aim.
	aimedTimes = 3
)

func (b *bench) syncSection() report.Section {
	get := func(e edition, value string) figures.Series { return b.samples.Series(syncFigure, e.name, value) }
	s := report.Section{
		Title: "A directory sync beside the decoding of its body",
		Text: fmt.Sprintf("`POST /directory-sync` of %s entries, each with a name, an address and two groups, %s MB, to a network whose members "+
			"they all are; first all are new, then nothing changes, then another name for one in a hundred. Each round has a network of its own, "+
			"which is deleted behind it, and a round for warming up goes before them: so the gateway works in memory that it has used before, as "+
			"the decoding does. The first sync of the process, which does not, is in a row of its own. The time is the client's, "+
			"from its first byte to the last of the answer, which has an item for each entry; what changes is durable by then. "+
			"Decoding is github.com/go-json-experiment/json with its defaults, from memory into the gateway's own struct, in this "+
			"program, right before. CPU of the decoding is that of this process, its garbage collection included.",
			report.Count(float64(b.Entries)), report.Number(get(editions[0], "body_bytes").Median()/1e6)),
		Table: report.Table{Head: []string{"", "decoding, ms", "sync, ms", "of decoding", "first byte, ms", "CPU, ms", "of decoding's CPU", "answer, MB"}},
	}
	row := func(e edition) figures.Series {
		times := get(e, "ms").RatioTo(get(e, "decode_ms"))
		s.Table.Add(e.name,
			report.Spread(get(e, "decode_ms"), report.Number),
			report.Spread(get(e, "ms"), report.Number),
			report.Spread(times, report.Number),
			report.Number(get(e, "first_byte_ms").Median()),
			report.Spread(get(e, "cpu_ms"), report.Number),
			report.Number(get(e, "cpu_ms").RatioTo(get(e, "decode_cpu_ms")).Median()),
			report.Number(get(e, "answer_bytes").Median()/1e6))
		return times
	}
	row(edition{name: firstSync})
	for _, e := range editions {
		times := row(e)
		s.Notes = append(s.Notes, report.Goal(fmt.Sprintf("a sync where %s takes at most %d times as long as decoding its body", e.sentence, aimedTimes),
			times.Median(), times.Median() <= aimedTimes))
	}
	return s
}
