// Command program measures the gateway as a whole: the real binary, started as a process of its own on a disk, driven
// through its HTTP API. It writes REPORT-program.md and REPORT-program.json.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/replication-gateway/gateway/bench/internal/command"
	"github.com/replication-gateway/gateway/bench/internal/report"
	"github.com/replication-gateway/gateway/bench/internal/server"
)

func main() { command.Main("program", run) }

// options is what a run is asked to do.
type options struct {
	Rounds      int             `json:"rounds"`
	For         time.Duration   `json:"for_ns"`
	Warm        time.Duration   `json:"warm_ns"`
	Connections []int           `json:"connections"`
	Rate        int             `json:"rate"`
	Fleet       fleet           `json:"fleet"`
	Entries     int             `json:"sync_entries"`
	Replay      int             `json:"replay_rows"`
	Heartbeats  []time.Duration `json:"heartbeats_ns"`
	Figures     []string        `json:"figures"`

	gateway, disk, out string
	again              string // the command that measures the same again
}

// figure is one thing that is measured, and the sections that it brings.
type figure struct {
	name    string
	measure func(context.Context, *bench) ([]report.Section, error)
}

var all = []figure{
	{"commits", commits},
	{"fleet", wholeFleet},
	{"snapshots", snapshots},
	{"sync", syncs},
	{"replay", replay},
	{"standbys", standbys},
}

// quick is what -quick sets, as far as it is not set otherwise.
var quick = map[string]string{
	"rounds": "2", "for": "300ms", "warm": "100ms", "nodes": "20000", "users": "2000", "entries": "2000", "replay-rows": "20000",
	"heartbeats": "500ms",
}

func parse(args []string) (options, error) {
	var o options
	f := flag.NewFlagSet("program", flag.ContinueOnError)
	f.IntVar(&o.Rounds, "rounds", 5, "`times` that each candidate has its turn")
	f.DurationVar(&o.For, "for", 3*time.Second, "how long a candidate is measured in its turn")
	f.DurationVar(&o.Warm, "warm", 500*time.Millisecond, "how long it runs before that")
	connections := f.String("connections", "1,64,256", "how many connections commit at the same time, `numbers` apart by commas")
	f.IntVar(&o.Rate, "rate", 500, "`commits` a second of the streams whose latency is measured beside a snapshot and with standbys")
	f.IntVar(&o.Fleet.Nodes, "nodes", 1_000_000, "`nodes` of the fleet, each a member of one network")
	f.IntVar(&o.Fleet.Networks, "networks", 10, "`networks` of the fleet")
	f.IntVar(&o.Fleet.Users, "users", 100_000, "`users` of the fleet's first network, all from one directory sync")
	f.IntVar(&o.Entries, "entries", 100_000, "`entries` of the directory syncs that are measured")
	f.IntVar(&o.Replay, "replay-rows", 200_000, "`rows` that are replayed from a log that has no snapshot yet")
	heartbeats := f.String("heartbeats", "1s,15s", "`heartbeats` of primaries that are lost, in ascending order apart by commas")
	f.StringVar(&o.gateway, "gateway", "", "gateway `program` to measure; without one it is built from this source")
	f.StringVar(&o.disk, "dir", os.TempDir(), "`folder` on the disk to measure; what is made there is removed again")
	f.StringVar(&o.out, "out", ".", "`folder` for the report")
	short := f.Bool("quick", false, "a small fleet and short turns, to see that all runs; the figures mean little")
	names := make([]string, len(all))
	for i, x := range all {
		names[i] = x.name
	}
	chosen := f.String("figures", strings.Join(names, ","), "what to measure, `names` apart by commas")
	if err := command.Parse(f, args); err != nil {
		return o, err
	}
	if *short {
		if err := command.SetOthers(f, quick); err != nil {
			return o, err
		}
	}
	for text := range strings.SplitSeq(*connections, ",") {
		n, err := strconv.Atoi(text)
		if err != nil || !within(n, 1, maxConnections) {
			return o, fmt.Errorf("%w: %q is no number of connections from 1 to %d", command.ErrUsage, text, maxConnections)
		}
		o.Connections = append(o.Connections, n)
	}
	for text := range strings.SplitSeq(*heartbeats, ",") {
		d, err := time.ParseDuration(text)
		if err != nil || d <= 0 || len(o.Heartbeats) > 0 && d <= o.Heartbeats[len(o.Heartbeats)-1] {
			return o, fmt.Errorf("%w: %q is no heartbeat that is longer than the one before", command.ErrUsage, text)
		}
		o.Heartbeats = append(o.Heartbeats, d)
	}
	var err error
	if o.Figures, err = command.Choose("figure", *chosen, names); err != nil {
		return o, err
	}
	if f.NArg() > 0 || o.Rounds < 1 || o.For <= 0 || o.Warm < 0 || o.Rate < 1 || !o.Fleet.valid() ||
		!within(o.Entries, 1, maxEntries) || !within(o.Replay, 1, maxReplay) {
		return o, fmt.Errorf("%w: see -h", command.ErrUsage)
	}
	o.again = command.Again(f)
	return o, nil
}

func within(n, least, most int) bool { return least <= n && n <= most }

func run(ctx context.Context, args []string) (err error) {
	if len(args) > 0 && args[0] == asPeer {
		return runPeer(args[1:])
	}
	o, err := parse(args)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp(o.disk, "program-bench-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	environment, err := report.Describe(dir)
	if err != nil {
		return err
	}
	b := &bench{options: o, dir: dir}
	if b.program, err = server.Program(ctx, o.gateway, dir); err != nil {
		return err
	}
	r := report.Report{
		Title:       "The whole program",
		Command:     o.again,
		Intro:       fmt.Sprintf(intro, o.Rounds),
		Environment: environment,
		Parameters:  o,
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
	r.Samples = b.samples
	return r.Write(o.out, "REPORT-program")
}

const intro = `The gateway as a process of its own, with its defaults, on a disk, driven over loopback connections by a program on the
same machine. The driver's requests are bytes made beforehand, and of the answers it looks at status and length. What takes turns
does so for %d rounds; a figure is the median of the rounds, its extremes in brackets; a ratio is the median of the
ratios within each round. CPU is what the server's process alone used, user and system, as /proc tells it in steps of 10 ms.`
