package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"syscall"
	"time"

	"github.com/replication-gateway/gateway/bench/internal/figures"
	"github.com/replication-gateway/gateway/bench/internal/rawhttp"
	"github.com/replication-gateway/gateway/bench/internal/report"
	"github.com/replication-gateway/gateway/bench/internal/server"
)

const (
	lagFigure      = "lag of a standby"
	ackFigure      = "cost of acknowledgement"
	takeoverFigure = "takeover"

	lagRate = 2000 // commits a second under which a standby follows

	// takeoverBeat is the heartbeat of those whose death is noticed.
	takeoverBeat = time.Second
	aimedBeats   = 2
)

// pair is a primary, and a standby that follows it unless there is none.
type pair struct {
	name             string
	follow, required bool
	primary, standby *server.Server
	turns            int
}

// pairs are those whose writes are compared.
func pairs() []*pair {
	return []*pair{
		{name: "no standby"},
		{name: "a standby follows", follow: true},
		{name: "--sync-standbys 1", follow: true, required: true},
	}
}

// standbys measures what following costs, how far behind it is, and how fast it takes over.
func standbys(ctx context.Context, b *bench) ([]report.Section, error) {
	all := pairs()
	for _, p := range all {
		end, err := b.startPair(ctx, p)
		defer end()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", p.name, err)
		}
	}
	if err := figures.Turns(ctx, b.Rounds, all, func(round int, p *pair) error { return b.ackTurn(round, p) }); err != nil {
		return nil, err
	}
	if err := figures.Turns(ctx, b.Rounds, all[1:], func(round int, p *pair) error { return b.lagTurn(ctx, round, p) }); err != nil {
		return nil, err
	}
	for round := range b.Rounds {
		for _, how := range losses {
			if err := b.takeoverTurn(ctx, round, how); err != nil {
				return nil, fmt.Errorf("%s: %w", how.name, err)
			}
		}
	}
	return []report.Section{b.lagSection(all[1:]), b.ackSection(all), b.takeoverSection()}, nil
}

// startPair starts both. end ends those that were started, also when there is an error.
func (b *bench) startPair(ctx context.Context, p *pair, args ...string) (end func(), err error) {
	end = func() {
		for _, s := range []*server.Server{p.standby, p.primary} {
			if s != nil {
				s.Kill()
			}
		}
	}
	flags := args
	if p.required {
		flags = append(flags, "--sync-standbys", "1")
	}
	data, err := b.newFolder("primary")
	if err != nil {
		return end, err
	}
	if p.primary, err = server.Gateway(ctx, b.program, data, flags...); err != nil || !p.follow {
		return end, err
	}
	token, err := replicaToken(p.primary)
	if err != nil {
		return end, err
	}
	if data, err = b.newFolder("standby"); err != nil {
		return end, err
	}
	p.standby, err = server.Gateway(ctx, b.program, data, append(args, "--follow", "http://"+p.primary.Addr, "--follow-token", token)...)
	if err != nil {
		return end, err
	}
	_, err = p.standby.Await(ctx, "snapshot taken over", 1)
	return end, err
}

// replicaToken makes a token to follow with. That needs no standby yet.
func replicaToken(s *server.Server) (string, error) {
	c, err := rawhttp.Dial(s.Addr)
	if err != nil {
		return "", err
	}
	defer c.Close()
	a, err := c.Do(rawhttp.Request("POST", "/tokens", server.Token, []byte(`{"name":"standby","role":"replica"}`)))
	if err != nil {
		return "", err
	}
	var made struct{ Token string }
	if err := json.Unmarshal(a.Body, &made); err != nil || made.Token == "" {
		return "", fmt.Errorf("make a token: %d %.300s", a.Status, a.Body)
	}
	return made.Token, nil
}

// nextMade is above the number of puts of every turn of the pair before.
func (p *pair) nextMade() int {
	p.turns++
	return p.turns * streamMade
}

// ackTurn measures writes: one after the other, and at a rate.
func (b *bench) ackTurn(round int, p *pair) error {
	alone, err := drive(p.primary, 1, p.nextMade(), b.Warm, b.For)
	if err != nil {
		return err
	}
	paced, err := b.paced(p, b.Rate, func() error { time.Sleep(b.For); return nil })
	if err != nil {
		return err
	}
	b.samples.Note(ackFigure, p.name, round, map[string]float64{
		"alone_p50_ms": millis(alone.latencies.Quantile(0.5)), "alone_p99_ms": millis(alone.latencies.Quantile(0.99)),
		"alone_per_second": alone.perSecond,
		"p50_ms":           millis(paced.Quantile(0.5)), "p99_ms": millis(paced.Quantile(0.99)),
	})
	progress("%s, round %d, %s: p50 %s ms, p99 %s ms", ackFigure, round+1, p.name,
		report.Number(millis(paced.Quantile(0.5))), report.Number(millis(paced.Quantile(0.99))))
	return nil
}

// paced lets a stream of puts go on beside do, and returns how long those took that were due meanwhile.
func (b *bench) paced(p *pair, rate int, do func() error) (*figures.Latencies, error) {
	puts, err := startStream(p.primary, rate, p.nextMade())
	if err != nil {
		return nil, err
	}
	time.Sleep(b.Warm)
	from := time.Now()
	err = do()
	to := time.Now()
	all, streamErr := puts.end()
	return during(all, from, to), errors.Join(err, streamErr)
}

// lagTurn compares when a reader of the standby and one of the primary have each commit, while many are made.
func (b *bench) lagTurn(ctx context.Context, round int, p *pair) error {
	ctx, hangUp := context.WithCancel(ctx)
	defer hangUp()
	there, err := arrivalsAt(ctx, p.primary)
	if err != nil {
		return err
	}
	here, err := arrivalsAt(ctx, p.standby)
	if err != nil {
		return err
	}
	var behind figures.Latencies // in commits
	took, err := b.paced(p, lagRate, func() error {
		for until := time.Now().Add(b.For); time.Now().Before(until); time.Sleep(20 * time.Millisecond) {
			status, err := replicationOf(p.primary)
			if err != nil {
				return err
			}
			behind.Add(time.Duration(status.Standbys[0].Behind))
		}
		return nil
	})
	if err != nil {
		return err
	}
	time.Sleep(200 * time.Millisecond)
	lag := here.after(there)
	if lag.Len() < took.Len() {
		return fmt.Errorf("%d commits arrived at both, of %d", lag.Len(), took.Len())
	}
	b.samples.Note(lagFigure, p.name, round, map[string]float64{
		"per_second": float64(took.Len()) / b.For.Seconds(), "p50_ms": millis(lag.Quantile(0.5)), "p99_ms": millis(lag.Quantile(0.99)),
		"max_ms": millis(lag.Max()), "behind_p50": float64(behind.Quantile(0.5)), "behind_max": float64(behind.Max()),
		"put_p50_ms": millis(took.Quantile(0.5)), "put_p99_ms": millis(took.Quantile(0.99)),
	})
	progress("%s, round %d, %s: p50 %s ms, p99 %s ms of %d", lagFigure, round+1, p.name,
		report.Number(millis(lag.Quantile(0.5))), report.Number(millis(lag.Quantile(0.99))), lag.Len())
	return nil
}

// loss is how a primary is lost.
type loss struct {
	name string
	do   func(*server.Server) error
}

var losses = []loss{
	{"kill -9", func(s *server.Server) error { return s.Signal(syscall.SIGKILL) }},
	{"stands still, its connections open", func(s *server.Server) error { return s.Signal(syscall.SIGSTOP) }},
}

// takeoverTurn loses a primary, waits until its standby says so, and promotes that.
func (b *bench) takeoverTurn(ctx context.Context, round int, how loss) error {
	p := &pair{name: how.name, follow: true}
	end, err := b.startPair(ctx, p, "--heartbeat", takeoverBeat.String())
	defer end()
	if err != nil {
		return err
	}
	if _, err := drive(p.primary, 4, p.nextMade(), 0, b.For/2); err != nil {
		return err
	}
	c, err := rawhttp.Dial(p.standby.Addr)
	if err != nil {
		return err
	}
	defer c.Close()
	lost := time.Now()
	if err := how.do(p.primary); err != nil {
		return err
	}
	for up := true; up; time.Sleep(time.Millisecond) {
		status, err := replicationOf(p.standby)
		if err != nil {
			return err
		}
		up = status.Upstream.Up
	}
	noticed := time.Now()
	if _, err := request(c, http.MethodPost, "/replication/promote", nil); err != nil {
		return err
	}
	promoted := time.Now()
	if _, err := request(c, http.MethodPut, "/nodes/5", []byte(`{"hostname":"first"}`)); err != nil {
		return err
	}
	written := time.Now()
	b.samples.Note(takeoverFigure, how.name, round, map[string]float64{
		"notice_ms": millis(noticed.Sub(lost)), "promote_ms": millis(promoted.Sub(noticed)), "write_ms": millis(written.Sub(noticed)),
	})
	progress("%s, round %d, %s: noticed after %s ms, first write %s ms after the promotion was asked for", takeoverFigure, round+1, how.name,
		report.Number(millis(noticed.Sub(lost))), report.Number(millis(written.Sub(noticed))))
	return nil
}
