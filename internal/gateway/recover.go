package gateway

import (
	"errors"
	"fmt"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sync/errgroup"

	"github.com/replication-gateway/gateway/internal/directory"
	"github.com/replication-gateway/gateway/internal/hub"
	"github.com/replication-gateway/gateway/internal/wal"
)

// recover builds the state and the window from what the log holds, and shows
// what may be shown of them.
func (g *Gateway) recover() error {
	start := time.Now()
	from, err := g.windowBase()
	if err != nil {
		return err
	}
	r := replay{shown: g.shownBefore()}
	from = min(from, r.shown) // all that waits to be shown is in the window, however much that is
	if stored := g.log.Snapshots(); len(stored) > 0 {
		r.stored = stored[0]
	}
	if r.state, err = g.loadState(from); err != nil {
		return err
	}
	base, loaded := r.state.SeqNo(), r.state.RowCount()
	r.from = max(from, base)
	r.shown = max(r.shown, base)
	r.window.base = hub.State{SeqNo: base, Digest: r.state.Digest()}
	r.versions = append(r.versions, g.versionOf(r.state.Clone()))
	if err := g.replay(&r, base); err != nil {
		return err
	}
	g.snapshots.append(r.logged)
	first := r.versions[0]
	g.durable.Store(first)
	g.shown.Store(first)
	if !g.HasState() {
		return nil
	}
	g.hub.Push(r.window.base)
	g.hub.PushDelta(hubState(first.state), r.window.commits...)
	if rest := r.versions[1:]; len(rest) > 0 {
		g.durable.Store(rest[len(rest)-1])
		g.pending = rest
	}
	g.options.Logger.Info().Uint64("seq_no", first.position.SeqNo).Str("epoch", g.Lineage().Current()).Str("role", string(g.Role())).
		Uint64("snapshot", base).Uint64("rows", loaded).Uint64("replayed", r.state.SeqNo()-base).Int("unacknowledged", len(r.versions)-1).
		Dur("duration_ms", time.Since(start)).Msg("data read")
	return nil
}

// shownBefore returns the newest commit that may be shown: that which was shown
// before, or all that there is where nobody's acknowledgement is waited for.
func (g *Gateway) shownBefore() uint64 {
	if g.Role() == Primary && g.options.SyncStandbys == 0 {
		return g.log.Last()
	}
	shown := g.log.Committed()
	if stored := g.log.Snapshots(); len(stored) > 0 {
		shown = max(shown, stored[0]) // only what was shown is ever stored
	}
	return shown
}

// windowBase returns the position before the first commit of the window that
// the hub would hold, had it run all along.
func (g *Gateway) windowBase() (uint64, error) {
	last, first := g.log.Last(), g.log.First()
	commits := uint64(g.options.WindowCommits)
	after := max(last, commits) - commits
	after = max(after, first-1)
	sizes := make([]int, 0, last-after)
	err := g.log.Read(after, func(_ uint64, record []byte) error {
		sizes = append(sizes, len(record))
		return nil
	})
	if err != nil {
		return 0, err
	}
	base, bytes := last, 0
	for base > after {
		bytes += sizes[base-after-1]
		if bytes > g.options.WindowBytes && base < last {
			break
		}
		base--
	}
	return base, nil
}

// loadState returns the state to replay the log onto: that of the newest good
// snapshot at or before want, so that the whole window is replayed; else the
// empty state, if the log begins at the beginning; else that of any snapshot
// there is, and a window that begins later.
func (g *Gateway) loadState(want uint64) (*directory.State, error) {
	var damaged []error
	try := func(seqNo uint64) (*directory.State, error) {
		state, err := g.loadSnapshot(seqNo)
		if errors.Is(err, wal.ErrDamaged) {
			g.options.Logger.Error().Err(err).Uint64("seq_no", seqNo).Msg("a snapshot is damaged and left aside; an earlier one and the log take its place")
			damaged = append(damaged, err)
			return nil, nil
		}
		return state, err
	}
	stored := g.log.Snapshots()
	for _, seqNo := range stored {
		if seqNo > want {
			continue
		}
		if state, err := try(seqNo); state != nil || err != nil {
			return state, err
		}
	}
	if g.log.First() <= 1 {
		return directory.NewState(), nil
	}
	for i := len(stored) - 1; i >= 0; i-- {
		if stored[i] <= want {
			continue
		}
		if state, err := try(stored[i]); state != nil || err != nil {
			return state, err
		}
	}
	return nil, fmt.Errorf("no snapshot is good, and the log begins with seq_no %d: %w", g.log.First(), errors.Join(damaged...))
}

// replay is a state on its way to the end of the log.
type replay struct {
	state  *directory.State
	from   uint64 // commits after it belong to the window
	window warmWindow
	stored uint64 // the newest snapshot
	logged int64  // bytes of the commits after it

	shown    uint64     // commits after it wait to be acknowledged
	versions []*version // the one at shown, or where the replay began, and all after it
}

// replayAhead is how many decoded commits wait to be applied.
const replayAhead = 256

// replay applies the commits after a position. One goroutine reads and decodes,
// another applies.
func (g *Gateway) replay(r *replay, after uint64) error {
	last := g.log.Last()
	commits := make(chan replayed, replayAhead)
	var work errgroup.Group
	work.Go(func() error {
		defer close(commits)
		return g.log.Read(after, func(seqNo uint64, record []byte) error {
			c, err := r.decode(seqNo, record)
			if err != nil {
				return fmt.Errorf("seq_no %d: %w", seqNo, err)
			}
			commits <- c
			return nil
		})
	})
	for c := range commits {
		r.apply(c)
		g.keepVersion(r)
		g.progress("replaying the log", "commits", c.SeqNo-after, last-after)
	}
	return work.Wait()
}

// keepVersion keeps the state as one that is or may have to be shown.
func (g *Gateway) keepVersion(r *replay) {
	switch v := r.state.SeqNo(); {
	case v == r.shown:
		r.versions[0] = g.versionOf(r.state.Clone())
	case v > r.shown:
		r.versions = append(r.versions, g.versionOf(r.state.Clone()))
	}
}

// replayed is a commit of the log.
type replayed struct {
	directory.Commit // encoded only in the window
	size             int
}

func (r *replay) decode(seqNo uint64, record []byte) (c replayed, err error) {
	c.size = len(record)
	if seqNo > r.from {
		c.Commit, err = directory.DecodeCommit(record)
	} else if c.Entries, err = directory.DecodeEntries(record); err == nil {
		c.SeqNo = c.Entries[0].SeqNo
	}
	if err == nil && c.SeqNo != seqNo {
		err = fmt.Errorf("the record holds commit %d", c.SeqNo)
	}
	return c, err
}

func (r *replay) apply(c replayed) {
	if c.SeqNo > r.stored {
		r.logged += int64(c.size)
	}
	if c.SeqNo <= r.from {
		r.state.Replay(c.Entries)
		r.window.base = hub.State{SeqNo: c.SeqNo, Digest: r.state.Digest()}
		return
	}
	footprint := r.state.Apply(c.Entries)
	r.window.commits = append(r.window.commits, hubCommit(c.Commit, footprint, c.size, r.state.Digest()))
}

// warmWindow is what the hub starts with.
type warmWindow struct {
	base    hub.State // before the first of commits
	commits []hub.Commit
}

func reportRecovery(log zerolog.Logger, dir string, r wal.Recovery) {
	if r.Began {
		log.Info().Str("data", dir).Msg("the folder held no log: a new history begins, with nothing in it")
	}
	if r.Replaced {
		log.Warn().Uint64("seq_no", r.Last).Msg("the gateway last ended while it took over another history, which is done now")
	}
	for _, d := range r.Unreadable {
		log.Error().Err(d).Uint64("seq_no", d.SeqNo).Msg("a snapshot is damaged and left aside")
	}
	if r.Torn == nil {
		return
	}
	log.Warn().Str("file", r.Torn.File).Int64("offset", r.Torn.Offset).Uint64("seq_no", r.Torn.SeqNo).
		Msg("a write was under way when the gateway last ended and was cut; it had not been acknowledged")
}
