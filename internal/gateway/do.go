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
	decide func(*directory.State, directory.Time) ([]directory.DeltaEntry, error)

	done    chan struct{}
	outcome Outcome
	err     error
}

// Do has the command decided and carried out. When it returns without an error
// the commit is durable and can be seen; when it returns a refusal of package
// directory, the state that the refusal rests on is durable. actor stands in
// the entries.
//
// When ctx ends first, Do returns its error and the command may still be
// carried out.
func Do[R any](ctx context.Context, g *Gateway, actor string, c directory.Command[R]) (R, Outcome, error) {
	var answer R
	p := &proposal{ctx: ctx, done: make(chan struct{})}
	p.decide = func(s *directory.State, now directory.Time) (entries []directory.DeltaEntry, err error) {
		entries, answer, err = directory.Decide(s, c, actor, now)
		return entries, err
	}
	if err := g.submit(p); err != nil {
		return answer, Outcome{}, err
	}
	select {
	case <-p.done:
		return answer, p.outcome, p.err
	case <-ctx.Done():
		var none R // answer still belongs to the writer
		return none, Outcome{}, ctx.Err()
	}
}

func (g *Gateway) submit(p *proposal) error {
	g.entering.RLock()
	defer g.entering.RUnlock()
	select {
	case <-g.closing:
		return ErrClosed
	default:
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
	ctx, cancel := context.WithTimeoutCause(ctx, awaitAtMost, ErrPositionNotReached)
	defer cancel()
	for {
		moved := g.advanced.wait()
		err := g.lineage.Locate(p, g.shown.Load().position.SeqNo)
		if err == nil {
			return nil
		}
		if errors.Is(err, directory.ErrUnknownEpoch) {
			return ErrPositionNotReached
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}
