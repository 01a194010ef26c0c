package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/replication-gateway/gateway/internal/load"
)

// benchCmd drives load against a running gateway and prints figures.
type benchCmd struct {
	remoteFlags
	Subscribers int           `default:"1000" help:"Subscribers to open, all by this one process."`
	Rate        int           `default:"10" help:"Writes a second."`
	Duration    time.Duration `default:"10s" help:"How long to write."`
	Network     uint16        `placeholder:"N" help:"Network to make, write to and remove again; it must not be there. Default: the highest that is free."`
	PID         int           `name:"pid" placeholder:"PID" help:"Process of the gateway, for its CPU and memory. Default: whoever listens at the URL on this machine."`
	JSON        bool          `name:"json" help:"Print the figures as JSON."`
}

// Help says, under gateway bench --help, what is done and measured.
func (benchCmd) Help() string {
	return `Makes a network of its own, opens subscribers that are narrowed to it, renames the network at the given rate,
waits until every subscriber has received every write, and removes the network. Nothing else is touched, but the
commits stay in the gateway's history. The token must be one of role admin. Subscribers need Linux and a plain
http URL, and offer no compression.

A delivery is one write that reached one subscriber. Latencies count from the moment a write was due, so that a
gateway that keeps the writer waiting cannot hide it, and end when the subscriber has taken the bytes from the
kernel. CPU of gateway and driver counts from the first write to the last delivery. The memory of a subscriber is
what the gateway's resident memory grew by while they joined, divided by their number: it means something for a
gateway that has just been started, since others use again what they have. Socket buffers are the kernel's and
not in it.`
}

// Validate checks every setting. Kong calls it after parsing.
func (c *benchCmd) Validate() error {
	if err := c.remoteFlags.Validate(); err != nil {
		return err
	}
	if u, _ := url.Parse(c.URL); u.Scheme != "http" { // it has just been parsed
		return fmt.Errorf("--url %q: want a plain http URL, a bench measures no TLS", c.URL)
	}
	return cmp.Or(
		atLeast("--subscribers", c.Subscribers, 1),
		within("--rate", c.Rate, 1, 100_000),
		atLeast("--duration", c.Duration, time.Millisecond),
		atLeast("--pid", c.PID, 0),
		within("--rate times --duration", c.writes(), 1, load.MaxWrites),
	)
}

// writes is how many writes the run makes.
func (c *benchCmd) writes() int { return int(c.Duration.Seconds() * float64(c.Rate)) }

// Run carries the bench out, cleans up however it ends, and prints the figures.
// That a subscriber missed something is a failure, told after them.
func (c *benchCmd) Run(ctx context.Context, std stdio) error {
	figures, err := c.measure(ctx, newProgress(std.err))
	if figures == nil {
		return err
	}
	if c.JSON {
		encoder := json.NewEncoder(std.out)
		encoder.SetIndent("", "  ")
		err = errors.Join(encoder.Encode(figures), err)
	} else {
		err = errors.Join(figures.print(std.out), err)
	}
	if figures.Uneven > 0 {
		err = errors.Join(err, fmt.Errorf("%d of %d subscribers did not receive every write once within %v of the last answer",
			figures.Uneven, figures.Subscribers, arrival))
	}
	return err
}

// measure runs the bench between the making and the removal of its network. There are
// figures when the run has come to its end, also when its network could not be removed.
func (c *benchCmd) measure(ctx context.Context, p *progress) (figures *benchFigures, err error) {
	defer p.done()
	if runtime.GOOS != "linux" {
		return nil, load.ErrNeedsLinux
	}
	if c.Token, err = c.token(); err != nil {
		return nil, err
	}
	target := c.target()
	server, unseen := c.server(ctx, target)
	if unseen != nil && c.PID != 0 {
		return nil, unseen
	}
	p.say("making a network")
	network, err := c.freeNetwork(ctx)
	if err != nil {
		return nil, err
	}
	err = c.putNetwork(ctx, network, "bench")
	if refused, _ := errors.AsType[*refusedError](err); refused != nil && (refused.Status < 500 || refused.Code == "standbys-behind") {
		return nil, err // none was made
	}
	defer func() { err = errors.Join(err, c.removeNetwork(ctx, network)) }()
	if err != nil { // and it may have been made all the same
		return nil, err
	}
	target.Path += fmt.Sprint("?network_id=", network)
	b := bench{benchCmd: c, network: network, server: server, unseen: unseen, progress: p}
	if figures, err = b.run(ctx, target); err != nil {
		return nil, err
	}
	return figures, nil
}

// target returns what subscribers connect to, all networks being in sight.
func (c *benchCmd) target() load.Target {
	u, _ := url.Parse(c.endpoint("/subscribe")) // validated
	return load.Target{Addr: net.JoinHostPort(u.Hostname(), cmp.Or(u.Port(), "80")), Path: u.RequestURI(), Token: c.Token}
}

// server returns the process of the gateway, or why it cannot be looked at.
func (c *benchCmd) server(ctx context.Context, target load.Target) (load.Process, error) {
	if c.PID != 0 {
		_, err := load.Process(c.PID).Usage()
		return load.Process(c.PID), err
	}
	host, port, err := net.SplitHostPort(target.Addr)
	if err != nil {
		return 0, err
	}
	ips, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return 0, err
	}
	number, err := strconv.ParseUint(port, 10, 16)
	for _, ip := range ips {
		var p load.Process
		if p, err = load.Listener(netip.AddrPortFrom(ip, uint16(number))); err == nil {
			return p, nil
		}
	}
	return 0, err
}

// freeNetwork returns the number of the network to write to, which is not there yet.
func (c *benchCmd) freeNetwork(ctx context.Context) (uint16, error) {
	number := cmp.Or(c.Network, math.MaxUint16)
	for {
		err := c.get(ctx, fmt.Sprint("/networks/", number), &struct{}{})
		refused, _ := errors.AsType[*refusedError](err)
		switch {
		case refused != nil && refused.Status == http.StatusNotFound:
			return number, nil
		case err != nil:
			return 0, err
		case c.Network != 0:
			return 0, fmt.Errorf("network %d is there already, and a bench writes to none but its own", number)
		case number == 1:
			return 0, errors.New("no network number is free")
		}
		number--
	}
}

// putNetwork names the network.
func (c *benchCmd) putNetwork(ctx context.Context, network uint16, name string) error {
	return c.write(ctx, http.MethodPut, network, fmt.Sprintf(`{"name":%q}`, name))
}

// removeNetwork removes the network, also when ctx has ended.
func (c *benchCmd) removeNetwork(ctx context.Context, network uint16) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	err := c.write(ctx, http.MethodDelete, network, "")
	refused, _ := errors.AsType[*refusedError](err)
	switch {
	case refused != nil && (refused.Status == http.StatusNotFound || refused.Code == "not-replicated"): // never made, or gone for all but the standbys
	case err != nil:
		return fmt.Errorf("network %d of the bench is left behind: %w", network, err)
	}
	return nil
}

// write sends one change of the network. The answer is read to its end, so that
// the connection serves the next.
func (c *benchCmd) write(ctx context.Context, method string, network uint16, body string) error {
	header := http.Header{"Content-Type": {"application/json"}}
	resp, err := c.do(ctx, method, fmt.Sprint("/networks/", network), header, strings.NewReader(body))
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, resp.Body)
	return errors.Join(err, resp.Body.Close())
}
