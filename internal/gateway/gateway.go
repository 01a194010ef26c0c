package gateway

import (
	"cmp"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"github.com/replication-gateway/gateway/internal/directory"
	"github.com/replication-gateway/gateway/internal/hub"
	"github.com/replication-gateway/gateway/internal/wal"
)

// Options sets up a Gateway.
type Options struct {
	Dir            string // the data folder; made when it is not there
	Log            wal.Options
	Heartbeat      time.Duration // between the heartbeats of a stream
	MaxSubscribers int           // 0 for no limit
	WindowCommits  int           // the window's limits; 0 for those of package hub
	WindowBytes    int
	Snapshots      SnapshotPolicy
	Logger         zerolog.Logger
	Registry       prometheus.Registerer // of the metrics; nil for none
	Clock          func() time.Time      // nil for time.Now
}

// Gateway holds a state, its history and its readers. All methods may be
// called from any goroutine. Before Open has succeeded only Open, Opened,
// Ready, Now and Close may be called.
type Gateway struct {
	options Options
	log     wal.Log
	hub     *hub.Manager
	lineage directory.Lineage
	metrics *metrics

	opened   chan struct{}            // closed when Open has succeeded
	starting atomic.Pointer[Progress] // of Open
	said     time.Time                // when Progress was last logged

	// shown is what readers see, replaced as a whole by the writer.
	shown atomic.Pointer[shown]
	// advanced fires after shown moved on, tokens when a token came or went.
	advanced, tokens broadcast

	proposals chan *proposal
	closing   chan struct{} // closed by Close: no new proposals
	entering  sync.RWMutex  // held for reading while a proposal is handed in
	written   chan struct{} // closed when the writer is through
	failed    atomic.Bool   // the log failed

	snapshots  snapshots
	background sync.WaitGroup // what else runs until Close

	stopHeartbeat func()
	closeOnce     sync.Once
	closeErr      error
}

// shown is one frozen state and where in history it stands.
type shown struct {
	state    *directory.State
	position directory.Position
}

// New returns a gateway that is yet to be opened.
func New(o Options) *Gateway {
	if o.Clock == nil {
		o.Clock = time.Now
	}
	o.WindowCommits = cmp.Or(o.WindowCommits, hub.DefaultMaxCommits)
	o.WindowBytes = cmp.Or(o.WindowBytes, hub.DefaultMaxBytes)
	g := &Gateway{
		options:   o,
		metrics:   newMetrics(),
		opened:    make(chan struct{}),
		proposals: make(chan *proposal, 1024),
		closing:   make(chan struct{}),
		written:   make(chan struct{}),
	}
	g.starting.Store(&Progress{})
	g.snapshots.init(o.Snapshots)
	return g
}

// Open opens the data folder, reads what is in it and starts the writer. It
// may take a while, which Ready tells about. A folder that another process
// holds, or whose log is damaged, is refused with the error of package wal. It
// is called once.
func (g *Gateway) Open() error {
	o := g.options
	g.said = time.Now() // a short start is not worth a line
	o.Log.Progress = func(done, total int64) { g.progress("checking the log", "bytes", uint64(done), uint64(total)) }
	log, recovery, err := wal.Open(o.Dir, o.Log)
	if err != nil {
		return err
	}
	g.log = log
	reportRecovery(o.Logger, recovery)
	for _, e := range log.Lineage() {
		g.lineage = append(g.lineage, directory.Epoch(e))
	}
	g.hub = hub.NewManager(hub.Options{Epoch: g.lineage.Current(), MaxCommits: o.WindowCommits, MaxBytes: o.WindowBytes,
		MaxSubs: o.MaxSubscribers, Observe: g.metrics.observe()})
	if err := g.recover(); err != nil {
		return errors.Join(fmt.Errorf("read the data: %w", err), log.Close())
	}
	if o.Registry != nil {
		g.metrics.register(o.Registry, g, log.Size)
	}
	g.stopHeartbeat = g.hub.StartHeartbeat(o.Heartbeat)
	go g.write()
	g.background.Go(g.keepSnapshots)
	g.background.Go(g.expireReceipts)
	close(g.opened)
	return nil
}

// Close lets the writer finish what was handed in, stores a last snapshot, ends
// what streams are left and closes the log. Later commands get ErrClosed.
func (g *Gateway) Close() error {
	g.closeOnce.Do(func() {
		g.entering.Lock() // whoever is handing in is through, whoever comes sees closing
		close(g.closing)
		g.entering.Unlock()
		close(g.proposals)
		if !g.isOpen() {
			return
		}
		<-g.written
		g.background.Wait() // the last snapshot has what the writer wrote
		g.stopHeartbeat()
		g.hub.Close(hub.Restarting(time.Second))
		g.closeErr = g.log.Close()
	})
	return g.closeErr
}

// State returns the newest durable state, frozen, and its position.
func (g *Gateway) State() (*directory.State, directory.Position) {
	v := g.shown.Load()
	return v.state, v.position
}

// PositionOf returns the position of a commit of this gateway's history.
func (g *Gateway) PositionOf(seqNo uint64) directory.Position { return g.lineage.At(seqNo) }

// Now returns the gateway's time.
func (g *Gateway) Now() time.Time { return g.options.Clock() }

// Ready returns nil when the gateway takes reads and writes, else what is the
// matter.
func (g *Gateway) Ready() error {
	select {
	case <-g.closing:
		return ErrClosed
	default:
	}
	if !g.isOpen() {
		return fmt.Errorf("%w: %v", ErrStarting, g.starting.Load())
	}
	if g.failed.Load() {
		return ErrStorageFailed
	}
	return nil
}

// TokensChanged returns a channel that is closed at the next commit that makes
// or revokes a token.
func (g *Gateway) TokensChanged() <-chan struct{} { return g.tokens.wait() }
