package api

import (
	"encoding/hex"
	"net/http"
	"time"

	"github.com/replication-gateway/gateway/internal/directory"
	"github.com/replication-gateway/gateway/internal/gateway"
)

// maxClockSkew is how far ahead of the gateway's clock a sender's may be.
const maxClockSkew = 5 * time.Minute

func (s *Server) directorySync(c *call) error {
	outcome, err := s.syncDirectory(c)
	if err != nil {
		outcome = problemOf(err).Code
	}
	s.metrics.syncs.WithLabelValues(outcome).Inc()
	return err
}

// syncDirectory carries out a directory sync, or plans a dry run, and returns
// its outcome in a word.
func (s *Server) syncDirectory(c *call) (string, error) {
	var req directory.DirectorySyncRequest
	receiptID, bodyHash := c.idempotency()
	c.body(&req, s.options.MaxBody, s.options.MaxEntries)
	if limit := directory.TimeOf(s.options.Gateway.Now().Add(maxClockSkew)); req.SnapshotAt != nil && *req.SnapshotAt > limit {
		c.faults.add("/snapshot_at", "future", "is more than five minutes ahead of the gateway's clock")
	}
	if err := c.refusal(); err != nil {
		return "", err
	}
	people, warnings, err := directory.ParseDirectoryEntries(req.Entries)
	if err != nil {
		return "", err
	}
	if err := c.reach(req.NetworkID); err != nil {
		return "", err
	}
	command := directory.SyncDirectory{Request: &req, People: people, Warnings: warnings, Threshold: s.options.Threshold}
	if req.DryRun {
		result, position, err := gateway.Preview(s.options.Gateway, c.who.actor, command)
		if err != nil {
			return "", err
		}
		return "dry-run", answerWritten(s, c, http.StatusOK, result, position)
	}
	if req.RemoveUnlisted {
		if err := s.refusedBeside(c, command, receiptID); err != nil {
			return "", err
		}
	}
	if bodyHash != nil {
		return s.syncOnce(c, directory.Once[directory.DirectorySyncResult]{
			ReceiptID: receiptID, BodyHash: hex.EncodeToString(bodyHash.Sum(nil)), Command: command})
	}
	result, outcome, err := gateway.Do(c.Context(), s.options.Gateway, c.who.actor, command)
	if err != nil {
		return "", c.unreplicated(err, outcome.Position, nil)
	}
	word := "unchanged"
	if outcome.Changed {
		word = "applied"
	}
	return word, answerWritten(s, c, http.StatusOK, result, outcome.Position)
}

// refusedBeside finds out beside the writer, whom all others wait for, that a sync is to
// remove too much. Where the writer may see it otherwise it is left to decide: on a
// newer state, by a stored answer, or because the token has ended.
func (s *Server) refusedBeside(c *call, command directory.SyncDirectory, receiptID string) error {
	g := s.options.Gateway
	stored := func(state *directory.State) bool { return receiptID != "" && state.Receipt(receiptID) != nil }
	if state, _ := g.Durable(); stored(state) {
		return nil
	}
	_, position, err := gateway.Preview(g, c.who.actor, command)
	if err == nil {
		return nil
	}
	if state, at := g.Durable(); at != position || stored(state) || !s.mayStillAct(c) {
		return nil
	}
	return err
}

// syncOnce carries out a sync that bears an idempotency key.
func (s *Server) syncOnce(c *call, command directory.Once[directory.DirectorySyncResult]) (string, error) {
	answer, outcome, err := gateway.Do(c.Context(), s.options.Gateway, c.who.actor, command)
	if err != nil {
		return "", c.unreplicated(err, outcome.Position, nil)
	}
	word := "applied"
	if answer.Stored {
		word = "repeated"
	}
	return word, answerWritten(s, c, http.StatusOK, answer.Value, s.options.Gateway.PositionOf(answer.SeqNo))
}

// directoryStatus says how a network's directory stands.
type directoryStatus struct {
	NetworkID      uint16          `json:"network_id"`
	Total          int             `json:"total"`           // members
	Mapped         int             `json:"mapped"`          // of them, those with an enabled user record
	Unmapped       int             `json:"unmapped"`        // the others
	PreAssignments int             `json:"pre_assignments"` // roles that wait for a node
	Enterprise     bool            `json:"enterprise"`
	LastSync       *directory.Sync `json:"last_sync"`
}

func (s *Server) directoryStatus(c *call) error {
	id := c.networkID()
	state, _, err := s.read(c, id)
	if err != nil {
		return err
	}
	network, err := networkOf(state, id)
	if err != nil {
		return err
	}
	status := directoryStatus{NetworkID: id, Enterprise: network.Enterprise, LastSync: state.Sync(id)}
	for m := range state.Members(id, 0) {
		status.Total++
		if u := state.User(id, state.Node(m.NodeID).ExternalID); u != nil && !u.Disabled {
			status.Mapped++
		}
	}
	status.Unmapped = status.Total - status.Mapped
	for range state.Assignments(id) {
		status.PreAssignments++
	}
	return c.answer(http.StatusOK, status)
}
