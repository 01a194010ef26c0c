package gateway

import (
	"time"

	"github.com/rs/zerolog"

	"github.com/replication-gateway/gateway/internal/directory"
	"github.com/replication-gateway/gateway/internal/hub"
	"github.com/replication-gateway/gateway/internal/wal"
)

// replay builds the state and the window from the log and shows them. It
// returns the time of the newest commit.
func (g *Gateway) replay() (last directory.Time, err error) {
	start := time.Now()
	state := directory.NewState()
	var w warmWindow
	err = g.log.Read(0, func(_ uint64, record []byte) error {
		commit, err := directory.DecodeCommit(record)
		if err != nil {
			return err
		}
		w.trim()
		if w.commits == nil {
			w.base = hub.State{SeqNo: state.SeqNo(), Digest: state.Digest()}
		}
		footprint := state.Apply(commit.Entries)
		w.add(hubCommit(commit, footprint, len(record), state.Digest()))
		last = commit.Entries[0].At
		return nil
	})
	if err != nil {
		return 0, err
	}
	g.hub.Push(w.base)
	g.show(state, &group{commits: w.commits})
	g.options.Logger.Info().Uint64("seq_no", state.SeqNo()).Str("epoch", g.lineage.Current()).
		Dur("duration_ms", time.Since(start)).Msg("log replayed")
	return last, nil
}

// warmWindow keeps the newest commits of a replay: what the hub would keep.
type warmWindow struct {
	base    hub.State // before the first of commits
	commits []hub.Commit
	bytes   int
}

func (w *warmWindow) add(c hub.Commit) {
	w.commits = append(w.commits, c)
	w.bytes += c.Bytes
}

// trim makes room for one more commit.
func (w *warmWindow) trim() {
	for len(w.commits) >= hub.DefaultMaxCommits || w.bytes > hub.DefaultMaxBytes && len(w.commits) > 1 {
		w.base = hub.State{SeqNo: w.commits[0].SeqNo, Digest: w.commits[0].Digest}
		w.bytes -= w.commits[0].Bytes
		w.commits[0] = hub.Commit{}
		w.commits = w.commits[1:]
	}
}

func reportRecovery(log zerolog.Logger, r wal.Recovery) {
	if r.Torn == nil {
		return
	}
	log.Warn().Str("file", r.Torn.File).Int64("offset", r.Torn.Offset).Uint64("seq_no", r.Torn.SeqNo).
		Msg("a write was under way when the gateway last ended and was cut; it had not been acknowledged")
}
