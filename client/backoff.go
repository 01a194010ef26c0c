package client

import (
	"cmp"
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"time"
)

// backoff spreads the tries of many readers that lost the same gateway: a wait is
// anything below a ceiling, which grows with each try in vain.
type backoff struct {
	base, max time.Duration
	ceiling   time.Duration // of the next wait, 0 for base
}

// next returns how long to wait after err, never less than the gateway asked for.
func (b *backoff) next(err error) time.Duration {
	ceiling := cmp.Or(b.ceiling, b.base)
	b.ceiling = b.max
	if ceiling < b.max/2 {
		b.ceiling = 2 * ceiling
	}
	return asked(err) + rand.N(ceiling)
}

// reset is for a stream that has shown to last.
func (b *backoff) reset() { b.ceiling = 0 }

// asked returns the wait that the gateway asked for, 0 for none.
func asked(err error) time.Duration {
	if closed, ok := errors.AsType[*CloseError](err); ok {
		return closed.RetryAfter
	}
	if refused, ok := errors.AsType[*RefusedError](err); ok {
		return refused.RetryAfter
	}
	return 0
}

// final reports whether no retry can better err.
func final(err error) bool {
	if errors.Is(err, ErrOptions) || errors.Is(err, ErrTokenEnded) {
		return true
	}
	if _, permanent := errors.AsType[*permanentError](err); permanent {
		return true
	}
	refused, ok := errors.AsType[*RefusedError](err)
	if !ok {
		return false
	}
	switch refused.Status {
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests:
		return false
	case http.StatusUpgradeRequired: // the token is good, something on the way is not
		return false
	}
	return refused.Status/100 == 4
}

// permanentError ends Subscribe.
type permanentError struct{ error }

func (e *permanentError) Unwrap() error { return e.error }

// Permanent marks an error that a Handler returns as one that no new stream can
// better: Subscribe ends with it.
func Permanent(err error) error { return &permanentError{err} }

// pause waits for d, or until ctx ends, which it reports.
func pause(ctx context.Context, d time.Duration) (ended bool) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return false
	case <-ctx.Done():
		return true
	}
}
