package gateway

import (
	"time"

	"github.com/replication-gateway/gateway/internal/directory"
	"github.com/replication-gateway/gateway/internal/hub"
)

// version is one frozen state and where in history it stands.
type version struct {
	state    *directory.State
	position directory.Position
}

func (g *Gateway) versionOf(s *directory.State) *version {
	return &version{s, directory.Position{Epoch: g.Lineage().Current(), SeqNo: s.SeqNo()}}
}

// become takes over commits that are durable. versions are the states that they
// led to, ascending, the last one after the last commit; those up to may are
// shown. Whoever calls it holds writing.
func (g *Gateway) become(versions []*version, commits []hub.Commit, may uint64) error {
	g.showing.Lock()
	defer g.showing.Unlock()
	g.durable.Store(versions[len(versions)-1])
	if len(commits) > 0 {
		g.landmarks.note(commits[0].SeqNo, time.Now())
	}
	g.pending = append(g.pending, versions...)
	return g.show(may, commits)
}

// allow shows what is durable up to seqNo, as far as a state of it was kept.
func (g *Gateway) allow(seqNo uint64) error {
	g.showing.Lock()
	defer g.showing.Unlock()
	return g.show(seqNo, nil)
}

// show makes the newest pending version up to may what readers see, and tells
// them; commits are new in the window. showing is held.
func (g *Gateway) show(may uint64, commits []hub.Commit) error {
	var next *version
	for len(g.pending) > 0 && g.pending[0].position.SeqNo <= may {
		next = g.pending[0]
		g.pending[0] = nil
		g.pending = g.pending[1:]
	}
	if next != nil {
		// Before anybody sees it, so that a restart does not hide what was shown.
		if err := g.log.MarkCommitted(next.position.SeqNo); err != nil {
			g.fail(err, next.position.SeqNo)
			return err
		}
		g.shown.Store(next)
	}
	if len(g.pending) == 0 {
		g.pending = nil
	}
	if next != nil || len(commits) > 0 {
		g.hub.PushDelta(hubState(g.shown.Load().state), commits...)
	}
	if next != nil {
		g.advanced.fire()
	}
	return nil
}

// standbysBehind reports whether what waits to be acknowledged fills the window.
func (g *Gateway) standbysBehind() bool {
	commits, bytes := g.hub.Waiting()
	return commits >= g.options.WindowCommits || bytes >= g.options.WindowBytes
}

// fail ends writing: after a failed write or sync nothing on disk may be
// believed until the log is opened again.
func (g *Gateway) fail(err error, seqNo uint64) {
	if !g.failed.Swap(true) {
		g.options.Logger.Error().Err(err).Uint64("seq_no", seqNo).
			Msg("storage failed: writing ends until the gateway is restarted, reads go on")
	}
}
