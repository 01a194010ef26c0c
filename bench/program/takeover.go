package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"syscall"
	"time"

	"github.com/replication-gateway/gateway/bench/internal/command"
	"github.com/replication-gateway/gateway/bench/internal/rawhttp"
	"github.com/replication-gateway/gateway/bench/internal/report"
	"github.com/replication-gateway/gateway/bench/internal/server"
)

const (
	takeoverFigure = "takeover"

	// killsEach is how often a round kills a primary. To have one stand still takes long, and is done once for each heartbeat.
	killsEach = 3
)

// loss is a way in which a primary is lost.
type loss struct {
	name   string
	signal syscall.Signal
	beat   time.Duration
	times  int // in each round
}

// losses are the ways, the slowest to be noticed last.
func (b *bench) losses() []loss {
	all := []loss{{fmt.Sprintf("killed, heartbeat %v", b.Heartbeats[0]), syscall.SIGKILL, b.Heartbeats[0], killsEach}}
	for _, beat := range b.Heartbeats {
		all = append(all, loss{fmt.Sprintf("stands still, heartbeat %v", beat), syscall.SIGSTOP, beat, 1})
	}
	return all
}

// takeoverRound loses primaries in all ways. What waits longest, the last one, does so beside the others: two processes
// that do nothing.
func (b *bench) takeoverRound(ctx context.Context, round int) (err error) {
	all := b.losses()
	last := all[len(all)-1]
	lost, err := b.lose(ctx, last)
	defer func() { err = errors.Join(err, lost.end()) }()
	if err != nil {
		return fmt.Errorf("%s: %w", last.name, err)
	}
	type outcome struct {
		takeover
		err error
	}
	slowest := make(chan outcome, 1)
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		t, err := lost.takeOver(ctx)
		slowest <- outcome{t, err}
	}()
	for _, l := range all[:len(all)-1] {
		for range l.times {
			if err = b.takeoverTurn(ctx, round, l); err != nil {
				cancel()
				break
			}
		}
	}
	o := <-slowest
	cancel()
	if err = errors.Join(err, o.err); err != nil {
		return err
	}
	b.noteTakeover(round, last, o.takeover)
	return nil
}

// takeoverTurn loses one primary.
func (b *bench) takeoverTurn(ctx context.Context, round int, l loss) (err error) {
	lost, err := b.lose(ctx, l)
	defer func() { err = errors.Join(err, lost.end()) }()
	if err != nil {
		return fmt.Errorf("%s: %w", l.name, err)
	}
	t, err := lost.takeOver(ctx)
	if err != nil {
		return fmt.Errorf("%s: %w", l.name, err)
	}
	b.noteTakeover(round, l, t)
	return nil
}

func (b *bench) noteTakeover(round int, l loss, t takeover) {
	b.samples.Note(takeoverFigure, l.name, round, map[string]float64{
		"notice_ms": millis(t.noticed), "notice_beats": t.noticed.Seconds() / l.beat.Seconds(),
		"promote_ms": millis(t.promoted), "write_ms": millis(t.written),
	})
	command.Progress("%s, round %d, %s: noticed after %s ms, first write %s ms after the promotion was asked for", takeoverFigure, round+1, l.name,
		report.Number(millis(t.noticed)), report.Number(millis(t.written)))
}

// lostPair is a pair whose primary was lost.
type lostPair struct {
	*pair
	loss
	at time.Time
}

// lose starts a pair, lets it work until its primary is lost, whose last frame has then just gone out: a standby can wait no
// longer. The caller ends it, also when there is an error.
func (b *bench) lose(ctx context.Context, l loss) (lostPair, error) {
	lost := lostPair{pair: &pair{follow: true}, loss: l}
	if err := lost.start(ctx, b, "--heartbeat", l.beat.String()); err != nil {
		return lost, err
	}
	if _, err := b.paced(lost.pair, b.Rate, pacedConnections, func() error { return nil }); err != nil {
		return lost, err
	}
	lost.at = time.Now()
	return lost, lost.primary.Signal(l.signal)
}

// takeover is how long a standby took to become primary.
type takeover struct {
	noticed  time.Duration // after the loss
	promoted time.Duration // after it was asked to
	written  time.Duration // after that, too
}

// takeOver waits until the standby says that its primary is out of reach, and promotes it.
func (l lostPair) takeOver(ctx context.Context) (t takeover, err error) {
	c, err := rawhttp.Dial(l.standby.Addr)
	if err != nil {
		return t, err
	}
	defer c.Close()
	err = until(ctx, max(pollEvery, l.beat/1000), func() (bool, error) {
		at, err := replicationOf(c)
		return !at.Upstream.Up, err
	})
	if err != nil {
		return t, err
	}
	t.noticed = time.Since(l.at)
	writing, err := writeUntilTaken(l.standby)
	if err != nil {
		return t, err
	}
	asked := time.Now()
	if _, err := request(c, http.MethodPost, "/replication/promote", nil); err != nil {
		return t, errors.Join(err, (<-writing).err)
	}
	t.promoted = time.Since(asked)
	first := <-writing
	t.written = first.at.Sub(asked)
	return t, first.err
}

// firstWrite is when a gateway took a write.
type firstWrite struct {
	at  time.Time
	err error
}

// writeUntilTaken has a standby that has no primary refuse a put, and then sends it over and over until it is taken. It
// returns after the first refusal.
func writeUntilTaken(s *server.Server) (<-chan firstWrite, error) {
	c, err := rawhttp.Dial(s.Addr)
	if err != nil {
		return nil, err
	}
	put := rawhttp.Request(http.MethodPut, "/nodes/1", server.Token, []byte(`{"hostname":"first"}`))
	if err = c.SetDeadline(time.Now().Add(patience)); err == nil {
		var taken bool
		if taken, err = tryPut(c, put); err == nil && taken {
			err = errors.New("a standby without its primary took a put")
		}
	}
	if err != nil {
		return nil, errors.Join(err, c.Close())
	}
	first := make(chan firstWrite, 1)
	go func() {
		defer c.Close()
		for {
			taken, err := tryPut(c, put)
			if taken || err != nil {
				first <- firstWrite{time.Now(), err}
				return
			}
		}
	}()
	return first, nil
}

// tryPut reports whether a put was taken. The refusal of a standby that has no primary is no error.
func tryPut(c *rawhttp.Conn, put []byte) (taken bool, err error) {
	a, err := c.Do(put)
	if err != nil || a.Status == http.StatusServiceUnavailable {
		return false, err
	}
	return true, granted(a)
}
