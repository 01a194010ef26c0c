// Package publish makes the writes of a run, at a pace or as fast as they are answered. It costs little beside the server
// that takes them.
package publish

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/replication-gateway/gateway/bench/fanout/internal/tally"
	"github.com/replication-gateway/gateway/bench/internal/rawhttp"
)

// patience is how long a server has for one answer. It is long: a server that holds up its writer is a result, not a
// fault.
const patience = 10 * time.Minute

// Target is a server that takes writes.
type Target struct {
	Addr    string                 // HOST:PORT
	Request func(write int) []byte // the request that makes a write, with its mark
}

// do makes one write. Any answer but 2xx is an error.
func (t Target) do(c *rawhttp.Conn, write int) error {
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	a, err := c.Do(t.Request(write))
	if err == nil && a.Status/100 != 2 {
		err = fmt.Errorf("write %d was answered with %d: %.1000s", write, a.Status, a.Body)
	}
	return err
}

// Pace makes the writes from and up to, so many a second, over so many connections. Each is due at its time; one that
// finds all connections taken waits and stays due at the time it was due. Over one connection the order of the writes is
// that of their numbers. It returns when all have been answered, or at the first error, of ctx or of a write.
func Pace(ctx context.Context, t Target, account *tally.Tally, from, to, perSecond, connections int) error {
	group, ctx := errgroup.WithContext(ctx)
	writes := make(chan int, to-from) // so that nobody who is late makes the others late
	group.Go(func() error {
		defer close(writes)
		start := time.Now()
		timer := time.NewTimer(0)
		defer timer.Stop()
		for w := from; w < to; w++ {
			due := start.Add(time.Duration(w-from) * time.Second / time.Duration(perSecond))
			timer.Reset(time.Until(due))
			select {
			case <-timer.C:
			case <-ctx.Done():
				return ctx.Err()
			}
			account.Due(w, due)
			writes <- w
		}
		return nil
	})
	for range connections {
		group.Go(func() error {
			return with(ctx, t.Addr, func(c *rawhttp.Conn) error {
				for w := range writes {
					if err := t.do(c, w); err != nil {
						return err
					}
				}
				return ctx.Err()
			})
		})
	}
	return group.Wait()
}

// Flood makes writes as fast as they are answered, over so many connections, until ctx ends or the account has no room
// for more; neither is an error. No write is begun before all but a window of those before it have reached everybody:
// else a server that answers sooner than it delivers would only pile up what it has to deliver.
func Flood(ctx context.Context, t Target, account *tally.Tally, from, window, connections int) error {
	group, inner := errgroup.WithContext(ctx)
	var next atomic.Int64
	next.Store(int64(from))
	for range connections {
		group.Go(func() error {
			return with(inner, t.Addr, func(c *rawhttp.Conn) error {
				for {
					w := int(next.Add(1)) - 1
					if w >= account.Writes() {
						return nil
					}
					select {
					case <-account.Complete(w - window + 1):
					case <-inner.Done():
						return inner.Err()
					}
					account.Due(w, time.Now())
					if err := t.do(c, w); err != nil {
						return err
					}
				}
			})
		})
	}
	err := group.Wait()
	if ctx.Err() != nil {
		return nil // its end is that of the flood, whatever it broke off
	}
	return err
}

// with carries use out over a connection, which is cut when ctx ends.
func with(ctx context.Context, addr string, use func(*rawhttp.Conn) error) error {
	c, err := rawhttp.Dial(addr)
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { _ = c.Close() })
	err = use(c)
	if stop() {
		err = errors.Join(err, c.Close())
	}
	if ctx.Err() != nil && err != nil {
		return ctx.Err()
	}
	return err
}
