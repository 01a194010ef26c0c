package main

import (
	"fmt"

	"github.com/replication-gateway/gateway/bench/internal/figures"
	"github.com/replication-gateway/gateway/bench/internal/report"
)

// aimedShare is the part of the raw limit that the project wants to reach, for each CPU second.
const aimedShare = 0.35

const commitsText = `Each connection sends ` + "`PUT /nodes/{id}`" + `, waits for the answer, which says that the commit is durable, and sends the next.
Every put changes the node's hostname and so is a commit, of %d bytes in the log. The state is %s nodes. After each turn it is checked that there
were as many commits as answers. Snapshots are written as they fall due. The machine's cores are shared by server and
driver, and how is the scheduler's choice, so there are two ratios to the raw limit:

- **CPU for CPU**: commits for each second of CPU that the server's process used, divided by the raw limit's commits for each
  second of CPU that its process used. The project's aim of %v is judged by this one. Neither the driver nor a disk that is slow for a while
  counts in it; that the raw limit leaves most of the CPU idle while it waits for the disk does not count either.
- **rate**: commits a second by the clock, divided by those of the raw limit. It depends on the disk, and on what the driver takes.`

// candidateNotes say what each of them is.
var candidateNotes = []string{
	"**" + rawName + "**: as many goroutines hand in records of the same size; one file, zero-filled beforehand, one pwrite and one fdatasync " +
		"for each group, and the gateway's own grouping. The process is this driver, its writers included.",
	"**" + fixedName + "**: a server that reads the body and answers 200 with a JSON of the same length. Nothing is kept. " +
		"It is what HTTP alone costs: no server on net/http can do more.",
	"**" + durableName + "**: the same, but the answer comes when the body is durable in a file as that of the raw limit, through the " +
		"same grouping. It checks no token, decodes nothing, has no state and nobody who watches.",
	"**" + bareName + "**: no HTTP: one read of what comes, which is not looked at, the same way to the file, and one write of bytes " +
		"made beforehand. It is what any server has to do that answers each request over a connection.",
	"**" + quietName + "**: without the line that the gateway logs for each request.",
}

// commitsIntro says what is measured.
func commitsIntro(recordSize int) report.Section {
	return report.Section{
		Title: "Durable commits over HTTP",
		Text:  fmt.Sprintf(commitsText, recordSize, report.Count(putNodes), aimedShare),
		Notes: candidateNotes,
	}
}

func commitsFigure(connections int) string {
	return fmt.Sprintf("commits, %d connections", connections)
}

func (b *bench) commitsSection(connections int) report.Section {
	name := commitsFigure(connections)
	s := report.Section{
		Title: fmt.Sprintf("Durable commits over HTTP, %d at a time", connections),
		Table: report.Table{Head: []string{"candidate", "a second", "rate, of raw", "CPU, µs each", "a CPU second", "CPU for CPU, of raw",
			"cores used", "in a group", "p50, µs", "p99, µs"}},
	}
	for _, c := range []string{rawName, gatewayName, quietName, durableName, fixedName, bareName} {
		get := func(value string) figures.Series { return b.samples.Series(name, c, value) }
		s.Table.Add(c,
			report.Spread(get("per_second"), report.Count),
			report.Number(b.ofRaw(name, c, "per_second")),
			report.Spread(get("cpu_micros"), report.Number),
			report.Count(get("per_cpu_second").Median()),
			report.Number(b.ofRaw(name, c, "per_cpu_second")),
			report.Number(get("cores").Median()),
			report.Number(get("group_size").Median()),
			report.Number(get("p50_micros").Median()),
			report.Number(get("p99_micros").Median()))
	}
	if connections == goalConnections {
		s.Notes = b.commitsGoal(name)
	}
	return s
}

// ofRaw is the median ratio of a value to the raw limit's.
func (b *bench) ofRaw(figure, candidate, value string) float64 {
	return b.samples.Series(figure, candidate, value).RatioTo(b.samples.Series(figure, rawName, value)).Median()
}

// commitsGoal judges the gateway by the aim, and says what HTTP leaves of it.
func (b *bench) commitsGoal(name string) []string {
	ours, fixed := b.ofRaw(name, gatewayName, "per_cpu_second"), b.ofRaw(name, fixedName, "per_cpu_second")
	perCPU := func(candidate string) figures.Series { return b.samples.Series(name, candidate, "per_cpu_second") }
	of := func(candidate string) string {
		return report.Number(perCPU(gatewayName).RatioTo(perCPU(candidate)).Median())
	}
	bare := b.ofRaw(name, bareName, "per_cpu_second")
	bound := fmt.Sprintf("The bounds: net/http that keeps nothing comes to %s CPU for CPU, and to %s when it makes bare bodies durable; "+
		"plain TCP that makes them durable and speaks no HTTP comes to %s.",
		report.Number(fixed), report.Number(b.ofRaw(name, durableName, "per_cpu_second")), report.Number(bare))
	switch {
	case bare < aimedShare:
		bound += " So nothing that reads a request from a connection and writes an answer to it can reach the aim on this machine."
	case fixed < aimedShare:
		bound += " So no server on net/http can reach the aim on this machine."
	}
	return []string{
		report.Goal(fmt.Sprintf("at %d connections %v of the raw limit, CPU for CPU", goalConnections, aimedShare), ours, ours >= aimedShare),
		bound,
		fmt.Sprintf("By the clock the gateway reaches %s of the raw limit, net/http on the raw file %s, net/http alone %s.",
			report.Number(b.ofRaw(name, gatewayName, "per_second")), report.Number(b.ofRaw(name, durableName, "per_second")),
			report.Number(b.ofRaw(name, fixedName, "per_second"))),
		fmt.Sprintf("For each CPU second the gateway makes %s of the commits of plain TCP and %s of those of net/http on the raw file, and "+
			"%s of the answers of net/http alone. Between them lie tokens, checks, JSON, the state, the window, metrics, and a log line for each request.",
			of(bareName), of(durableName), of(fixedName)),
	}
}
