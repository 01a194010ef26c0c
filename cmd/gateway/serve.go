package main

import (
	"context"
	"errors"
	"fmt"
	stdlog "log"
	"net"
	"net/http"
	"os"
	"runtime"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/rs/zerolog"
	"golang.org/x/sync/errgroup"
	"golang.org/x/term"

	assets "github.com/replication-gateway/gateway"
	"github.com/replication-gateway/gateway/internal/api"
	"github.com/replication-gateway/gateway/internal/directory"
	"github.com/replication-gateway/gateway/internal/gateway"
)

// Run serves until ctx ends, then drains.
func (c *serveCmd) Run(ctx context.Context, io stdio) (err error) {
	log := c.logger(io)
	listener, err := net.Listen("tcp", c.Listen)
	if err != nil {
		return err
	}
	defer listener.Close()
	log.Info().Str("addr", listener.Addr().String()).Str("data", c.Data).Str("version", version).Msg("listening")

	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	g, err := gateway.Open(gateway.Options{
		Dir: c.Data, Heartbeat: c.Heartbeat, MaxSubscribers: c.MaxSubscribers, Logger: log, Registry: registry,
	})
	if err != nil {
		return fmt.Errorf("open %s: %w", c.Data, err)
	}
	defer func() { err = errors.Join(err, g.Close()) }()

	token := c.AdminToken
	if token == "" {
		if token, err = adminToken(c.Data); err != nil {
			return err
		}
	}
	threshold := directory.Threshold{Count: c.RemovalCount, Percent: c.RemovalPercent}
	handler := api.New(api.Options{
		Gateway:        g,
		Logger:         log,
		Registry:       registry,
		AdminToken:     token,
		Version:        api.Version{Version: version, Commit: commit(), Go: runtime.Version()},
		AllowedOrigins: c.AllowedOrigin,
		MaxBody:        int64(c.MaxBody),
		MaxEntries:     c.MaxEntries,
		Threshold:      threshold,
		WriteTimeout:   c.WriteTimeout,
		Assets:         assets.Web(),
		OpenAPI:        assets.OpenAPI,
	})
	if c.Demo || isTerminal(io.err) {
		fmt.Fprintf(io.err, "\n  open http://%s/#token=%s\n\n", browsable(listener.Addr()), token)
	}
	return c.serve(ctx, log, listener, handler, g)
}

// serve runs the HTTP server, and the demo beside it, until ctx ends.
func (c *serveCmd) serve(ctx context.Context, log zerolog.Logger, l net.Listener, a *api.Server, g *gateway.Gateway) error {
	server := &http.Server{
		Handler:           a.Handler(),
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          stdlog.New(log, "", 0),
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	})
	if c.Demo {
		group.Go(func() error { return runDemo(ctx, log, g) })
	}
	group.Go(func() error {
		<-ctx.Done()
		log.Info().Dur("drain_ms", c.Drain).Msg("draining")
		// Streams first, so that readers are told when to come back; then the
		// requests under way, which may still write; the gateway closes last.
		a.Drain(context.Background(), c.Drain)
		grace, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := server.Shutdown(grace); err != nil {
			log.Warn().Err(err).Msg("requests were cut off")
			return server.Close()
		}
		return nil
	})
	err := group.Wait()
	log.Info().Msg("stopped")
	return err
}

func (c *serveCmd) logger(io stdio) zerolog.Logger {
	zerolog.TimeFieldFormat = "2006-01-02T15:04:05.000Z07:00"
	zerolog.TimestampFunc = func() time.Time { return time.Now().UTC() }
	level, _ := zerolog.ParseLevel(c.LogLevel) // validated
	out := io.err
	if c.LogFormat == "console" || c.LogFormat == "" && isTerminal(io.err) {
		out = zerolog.ConsoleWriter{Out: io.err, TimeFormat: "15:04:05.000"}
	}
	return zerolog.New(out).Level(level).With().Timestamp().Logger()
}

// browsable returns an address of this machine under which addr is reached: one
// that listens everywhere has no name of its own.
func browsable(addr net.Addr) string {
	host, port, err := net.SplitHostPort(addr.String())
	if ip := net.ParseIP(host); err == nil && ip.IsUnspecified() {
		return net.JoinHostPort("127.0.0.1", port)
	}
	return addr.String()
}

func isTerminal(w any) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
