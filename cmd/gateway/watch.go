package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/replication-gateway/gateway/client"
)

// watchCmd prints what a gateway sends to those who follow it.
type watchCmd struct {
	remoteFlags
	Network []uint16 `placeholder:"N" help:"Follow this network only; repeatable."`
	Since   string   `placeholder:"EPOCH:SEQ_NO" help:"Go on behind this position instead of beginning with a snapshot."`
}

// Validate checks every setting. Kong calls it after parsing.
func (c *watchCmd) Validate() error {
	var networks, since error
	if slices.Contains(c.Network, 0) {
		networks = errors.New("--network: there is no network 0")
	}
	if _, err := c.since(); err != nil {
		since = fmt.Errorf("--since: %w", err)
	}
	return cmp.Or(c.remoteFlags.Validate(), networks, since)
}

func (c *watchCmd) since() (*client.Position, error) {
	if c.Since == "" {
		return nil, nil
	}
	p, err := client.ParsePosition(c.Since)
	return &p, err
}

// Run follows the gateway until ctx ends, which is what it is meant to do, or the
// gateway refuses.
func (c *watchCmd) Run(ctx context.Context, std stdio) error {
	token, err := c.token()
	if err != nil {
		return err
	}
	since, err := c.since()
	if err != nil {
		return err
	}
	err = client.Subscribe(ctx, client.Options{URL: c.URL, Token: token, Networks: c.Network, Since: since, Compression: true}, watcher{std})
	switch {
	case ctx.Err() != nil:
		return nil
	case errors.Is(err, client.ErrOptions):
		return usageError{err}
	}
	return err
}

// watcher prints frames on standard output, one a line, and how the connection
// fares on the other.
type watcher struct{ stdio }

// print writes a frame as a line. What cannot be written ends the watching.
func (w watcher) print(f client.Frame) error {
	line := f.Raw()
	if bytes.IndexByte(line, '\n') >= 0 { // between values, where JSON lets it be
		var compact bytes.Buffer
		if err := json.Compact(&compact, line); err != nil {
			return client.Permanent(err)
		}
		line = compact.Bytes()
	}
	if _, err := w.out.Write(append(line[:len(line):len(line)], '\n')); err != nil {
		return client.Permanent(err)
	}
	return nil
}

// Connected implements client.Handler, as do all that follow.
func (w watcher) Connected(_ context.Context, _ *client.Conn, first *client.Heartbeat) error {
	switch {
	case *first.Resumed:
		fmt.Fprintf(w.err, "connected, resumed at %v\n", first.Position)
	case first.Reason != "":
		fmt.Fprintf(w.err, "connected, not resumed (%s): a snapshot follows\n", first.Reason)
	default:
		fmt.Fprintf(w.err, "connected, a snapshot follows\n")
	}
	return w.print(first)
}

func (w watcher) Snapshot(_ context.Context, part *client.SnapshotPart) error { return w.print(part) }
func (w watcher) Delta(_ context.Context, delta *client.Delta) error          { return w.print(delta) }
func (w watcher) Heartbeat(_ context.Context, beat *client.Heartbeat) error   { return w.print(beat) }

func (w watcher) Disconnected(err error, retryIn time.Duration) {
	if retryIn >= 0 {
		fmt.Fprintf(w.err, "%v; next try in %v\n", err, retryIn.Round(time.Millisecond))
	}
}
