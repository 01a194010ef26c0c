package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/replication-gateway/gateway/bench/fanout/internal/crowd"
	"github.com/replication-gateway/gateway/bench/internal/rawhttp"
	"github.com/replication-gateway/gateway/bench/internal/report"
	"github.com/replication-gateway/gateway/bench/internal/server"
)

const joinersFigure = "joiners"

// joinerCandidates are the limit, the gateway with and without compression, and one that does what is done first.
func (b *bench) joinerCandidates() []candidate {
	plain, deflated := theGatewayItself(gatewayName, false), theGatewayItself(deflatedName, true)
	plain.start, deflated.start = startOnState, startOnState
	list := []candidate{peer(rawName), plain, deflated, peer(textbookName)}
	return slices.DeleteFunc(list, func(c candidate) bool {
		return !slices.Contains(b.Candidates, c.name) && !(c.deflate && slices.Contains(b.Candidates, gatewayName))
	})
}

// startOnState starts a gateway that has the state.
func startOnState(ctx context.Context, b *bench, _ int) (*subject, error) {
	return b.startGateway(ctx, b.state.data)
}

// joiners measures what it takes to give a large state to many at once.
func (b *bench) joiners(ctx context.Context) (err error) {
	if b.state, err = b.makeState(ctx); err != nil {
		return fmt.Errorf("make the state: %w", err)
	}
	return b.turns(ctx, joinersFigure, b.joinerCandidates(), 1, func(s *subject) (map[string]float64, error) {
		return b.joinersOn(ctx, s)
	})
}

func (b *bench) joinersOn(ctx context.Context, s *subject) (map[string]float64, error) {
	if s.name == textbookName { // it needs as much as all that it sends, and more
		if err := enoughMemory(3 * int64(b.Joiners) * int64(len(b.state.encoding))); err != nil {
			return nil, err
		}
	}
	if s.dialect != crowd.Gateway { // which has it
		if err := giveState(s.Addr, b.state.encoding); err != nil {
			return nil, err
		}
	}
	if err := pause(ctx, b.Settle); err != nil {
		return nil, err
	}
	if err := s.ResetPeak(); err != nil {
		return nil, err
	}
	before, err := s.Usage()
	if err != nil {
		return nil, err
	}
	watching, stop := context.WithCancel(ctx)
	defer stop()
	sockets := make(chan int64, 1)
	go func() { sockets <- watchSockets(watching) }()
	start := time.Now()
	c, err := s.open(crowd.Options{Subscribers: b.Joiners, AtOnce: b.Joiners, Parts: b.state.parts})
	if err != nil {
		return nil, err
	}
	defer c.Close(0)
	if err := await(ctx, c.Joined(), c.Ended(), joinTime, c.Err); err != nil {
		return nil, fmt.Errorf("%d of %d have joined: %w", c.Figures().Joined, b.Joiners, err)
	}
	took := time.Since(start)
	stop()
	after, err := s.Usage()
	if err != nil {
		return nil, err
	}
	peak, err := s.Peak()
	if err != nil {
		return nil, err
	}
	return map[string]float64{
		"seconds":     took.Seconds(),
		"cpu_seconds": (after.CPU - before.CPU).Seconds(),
		"peak_mb":     float64(peak-before.Resident) / 1e6,
		"encodings":   float64(peak-before.Resident) / float64(len(b.state.encoding)),
		"sockets_mb":  float64(<-sockets) / 1e6,
		"mb_each":     float64(c.Figures().Bytes) / float64(b.Joiners) / 1e6,
		"before_mb":   float64(before.Resident) / 1e6,
	}, nil
}

// giveState hands a peer the state that it is to give to joiners.
func giveState(addr string, state []byte) error {
	c, err := rawhttp.Dial(addr)
	if err != nil {
		return err
	}
	defer c.Close()
	a, err := c.Do(rawhttp.Request("POST", "/state", server.Token, state))
	if err == nil && a.Status != 200 {
		err = fmt.Errorf("the state was answered with %d: %.1000s", a.Status, a.Body)
	}
	return err
}

func (b *bench) joinersSections() []report.Section {
	s := report.Section{
		Title: fmt.Sprintf("%s join at once", report.Count(float64(b.Joiners))),
		Text: fmt.Sprintf("The state is %s nodes, %.1f MB as one message. The time is from the first connection begun to the last byte received by the last "+
			"joiner. The limit sends the same bytes over plain TCP, as fast as can be: to few at a time, through small buffers of the kernel. "+
			"Memory is the most that the process had at a time, over what it had before, in MB and in encodings of the state; what the "+
			"connections take is in it. Socket buffers are all that the kernel had at a time, for both ends.", report.Count(float64(b.Nodes)), float64(len(b.state.encoding))/1e6),
		Table: report.Table{Head: []string{"candidate", "seconds", "of raw", "server CPU, s", "peak over before, MB", "encodings", "socket buffers, MB", "MB to each"}},
	}
	for _, c := range b.joinerCandidates() {
		get := b.getter(joinersFigure, c.name)
		s.Table.Add(c.name,
			report.Spread(get("seconds"), report.Number),
			report.Number(b.ratio(joinersFigure, c.name, rawName, "seconds")),
			report.Number(get("cpu_seconds").Median()),
			report.Spread(get("peak_mb"), report.Number),
			report.Number(get("encodings").Median()),
			report.Number(get("sockets_mb").Median()),
			report.Number(get("mb_each").Median()))
	}
	s.Notes = b.failed(joinersFigure)
	return []report.Section{s}
}
