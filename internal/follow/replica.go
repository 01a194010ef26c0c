package follow

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/replication-gateway/gateway/client"
	"github.com/replication-gateway/gateway/internal/directory"
)

// replica takes over what a stream brings. It implements client.Handler.
type replica struct {
	*follower
	conn    *client.Conn
	lineage client.Lineage    // of the gateway there
	loader  *directory.Loader // of a snapshot that is coming
}

var errOlderEpoch = errors.New("the gateway there is in an older epoch than this one: it has to be stopped, or follow itself")

// Connected decides whether to follow this gateway at all.
func (r *replica) Connected(ctx context.Context, conn *client.Conn, first *client.Heartbeat) error {
	r.conn, r.lineage, r.loader = conn, first.Lineage, nil
	if len(r.lineage) == 0 {
		return client.Permanent(errNoReplica)
	}
	g := r.Gateway
	if g.HasState() {
		switch relate(g.Lineage(), r.lineage) {
		case older:
			return client.Permanent(errOlderEpoch)
		case branch:
			return client.Permanent(fmt.Errorf("the history there, epoch %s, is another branch than the one here, epoch %s: both stay",
				r.lineage.Current(), g.Lineage().Current()))
		}
	}
	r.due = !*first.Resumed
	r.up()
	if r.due {
		r.Logger.Info().Str("primary", r.URL).Str("epoch", first.Epoch).Str("reason", first.Reason).Msg("following, from a snapshot on")
		return nil
	}
	r.Logger.Info().Str("primary", r.URL).Str("epoch", first.Epoch).Uint64("seq_no", first.SeqNo).Msg("following")
	if err := r.enterEpochs(); err != nil {
		return r.local(err)
	}
	return r.agree(first)
}

// Snapshot builds a state, and adopts it when it is complete.
func (r *replica) Snapshot(ctx context.Context, part *client.SnapshotPart) error {
	if part.First {
		r.loader = directory.NewLoader()
	}
	for _, row := range part.Rows {
		record, err := row.Decode()
		if err == nil {
			err = r.loader.Add(record)
		}
		if err != nil {
			return client.Permanent(fmt.Errorf("snapshot at %v: %w", part.Position, err))
		}
	}
	if part.More {
		return nil
	}
	state := r.loader.State(part.SeqNo)
	r.loader = nil
	own, at := r.Gateway.Durable()
	if at.SeqNo == part.SeqNo && own.Digest() != state.Digest() {
		r.distrust = true // as many commits, and not the same ones
	}
	if err := r.keepAside(state); err != nil {
		return client.Permanent(fmt.Errorf("keep aside what is here alone: %w", err))
	}
	if at.SeqNo > part.SeqNo {
		r.distrust = true // readers have seen what is no part of the history any more
	}
	if err := r.Gateway.Adopt(state, r.lineage.UpTo(part.SeqNo), r.distrust); err != nil {
		return r.local(err)
	}
	r.distrust, r.due = false, false
	r.Logger.Info().Stringer("position", part.Position).Uint64("rows", state.RowCount()).Msg("snapshot taken over")
	r.up()
	r.ack(ctx)
	return nil
}

// Delta makes commits durable, and acknowledges them.
func (r *replica) Delta(ctx context.Context, delta *client.Delta) error {
	if len(delta.Commits) == 0 {
		return nil
	}
	committed := delta.SeqNo
	if delta.Committed != nil {
		committed = *delta.Committed
	}
	for commits := delta.Commits; len(commits) > 0; {
		n := r.upToEpoch(commits)
		records := make([][]byte, n)
		for i, c := range commits[:n] {
			records[i] = c.Record()
		}
		err := r.Gateway.Replicate(commits[0].SeqNo, records, committed)
		if err == nil {
			err = r.enterEpochs()
		}
		if err != nil {
			return r.local(err)
		}
		commits = commits[n:]
	}
	r.up()
	r.ack(ctx)
	return nil
}

// Heartbeat shows what may be shown, and compares the states.
func (r *replica) Heartbeat(_ context.Context, beat *client.Heartbeat) error {
	r.up()
	return r.agree(beat)
}

// agree shows what a heartbeat says may be shown, and compares the state with the
// one that it has the digest of.
func (r *replica) agree(beat *client.Heartbeat) error {
	if err := r.commit(beat.Committed); err != nil {
		return err
	}
	state, at := r.Gateway.Durable()
	if beat.Digest == nil || beat.SeqNo != at.SeqNo || *beat.Digest == state.Digest() {
		return nil
	}
	r.distrust = true
	r.Gateway.NoteDifference()
	r.Logger.Error().Uint64("seq_no", at.SeqNo).Str("digest", fmt.Sprintf("%016x", state.Digest())).
		Str("primary_digest", fmt.Sprintf("%016x", *beat.Digest)).Msg("the state differs from the primary's: a fresh snapshot takes its place")
	return fmt.Errorf("%w: the digests differ at seq_no %d", client.ErrStartOver, at.SeqNo)
}

// Disconnected takes note that the primary is out of reach. What ends the
// subscription is told by who began it.
func (r *replica) Disconnected(err error, retryIn time.Duration) {
	r.conn = nil
	if retryIn >= 0 {
		r.reached(false)
		r.Logger.Warn().Err(err).Str("primary", r.URL).Dur("retry_in_ms", retryIn).Msg("the primary is out of reach")
	}
}

func (r *replica) up() { r.reached(true) }

func (r *replica) commit(committed *uint64) error {
	if committed == nil {
		return nil
	}
	return r.local(r.Gateway.Commit(*committed))
}

// ack says what is on disk here. A connection on which that fails is over, which
// its next frame tells; what was taken over stays so.
func (r *replica) ack(ctx context.Context) {
	_, at := r.Gateway.Durable()
	_ = r.conn.Ack(ctx, client.Position{Epoch: r.lineage.Current(), SeqNo: at.SeqNo})
}

// local marks errors of this side, which end the subscription. The next one goes
// on from where the gateway stands.
func (r *replica) local(err error) error {
	if err == nil {
		return nil
	}
	return client.Permanent(err)
}

// enterEpochs goes on into the epochs that begin behind the newest commit here.
func (r *replica) enterEpochs() error {
	for {
		own := r.Gateway.Lineage()
		_, at := r.Gateway.Durable()
		if len(own) >= len(r.lineage) || r.lineage[len(own)].SeqNo != at.SeqNo {
			return nil
		}
		if err := r.Gateway.EnterEpoch(r.lineage[len(own)].Name); err != nil {
			return err
		}
	}
}

// upToEpoch returns how many of the commits come before the next epoch begins.
func (r *replica) upToEpoch(commits []client.Commit) int {
	own := r.Gateway.Lineage()
	if len(own) >= len(r.lineage) {
		return len(commits)
	}
	begins := r.lineage[len(own)].SeqNo
	for i, c := range commits {
		if c.SeqNo > begins {
			return max(i, 1)
		}
	}
	return len(commits)
}
