package main

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"golang.org/x/sys/unix"

	"github.com/replication-gateway/gateway/bench/internal/command"
	"github.com/replication-gateway/gateway/bench/internal/figures"
)

// bench is one run: its folder, and the samples so far.
type bench struct {
	options
	dir      string // of this run
	program  string // the gateway
	samples  figures.Samples
	failures []failure
	state    *state // of the joiners, nil until it has been made
}

// failure is a turn that brought no sample.
type failure struct {
	Figure    string `json:"figure"`
	Candidate string `json:"candidate"`
	Round     int    `json:"round"`
	Error     string `json:"error"`
}

// turns gives each of the candidates its turn, round by round.
func (b *bench) turns(ctx context.Context, name string, list []candidate, queue int, measure func(*subject) (map[string]float64, error)) error {
	return figures.Turns(ctx, b.Rounds, list, func(round int, c candidate) error {
		return b.turn(ctx, name, round, c, queue, measure)
	})
}

// turn measures a candidate that runs, once. One that fails has no sample of the round; the run goes on without, and
// the report says so.
func (b *bench) turn(ctx context.Context, name string, round int, c candidate, queue int, measure func(*subject) (map[string]float64, error)) error {
	var values map[string]float64
	err := b.on(ctx, c, queue, func(s *subject) (err error) {
		values, err = measure(s)
		return err
	})
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		command.Progress("%s, round %d, %s: failed: %v", name, round+1, c.name, err)
		b.failures = append(b.failures, failure{name, c.name, round, err.Error()})
		return nil
	}
	b.samples.Note(name, c.name, round, values)
	command.Progress("%s, round %d, %s: %s", name, round+1, c.name, brief(values))
	return nil
}

// failed says, as notes of a section, what went wrong in a figure.
func (b *bench) failed(figure string) (notes []string) {
	for _, f := range b.failures {
		if f.Figure == figure {
			notes = append(notes, fmt.Sprintf("**Failed**: %s in round %d: %s", f.Candidate, f.Round+1, f.Error))
		}
	}
	return notes
}

// errLate is what is wrong with what does not happen in time.
var errLate = errors.New("not in time")

// await waits for something to be done.
func await(ctx context.Context, done, ended <-chan struct{}, most time.Duration, why func() error) error {
	timer := time.NewTimer(most)
	defer timer.Stop()
	select {
	case <-done:
		return nil
	case <-ended:
		return fmt.Errorf("the subscribers have ended: %w", why())
	case <-timer.C:
		return fmt.Errorf("%w: %v have passed", errLate, most)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// pause lets time pass.
func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// raiseFiles lets this process and those that it starts have as many files open as subscribers need.
func raiseFiles(subscribers int) error {
	need := uint64(subscribers + 1000)
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return err
	}
	limit.Max = max(limit.Max, need) // beyond the hard limit only for root
	limit.Cur = limit.Max
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return fmt.Errorf("%d files have to be open at a time; raise ulimit -n: %w", need, err)
	}
	return nil
}

// version returns the version of a module that this program was built with.
func version(module string) string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	for _, d := range info.Deps {
		if d.Path == module {
			return d.Version
		}
	}
	return ""
}

func millis(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

func micros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }
