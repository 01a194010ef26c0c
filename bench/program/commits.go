package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"

	"github.com/replication-gateway/gateway/bench/internal/command"
	"github.com/replication-gateway/gateway/bench/internal/figures"
	"github.com/replication-gateway/gateway/bench/internal/grouping"
	"github.com/replication-gateway/gateway/bench/internal/logs"
	"github.com/replication-gateway/gateway/bench/internal/rawhttp"
	"github.com/replication-gateway/gateway/bench/internal/report"
	"github.com/replication-gateway/gateway/bench/internal/server"
)

const (
	// goalConnections is how many connections the project's aim is about.
	goalConnections = 64
	// maxConnections is how many a driver with a goroutine for each can keep busy.
	maxConnections = 4096
)

// The candidates.
const (
	gatewayName = "gateway"
	quietName   = "gateway, --log-level warn"
	fixedName   = "net/http, fixed answer"
	durableName = "net/http on the raw file"
	bareName    = "plain TCP on the raw file"
	rawName     = "raw limit"
)

// contender is one of those that take turns at committing.
type contender struct {
	name   string
	server *server.Server   // nil for the raw limit
	raw    *grouping.Writer // nil for a server
	sent   int              // puts, by each connection
}

func (c *contender) isGateway() bool { return c.name == gatewayName || c.name == quietName }

// commits measures durable commits a second through the API.
func commits(ctx context.Context, b *bench) (_ []report.Section, err error) {
	recordSize, err := putRecord()
	if err != nil {
		return nil, err
	}
	contenders, end, err := b.contenders(ctx, recordSize)
	defer func() { err = errors.Join(err, end()) }()
	if err != nil {
		return nil, err
	}
	sections := []report.Section{commitsIntro(recordSize)}
	for _, connections := range b.Connections {
		records := logs.Records(rand.New(rand.NewPCG(1, uint64(connections))), connections, recordSize)
		err := figures.Turns(ctx, b.Rounds, contenders, func(round int, c *contender) error {
			if c.raw != nil {
				return b.rawTurn(c, records, round)
			}
			return b.serverTurn(ctx, c, connections, round)
		})
		if err != nil {
			return nil, err
		}
		sections = append(sections, b.commitsSection(connections))
	}
	return sections, nil
}

// contenders starts them all. end ends those that were started, also when there is an error.
func (b *bench) contenders(ctx context.Context, recordSize int) (all []*contender, end func() error, err error) {
	var ends []func() error
	end = func() error {
		var errs []error
		for _, e := range ends {
			errs = append(errs, e())
		}
		return errors.Join(errs...)
	}
	for _, name := range []string{gatewayName, quietName, fixedName, durableName, bareName, rawName} {
		dir, err := b.newFolder("commits")
		if err != nil {
			return nil, end, err
		}
		ends = append(ends, func() error { return os.RemoveAll(dir) })
		c := &contender{name: name}
		switch name {
		case gatewayName:
			c.server, err = server.Gateway(ctx, b.program, dir)
		case quietName:
			c.server, err = server.GatewayThatWarns(ctx, b.program, dir)
		case fixedName:
			c.server, err = startPeer(ctx, peer{record: recordSize})
		case durableName:
			c.server, err = startPeer(ctx, peer{durable: dir, record: recordSize})
		case bareName:
			c.server, err = startPeer(ctx, peer{durable: dir, record: recordSize, bare: true})
		case rawName:
			var l logs.Log
			if l, err = logs.Writers()[0].Open(dir); err == nil {
				c.raw = grouping.NewWriter(l)
				ends = append([]func() error{l.Close}, ends...)
			}
		}
		if err != nil {
			return nil, end, fmt.Errorf("%s: %w", name, err)
		}
		if c.server != nil {
			ends = append([]func() error{func() error { c.server.Kill(); return nil }}, ends...)
		}
		if c.isGateway() {
			err = putAllNodes(c.server)
		}
		if err != nil {
			return nil, end, fmt.Errorf("%s: %w", name, err)
		}
		all = append(all, c)
	}
	return all, end, nil
}

// putAllNodes makes the nodes that puts go to.
func putAllNodes(s *server.Server) error {
	conn, err := rawhttp.Dial(s.Addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	return batches(conn, putNodes, func(o *ops, i int) { o.putNode(firstPut+i, 0) })
}

func (b *bench) rawTurn(c *contender, records [][]byte, round int) error {
	p, err := c.raw.Drive(records, b.Warm, b.For)
	if err != nil {
		return err
	}
	name := commitsFigure(len(records))
	b.samples.Note(name, c.name, round, map[string]float64{
		"per_second": p.PerSecond, "cpu_micros": p.CPUMicros, "per_cpu_second": 1e6 / p.CPUMicros, "group_size": p.GroupSize,
		"cores": p.PerSecond * p.CPUMicros / 1e6,
	})
	command.Progress("%s, round %d, %s: %s/s", name, round+1, c.name, report.Count(p.PerSecond))
	return nil
}

func (b *bench) serverTurn(ctx context.Context, c *contender, connections, round int) error {
	var before, after tally
	var err error
	if c.isGateway() {
		if before, err = tallyOf(ctx, c.server); err != nil {
			return err
		}
	}
	d, err := drive(c.server, connections, c.sent, b.Warm, b.For)
	if err != nil {
		return fmt.Errorf("%s: %w", c.name, err)
	}
	c.sent += d.answers // more than any of them has sent
	values := map[string]float64{
		"per_second": d.perSecond, "cpu_micros": d.serverMicros, "per_cpu_second": 1e6 / d.serverMicros, "cores": d.cores,
		"driver_cpu_micros": d.driverMicros,
		"p50_micros":        micros(d.latencies.Quantile(0.5)), "p99_micros": micros(d.latencies.Quantile(0.99)),
	}
	if c.isGateway() {
		if after, err = tallyOf(ctx, c.server); err != nil {
			return err
		}
		if made := after.seqNo - before.seqNo; made != uint64(d.answers) {
			return fmt.Errorf("%s: %d answers for %d commits", c.name, d.answers, made)
		}
		values["group_size"] = float64(after.seqNo-before.seqNo) / (after.appends - before.appends)
	}
	name := commitsFigure(connections)
	b.samples.Note(name, c.name, round, values)
	command.Progress("%s, round %d, %s: %s/s, %s µs of CPU each", name, round+1, c.name, report.Count(d.perSecond), report.Number(d.serverMicros))
	return nil
}

// tally is how far a gateway has come.
type tally struct {
	seqNo   uint64
	appends float64 // groups made durable
}

func tallyOf(ctx context.Context, s *server.Server) (tally, error) {
	var at struct {
		SeqNo uint64 `json:"seq_no"`
	}
	err := s.Get(ctx, "/replication", func(r io.Reader) error { return json.NewDecoder(r).Decode(&at) })
	if err != nil {
		return tally{}, err
	}
	m, err := s.Metrics(ctx)
	if err != nil {
		return tally{}, err
	}
	appends, err := m.Value("gateway_wal_append_seconds_count")
	return tally{at.SeqNo, appends}, err
}
