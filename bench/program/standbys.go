package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/replication-gateway/gateway/bench/internal/command"
	"github.com/replication-gateway/gateway/bench/internal/figures"
	"github.com/replication-gateway/gateway/bench/internal/rawhttp"
	"github.com/replication-gateway/gateway/bench/internal/report"
	"github.com/replication-gateway/gateway/bench/internal/server"
)

const (
	lagFigure = "lag of a standby"
	ackFigure = "cost of acknowledgement"

	lagRate        = 2000 // commits a second under which a standby follows
	lagConnections = 32   // enough of them that one slow answer does not lower the rate
	lookEvery      = 20 * time.Millisecond
)

// pairs are those whose writes are compared. The first is what the others are compared with.
func pairs() []*pair {
	return []*pair{
		{name: "no standby"},
		{name: "a standby follows", follow: true},
		{name: "--sync-standbys 1", follow: true, required: true},
	}
}

// standbys measures what a standby costs, how far behind it is, and how fast it takes over.
func standbys(ctx context.Context, b *bench) (_ []report.Section, err error) {
	all := pairs()
	defer func() {
		for _, p := range all {
			err = errors.Join(err, p.end())
		}
	}()
	for _, p := range all {
		if err := p.start(ctx, b); err != nil {
			return nil, fmt.Errorf("%s: %w", p.name, err)
		}
	}
	if err := figures.Turns(ctx, b.Rounds, all, b.ackTurn); err != nil {
		return nil, err
	}
	followed := all[1:]
	if err := figures.Turns(ctx, b.Rounds, followed, func(round int, p *pair) error { return b.lagTurn(ctx, round, p) }); err != nil {
		return nil, err
	}
	for round := range b.Rounds {
		if err := b.takeoverRound(ctx, round); err != nil {
			return nil, err
		}
	}
	return []report.Section{b.lagSection(followed), b.ackSection(all), b.takeoverSection()}, nil
}

// ackTurn measures writes: one after the other for half of the time, and then at a rate.
func (b *bench) ackTurn(round int, p *pair) error {
	alone, err := drive(p.primary, 1, p.nextMade(), b.Warm, b.For/2)
	if err != nil {
		return fmt.Errorf("%s: %w", p.name, err)
	}
	paced, err := b.paced(p, b.Rate, pacedConnections, func() error { time.Sleep(b.For); return nil })
	if err != nil {
		return fmt.Errorf("%s: %w", p.name, err)
	}
	b.samples.Note(ackFigure, p.name, round, map[string]float64{
		"alone_p50_ms": millis(alone.latencies.Quantile(0.5)), "alone_p99_ms": millis(alone.latencies.Quantile(0.99)),
		"alone_per_second": alone.perSecond,
		"p50_ms":           millis(paced.took.Quantile(0.5)), "p99_ms": millis(paced.took.Quantile(0.99)),
	})
	command.Progress("%s, round %d, %s: one by one p50 %s ms, %d a second p50 %s ms, p99 %s ms", ackFigure, round+1, p.name,
		report.Number(millis(alone.latencies.Quantile(0.5))), b.Rate,
		report.Number(millis(paced.took.Quantile(0.5))), report.Number(millis(paced.took.Quantile(0.99))))
	return nil
}

// pacedPuts is what a stream of puts came to beside something.
type pacedPuts struct {
	from, to  time.Time
	took      *figures.Latencies // of those that were due meanwhile
	perSecond float64            // answered meanwhile
}

// paced lets a stream of puts go on beside do.
func (b *bench) paced(p *pair, rate, connections int, do func() error) (r pacedPuts, err error) {
	puts, err := startStream(p.primary, rate, connections, p.nextMade())
	if err != nil {
		return r, err
	}
	time.Sleep(b.Warm)
	r.from = time.Now()
	err = do()
	r.to = time.Now()
	all, streamErr := puts.end()
	r.took = during(all, r.from, r.to)
	r.perSecond = float64(answered(all, r.from, r.to)) / r.to.Sub(r.from).Seconds()
	return r, errors.Join(err, streamErr)
}

// readers note the moments of a commit at a pair. It is on the primary's disk when a replica stream brings it, which
// waits for no acknowledgement.
type readers struct {
	durable, acknowledged, visible *arrivals
}

func (p *pair) readers(ctx context.Context) (r readers, err error) {
	if r.durable, err = arrivalsAt(ctx, p.primary, p.token); err != nil {
		return r, err
	}
	if p.required {
		// Those who read a primary that requires a standby are shown a commit when it is acknowledged.
		if r.acknowledged, err = arrivalsAt(ctx, p.primary, server.Token); err != nil {
			return r, err
		}
	}
	r.visible, err = arrivalsAt(ctx, p.standby, server.Token)
	return r, err
}

// lagTurn compares when a commit is durable at the primary, acknowledged, and shown by the standby, while many are made.
func (b *bench) lagTurn(ctx context.Context, round int, p *pair) error {
	values, err := b.lag(ctx, p)
	if err != nil {
		return fmt.Errorf("%s: %w", p.name, err)
	}
	b.samples.Note(lagFigure, p.name, round, values)
	command.Progress("%s, round %d, %s: %s commits/s, p50 %s ms, p99 %s ms", lagFigure, round+1, p.name,
		report.Count(values["per_second"]), report.Number(values["p50_ms"]), report.Number(values["p99_ms"]))
	return nil
}

func (b *bench) lag(ctx context.Context, p *pair) (map[string]float64, error) {
	ctx, hangUp := context.WithCancel(ctx)
	defer hangUp()
	readers, err := p.readers(ctx)
	if err != nil {
		return nil, err
	}
	c, err := rawhttp.Dial(p.primary.Addr)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	var behind figures.Series
	puts, err := b.paced(p, lagRate, lagConnections, func() (err error) {
		behind, err = watchBehind(c, b.For)
		return err
	})
	if err != nil {
		return nil, err
	}
	end, err := replicationOf(c)
	if err != nil {
		return nil, err
	}
	after := func(a *arrivals) (*figures.Latencies, error) {
		if err := errors.Join(readers.durable.await(ctx, end.SeqNo), a.await(ctx, end.SeqNo)); err != nil {
			return nil, err
		}
		return a.after(readers.durable, puts.from, puts.to)
	}
	visible, err := after(readers.visible)
	if err != nil {
		return nil, fmt.Errorf("shown by the standby: %w", err)
	}
	values := map[string]float64{
		"per_second": puts.perSecond, "commits": float64(visible.Len()),
		"p50_ms": millis(visible.Quantile(0.5)), "p99_ms": millis(visible.Quantile(0.99)), "max_ms": millis(visible.Max()),
		"behind_p50": behind.Median(), "behind_max": behind.Max(),
		"put_p50_ms": millis(puts.took.Quantile(0.5)), "put_p99_ms": millis(puts.took.Quantile(0.99)),
	}
	if readers.acknowledged == nil {
		return values, nil
	}
	acknowledged, err := after(readers.acknowledged)
	if err != nil {
		return nil, fmt.Errorf("acknowledged: %w", err)
	}
	values["ack_p50_ms"], values["ack_p99_ms"] = millis(acknowledged.Quantile(0.5)), millis(acknowledged.Quantile(0.99))
	return values, nil
}

// watchBehind looks for a while how many commits the one standby of a primary has not acknowledged.
func watchBehind(c *rawhttp.Conn, measured time.Duration) (behind figures.Series, err error) {
	for end := time.Now().Add(measured); time.Now().Before(end); time.Sleep(lookEvery) {
		at, err := replicationOf(c)
		if err != nil {
			return nil, err
		}
		if len(at.Standbys) != 1 {
			return nil, fmt.Errorf("the primary has %d standbys, want one", len(at.Standbys))
		}
		behind = append(behind, float64(at.Standbys[0].Behind))
	}
	return behind, nil
}
