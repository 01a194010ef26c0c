package api

import (
	"fmt"
	"net/http"

	"github.com/replication-gateway/gateway/internal/directory"
)

// networkBody is what a network is to be. The key and the time of creation may
// be repeated, so that what was read can be put back.
type networkBody struct {
	NetworkID    *uint16           `json:"network_id" validate:"omitnil,min=1"`
	Name         string            `json:"name" validate:"max=256,plain"`
	Enterprise   bool              `json:"enterprise"`
	RoleMappings []roleMappingBody `json:"role_mappings" validate:"max=1000,dive"`
	IdentifyBy   *string           `json:"identify_by" validate:"omitnil,oneof=id email"`
	CreatedAt    *directory.Time   `json:"created_at"`
}

type roleMappingBody struct {
	Group string `json:"group" validate:"required,max=1024"`
	Role  string `json:"role" validate:"required,oneof=owner admin member"`
}

func (b *networkBody) command(id uint16) directory.PutNetwork {
	n := directory.Network{NetworkID: id, Name: b.Name, Enterprise: b.Enterprise, IdentifyBy: directory.IdentifyByID,
		RoleMappings: make([]directory.RoleMapping, len(b.RoleMappings))}
	for i, m := range b.RoleMappings {
		n.RoleMappings[i] = directory.RoleMapping{Group: m.Group, Role: role(&m.Role)}
	}
	if b.IdentifyBy != nil {
		n.IdentifyBy = *b.IdentifyBy
	}
	return directory.PutNetwork{Network: n}
}

// role returns a validated role, NoRole when none was given.
func role(name *string) directory.Role {
	if name == nil {
		return directory.NoRole
	}
	r, _ := directory.ParseRole(*name) // validated
	return r
}

func (s *Server) listNetworks(c *call) error {
	limit, after := c.limit(), c.after(1<<16-1)
	state, _, err := s.read(c)
	if err != nil {
		return err
	}
	view := c.view()
	return c.answer(http.StatusOK, pageOf(view.VisibleNetworks(state, uint16(after)), limit,
		func(n *directory.Network) uint16 { return n.NetworkID }))
}

func (s *Server) getNetwork(c *call) error {
	id := c.networkID()
	state, _, err := s.read(c, id)
	if err != nil {
		return err
	}
	n, err := networkOf(state, id)
	if err != nil {
		return err
	}
	return c.answer(http.StatusOK, n)
}

// maxNetwork is the size in bytes of the body of a network, whose mappings may name
// a thousand groups with a thousand characters each, however these are written.
const maxNetwork = 16 << 20

func (s *Server) putNetwork(c *call) error {
	var b networkBody
	id := c.networkID()
	c.body(&b, maxNetwork, maxListed)
	same(c, "network_id", b.NetworkID, id)
	if err := c.refusal(); err != nil {
		return err
	}
	return commit(s, c, b.command(id))
}

func (s *Server) deleteNetwork(c *call) error {
	id := c.networkID()
	if err := c.refusal(); err != nil {
		return err
	}
	return commit(s, c, directory.DeleteNetwork{NetworkID: id})
}

func networkOf(s *directory.State, id uint16) (*directory.Network, error) {
	n := s.Network(id)
	if n == nil {
		return nil, fmt.Errorf("%w: %d", directory.ErrNetworkNotFound, id)
	}
	return n, nil
}
