package gateway

import (
	"runtime"
	"sync"
	"time"

	"github.com/replication-gateway/gateway/internal/directory"
	"github.com/replication-gateway/gateway/internal/hub"
	"github.com/replication-gateway/gateway/internal/wal"
)

// maxGroup bounds the bytes that one sync makes durable: past it a group is
// closed and the rest waits for the next.
const maxGroup = 16 << 20

// largeCommit is how many bytes a commit must have to close its group at once. It
// is applied while the disk works on it, which takes about as long.
const largeCommit = 1 << 20

// maxDeciding is how long a group takes more, so that who is in it is answered soon,
// also where deciding takes long and makes no commit.
const maxDeciding = 20 * time.Millisecond

// group is what becomes durable with one sync and visible in one step.
type group struct {
	proposals []*proposal
	clock     directory.Time // by which tokens expire; times of entries never go back
	before    uint64         // the seq_no that the group goes on from
	records   []wal.Record   // of its commits, in order
	commits   []hub.Commit
	entries   [][]directory.DeltaEntry
	bytes     int
	apply     func() // what is left to apply before the group can be seen, or nil
	tokens    bool   // a token came or went
	behind    bool   // the standbys are too far behind for any but token commands
}

// last is the newest seq_no with the group.
func (b *group) last() uint64 { return b.before + uint64(len(b.records)) }

// open reports whether the group takes more.
func (b *group) open() bool { return b.bytes < maxGroup && b.apply == nil }

// write is the one writer. It decides on a copy of the newest durable state;
// while the disk works, the next group gathers in the channel. Commits never
// have an earlier time than the one before, whatever the clock does.
func (g *Gateway) write() {
	defer close(g.written)
	for first := range g.proposals {
		g.writeGroup(first)
	}
}

// writeGroup decides and carries out the proposals that are waiting, and those
// that are about to.
func (g *Gateway) writeGroup(first *proposal) {
	g.writing.Lock()
	defer g.writing.Unlock()
	start := time.Now()
	working := g.durable.Load().state.Clone()
	clock := directory.TimeOf(g.Now())
	now := max(working.Newest(), clock)
	b := group{clock: clock, before: working.SeqNo(), behind: g.options.SyncStandbys > 0 && g.standbysBehind()}
	g.propose(&b, first, working, now)
	for b.open() && time.Since(start) < maxDeciding {
		next, ok := g.another(g.crowded || len(b.proposals) > 1)
		if !ok {
			break
		}
		g.propose(&b, next, working, now)
	}
	g.crowded = len(b.proposals) > 1
	g.settle(&b, working, start)
}

// another receives a proposal that is waiting. In a crowd, when there is none, it
// first gives way once to whoever can run: those who were answered a moment ago
// come back with their next, and one sync for many costs each of them less. Who
// is alone is never kept waiting.
func (g *Gateway) another(crowded bool) (*proposal, bool) {
	p, ok := poll(g.proposals)
	if ok || !crowded {
		return p, ok
	}
	runtime.Gosched()
	return poll(g.proposals)
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
	switch {
	case g.standby.Load():
		p.err = ErrStandby
	case g.failed.Load():
		p.err = ErrStorageFailed
	case !working.MayAct(p.actor, b.clock):
		p.err = ErrTokenEnded
	case b.behind && !p.always:
		p.err = ErrStandbysBehind
	default:
		p.err = p.ctx.Err()
	}
	if p.err != nil {
		return
	}
	p.err = b.decide(p, working, now)
	p.outcome.Position = directory.Position{Epoch: g.Lineage().Current(), SeqNo: b.last()}
}

func (b *group) decide(p *proposal, working *directory.State, now directory.Time) error {
	entries, err := p.decide(working, now)
	if err != nil || len(entries) == 0 {
		return err
	}
	commit, pieces, err := directory.EncodeCommit(entries)
	if err != nil {
		return err
	}
	record := wal.Record(pieces)
	size := record.Len()
	if size > MaxCommit {
		return ErrTooLarge
	}
	b.records = append(b.records, record)
	b.entries = append(b.entries, entries)
	b.bytes += size
	b.tokens = b.tokens || touchesTokens(entries)
	p.outcome.Changed = true
	if size < largeCommit {
		b.carryOut(commit, size, working)
	} else {
		b.apply = func() { b.carryOut(commit, size, working) }
	}
	return nil
}

// carryOut applies a commit of so many encoded bytes, and makes it ready for readers.
func (b *group) carryOut(c directory.Commit, size int, working *directory.State) {
	footprint := working.Apply(c.Entries)
	b.commits = append(b.commits, hubCommit(c, footprint, size, working.Digest()))
}

// settle makes the group durable, then visible as far as it may be, then answers
// it. Who waits for standbys does so by itself, see Do.
func (g *Gateway) settle(b *group, working *directory.State, start time.Time) {
	if len(b.records) > 0 {
		if err := g.commit(b, working); err != nil {
			b.refuse()
		} else {
			g.metrics.committed(b, time.Since(start))
			g.snapshots.append(int64(b.bytes))
		}
	}
	for _, p := range b.proposals {
		close(p.done)
	}
}

// commit makes the group durable and the state that it leads to the newest one.
func (g *Gateway) commit(b *group, state *directory.State) error {
	var beside sync.WaitGroup
	if b.apply != nil {
		beside.Go(b.apply)
	}
	start := time.Now()
	may := b.last()
	if g.options.SyncStandbys > 0 {
		may = g.shown.Load().position.SeqNo
	}
	err := g.log.Append(b.before+1, b.records, may)
	took := time.Since(start)
	beside.Wait()
	if err != nil {
		g.fail(err, b.before+1)
		return err
	}
	g.metrics.walAppend.Observe(took.Seconds())
	if err := g.become([]*version{g.versionOf(state)}, b.commits, may); err != nil {
		return err
	}
	if b.tokens {
		g.tokens.fire()
	}
	return nil
}

// refuse answers for a log that failed. Answers that needed no commit may rest
// on one that is thrown away, so they fail as well.
func (b *group) refuse() {
	for _, p := range b.proposals {
		p.err = ErrStorageFailed
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
