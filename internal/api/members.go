package api

import (
	"net/http"

	"github.com/replication-gateway/gateway/internal/directory"
)

// memberBody is what a membership is to be. Keys and the time of joining may
// be repeated.
type memberBody struct {
	NetworkID *uint16         `json:"network_id" validate:"omitnil,min=1"`
	NodeID    *uint32         `json:"node_id" validate:"omitnil,min=1"`
	Role      *string         `json:"role" validate:"omitnil,oneof=owner admin member"`
	JoinedAt  *directory.Time `json:"joined_at"`
}

func (b *memberBody) command(network uint16, node uint32) directory.PutMember {
	return directory.PutMember{NetworkID: network, NodeID: node, Role: role(b.Role)}
}

func (s *Server) listMembers(c *call) error {
	id, limit, after := c.networkID(), c.limit(), c.after(1<<32-1)
	state, _, err := s.read(c, id)
	if err != nil {
		return err
	}
	if _, err := networkOf(state, id); err != nil {
		return err
	}
	return c.answer(http.StatusOK, pageOf(state.Members(id, uint32(after)), limit,
		func(m *directory.Member) uint32 { return m.NodeID }))
}

func (s *Server) putMember(c *call) error {
	var b memberBody
	network, node := c.networkID(), c.nodeID()
	c.optionalBody(&b)
	same(c, "network_id", b.NetworkID, network)
	same(c, "node_id", b.NodeID, node)
	if err := c.refusal(); err != nil {
		return err
	}
	return commit(s, c, b.command(network, node))
}

func (s *Server) deleteMember(c *call) error {
	network, node := c.networkID(), c.nodeID()
	if err := c.refusal(); err != nil {
		return err
	}
	return commit(s, c, directory.DeleteMember{NetworkID: network, NodeID: node})
}
