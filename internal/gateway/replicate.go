package gateway

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/replication-gateway/gateway/internal/directory"
	"github.com/replication-gateway/gateway/internal/hub"
	"github.com/replication-gateway/gateway/internal/wal"
)

// Replicate takes over commits of the primary, as records of its log, numbered
// first, first+1, …, and shows those up to committed. It returns when they are
// durable. It is a standby's only writer: one goroutine calls it, Commit,
// EnterEpoch and Adopt. The error is ErrNotStandby, ErrBadHistory, with which
// nothing was written, or ErrStorageFailed. The records are the caller's again
// when it returns.
func (g *Gateway) Replicate(first uint64, records [][]byte, committed uint64) error {
	g.writing.Lock()
	defer g.writing.Unlock()
	if err := g.follows(); err != nil {
		return err
	}
	state := g.durable.Load().state.Clone()
	if first != state.SeqNo()+1 {
		return fmt.Errorf("%w: commit %d, where %d is due", ErrBadHistory, first, state.SeqNo()+1)
	}
	last := first + uint64(len(records)) - 1
	var versions []*version
	commits := make([]hub.Commit, len(records))
	tokens := false
	for i, record := range records {
		c, err := directory.DecodeCommit(record)
		if err != nil || c.SeqNo != first+uint64(i) {
			return fmt.Errorf("%w: commit %d: %v", ErrBadHistory, first+uint64(i), err)
		}
		footprint := state.Apply(c.Entries)
		commits[i] = hubCommit(c, footprint, len(record), state.Digest())
		tokens = tokens || touchesTokens(c.Entries)
		if c.SeqNo >= committed && c.SeqNo < last {
			versions = append(versions, g.versionOf(state.Clone())) // it may have to be shown by itself
		}
	}
	versions = append(versions, g.versionOf(state))
	start := time.Now()
	if err := g.log.Append(first, wal.Records(records...), min(committed, last)); err != nil {
		g.fail(err, first)
		return ErrStorageFailed
	}
	g.metrics.walAppend.Observe(time.Since(start).Seconds())
	if err := g.become(versions, commits, committed); err != nil {
		return ErrStorageFailed
	}
	if tokens {
		g.tokens.fire()
	}
	for i := range records {
		g.snapshots.append(int64(len(records[i])))
	}
	return nil
}

// Commit shows what a standby has up to committed, on the word of its primary. The
// error is ErrNotStandby or ErrStorageFailed.
func (g *Gateway) Commit(committed uint64) error {
	g.writing.Lock()
	defer g.writing.Unlock()
	if err := g.follows(); err != nil {
		return err
	}
	if err := g.allow(committed); err != nil {
		return ErrStorageFailed
	}
	return nil
}

// EnterEpoch has a standby go on into an epoch that begins, at its primary,
// behind the newest commit that it has. The error is ErrNotStandby or
// ErrStorageFailed.
func (g *Gateway) EnterEpoch(name string) error {
	g.writing.Lock()
	defer g.writing.Unlock()
	if err := g.follows(); err != nil {
		return err
	}
	return g.beginEpoch(name)
}

// Adopt replaces all that a standby has by a state of another history, or of a
// later point of its own, before which no position is resumed any more. Streams
// start again from the state; where the epoch is another one, or what was there is
// not to be trusted, they end with hub.HistoryChanged, and in the latter case no
// position that they were sent is resumed either, as long as the gateway runs. It
// returns when the state is durable; until then what was there stays, and it
// does after ErrNotStandby and any other error but ErrStorageFailed.
func (g *Gateway) Adopt(state *directory.State, lineage directory.Lineage, distrust bool) error {
	g.writing.Lock()
	defer g.writing.Unlock()
	if err := g.follows(); err != nil {
		return err
	}
	before, s := g.Lineage().Current(), describe(state)
	s.Lineage = walLineage(lineage)
	g.replacing.Store(true) // hurries a snapshot that is being stored
	defer g.replacing.Store(false)
	g.keeping.Lock() // a snapshot of what is replaced must not be stored behind it
	defer g.keeping.Unlock()
	err := g.log.Replace(s, func(w io.Writer) error {
		_, err := writeRows(w, state, func() {}) // all wait for it
		return err
	})
	if errors.Is(err, wal.ErrFailed) {
		g.fail(err, state.SeqNo())
		return ErrStorageFailed
	}
	if err != nil {
		return fmt.Errorf("replace the log: %w", err)
	}
	g.setLineage(g.log.Lineage())
	g.showing.Lock()
	defer g.showing.Unlock()
	v := g.versionOf(state)
	g.durable.Store(v)
	g.shown.Store(v)
	g.pending = nil
	g.snapshots.logged.Store(0)
	if distrust || before != lineage.Current() {
		g.hub.Replace(lineage.Current(), hubState(state), distrust)
		g.standbys.clear() // what they have is of the other history
	} else {
		g.hub.Push(hubState(state))
	}
	g.advanced.fire()
	g.tokens.fire()
	return nil
}

// follows returns why the gateway may not take over anything. writing is held.
func (g *Gateway) follows() error {
	if !g.standby.Load() {
		return ErrNotStandby
	}
	if g.failed.Load() {
		return ErrStorageFailed
	}
	return nil
}

// Durable returns the newest durable state, shown or not, and its position: what
// a standby goes on from, and by what tokens are judged.
func (g *Gateway) Durable() (*directory.State, directory.Position) {
	v := g.durable.Load()
	return v.state, v.position
}

// DigestAt returns the digest of the durable state at a commit, false when that is
// not known any more.
func (g *Gateway) DigestAt(seqNo uint64) (uint64, bool) { return g.hub.DigestAt(seqNo) }

// Lineage returns the history of the gateway. The caller must not change it.
func (g *Gateway) Lineage() directory.Lineage { return *g.lineage.Load() }

func (g *Gateway) setLineage(epochs []wal.Epoch) {
	lineage := lineageOf(epochs)
	g.lineage.Store(&lineage)
}

func lineageOf(epochs []wal.Epoch) directory.Lineage {
	lineage := make(directory.Lineage, len(epochs))
	for i, e := range epochs {
		lineage[i] = directory.Epoch(e)
	}
	return lineage
}

func walLineage(lineage directory.Lineage) []wal.Epoch {
	epochs := make([]wal.Epoch, len(lineage))
	for i, e := range lineage {
		epochs[i] = wal.Epoch(e)
	}
	return epochs
}

// Records yields the records of the log after a commit, in order, each valid
// during the call of yield only. It ends with the error of yield, with ErrCut when
// the log begins later, or with wal.ErrReplaced when a standby adopted another
// state meanwhile.
func (g *Gateway) Records(after uint64, yield func(record []byte) error) error {
	return g.log.Read(after, func(_ uint64, record []byte) error { return yield(record) })
}
