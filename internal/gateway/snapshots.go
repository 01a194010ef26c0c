package gateway

import (
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"github.com/replication-gateway/gateway/internal/directory"
	"github.com/replication-gateway/gateway/internal/wal"
)

// SnapshotPolicy says when the state is stored as a whole, so that the next
// start need not replay what came before. The zero value is usable.
type SnapshotPolicy struct {
	// After is how many bytes of log call for a snapshot; 0 for 64 MiB. A state
	// that takes more bytes itself waits for as many.
	After int64
	// Every is how old the newest commits outside a snapshot may become; 0 for
	// an hour.
	Every time.Duration
}

const (
	defaultSnapshotAfter = 64 << 20
	defaultSnapshotEvery = time.Hour
)

// snapshots knows what was stored last and when the next is due.
type snapshots struct {
	policy SnapshotPolicy
	due    chan struct{} // signalled by the writer when there is enough log

	logged atomic.Int64 // bytes of log since the newest snapshot
	size   atomic.Int64 // bytes of the rows of the newest snapshot
}

func (s *snapshots) init(p SnapshotPolicy) {
	if p.After == 0 {
		p.After = defaultSnapshotAfter
	}
	if p.Every == 0 {
		p.Every = defaultSnapshotEvery
	}
	s.policy, s.due = p, make(chan struct{}, 1)
}

// append counts bytes of log. The writer calls it.
func (s *snapshots) append(bytes int64) {
	s.logged.Add(bytes)
	if !s.enough() {
		return
	}
	select {
	case s.due <- struct{}{}:
	default:
	}
}

// enough reports whether there is enough log for a snapshot.
func (s *snapshots) enough() bool { return s.logged.Load() >= max(s.policy.After, s.size.Load()) }

// keepSnapshots stores a snapshot after enough log or time, and a last one when
// the gateway closes and the writer is through.
func (g *Gateway) keepSnapshots() {
	tick := time.NewTicker(g.snapshots.policy.Every)
	defer tick.Stop()
	for {
		select {
		case <-g.written:
			g.saveSnapshot()
			return
		case <-g.snapshots.due:
			if !g.snapshots.enough() {
				continue // signalled while the last one was being stored
			}
		case <-tick.C:
		}
		g.saveSnapshot()
	}
}

// saveSnapshot stores the state that readers see, if it has moved on, and cuts
// the log behind what is still needed. The log without it is as good, only
// longer to replay, so a failure is said and left at that.
func (g *Gateway) saveSnapshot() {
	g.keeping.Lock()
	defer g.keeping.Unlock()
	state, position := g.State()
	if stored := g.log.Snapshots(); len(stored) > 0 && position.SeqNo <= stored[0] || position.SeqNo == 0 || g.failed.Load() {
		return
	}
	start := time.Now()
	// Also if it fails: the next attempt comes after as much log again.
	g.snapshots.logged.Store(0)
	var size int64
	t := turns{rest: restOfSnapshot, hurry: func() bool { return g.closes() || g.replacing.Load() }, began: start}
	err := g.log.SaveSnapshot(describe(state), func(w io.Writer) (err error) {
		size, err = writeRows(w, state, t.giveWay)
		return err
	})
	if err == nil {
		g.snapshots.size.Store(size)
		err = g.cut()
	}
	took := time.Since(start)
	if err != nil {
		g.options.Logger.Error().Err(err).Uint64("seq_no", position.SeqNo).Msg("snapshot failed; the log goes on and becomes longer")
		return
	}
	g.metrics.snapshot.Observe(took.Seconds())
	g.options.Logger.Info().Uint64("seq_no", position.SeqNo).Uint64("rows", state.RowCount()).Int64("bytes", size).
		Dur("duration_ms", took).Msg("snapshot stored")
}

// cut drops what no start needs any more: the log before the window, as far as
// a snapshot stands in for it.
func (g *Gateway) cut() error {
	first, _ := g.hub.Window()
	return g.log.Cut(first - 1)
}

// describe says what the snapshot of a state is a snapshot of.
func describe(s *directory.State) wal.Snapshot {
	return wal.Snapshot{SeqNo: s.SeqNo(), Rows: s.RowCount(), Digest: s.Digest()}
}

// rowsAtATime is how many rows are written before others may get their turn:
// some tens of microseconds.
const rowsAtATime = 256

// writeRows writes all rows of a frozen state and returns how many bytes they
// are. It allocates next to nothing, takes no lock and calls giveWay now and then.
func writeRows(w io.Writer, s *directory.State, giveWay func()) (total int64, err error) {
	n := 0
	for row := range s.EncodedRows() {
		if _, err := w.Write(row); err != nil {
			return total, err
		}
		total += int64(len(row))
		if n++; n%rowsAtATime == 0 {
			giveWay()
		}
	}
	return total, nil
}

// WriteSnapshot writes a state that State or Durable returned, at the position
// that came with it, as one snapshot file: a backup. It takes its time, so that
// writing goes on meanwhile. Where the gateway has gone over to a history to which
// the position does not belong, the error is that of directory.Lineage.Locate, and
// nothing is written.
func (g *Gateway) WriteSnapshot(w io.Writer, state *directory.State, at directory.Position) error {
	lineage := g.Lineage()
	if err := lineage.Locate(at, at.SeqNo); err != nil {
		return fmt.Errorf("the history has become another: %w", err)
	}
	s := describe(state)
	s.Lineage = walLineage(lineage.UpTo(s.SeqNo))
	t := turns{rest: restOfBackup, hurry: g.closes, began: time.Now()}
	return wal.EncodeSnapshot(w, s, func(w io.Writer) error {
		_, err := writeRows(w, state, t.giveWay)
		return err
	})
}

// loadSnapshot reads a stored snapshot into a state.
func (g *Gateway) loadSnapshot(seqNo uint64) (state *directory.State, err error) {
	err = g.log.ReadSnapshot(seqNo, func(s wal.Snapshot, r io.Reader) error {
		state, err = readRows(s, r, func(rows uint64) { g.progress("loading the snapshot", "rows", rows, s.Rows) })
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("snapshot of seq_no %d: %w", seqNo, err)
	}
	return state, nil
}
