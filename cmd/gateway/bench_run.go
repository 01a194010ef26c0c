package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"time"

	"github.com/replication-gateway/gateway/internal/load"
)

// Bounds of a run.
const (
	writesAtOnce = 128              // on their way at the same time
	joining      = 2 * time.Minute  // for all subscribers to join
	arrival      = 10 * time.Second // for the last deliveries, after the last answer
)

// bench is one run against a network that is its own.
type bench struct {
	*benchCmd
	network  uint16
	server   load.Process
	unseen   error // why server cannot be looked at
	progress *progress

	usage usage // what was used, read at three moments
}

// usage is what gateway and driver had used before the subscribers joined,
// before the first write and after the last delivery. The gateway's stay zero
// when it is not seen.
type usage struct {
	alone, joined, done struct{ server, driver load.Usage }
}

// run opens the subscribers, writes, waits for the deliveries, and closes the
// subscribers again.
func (b *bench) run(ctx context.Context, target load.Target) (*benchFigures, error) {
	// This process does nothing but the bench: its writes keep their connections.
	transport := http.DefaultTransport.(*http.Transport)
	transport.MaxIdleConns, transport.MaxIdleConnsPerHost = writesAtOnce, writesAtOnce

	if err := b.look(&b.usage.alone); err != nil {
		return nil, err
	}
	ledger, mark, begun := load.NewLedger(b.writes()), load.NewMark(), time.Now()
	swarm, err := load.Start(load.Options{Target: target, Subscribers: b.Subscribers, Mark: mark, Ledger: ledger})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() {
		<-swarm.Ended()
		cancel(swarm.Err()) // a bench with a subscriber less is none
	}()

	joined, err := b.join(ctx, swarm, begun)
	if err == nil {
		err = b.writeAll(ctx, swarm, ledger, mark)
	}
	figures := newBenchFigures(b, swarm.Figures(), ledger, joined)
	figures.Uneven = swarm.Close(b.writes())
	return figures, err
}

// join waits until all subscribers hold a snapshot, and returns how long that
// took.
func (b *bench) join(ctx context.Context, swarm *load.Swarm, begun time.Time) (time.Duration, error) {
	defer b.progress.every(time.Second, func() string {
		return fmt.Sprintf("%d of %d subscribers have joined", swarm.Figures().Joined, b.Subscribers)
	})()
	ctx, cancel := context.WithTimeoutCause(ctx, joining, fmt.Errorf("the subscribers have not joined in %v", joining))
	defer cancel()
	select {
	case <-swarm.Joined():
		return time.Since(begun), b.look(&b.usage.joined)
	case <-ctx.Done():
		return 0, context.Cause(ctx)
	}
}

// writeAll makes all writes and waits until they have been received, or for as
// long as is reasonable.
func (b *bench) writeAll(ctx context.Context, swarm *load.Swarm, ledger *load.Ledger, mark load.Mark) error {
	expected := uint64(b.writes()) * uint64(b.Subscribers)
	before := uint64(0)
	defer b.progress.every(time.Second, func() string {
		f := swarm.Figures()
		answers, _ := ledger.Answers()
		line := fmt.Sprintf("%d of %d writes, %d deliveries, %d in the last second, p99 %v", answers.Count(), b.writes(),
			f.Deliveries, f.Deliveries-before, f.SinceDue.Quantile(0.99).Round(10*time.Microsecond))
		before = f.Deliveries
		return line
	})()
	received := swarm.Reached(expected)
	err := ledger.Pace(ctx, b.Rate, writesAtOnce, func(ctx context.Context, i int) error {
		return b.putNetwork(ctx, b.network, mark.Text(i))
	})
	if err != nil {
		if cause := context.Cause(ctx); cause != nil {
			return cause // the writes were given up for it
		}
		return err
	}
	patience := time.NewTimer(arrival)
	defer patience.Stop()
	select {
	case <-received:
	case <-patience.C: // the figures will tell
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	return b.look(&b.usage.done)
}

// look reads what gateway and driver have used so far.
func (b *bench) look(into *struct{ server, driver load.Usage }) (err error) {
	if b.unseen != nil {
		return nil
	}
	if into.server, err = b.server.Usage(); err != nil {
		return fmt.Errorf("the gateway's process: %w", err)
	}
	into.driver, err = load.Process(os.Getpid()).Usage()
	return err
}
