package main

import (
	"fmt"

	"github.com/replication-gateway/gateway/bench/internal/figures"
	"github.com/replication-gateway/gateway/bench/internal/report"
)

func (b *bench) lagSection(all []*pair) report.Section {
	s := report.Section{
		Title: fmt.Sprintf("How far a standby is behind, under %s commits a second", report.Count(lagRate)),
		Text: fmt.Sprintf("Primary, standby and driver share the machine and its disk. Puts come at the rate on %d connections. A reader of the primary and "+
			"one of the standby, both in the driver, note when each commit arrives; the lag is how much later that is at the "+
			"standby, which shows nothing that is not on its own disk. Behind is what the primary says in `GET /replication`, every 20 ms: commits that "+
			"the standby has not acknowledged.", pacedConnections),
		Table: report.Table{Head: []string{"", "commits a second", "lag p50, ms", "lag p99, ms", "longest, ms", "behind, commits, p50", "most", "put p50, ms", "put p99, ms"}},
	}
	for _, p := range all {
		get := func(value string) figures.Series { return b.samples.Series(lagFigure, p.name, value) }
		s.Table.Add(p.name, report.Count(get("per_second").Median()), report.Spread(get("p50_ms"), report.Number), report.Spread(get("p99_ms"), report.Number),
			report.Number(get("max_ms").Max()), report.Number(get("behind_p50").Median()), report.Number(get("behind_max").Max()),
			report.Number(get("put_p50_ms").Median()), report.Number(get("put_p99_ms").Median()))
	}
	return s
}

func (b *bench) ackSection(all []*pair) report.Section {
	s := report.Section{
		Title: "What an acknowledgement costs a write",
		Text: fmt.Sprintf("The latency of a put, from being due to its answer: one connection, one put after the other; and %d a second on %d connections. "+
			"Where a standby is required, the answer comes after its disk has the commit, too.", b.Rate, pacedConnections),
		Table: report.Table{Head: []string{"", "one by one: p50, ms", "of none", "p99, ms", "a second", "at the rate: p50, ms", "of none", "p99, ms", "of none"}},
	}
	for _, p := range all {
		get := func(value string) figures.Series { return b.samples.Series(ackFigure, p.name, value) }
		ofNone := func(value string) string {
			return report.Number(get(value).RatioTo(b.samples.Series(ackFigure, all[0].name, value)).Median())
		}
		s.Table.Add(p.name, report.Spread(get("alone_p50_ms"), report.Number), ofNone("alone_p50_ms"), report.Number(get("alone_p99_ms").Median()),
			report.Count(get("alone_per_second").Median()), report.Spread(get("p50_ms"), report.Number), ofNone("p50_ms"),
			report.Spread(get("p99_ms"), report.Number), ofNone("p99_ms"))
	}
	return s
}

func (b *bench) takeoverSection() report.Section {
	s := report.Section{
		Title: "A primary is lost",
		Text: fmt.Sprintf("From the primary's loss to its standby saying that it is out of reach, asked every millisecond, with a heartbeat every %v; then, "+
			"from asking for the promotion to its answer, and to the answer of the first write.", takeoverBeat),
		Table: report.Table{Head: []string{"the primary", "noticed after, ms", "promoted after, ms", "first write after, ms"}},
	}
	var most float64
	for _, how := range losses {
		get := func(value string) figures.Series { return b.samples.Series(takeoverFigure, how.name, value) }
		most = max(most, get("notice_ms").Max())
		s.Table.Add(how.name, report.Spread(get("notice_ms"), report.Number), report.Spread(get("promote_ms"), report.Number),
			report.Spread(get("write_ms"), report.Number))
	}
	beats := most / millis(takeoverBeat)
	s.Notes = []string{report.Goal(fmt.Sprintf("a standby notices within %d heartbeats of silence, and a hundredth for the asking, in every round", aimedBeats),
		beats, beats <= aimedBeats+0.01)}
	return s
}
