package directory

import (
	"encoding/binary"

	"github.com/cespare/xxhash/v2"
)

// hashOf returns a hash of the record, kind and key included, and 0 for none.
// It depends on the values of the fields alone, so it is the same on every
// gateway and for good: a field added later is to be left out while unset.
func hashOf[R interface {
	comparable
	digestible
}](r R) uint64 {
	var none R
	if r == none {
		return 0
	}
	var h hasher
	r.hash(&h)
	return xxhash.Sum64(h.buf)
}

type digestible interface{ hash(*hasher) }

// hasher gathers fields, each in a form that cannot run into the next.
type hasher struct {
	buf   []byte
	array [256]byte
}

func (h *hasher) begin(k Kind) {
	h.buf = append(h.array[:0], k.String()...)
	h.buf = append(h.buf, 0)
}

func (h *hasher) uint(v uint64) { h.buf = binary.AppendUvarint(h.buf, v) }

func (h *hasher) time(t Time) { h.buf = binary.AppendVarint(h.buf, int64(t)) }

func (h *hasher) int(v int) { h.buf = binary.AppendVarint(h.buf, int64(v)) }

func (h *hasher) bool(v bool) {
	if v {
		h.uint(1)
		return
	}
	h.uint(0)
}

func (h *hasher) string(s string) {
	h.uint(uint64(len(s)))
	h.buf = append(h.buf, s...)
}

func (h *hasher) strings(list []string) {
	h.uint(uint64(len(list)))
	for _, s := range list {
		h.string(s)
	}
}

func (n *Network) hash(h *hasher) {
	h.begin(KindNetwork)
	h.uint(uint64(n.NetworkID))
	h.string(n.Name)
	h.bool(n.Enterprise)
	h.uint(uint64(len(n.RoleMappings)))
	for _, m := range n.RoleMappings {
		h.string(m.Group)
		h.uint(uint64(m.Role))
	}
	h.string(n.IdentifyBy)
	h.time(n.CreatedAt)
}

func (n *Node) hash(h *hasher) {
	h.begin(KindNode)
	h.uint(uint64(n.NodeID))
	h.string(n.Hostname)
	h.string(n.ExternalID)
	h.strings(n.Tags)
	h.time(n.CreatedAt)
}

func (m *Member) hash(h *hasher) {
	h.begin(KindMember)
	h.uint(uint64(m.NetworkID))
	h.uint(uint64(m.NodeID))
	h.uint(uint64(m.Role))
	h.time(m.JoinedAt)
}

func (a *Assignment) hash(h *hasher) {
	h.begin(KindAssignment)
	h.uint(uint64(a.NetworkID))
	h.string(a.ExternalID)
	h.uint(uint64(a.Role))
}

func (u *User) hash(h *hasher) {
	h.begin(KindUser)
	h.uint(uint64(u.NetworkID))
	h.string(u.ExternalID)
	h.string(u.DisplayName)
	h.string(u.Email)
	h.strings(u.Groups)
	h.uint(uint64(u.Role))
	h.uint(uint64(u.MappedRole))
	h.bool(u.Disabled)
	h.time(u.UpdatedAt)
}

func (s *Sync) hash(h *hasher) {
	h.begin(KindSync)
	h.uint(uint64(s.NetworkID))
	h.time(s.At)
	h.string(s.Actor)
	h.uint(s.SeqNo)
	h.time(s.SnapshotAt)
	h.int(s.Updated)
	h.int(s.Disabled)
	h.int(s.Mapped)
	h.int(s.Unmapped)
}

func (t *Token) hash(h *hasher) {
	h.begin(KindToken)
	h.string(t.TokenID)
	h.string(t.Name)
	h.string(string(t.Role))
	h.uint(uint64(len(t.Networks)))
	for _, n := range t.Networks {
		h.uint(uint64(n))
	}
	h.string(t.Hash)
	h.time(t.ExpiresAt)
	h.time(t.CreatedAt)
}
