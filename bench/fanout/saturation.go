package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/replication-gateway/gateway/bench/fanout/internal/crowd"
	"github.com/replication-gateway/gateway/bench/fanout/internal/publish"
	"github.com/replication-gateway/gateway/bench/fanout/internal/tally"
	"github.com/replication-gateway/gateway/bench/internal/report"
)

const (
	saturationFigure = "saturation"

	floodConnections = 64
	floodWrites      = 1_000_000 // more than any of them gets through
)

// saturation measures how much work each makes of a CPU second when there is always more to do.
func (b *bench) saturation(ctx context.Context) error {
	// Their queues hold all that may be under way, so that nobody is dropped.
	return b.turns(ctx, saturationFigure, b.saturationCandidates(), 2*b.Window, func(s *subject) (map[string]float64, error) {
		return b.saturate(ctx, s)
	})
}

// saturationCandidates are all, and centrifuge once more as it is set up for high rates.
func (b *bench) saturationCandidates() []candidate {
	return beside(b.candidates(), centrifugeName, gatheringName)
}

func (b *bench) saturate(ctx context.Context, s *subject) (_ map[string]float64, err error) {
	account := tally.New(floodWrites, b.Subscribers)
	c, err := s.open(crowd.Options{Subscribers: b.Subscribers, Tally: account})
	if err != nil {
		return nil, err
	}
	defer c.Close(0)
	if err := await(ctx, c.Joined(), c.Ended(), joinTime, c.Err); err != nil {
		return nil, fmt.Errorf("join: %w", err)
	}
	flood, stop := context.WithCancel(ctx)
	flooded := make(chan error, 1)
	go func() { flooded <- publish.Flood(flood, s.writes, account, 0, b.Window, floodConnections) }()
	defer func() {
		stop()
		err = errors.Join(err, <-flooded)
	}()
	if err := b.flowing(ctx, c, b.Warm); err != nil {
		return nil, err
	}
	first, read := account.Now(), c.Figures()
	used, err := s.spent(func() error { return b.flowing(ctx, c, b.For) })
	if err != nil {
		return nil, err
	}
	last, readLast := account.Now(), c.Figures()
	deliveries := float64(last.Deliveries - first.Deliveries)
	return map[string]float64{
		"per_cpu_second": deliveries / used.CPU.Seconds(),
		"per_second":     deliveries / used.Clock.Seconds(),
		"commits":        deliveries / float64(b.Subscribers) / used.Clock.Seconds(),
		"per_message":    deliveries / float64(readLast.Messages-read.Messages),
		"cores":          used.CPU.Seconds() / used.Clock.Seconds(),
	}, nil
}

// flowing lets time pass, unless the subscribers end.
func (b *bench) flowing(ctx context.Context, c *crowd.Crowd, d time.Duration) error {
	err := await(ctx, nil, c.Ended(), d, c.Err)
	if errors.Is(err, errLate) {
		return nil
	}
	return err
}

func (b *bench) saturationSections() []report.Section {
	s := report.Section{
		Title: fmt.Sprintf("At saturation, %s subscribers", report.Count(float64(b.Subscribers))),
		Text: fmt.Sprintf("The same deltas, as fast as %d connections get their answers, but never more than %d of them under way: a write begins "+
			"when all but so many before it have reached everybody. What a server makes of that is its own business; those who "+
			"let several deltas leave together need fewer calls of the kernel. The figure is deltas delivered for each second of the server's CPU.",
			floodConnections, b.Window),
		Table: report.Table{Head: []string{"candidate", "deliveries a CPU second", "of the better centrifuge", "of raw", "deliveries a second", "commits a second", "in a message", "cores used"}},
	}
	for _, c := range b.saturationCandidates() {
		get := b.getter(saturationFigure, c.name)
		s.Table.Add(c.name,
			report.Spread(get("per_cpu_second"), report.Count),
			report.Number(b.ofCentrifuge(c.name)),
			report.Number(b.ratio(saturationFigure, c.name, rawName, "per_cpu_second")),
			report.Count(get("per_second").Median()),
			report.Number(get("commits").Median()),
			report.Number(get("per_message").Median()),
			report.Number(get("cores").Median()))
	}
	s.Notes = b.failed(saturationFigure)
	return []report.Section{s}
}

// betterCentrifuge names the centrifuge that delivers more for a CPU second.
func (b *bench) betterCentrifuge() string {
	if b.ratio(saturationFigure, gatheringName, centrifugeName, "per_cpu_second") > 1 {
		return gatheringName
	}
	return centrifugeName
}

// ofCentrifuge is how many times the deliveries for a CPU second are those of the better centrifuge.
func (b *bench) ofCentrifuge(name string) float64 {
	return b.ratio(saturationFigure, name, b.betterCentrifuge(), "per_cpu_second")
}
