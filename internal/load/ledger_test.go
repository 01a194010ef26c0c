package load

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestWritesArePaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := NewLedger(10)
		start := time.Now()
		err := l.Pace(t.Context(), 4, 3, func(_ context.Context, i int) error {
			if got, want := time.Since(start), time.Duration(i)*250*time.Millisecond; got != want {
				t.Errorf("write %d: after %v, want %v", i, got, want)
			}
			<-time.After(100 * time.Millisecond)
			return nil
		})
		answers, first := l.Answers()
		if err != nil || answers.Count() != 10 || answers.Max() != 100*time.Millisecond || !first.Equal(start) {
			t.Errorf("got %v, %d answers within %v from %v on", err, answers.Count(), answers.Max(), first)
		}
	})
}

// What a slow gateway keeps waiting counts from when it was due.
func TestWritesThatHaveToWaitStayDue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := NewLedger(4)
		start := time.Now()
		err := l.Pace(t.Context(), 10, 1, func(context.Context, int) error {
			<-time.After(time.Second)
			return nil
		})
		// The last was due after 0.3 s and answered after 4 s.
		answers, _ := l.Answers()
		if err != nil || answers.Max() != 3700*time.Millisecond {
			t.Errorf("got %v, at most %v, want 3.7s", err, answers.Max())
		}
		sinceDue, sinceAnswer, ok := l.received(3, start.Add(5*time.Second))
		if !ok || sinceDue != 4700*time.Millisecond || sinceAnswer != time.Second {
			t.Errorf("got %v after due, %v after the answer, %v", sinceDue, sinceAnswer, ok)
		}
	})
}

func TestAWriteThatFailsEndsTheRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		refused := errors.New("refused")
		l := NewLedger(1000)
		start := time.Now()
		err := l.Pace(t.Context(), 10, 5, func(_ context.Context, i int) error {
			if i == 3 {
				return refused
			}
			return nil
		})
		answers, _ := l.Answers()
		if !errors.Is(err, refused) || answers.Count() != 3 || time.Since(start) > time.Second {
			t.Errorf("got %v with %d answers after %v, want %v", err, answers.Count(), time.Since(start), refused)
		}
	})
}

func TestACancelledRunEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 450*time.Millisecond)
		defer cancel()
		l := NewLedger(1000)
		if err := l.Pace(ctx, 10, 5, func(context.Context, int) error { return nil }); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want the end of its time", err)
		}
		if answers, _ := l.Answers(); answers.Count() != 5 {
			t.Errorf("%d answers in 450 ms, want 5", answers.Count())
		}
	})
}

func TestReceivedBeforeAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := NewLedger(2)
		start := time.Now()
		sent, answer := make(chan struct{}), make(chan struct{})
		var pacing sync.WaitGroup
		pacing.Go(func() {
			err := l.Pace(t.Context(), 1, 2, func(_ context.Context, i int) error {
				if i == 0 {
					close(sent)
					<-answer
				}
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
		<-sent
		due, answered, ok := l.received(0, start.Add(time.Millisecond))
		if !ok || due != time.Millisecond || answered != 0 {
			t.Errorf("got %v after due, %v after the answer, %v, want 1ms, 0", due, answered, ok)
		}
		for _, index := range []int{1, 2, 1 << 40} {
			if _, _, ok := l.received(index, start); ok {
				t.Errorf("write %d was received and never due", index)
			}
		}
		close(answer)
		pacing.Wait()
	})
}
