package main

import (
	"fmt"

	"github.com/replication-gateway/gateway/bench/internal/figures"
	"github.com/replication-gateway/gateway/bench/internal/report"
)

const (
	// aimedShareOfRate is the part of the rate that counts as having kept it.
	aimedShareOfRate = 0.99
	// aimedBeats is within how many heartbeats a standby is to notice that its primary is gone, and asking how many more may
	// pass before it is seen to have noticed: it waits that long from the last frame on, and the frame came just before.
	aimedBeats = 2
	asking     = 0.01
)

const lagText = `Primary, standby and driver share the machine and its disk. Puts are due at the rate on %d connections. Readers in the driver, and so on
one clock, note when each commit comes to them. It counts from the replica stream of the primary, which brings a commit as soon as it is on the
primary's disk. **Acknowledged** is when a reader of a primary that requires the standby is shown it: then it is on both disks. **Visible** is when a
reader of the standby is shown it, which is never before it is on the standby's disk; where the standby is required, the primary has told it first
that it may. **Behind** is what the primary says in ` + "`GET /replication`" + `, every %v: commits on its disk that the standby has not acknowledged.`

func (b *bench) lagSection(followed []*pair) report.Section {
	s := report.Section{
		Title: fmt.Sprintf("Standbys: how far behind, under %s commits a second", report.Count(lagRate)),
		Text:  fmt.Sprintf(lagText, lagConnections, lookEvery),
		Table: report.Table{Head: []string{"", "commits a second", "acknowledged p50, ms", "p99, ms", "visible p50, ms", "p99, ms", "longest, ms",
			"behind, commits, p50", "most", "put p50, ms", "p99, ms"}},
	}
	for _, p := range followed {
		get := func(value string) figures.Series { return b.samples.Series(lagFigure, p.name, value) }
		s.Table.Add(p.name, report.Spread(get("per_second"), report.Count), report.Spread(get("ack_p50_ms"), report.Number),
			report.Spread(get("ack_p99_ms"), report.Number), report.Spread(get("p50_ms"), report.Number), report.Spread(get("p99_ms"), report.Number),
			report.Number(get("max_ms").Max()), report.Number(get("behind_p50").Median()), report.Count(get("behind_max").Max()),
			report.Spread(get("put_p50_ms"), report.Number), report.Spread(get("put_p99_ms"), report.Number))
		kept := get("per_second").Median() / lagRate
		s.Notes = append(s.Notes, report.Goal(fmt.Sprintf("%s: %v of the rate is answered while it comes, in the median round", p.name, aimedShareOfRate), kept, kept >= aimedShareOfRate))
	}
	return s
}

func (b *bench) ackSection(all []*pair) report.Section {
	s := report.Section{
		Title: "Standbys: what an acknowledgement costs a write",
		Text: fmt.Sprintf("How long a put takes to its answer: on one connection that sends the next when it has the answer, and at %d a second on %d "+
			"connections, from when it was due. Where the standby is required, the answer comes when its disk has the commit, too; else it follows on "+
			"the same cores and the same disk. The ratios are to no standby.", b.Rate, pacedConnections),
		Table: report.Table{Head: []string{"", "one by one: p50, ms", "ratio", "p99, ms", "ratio", "a second",
			"at the rate: p50, ms", "ratio", "p99, ms", "ratio"}},
	}
	for _, p := range all {
		get := func(value string) figures.Series { return b.samples.Series(ackFigure, p.name, value) }
		row := []string{p.name}
		add := func(value string) {
			ratio := get(value).RatioTo(b.samples.Series(ackFigure, all[0].name, value))
			row = append(row, report.Spread(get(value), report.Number), report.Number(ratio.Median()))
		}
		add("alone_p50_ms")
		add("alone_p99_ms")
		row = append(row, report.Count(get("alone_per_second").Median()))
		add("p50_ms")
		add("p99_ms")
		s.Table.Add(row...)
	}
	return s
}

const takeoverText = `A primary that has just taken puts, %d a second, is killed with SIGKILL, or made to stand still with SIGSTOP: then its
connections stay open and nothing comes any more. **Noticed** is from the signal to the standby saying in ` + "`GET /replication`" + ` that its primary is not
up, asked every ms, or every thousandth of a longer heartbeat. A standby takes two heartbeats without a byte as the end; the last frame has just come when the signal
does, so none can wait longer. Then one connection sends a put over and over, refused at first, and another one promotes the standby. **Promoted** and
**first write** are from asking for the promotion to its answer, and to that of the first put that is taken: durable, in the new epoch.`

func (b *bench) takeoverSection() report.Section {
	s := report.Section{
		Title: "Standbys: a primary is lost",
		Text:  fmt.Sprintf(takeoverText, b.Rate),
		Table: report.Table{Head: []string{"the primary", "times", "noticed after, ms", "heartbeats, most", "promoted after, ms", "first write after, ms"}},
	}
	for _, l := range b.losses() {
		get := func(value string) figures.Series { return b.samples.Series(takeoverFigure, l.name, value) }
		beats := get("notice_beats").Max()
		s.Table.Add(l.name, report.Count(float64(len(get("notice_ms")))), report.Spread(get("notice_ms"), report.Number), report.Number(beats),
			report.Spread(get("promote_ms"), report.Number), report.Spread(get("write_ms"), report.Number))
		s.Notes = append(s.Notes, report.Goal(fmt.Sprintf("%s: noticed within %d heartbeats, and a hundredth for the asking, every time", l.name, aimedBeats),
			beats, beats <= aimedBeats+asking))
	}
	return s
}
