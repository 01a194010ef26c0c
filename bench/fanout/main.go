// Command fanout measures how the gateway hands commits to its subscribers, beside other ways and libraries that do the
// same, and writes REPORT-fanout.md, REPORT-fanout.json and REPORT-fanout.svg.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/replication-gateway/gateway/bench/fanout/internal/peers"
	"github.com/replication-gateway/gateway/bench/internal/command"
	"github.com/replication-gateway/gateway/bench/internal/report"
	"github.com/replication-gateway/gateway/bench/internal/server"
)

func main() { command.Main("fanout", run) }

const reportName = "REPORT-fanout"

func run(ctx context.Context, args []string) (err error) {
	if len(args) > 0 && args[0] == asPeer {
		return runPeer(ctx, args[1:])
	}
	o, err := parse(args)
	if err != nil {
		return err
	}
	if err := raiseFiles(max(o.Subscribers, o.Joiners)); err != nil {
		return err
	}
	dir, err := os.MkdirTemp(o.disk, "fanout-bench-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	environment, err := report.Describe(dir)
	if err != nil {
		return err
	}
	for _, p := range peers.All() {
		if p.Module != "" {
			environment.Versions[p.Module] = version(p.Module)
		}
	}
	b := &bench{options: o, dir: dir}
	if b.program, err = server.Program(ctx, o.gateway, dir); err != nil {
		return err
	}
	r := report.Report{
		Title:       "The fan-out beside its peers",
		Command:     o.again,
		Environment: environment,
		Parameters:  o,
	}
	var sections []report.Section
	for _, f := range all {
		if !slices.Contains(o.Figures, f.name) {
			continue
		}
		if err := f.measure(b, ctx); err != nil {
			return fmt.Errorf("%s: %w", f.name, err)
		}
		sections = append(sections, f.sections(b)...)
	}
	r.Intro = fmt.Sprintf(intro, o.Rounds, b.picture())
	r.Sections = append(r.Sections, b.goals())
	r.Sections = append(r.Sections, sections...)
	r.Sections = append(r.Sections, b.candidatesSection())
	r.Samples = map[string]any{"samples": b.samples, "failures": b.failures}
	return errors.Join(b.draw(o.out), r.Write(o.out, reportName))
}

const intro = `Each server runs as a process of its own and is driven by one program on the same machine, over loopback connections.
All push the same deltas to the same subscribers, and one piece of code reads all of them. The candidates take turns,
round by round (%d); a figure is the median of the rounds, its extremes in brackets; a ratio is the median of the ratios
within each round.

%sHow the figures are normalised:

- CPU is what the server's process used, user and system, as /proc tells it. Over loopback that includes the kernel's way
  of a segment to the receiver's socket, which the sender pays. The driver's own CPU counts for nothing.
- A delivery is a write that has reached one subscriber; it counts when the message that carries it has been taken from the
  kernel whole. Its latency counts from the moment the write was due, by the clock, not from when it was sent. The gateway
  makes each write durable before it shows it; the peers keep nothing.
- Memory is what stands in RAM for the process. Socket buffers are the kernel's and not in it; where they matter they have a
  column of their own.`
