package api

import (
	"fmt"
	"net/http"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/replication-gateway/gateway/internal/directory"
	"github.com/replication-gateway/gateway/internal/gateway"
)

// Bounds of a batch: how many ops it may have, and bytes.
const (
	maxOps   = 10_000
	maxBatch = 64 << 20
)

type batchBody struct {
	Ops []opBody `json:"ops" validate:"required,min=1,dive"`
}

type opBody struct {
	Type string         `json:"type" validate:"required,oneof=network.put network.delete node.put node.delete member.put member.delete assignment.put assignment.delete"`
	Data jsontext.Value `json:"data"`
}

// Key fields, for deletes. Those that a put lacks are asked for by needed.
type networkKey struct {
	NetworkID uint16 `json:"network_id" validate:"required"`
}

type nodeKey struct {
	NodeID uint32 `json:"node_id" validate:"required"`
}

type memberKey struct {
	NetworkID uint16 `json:"network_id" validate:"required"`
	NodeID    uint32 `json:"node_id" validate:"required"`
}

type assignmentKey struct {
	NetworkID  uint16 `json:"network_id" validate:"required"`
	ExternalID string `json:"external_id" validate:"external_id"`
}

type assignmentBody struct {
	NetworkID  uint16 `json:"network_id" validate:"required"`
	ExternalID string `json:"external_id" validate:"external_id"`
	Role       string `json:"role" validate:"required,oneof=owner admin member"`
}

// batchResult is the answer to a batch.
type batchResult struct {
	Ops     int `json:"ops"`
	Entries int `json:"entries"`
}

func (s *Server) batch(c *call) error {
	var b batchBody
	c.body(&b, maxBatch, maxOps)
	ops := make([]directory.Op, len(b.Ops))
	d := newDecoder(&c.faults)
	defer d.free()
	for i := range b.Ops {
		if c.hard != nil {
			break
		}
		ops[i], c.hard = opOf(&b.Ops[i], pointer("/ops", i)+"/data", d)
	}
	if err := c.refusal(); err != nil {
		return err
	}
	entries, outcome, err := gateway.Do(c.Context(), s.options.Gateway, c.who.actor, directory.Batch{Ops: ops})
	if err != nil {
		return c.unreplicated(err, outcome.Position, nil)
	}
	return answerWritten(s, c, http.StatusOK, batchResult{len(ops), entries}, outcome.Position)
}

// opOf decodes the data of an op, whose place is at. The op is of no use when
// there are faults.
func opOf(o *opBody, at string, d *decoder) (directory.Op, error) {
	switch o.Type {
	case "network.put":
		return op(o, at, d, func(b *networkBody) directory.PutNetwork {
			return b.command(needed(b.NetworkID, at, "network_id", d.faults))
		})
	case "network.delete":
		return op(o, at, d, func(k *networkKey) directory.DeleteNetwork { return directory.DeleteNetwork(*k) })
	case "node.put":
		return op(o, at, d, func(b *nodeBody) directory.PutNode {
			return b.command(needed(b.NodeID, at, "node_id", d.faults))
		})
	case "node.delete":
		return op(o, at, d, func(k *nodeKey) directory.DeleteNode { return directory.DeleteNode(*k) })
	case "member.put":
		return op(o, at, d, func(b *memberBody) directory.PutMember {
			return b.command(needed(b.NetworkID, at, "network_id", d.faults), needed(b.NodeID, at, "node_id", d.faults))
		})
	case "member.delete":
		return op(o, at, d, func(k *memberKey) directory.DeleteMember { return directory.DeleteMember(*k) })
	case "assignment.put":
		return op(o, at, d, func(b *assignmentBody) directory.PutAssignment {
			return directory.PutAssignment{Assignment: directory.Assignment{
				NetworkID: b.NetworkID, ExternalID: b.ExternalID, Role: role(&b.Role)}}
		})
	case "assignment.delete":
		return op(o, at, d, func(k *assignmentKey) directory.DeleteAssignment { return directory.DeleteAssignment(*k) })
	}
	return directory.Op{}, nil // the type has its fault already
}

func op[B, R any, C directory.Command[R]](o *opBody, at string, d *decoder, command func(*B) C) (directory.Op, error) {
	if o.Data == nil || o.Data.Kind() == 'n' {
		d.faults.add(at, "required", "is required")
		return directory.Op{}, nil
	}
	var body B
	if err := d.decodeBytes(o.Data, &body, at, maxListed); err != nil {
		return directory.Op{}, fmt.Errorf("%w, in %s", err, at)
	}
	return directory.OpOf(command(&body)), nil
}

// needed returns a key field of a put, which a path would give elsewhere.
func needed[K uint16 | uint32](key *K, at, name string, f *faults) K {
	if key == nil {
		f.add(pointer(at, name), "required", "is required")
		return 0
	}
	return *key
}
