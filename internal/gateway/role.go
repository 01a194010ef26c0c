package gateway

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/replication-gateway/gateway/internal/directory"
	"github.com/replication-gateway/gateway/internal/wal"
	"github.com/replication-gateway/gateway/internal/wholefile"
)

// Role is what a gateway is to others: the one that decides, or one that
// follows it.
type Role string

// The roles.
const (
	Primary Role = "primary"
	Standby Role = "standby"
)

// Role returns what the gateway is now.
func (g *Gateway) Role() Role {
	if g.standby.Load() {
		return Standby
	}
	return Primary
}

// promotedFile holds the name of the epoch that began when this gateway was
// promoted. While that epoch is in force, the gateway is primary.
const promotedFile = "promoted"

// isPromoted reports whether the epoch in force began here by a promotion. It is
// loud about a promotion of which the history knows nothing, since whoever counts
// on it finds a standby.
func (g *Gateway) isPromoted() (bool, error) {
	path := filepath.Join(g.options.Dir, promotedFile)
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	epoch, lineage := strings.TrimSpace(string(b)), g.Lineage()
	if !slices.ContainsFunc(lineage, func(e directory.Epoch) bool { return e.Name == epoch }) {
		g.options.Logger.Warn().Str("file", path).Str("epoch", epoch).
			Msg("a promotion is noted into an epoch that never began in this history: it was not finished, or the file is damaged. This gateway is a standby; if it was primary, promote it again")
	}
	return epoch == lineage.Current(), nil
}

// assumeRole decides what the gateway is from here on.
func (g *Gateway) assumeRole() error {
	if !g.options.Standby {
		return nil
	}
	promoted, err := g.isPromoted()
	if err != nil {
		return fmt.Errorf("read the role: %w", err)
	}
	g.standby.Store(!promoted)
	return nil
}

// notePromotion makes it durable that the gateway is primary in an epoch. That
// counts from when the epoch has begun.
func (g *Gateway) notePromotion(epoch string) error {
	return wholefile.WriteString(filepath.Join(g.options.Dir, promotedFile), epoch+"\n")
}

// Promote makes a standby primary: a new epoch begins behind all that it has on
// disk, all of which is shown, and streams end with hub.HistoryChanged. It is
// durable before the first write: started again, the gateway is primary. A
// primary stays as it is. A standby that never held a full state is refused
// with ErrNoState; a disk that fails is ErrStorageFailed.
func (g *Gateway) Promote(epoch string) error {
	g.writing.Lock()
	defer g.writing.Unlock()
	switch {
	case !g.standby.Load():
		return nil
	case g.failed.Load():
		return ErrStorageFailed
	case !g.HasState():
		return ErrNoState
	}
	if err := g.notePromotion(epoch); err != nil {
		g.fail(fmt.Errorf("note the promotion: %w", err), g.log.Last()+1)
		return ErrStorageFailed
	}
	if err := g.beginEpoch(epoch); err != nil {
		return err
	}
	last := g.durable.Load().position.SeqNo
	g.standby.Store(false)
	g.roles.fire()
	g.options.Logger.Warn().Str("epoch", epoch).Uint64("seq_no", last).Msg("promoted: this gateway is primary")
	if err := g.allow(last); err != nil {
		return ErrStorageFailed
	}
	return nil
}

// Demote makes a primary a standby again, which follows a history that its own
// is a part of. Its streams end with hub.HistoryChanged.
func (g *Gateway) Demote() {
	g.writing.Lock()
	defer g.writing.Unlock()
	if !g.standby.Swap(true) {
		g.roles.fire()
		g.hub.SetEpoch(g.Lineage().Current())
		g.standbys.clear()
		g.options.Logger.Warn().Msg("demoted: a later epoch is in force elsewhere, this gateway follows it")
	}
}

// RoleChanged returns a channel that is closed when the gateway is next promoted
// or demoted.
func (g *Gateway) RoleChanged() <-chan struct{} { return g.roles.wait() }

// HasState reports whether there is a state to show. A new standby has none
// until it was given one.
func (g *Gateway) HasState() bool {
	return !g.standby.Load() || g.log.Last() > 0 || len(g.log.Snapshots()) > 0
}

// beginEpoch begins an epoch behind the newest commit. writing is held.
func (g *Gateway) beginEpoch(name string) error {
	if err := g.log.BeginEpoch(name); err != nil {
		if errors.Is(err, wal.ErrFailed) {
			g.fail(err, g.log.Last()+1)
			return ErrStorageFailed
		}
		return fmt.Errorf("begin epoch: %w", err)
	}
	g.setLineage(g.log.Lineage())
	g.showing.Lock()
	defer g.showing.Unlock()
	// What is pending or shown stays what it is, at a position of the new epoch.
	g.durable.Store(g.versionOf(g.durable.Load().state))
	g.shown.Store(g.versionOf(g.shown.Load().state))
	for i, v := range g.pending {
		g.pending[i] = g.versionOf(v.state)
	}
	g.hub.SetEpoch(name)
	g.advanced.fire() // what is shown has a new name, which some wait for
	return nil
}
