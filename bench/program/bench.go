package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"time"

	"github.com/replication-gateway/gateway/bench/internal/figures"
	"github.com/replication-gateway/gateway/bench/internal/rawhttp"
	"github.com/replication-gateway/gateway/bench/internal/server"
)

// patience is how long an answer may take before the run gives up.
const patience = 2 * time.Minute

// bench is one run: its folder, and the samples so far.
type bench struct {
	options
	dir     string // of this run
	program string // the gateway
	samples figures.Samples
	loaded  *loadedFleet // nil until a figure has needed it
}

// newFolder makes a folder for one data folder or log. It goes with the run's own.
func (b *bench) newFolder(name string) (string, error) { return os.MkdirTemp(b.dir, name+"-") }

// onGateway runs do with a gateway that is ready on an empty data folder, and removes both.
func (b *bench) onGateway(ctx context.Context, name string, do func(*server.Server) error) (err error) {
	data, err := b.newFolder(name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(data)) }()
	s, err := server.Gateway(ctx, b.program, data)
	if err != nil {
		return err
	}
	defer s.Kill()
	return do(s)
}

// request sends one request that must be granted and returns the answer, which is valid until the connection's next.
func request(c *rawhttp.Conn, method, path string, body []byte) (rawhttp.Answer, error) {
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		return rawhttp.Answer{}, err
	}
	a, err := c.Do(rawhttp.Request(method, path, server.Token, body))
	if err == nil {
		err = granted(a)
	}
	if err != nil {
		return a, fmt.Errorf("%s %s: %w", method, path, err)
	}
	return a, nil
}

// granted returns an error that shows an answer other than 200.
func granted(a rawhttp.Answer) error {
	if a.Status != http.StatusOK {
		return fmt.Errorf("status %d: %.1000s", a.Status, a.Body)
	}
	return nil
}

func millis(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

func micros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }
