package gateway

import (
	"context"
	"errors"
	"time"

	"github.com/replication-gateway/gateway/internal/directory"
)

// Outcome says where a command left the gateway.
type Outcome struct {
	Position directory.Position // of the commit, or of the state the answer rests on
	Changed  bool               // there was a commit
}

// proposal is a command on its way through the writer, which sets the lower
// fields before it closes done.
type proposal struct {
	ctx    context.Context
	actor  string
	always bool // also while the standbys are behind
	decide func(*directory.State, directory.Time) ([]directory.DeltaEntry, error)

	done    chan struct{}
	outcome Outcome
	err     error
}

// Do has the command decided and carried out. When it returns without an error
// the commit is durable and can be seen; when it returns a refusal of package
// directory, the state that the refusal rests on is. actor stands in the
// entries; a token that has ended by then is refused with ErrTokenEnded, however
// good it was when it was shown.
//
// With Options.SyncStandbys that takes their acknowledgement. When it does not
// come within Options.AckTimeout the error is ErrNotReplicated: the command was
// carried out, answer and outcome are as if it had, and it will be seen later. So
// it is, at once, when the gateway has gone over to a history without the commit,
// which then will not be seen.
//
// When ctx ends first, Do returns its error and the command may still be
// carried out.
func Do[R any](ctx context.Context, g *Gateway, actor string, c directory.Command[R]) (R, Outcome, error) {
	var answer R
	p := &proposal{ctx: ctx, actor: actor, done: make(chan struct{}), always: isAboutTokens(c)}
	p.decide = func(s *directory.State, now directory.Time) (entries []directory.DeltaEntry, err error) {
		entries, answer, err = directory.Decide(s, c, actor, now)
		return entries, err
	}
	if err := g.submit(p); err != nil {
		return answer, Outcome{}, err
	}
	select {
	case <-p.done:
		at := p.outcome.Position
		if at == (directory.Position{}) || errors.Is(p.err, ErrStorageFailed) {
			return answer, p.outcome, p.err
		}
		if err := g.awaitShown(ctx, at); err != nil {
			return answer, p.outcome, err
		}
		return answer, p.outcome, p.err
	case <-ctx.Done():
		var none R // answer still belongs to the writer
		return none, Outcome{}, ctx.Err()
	}
}

// isAboutTokens reports whether a command makes or revokes a token, which is
// never kept waiting by standbys: a token that leaked can be revoked while they
// are away.
func isAboutTokens(c any) bool {
	switch c.(type) {
	case directory.CreateToken, directory.RevokeToken:
		return true
	}
	return false
}

// awaitShown returns when a durable commit of this gateway can be seen, or with
// ErrNotReplicated when that takes too long or cannot be any more.
func (g *Gateway) awaitShown(ctx context.Context, p directory.Position) error {
	if shown := g.shown.Load().position; shown.Epoch == p.Epoch && shown.SeqNo >= p.SeqNo {
		return nil
	}
	return g.awaitAdvance(ctx, g.options.AckTimeout, ErrNotReplicated, func() (bool, error) {
		lineage := g.Lineage()
		reached, err := g.reached(lineage, p)
		if err != nil && lineage.Current() != p.Epoch {
			return false, ErrNotReplicated
		}
		return reached, nil
	})
}

func (g *Gateway) submit(p *proposal) error {
	g.entering.RLock()
	defer g.entering.RUnlock()
	if g.closes() {
		return ErrClosed
	}
	select {
	case g.proposals <- p:
		return nil
	case <-p.ctx.Done():
		return p.ctx.Err()
	}
}

// Preview plans a directory sync on the newest state and changes nothing. It
// does not wait for the writer.
func Preview(g *Gateway, actor string, c directory.SyncDirectory) (directory.DirectorySyncResult, directory.Position, error) {
	state, position := g.State()
	_, result, err := directory.Decide(state, c, actor, directory.TimeOf(g.Now()))
	return result, position, err
}

// awaitAtMost is how long Await waits.
const awaitAtMost = 5 * time.Second

// Await returns when the gateway has reached p, or with ErrPositionNotReached
// after five seconds.
func (g *Gateway) Await(ctx context.Context, p directory.Position) error {
	return g.awaitAdvance(ctx, awaitAtMost, ErrPositionNotReached, func() (bool, error) {
		reached, err := g.reached(g.Lineage(), p)
		if errors.Is(err, directory.ErrUnknownEpoch) && !g.standby.Load() {
			return false, ErrPositionNotReached // a standby may hear of it
		}
		return reached, nil
	})
}

// reached reports whether all up to p is shown, by a lineage that was loaded just
// before. The error is that of directory.Lineage.Locate; with one nothing is reached.
func (g *Gateway) reached(lineage directory.Lineage, p directory.Position) (bool, error) {
	shown := g.shown.Load().position
	if err := lineage.Locate(p, shown.SeqNo); err != nil {
		return false, err
	}
	// While another history is gone over to, the two are not of the same one. And of an epoch that has ended not all
	// may be shown yet.
	return shown.Epoch == lineage.Current() && shown.SeqNo >= p.SeqNo, nil
}

// awaitAdvance returns once something holds of what is shown, which is looked at
// each time that advances, or with the error of the look; with late when that
// takes too long.
func (g *Gateway) awaitAdvance(ctx context.Context, atMost time.Duration, late error, holds func() (bool, error)) error {
	ctx, cancel := context.WithTimeoutCause(ctx, atMost, late)
	defer cancel()
	for {
		advanced := g.advanced.wait()
		if done, err := holds(); done || err != nil {
			return err
		}
		select {
		case <-advanced:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}
