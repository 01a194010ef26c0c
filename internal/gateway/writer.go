package gateway

import (
	"time"

	"github.com/replication-gateway/gateway/internal/directory"
	"github.com/replication-gateway/gateway/internal/hub"
)

// maxGroup bounds the bytes that one sync makes durable: past it a group is
// closed and the rest waits for the next.
const maxGroup = 16 << 20

// group is what becomes durable with one sync and visible in one step.
type group struct {
	proposals []*proposal
	records   [][]byte
	commits   []hub.Commit
	entries   [][]directory.DeltaEntry
	bytes     int
	tokens    bool // a token came or went
}

// write is the one writer. It decides on a copy of its own and shows frozen
// copies of that; while the disk works, the next group gathers in the channel.
// Commits never have an earlier time than the one before, whatever the clock
// does.
func (g *Gateway) write() {
	defer close(g.written)
	working := g.shown.Load().state.Clone()
	for first := range g.proposals {
		now := max(working.Newest(), directory.TimeOf(g.Now()))
		start := time.Now()
		var b group
		g.propose(&b, first, working, now)
		for b.bytes < maxGroup {
			next, ok := poll(g.proposals)
			if !ok {
				break
			}
			g.propose(&b, next, working, now)
		}
		g.settle(&b, working, start)
	}
}

// poll receives what is there already.
func poll(ch <-chan *proposal) (*proposal, bool) {
	select {
	case p, ok := <-ch:
		return p, ok
	default:
		return nil, false
	}
}

// propose decides p on top of working and adds it to the group.
func (g *Gateway) propose(b *group, p *proposal, working *directory.State, now directory.Time) {
	b.proposals = append(b.proposals, p)
	if g.failed.Load() {
		p.err = ErrStorageFailed
		return
	}
	if p.err = p.ctx.Err(); p.err != nil {
		return
	}
	p.err = b.decide(p, working, now)
	p.outcome.Position = directory.Position{Epoch: g.lineage.Current(), SeqNo: working.SeqNo()}
}

func (b *group) decide(p *proposal, working *directory.State, now directory.Time) error {
	entries, err := p.decide(working, now)
	if err != nil || len(entries) == 0 {
		return err
	}
	commit, record, err := directory.EncodeCommit(entries)
	if err != nil {
		return err
	}
	if len(record) > MaxCommit {
		return ErrTooLarge
	}
	footprint := working.Apply(entries)
	b.records = append(b.records, record)
	b.commits = append(b.commits, hubCommit(commit, footprint, len(record), working.Digest()))
	b.entries = append(b.entries, entries)
	b.bytes += len(record)
	b.tokens = b.tokens || touchesTokens(entries)
	p.outcome.Changed = true
	return nil
}

// settle makes the group durable, then visible, then answers it.
func (g *Gateway) settle(b *group, working *directory.State, start time.Time) {
	if len(b.records) > 0 {
		if err := g.append(b); err != nil {
			g.fail(b, err)
		} else {
			g.show(working.Clone(), b)
			g.metrics.committed(b, time.Since(start))
			g.snapshots.append(int64(b.bytes))
		}
	}
	for _, p := range b.proposals {
		close(p.done)
	}
}

func (g *Gateway) append(b *group) error {
	start := time.Now()
	first := b.commits[0].SeqNo
	last := first + uint64(len(b.commits)) - 1
	if err := g.log.Append(first, b.records, last); err != nil {
		return err
	}
	g.metrics.walAppend.Observe(time.Since(start).Seconds())
	return g.log.MarkCommitted(last)
}

// fail throws the group away and ends writing: after a failed write or sync
// nothing on disk may be believed until the log is opened again. Answers that
// needed no commit may rest on one that is thrown away, so they fail as well.
func (g *Gateway) fail(b *group, err error) {
	g.failed.Store(true)
	g.options.Logger.Error().Err(err).Uint64("seq_no", b.commits[0].SeqNo).
		Msg("storage failed: writing ends until the gateway is restarted, reads go on")
	for _, p := range b.proposals {
		p.err = ErrStorageFailed
	}
}

// show makes a durable state what readers see, and tells them.
func (g *Gateway) show(state *directory.State, b *group) {
	g.shown.Store(&shown{state, directory.Position{Epoch: g.lineage.Current(), SeqNo: state.SeqNo()}})
	g.hub.PushDelta(hubState(state), b.commits...)
	g.advanced.fire()
	if b.tokens {
		g.tokens.fire()
	}
}

func touchesTokens(entries []directory.DeltaEntry) bool {
	for i := range entries {
		if entries[i].Type.Kind == directory.KindToken {
			return true
		}
	}
	return false
}
