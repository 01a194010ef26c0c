package api

import (
	"fmt"
	"iter"
	"net/http"

	"github.com/replication-gateway/gateway/internal/directory"
)

// nodeBody is what a node is to be. Key and time of creation may be repeated.
type nodeBody struct {
	NodeID     *uint32         `json:"node_id" validate:"omitnil,min=1"`
	Hostname   string          `json:"hostname" validate:"max=253,plain"`
	ExternalID string          `json:"external_id" validate:"omitempty,external_id"`
	Tags       []string        `json:"tags" validate:"max=64,dive,max=128,plain"`
	CreatedAt  *directory.Time `json:"created_at"`
}

func (b *nodeBody) command(id uint32) directory.PutNode {
	return directory.PutNode{Node: directory.Node{NodeID: id, Hostname: b.Hostname, ExternalID: b.ExternalID, Tags: b.Tags}}
}

func (s *Server) listNodes(c *call) error {
	limit, after := c.limit(), c.after(1<<32-1)
	externalID, filtered := c.single("external_id")
	if filtered {
		if err := directory.CheckExternalID(externalID); err != nil {
			c.faults.add("/external_id", "external_id", "the query parameter "+err.Error())
		}
	}
	state, _, err := s.read(c)
	if err != nil {
		return err
	}
	view := c.view()
	rows := view.VisibleNodes(state, uint32(after))
	if filtered {
		rows = nodesOf(view, state, externalID, uint32(after))
	}
	return c.answer(http.StatusOK, pageOf(rows, limit, func(n *directory.Node) uint32 { return n.NodeID }))
}

// nodesOf yields the nodes of a person that are in sight.
func nodesOf(v directory.View, s *directory.State, externalID string, after uint32) iter.Seq[*directory.Node] {
	return func(yield func(*directory.Node) bool) {
		for n := range s.NodesByExternalID(externalID) {
			if n.NodeID > after && v.SeesNode(s, n.NodeID) && !yield(n) {
				return
			}
		}
	}
}

func (s *Server) getNode(c *call) error {
	id := c.nodeID()
	state, _, err := s.read(c)
	if err != nil {
		return err
	}
	view := c.view()
	if !view.SeesNode(state, id) {
		return fmt.Errorf("%w: %d", directory.ErrNodeNotFound, id)
	}
	return c.answer(http.StatusOK, state.Node(id))
}

func (s *Server) putNode(c *call) error {
	var b nodeBody
	id := c.nodeID()
	c.body(&b, maxSmallBody, maxListed)
	same(c, "node_id", b.NodeID, id)
	if err := c.refusal(); err != nil {
		return err
	}
	return commit(s, c, b.command(id))
}

func (s *Server) deleteNode(c *call) error {
	id := c.nodeID()
	if err := c.refusal(); err != nil {
		return err
	}
	return commit(s, c, directory.DeleteNode{NodeID: id})
}
