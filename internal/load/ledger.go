package load

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

// Ledger keeps when each write of a run was due and when it was answered. Its
// methods may be called from any goroutine.
type Ledger struct {
	start    time.Time
	due      []atomic.Int64 // nanoseconds after start, plus one; 0 while unknown
	answered []atomic.Int64 // likewise

	mu       sync.Mutex
	answers  Histogram // from due to answered
	firstDue time.Time
}

// NewLedger returns a ledger for n writes.
func NewLedger(n int) *Ledger {
	return &Ledger{start: time.Now(), due: make([]atomic.Int64, n), answered: make([]atomic.Int64, n)}
}

// Pace carries out all writes of the ledger, rate of them a second: write is
// called with 0, 1, 2 and so on, up to atOnce calls at a time. Writes that have
// to wait for the ones before stay due at the time they were due. It returns when
// all have been answered, or the first error, of ctx or of a write, which ends
// the run.
func (l *Ledger) Pace(ctx context.Context, rate, atOnce int, write func(ctx context.Context, index int) error) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(atOnce)
	start := time.Now()
	l.mu.Lock()
	l.firstDue = start
	l.mu.Unlock()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for i := range l.due {
		due := start.Add(time.Duration(i) * time.Second / time.Duration(rate))
		timer.Reset(time.Until(due))
		select {
		case <-timer.C:
		case <-ctx.Done():
			if err := group.Wait(); err != nil {
				return err
			}
			return ctx.Err()
		}
		l.due[i].Store(int64(due.Sub(l.start)) + 1)
		group.Go(func() error {
			if err := write(ctx, i); err != nil {
				return err
			}
			l.answer(i, due)
			return nil
		})
	}
	return group.Wait()
}

func (l *Ledger) answer(i int, due time.Time) {
	now := time.Now()
	l.answered[i].Store(int64(now.Sub(l.start)) + 1)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.answers.Record(now.Sub(due))
}

// Answers returns the times from due to answered so far, and when the first
// write was due.
func (l *Ledger) Answers() (h Histogram, firstDue time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.answers, l.firstDue
}

// received tells how long after it was due a write arrived, and how long after it
// was answered: 0 if it arrived before the answer did. It is false for an index
// that was never written.
func (l *Ledger) received(i int, now time.Time) (sinceDue, sinceAnswer time.Duration, ok bool) {
	if i >= len(l.due) {
		return 0, 0, false
	}
	due, answered := l.due[i].Load(), l.answered[i].Load()
	if due == 0 {
		return 0, 0, false
	}
	at := int64(now.Sub(l.start)) + 1
	if answered != 0 {
		sinceAnswer = time.Duration(max(0, at-answered))
	}
	return time.Duration(at - due), sinceAnswer, true
}
