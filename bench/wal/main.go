// Command wal measures the gateway's log against its peers and against what the disk can do, and writes REPORT-wal.md
// and REPORT-wal.json.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/replication-gateway/gateway/bench/internal/command"
	"github.com/replication-gateway/gateway/bench/internal/logs"
	"github.com/replication-gateway/gateway/bench/internal/report"
)

func main() { command.Main("wal", run) }

// options is what a run is asked to do.
type options struct {
	Rounds        int           `json:"rounds"`
	For           time.Duration `json:"for_ns"`
	Warm          time.Duration `json:"warm_ns"`
	ReplayRecords int           `json:"replay_records"`
	Flips         int           `json:"flips"`
	Seed          uint64        `json:"seed"`
	Figures       []string      `json:"figures"`
	disk, out     string
	again         string // the command that measures the same again
}

// figure is one thing that is measured, and the sections that it brings.
type figure struct {
	name    string
	measure func(context.Context, *bench) ([]report.Section, error)
}

var all = []figure{
	{"commits", commits},
	{"latency", latency},
	{"batch", batch},
	{"replay", replay},
	{"flips", flips},
}

func parse(args []string) (options, error) {
	var o options
	f := flag.NewFlagSet("wal", flag.ContinueOnError)
	f.IntVar(&o.Rounds, "rounds", 5, "`times` that each candidate has its turn")
	f.DurationVar(&o.For, "for", time.Second, "how long a candidate is measured in its turn")
	f.DurationVar(&o.Warm, "warm", 200*time.Millisecond, "how long it runs before that")
	f.IntVar(&o.ReplayRecords, "replay-records", 500_000, "`records` that are read back")
	f.IntVar(&o.Flips, "flips", 300, "`bits` that are flipped, one at a time")
	f.Uint64Var(&o.Seed, "seed", 1, "`number` that all random choices come from")
	f.StringVar(&o.disk, "dir", os.TempDir(), "`folder` on the disk to measure; what is made there is removed again")
	f.StringVar(&o.out, "out", ".", "`folder` for the report")
	names := make([]string, len(all))
	for i, x := range all {
		names[i] = x.name
	}
	chosen := f.String("figures", strings.Join(names, ","), "what to measure, in this order, `names` apart by commas")
	if err := command.Parse(f, args); err != nil {
		return o, err
	}
	var err error
	if o.Figures, err = command.Choose("figure", *chosen, names); err != nil {
		return o, err
	}
	if f.NArg() > 0 || o.Rounds < 1 || o.For <= 0 || o.ReplayRecords < 1 || o.Flips < 1 {
		return o, fmt.Errorf("%w: see -h", command.ErrUsage)
	}
	o.again = command.Again(f)
	return o, nil
}

func run(ctx context.Context, args []string) (err error) {
	o, err := parse(args)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp(o.disk, "wal-bench-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	environment, err := report.Describe(dir)
	if err != nil {
		return err
	}
	for _, c := range logs.Writers() {
		if c.Module != "" {
			environment.Versions[c.Module] = c.Version()
		}
	}
	b := &bench{options: o, dir: dir, flips: map[string][]flip{}}
	r := report.Report{
		Title:       "The log against its peers",
		Command:     o.again,
		Intro:       fmt.Sprintf(intro, o.Rounds, o.For),
		Environment: environment,
		Parameters:  o,
		Sections:    []report.Section{candidates()},
	}
	for _, f := range all {
		if !slices.Contains(o.Figures, f.name) {
			continue
		}
		sections, err := f.measure(ctx, b)
		if err != nil {
			return fmt.Errorf("%s: %w", f.name, err)
		}
		r.Sections = append(r.Sections, sections...)
	}
	r.Samples = map[string]any{"samples": b.samples, "flips": b.flips}
	return r.Write(o.out, "REPORT-wal")
}

const intro = `How fast the gateway's log makes records durable and gives them back, and what it does about a flipped bit, beside
other logs for Go doing the same work and beside the bare disk. The candidates take turns, %d rounds of %v each after a
warm-up. A figure is the median of the rounds, its extremes in brackets; a ratio is the median of the ratios
within each round. The sole writer is the gateway's own grouping for all of them: one goroutine takes what waits in a
queue as one group, has it made durable, and answers.`

func candidates() report.Section {
	s := report.Section{Title: "Candidates"}
	for _, c := range logs.Writers() {
		s.Notes = append(s.Notes, fmt.Sprintf("**%s**: %s.", c.Name, c.About))
	}
	return s
}
