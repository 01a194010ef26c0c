package main

import (
	"context"
	"errors"
	"fmt"
	"io"
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
	"github.com/replication-gateway/gateway/internal/follow"
	"github.com/replication-gateway/gateway/internal/gateway"
)

// Run serves until ctx ends, then drains.
func (c *serveCmd) Run(ctx context.Context, std stdio) error {
	lines := &logLines{out: std.err}
	defer lines.flush()
	log := c.logger(lines, isTerminal(std.err))
	listener, err := listen(ctx, c.Listen)
	if err != nil {
		return err
	}
	// Whatever the level: programs read the address here.
	log.Log().Str(zerolog.LevelFieldName, "info").Str("addr", listener.Addr().String()).Str("data", c.Data).Str("version", version).Msg("listening")

	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	p := program{serveCmd: c, std: std, log: log, listener: listener}
	p.gateway = gateway.New(gateway.Options{
		Dir: c.Data, Heartbeat: c.Heartbeat, MaxSubscribers: c.MaxSubscribers, Logger: log, Registry: registry,
		Standby: c.Follow != "", SyncStandbys: c.SyncStandbys, AckTimeout: c.AckTimeout,
	})
	p.api = api.New(api.Options{
		Gateway:        p.gateway,
		Logger:         log,
		Requests:       c.logger(heldLines{lines}, isTerminal(std.err)),
		Registry:       registry,
		Version:        api.Version{Version: version, Commit: commit(), Go: runtime.Version()},
		AllowedOrigins: c.AllowedOrigin,
		MaxBody:        int64(c.MaxBody),
		MaxEntries:     c.MaxEntries,
		Threshold:      directory.Threshold{Count: c.RemovalCount, Percent: c.RemovalPercent},
		WriteTimeout:   c.WriteTimeout,
		Compression:    c.Compression == "on",
		Assets:         assets.Web(),
		OpenAPI:        assets.OpenAPI,
	})
	return p.run(ctx)
}

// program is a gateway that runs.
type program struct {
	*serveCmd
	std      stdio
	log      zerolog.Logger
	listener net.Listener
	gateway  *gateway.Gateway
	api      *api.Server
}

// run serves HTTP from the first moment on, so that whoever asks learns how far
// the start is, and opens the gateway beside it.
func (p *program) run(ctx context.Context) error {
	door := newDoorkeeper(descriptors(), p.api.Connections)
	if door.most > 0 && door.most < p.MaxSubscribers {
		p.log.Warn().Int("connections", door.most).Int("max_subscribers", p.MaxSubscribers).
			Msg("the limit of open files (ulimit -n) lets in fewer connections than --max-subscribers")
	}
	server := &http.Server{
		Handler:           p.api.Handler(),
		ConnState:         door.note,
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          stdlog.New(p.log, "", 0),
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		if err := server.Serve(&inTurns{Listener: p.listener}); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	})
	group.Go(func() error {
		if err := p.open(ctx); err != nil || ctx.Err() != nil {
			return err
		}
		switch {
		case p.Follow != "":
			return follow.Run(ctx, follow.Options{Gateway: p.gateway, Dir: p.Data, URL: p.Follow, Token: p.FollowToken, Logger: p.log})
		case p.Demo:
			return runDemo(ctx, p.log, p.gateway)
		}
		return nil
	})
	group.Go(func() error {
		<-ctx.Done()
		return p.drain(server)
	})
	// The gateway closes last: until then a request may still write.
	err := errors.Join(group.Wait(), p.gateway.Close())
	p.log.Info().Msg("stopped")
	return err
}

// open reads the data and lets requests in. It returns when ctx ends, too: a
// start that is given up leaves nothing half done.
func (p *program) open(ctx context.Context) error {
	opened := make(chan error, 1)
	go func() { opened <- p.gateway.Open() }()
	select {
	case err := <-opened:
		if err != nil {
			return advised(fmt.Errorf("open %s: %w", p.Data, err), p.Data)
		}
	case <-ctx.Done():
		return nil
	}
	token := p.AdminToken
	if token == "" {
		var err error
		if token, err = adminToken(p.Data); err != nil {
			return err
		}
	}
	p.api.Open(token)
	p.log.Info().Msg("ready")
	if p.Demo || isTerminal(p.std.err) {
		fmt.Fprintf(p.std.err, "\n  open http://%s/#token=%s\n\n", browsable(p.listener.Addr()), token)
	}
	return nil
}

// standbysTake is how long standbys have, at least, for what they have yet to be sent.
const standbysTake = 5 * time.Second

// drain ends what is under way: streams first, so that readers are told when to
// come back, then the requests, which may still write, and in the end standbys, when
// they have been sent all of it.
func (p *program) drain(server *http.Server) (err error) {
	p.log.Info().Dur("drain_ms", p.Drain).Msg("draining")
	end := time.Now().Add(p.Drain)
	p.api.Drain(context.Background(), p.Drain)
	grace, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err = server.Shutdown(grace); err != nil {
		p.log.Warn().Err(err).Msg("requests were cut off")
		err = server.Close()
	}
	p.api.DismissStandbys(context.Background(), max(time.Until(end), standbysTake))
	return err
}

// logger returns a logger whose lines go to out, each in one write.
func (c *serveCmd) logger(out io.Writer, terminal bool) zerolog.Logger {
	zerolog.TimeFieldFormat = "2006-01-02T15:04:05.000Z07:00"
	zerolog.TimestampFunc = func() time.Time { return time.Now().UTC() }
	level, _ := zerolog.ParseLevel(c.LogLevel) // validated
	if c.LogFormat == "console" || c.LogFormat == "" && terminal {
		out = zerolog.ConsoleWriter{Out: out, TimeFormat: "15:04:05.000"}
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
