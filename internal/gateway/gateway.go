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
	"github.com/replication-gateway/gateway/internal/wholefile"
)

// Options sets up a Gateway.
type Options struct {
	Dir            string // the data folder; made when it is not there
	Log            wal.Options
	Heartbeat      time.Duration // between the heartbeats of a stream; above 0
	MaxSubscribers int           // 0 for no limit
	WindowCommits  int           // the window's limits; 0 for those of package hub
	WindowBytes    int
	Snapshots      SnapshotPolicy
	Standby        bool          // opens as a standby, unless it was promoted
	SyncStandbys   int           // how many standbys must have a commit on disk before it is shown
	AckTimeout     time.Duration // how long a command waits for them; with 0 it does not
	Logger         zerolog.Logger
	Registry       prometheus.Registerer // of the metrics; nil for none
	Clock          func() time.Time      // nil for time.Now
}

// Gateway holds a state, its history and its readers. All methods may be
// called from any goroutine. Before Open has succeeded only Open, Ready,
// Standbys, Now and Close may be called.
type Gateway struct {
	options Options
	log     wal.Log
	hub     *hub.Manager
	lineage atomic.Pointer[directory.Lineage]
	metrics *metrics

	opened   chan struct{}            // closed when Open has succeeded
	starting atomic.Pointer[Progress] // of Open
	said     time.Time                // when Progress was last logged

	standby atomic.Bool // what the gateway is now
	failed  atomic.Bool // the log failed

	// writing is held while the end of the history changes: by the writer for a
	// group, by a standby for what it takes over. It is taken before showing.
	writing sync.Mutex
	// durable is the newest durable version, shown what readers see. Only who
	// holds showing stores them.
	durable, shown atomic.Pointer[version]
	showing        sync.Mutex
	pending        []*version // durable and not shown yet, ascending; guarded by showing
	standbys       standbys
	landmarks      landmarks

	// advanced fires after shown moved on or came into an epoch, tokens when a token
	// came or went, roles when the gateway was promoted or demoted.
	advanced, tokens, roles broadcast

	upstream atomic.Pointer[Upstream]

	proposals chan *proposal
	closing   chan struct{} // closed by Close: no new proposals
	entering  sync.RWMutex  // held for reading while a proposal is handed in
	written   chan struct{} // closed when the writer is through
	crowded   bool          // the group before had several proposals; the writer's own

	replacing  atomic.Bool // somebody waits for keeping to replace all
	keeping    sync.Mutex  // held while a snapshot is stored or all is replaced; taken after writing
	snapshots  snapshots
	background sync.WaitGroup // what else runs until Close

	stopHeartbeat func()
	closeOnce     sync.Once
	closeErr      error
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
	g.standbys.init()
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
	o.Log.Failed = func(err error) { g.fail(err, g.log.Last()+1) } // not before the first write
	log, recovery, err := wal.Open(o.Dir, o.Log)
	if err != nil {
		return err
	}
	g.log = log
	reportRecovery(o.Logger, o.Dir, recovery)
	g.setLineage(log.Lineage())
	if err := wholefile.Sweep(o.Dir); err != nil {
		return errors.Join(fmt.Errorf("remove half a file: %w", err), log.Close())
	}
	if err := g.assumeRole(); err != nil {
		return errors.Join(err, log.Close())
	}
	g.hub = hub.NewManager(hub.Options{Epoch: g.Lineage().Current(), MaxCommits: o.WindowCommits, MaxBytes: o.WindowBytes,
		MaxSubs: o.MaxSubscribers, Observe: g.metrics.observe()})
	if err := g.recover(); err != nil {
		return errors.Join(fmt.Errorf("read the data: %w", err), log.Close())
	}
	if o.Registry != nil {
		g.metrics.register(o.Registry, g, log.Size)
	}
	g.landmarks.note(g.durable.Load().position.SeqNo, time.Now())
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

// State returns the newest state that may be shown, frozen, and its position.
func (g *Gateway) State() (*directory.State, directory.Position) {
	v := g.shown.Load()
	return v.state, v.position
}

// PositionOf returns the position of a commit of this gateway's history.
func (g *Gateway) PositionOf(seqNo uint64) directory.Position { return g.Lineage().At(seqNo) }

// Now returns the gateway's time.
func (g *Gateway) Now() time.Time { return g.options.Clock() }

// closes reports whether the gateway is being closed.
func (g *Gateway) closes() bool {
	select {
	case <-g.closing:
		return true
	default:
		return false
	}
}

// Ready returns nil when the gateway takes reads and writes, else what is the
// matter.
func (g *Gateway) Ready() error {
	if g.closes() {
		return ErrClosed
	}
	if !g.isOpen() {
		return fmt.Errorf("%w: %v", ErrStarting, g.starting.Load())
	}
	if g.failed.Load() {
		return ErrStorageFailed
	}
	if u := g.Upstream(); g.standby.Load() && u.Trouble != nil {
		return fmt.Errorf("%w: %w", ErrCannotFollow, u.Trouble)
	}
	if !g.HasState() {
		return ErrNoState
	}
	return nil
}

// TokensChanged returns a channel that is closed at the next commit that makes
// or revokes a token.
func (g *Gateway) TokensChanged() <-chan struct{} { return g.tokens.wait() }
