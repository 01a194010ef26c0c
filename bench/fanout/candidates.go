package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"syscall"

	"github.com/replication-gateway/gateway/bench/fanout/internal/crowd"
	"github.com/replication-gateway/gateway/bench/fanout/internal/peers"
	"github.com/replication-gateway/gateway/bench/fanout/internal/publish"
	"github.com/replication-gateway/gateway/bench/fanout/internal/tally"
	"github.com/replication-gateway/gateway/bench/internal/rawhttp"
	"github.com/replication-gateway/gateway/bench/internal/report"
	"github.com/replication-gateway/gateway/bench/internal/server"
)

// The names of candidates that figures point out.
const (
	gatewayName    = "gateway"
	deflatedName   = "gateway, compressed"
	rawName        = "raw limit"
	pastName       = "raw limit, past the scheduler"
	centrifugeName = "centrifuge"
	gatheringName  = "centrifuge, gathering"
	textbookName   = "textbook hub"
)

// candidate is a server that is measured.
type candidate struct {
	name, about string
	dialect     *crowd.Dialect
	deflate     bool
	start       func(ctx context.Context, b *bench, queue int) (*subject, error)
}

// subject is a candidate that runs.
type subject struct {
	*server.Server
	candidate
	subscribers string // HOST:PORT
	writes      publish.Target
	data        string // a folder that goes with it, if it has one
}

// on gives a candidate that runs to do, and ends it.
func (b *bench) on(ctx context.Context, c candidate, queue int, do func(*subject) error) (err error) {
	s, err := c.start(ctx, b, queue)
	if err != nil {
		return err
	}
	s.candidate = c
	defer func() { err = errors.Join(err, s.end()) }()
	return do(s)
}

// end ends the subject and removes what it left.
func (s *subject) end() error {
	s.Kill()
	if s.data == "" {
		return nil
	}
	return os.RemoveAll(s.data)
}

// open opens subscribers of the subject. Addr, Path, Token and Dialect are filled in.
func (s *subject) open(o crowd.Options) (*crowd.Crowd, error) {
	o.Addr, o.Path, o.Token, o.Dialect, o.Deflate = s.subscribers, "/subscribe", server.Token, s.dialect, s.deflate
	return crowd.Start(o)
}

// candidates lists all, the limit first and the gateway next, but for those that stand for another in one figure.
func candidates() []candidate {
	list := []candidate{peer(rawName), theGatewayItself(gatewayName, false)}
	for _, p := range peers.All() {
		if !slices.Contains([]string{rawName, pastName, gatheringName}, p.Name) {
			list = append(list, peer(p.Name))
		}
	}
	return list
}

// candidates lists those that this run measures.
func (b *bench) candidates() (list []candidate) {
	for _, c := range candidates() {
		if slices.Contains(b.Candidates, c.name) {
			list = append(list, c)
		}
	}
	return list
}

// beside puts the peer called name behind the candidate that it stands for, if that is measured.
func beside(list []candidate, standsFor, name string) []candidate {
	at := slices.IndexFunc(list, func(c candidate) bool { return c.name == standsFor })
	if at < 0 {
		return list
	}
	return slices.Insert(list, at+1, peer(name))
}

// theGatewayItself is the real program on a data folder of its own, with its defaults.
func theGatewayItself(name string, deflate bool) candidate {
	return candidate{
		name: name,
		about: "the program of this repository with its defaults, on a disk: a write is `PUT /nodes/1`, which is checked, made durable, " +
			"applied to the state and logged before anybody sees it",
		dialect: crowd.Gateway,
		deflate: deflate,
		start: func(ctx context.Context, b *bench, _ int) (*subject, error) {
			data, err := os.MkdirTemp(b.dir, "data-")
			if err != nil {
				return nil, err
			}
			s, err := b.startGateway(ctx, data)
			if err != nil {
				return nil, errors.Join(err, os.RemoveAll(data))
			}
			s.data = data
			return s, nil
		},
	}
}

// startGateway starts the gateway on a data folder, which stays when it ends.
func (b *bench) startGateway(ctx context.Context, data string) (*subject, error) {
	s, err := server.Gateway(ctx, b.program, data)
	if err != nil {
		return nil, err
	}
	return &subject{Server: s, subscribers: s.Addr, writes: publish.Target{Addr: s.Addr, Request: putNode}}, nil
}

// putNode is a write of the gateway: it renames a node. Its delta is what deltaOf makes, byte for byte but for times and
// epoch, as long as there are as many digits in the seq_no.
func putNode(write int) []byte {
	return rawhttp.Request("PUT", "/nodes/1", server.Token, fmt.Appendf(nil, `{"hostname":%q}`, tally.Mark(write)))
}

// deltaOf is the delta of a write, as the peers are told to push it.
func deltaOf(write int) []byte {
	seq := write + 1
	return fmt.Appendf(nil, `{"type":"delta","epoch":"AAAAAAAAAAAAAAAAAAAAAAAAAA","prev_seq_no":%d,"seq_no":%d,"entries":[{"seq_no":%d,`+
		`"type":"node.put","node_id":1,"at":"2026-01-01T00:00:00.000Z","actor":"token:admin","data":{"node_id":1,"hostname":%q,`+
		`"external_id":"","tags":[],"created_at":"2026-01-01T00:00:00.000Z"}}]}`, write, seq, seq, tally.Mark(write))
}

// asPeer, as the first argument, lets this program be a peer instead.
const asPeer = "peer"

// peer is one of package peers, in a process of its own.
func peer(name string) candidate {
	i := slices.IndexFunc(peers.All(), func(p peers.Peer) bool { return p.Name == name })
	p := peers.All()[i]
	return candidate{name: p.Name, about: p.About, dialect: p.Dialect, start: func(ctx context.Context, _ *bench, queue int) (*subject, error) {
		return startPeer(ctx, p.Name, queue)
	}}
}

func startPeer(ctx context.Context, name string, queue int) (*subject, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, self, asPeer, "-queue", strconv.Itoa(queue), name)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} // it has nothing to do without this process
	s, err := server.Start(cmd)
	if err != nil {
		return nil, err
	}
	var listening struct{ Subscribers string }
	line, err := s.Await(ctx, "listening", 1)
	if err == nil {
		err = line.Decode(&listening)
	}
	if err != nil {
		s.Kill()
		return nil, err
	}
	return &subject{Server: s, subscribers: listening.Subscribers, writes: publish.Target{Addr: s.Addr, Request: postDelta}}, nil
}

// postDelta is a write of a peer.
func postDelta(write int) []byte { return rawhttp.Request("POST", "/publish", "", deltaOf(write)) }

// runPeer is this program as a peer, until it is killed.
func runPeer(ctx context.Context, args []string) error {
	f := flag.NewFlagSet(asPeer, flag.ContinueOnError)
	queue := f.Int("queue", 1, "`deltas` that a subscriber may be behind")
	if err := f.Parse(args); err != nil {
		return err
	}
	return peers.Serve(ctx, f.Arg(0), peers.Options{Queue: *queue}, os.Stderr)
}

// candidatesSection says what each of them is.
func (b *bench) candidatesSection() report.Section {
	s := report.Section{Title: "Candidates"}
	for _, c := range beside(b.saturationCandidates(), rawName, pastName) {
		s.Notes = append(s.Notes, fmt.Sprintf("**%s**: %s.", c.name, c.about))
	}
	return s
}
