package directory

import (
	"iter"
	"math"
	"slices"
)

// Rows yields what the view sees of a frozen state: kind after kind, each
// sorted by key.
func (v View) Rows(s *State) iter.Seq2[Kind, Record] {
	return func(yield func(Kind, Record) bool) {
		for kind := range numKinds {
			if !v.SeesKind(kind) {
				continue
			}
			for row := range v.rowsOf(s, kind) {
				if !yield(kind, row) {
					return
				}
			}
		}
	}
}

func (v View) rowsOf(s *State, kind Kind) iter.Seq[Record] {
	switch kind {
	case KindNetwork:
		return records(v.VisibleNetworks(s, 0))
	case KindNode:
		return records(v.VisibleNodes(s, 0))
	case KindMember:
		return ofNetworks(v, s, func(id uint16) iter.Seq[*Member] { return s.Members(id, 0) })
	case KindAssignment:
		return ofNetworks(v, s, s.Assignments)
	case KindUser:
		return ofNetworks(v, s, s.Users)
	case KindSync:
		return func(yield func(Record) bool) {
			for row := range s.Syncs(0) {
				if v.SeesNetwork(row.NetworkID) && !yield(row) {
					return
				}
			}
		}
	case KindToken:
		return records(s.Tokens(""))
	case KindReceipt:
		return records(s.Receipts(""))
	}
	panic("directory: kind without rows: " + kind.String())
}

// VisibleNetworks yields the networks in sight with an id greater than after.
func (v View) VisibleNetworks(s *State, after uint16) iter.Seq[*Network] {
	return func(yield func(*Network) bool) {
		for n := range s.Networks(after) {
			if v.SeesNetwork(n.NetworkID) && !yield(n) {
				return
			}
		}
	}
}

// VisibleNodes yields the nodes in sight with an id greater than after.
func (v View) VisibleNodes(s *State, after uint32) iter.Seq[*Node] {
	if !v.limited {
		return s.Nodes(after)
	}
	return func(yield func(*Node) bool) {
		for id := range v.membersAfter(s, after) {
			if !yield(s.Node(id)) {
				return
			}
		}
	}
}

// membersAfter yields the ids of the nodes that are members of a network in sight,
// from after on. It looks at no others, of which there may be very many more.
func (v View) membersAfter(s *State, after uint32) iter.Seq[uint32] {
	return func(yield func(uint32) bool) {
		if len(v.networks) == 1 {
			for m := range s.Members(v.networks[0], after) {
				if !yield(m.NodeID) {
					return
				}
			}
			return
		}
		for more, atOnce := true, firstMembers; more; atOnce *= 4 {
			var ids []uint32
			ids, after, more = v.someMembers(s, after, atOnce)
			for _, id := range ids {
				if !yield(id) {
					return
				}
			}
		}
	}
}

// firstMembers is how many members of each network are looked at first: whoever wants a
// page is not to pay for all of them. Whoever goes on wants all, as a rule.
const firstMembers = 1024

// someMembers returns the ids of the first nodes after one that are members of a network
// in sight, in order, from so many members of each. All up to last are among them, and
// there may be more.
func (v View) someMembers(s *State, after uint32, atOnce int) (ids []uint32, last uint32, more bool) {
	last = math.MaxUint32
	for _, network := range v.networks {
		n := 0
		for m := range s.Members(network, after) {
			ids = append(ids, m.NodeID)
			if n++; n == atOnce {
				last, more = min(last, m.NodeID), true
				break
			}
		}
	}
	slices.Sort(ids)
	ids = slices.Compact(ids)
	end, found := slices.BinarySearch(ids, last)
	if found {
		end++
	}
	return ids[:end], last, more
}

func records[R Record](rows iter.Seq[R]) iter.Seq[Record] {
	return func(yield func(Record) bool) {
		for row := range rows {
			if !yield(row) {
				return
			}
		}
	}
}

// ofNetworks yields the rows of each network in sight, network after network.
func ofNetworks[R Record](v View, s *State, rows func(uint16) iter.Seq[R]) iter.Seq[Record] {
	return func(yield func(Record) bool) {
		for n := range v.VisibleNetworks(s, 0) {
			for row := range rows(n.NetworkID) {
				if !yield(row) {
					return
				}
			}
		}
	}
}

// SnapshotParts yields what the view sees of a frozen state as JSON objects with
// a list for each kind, together all rows. Each object is at most limit bytes
// long, unless one row alone is larger; there is always at least one. The bytes
// are good until the next step.
func (v View) SnapshotParts(s *State, limit int) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		p := partWriter{view: v, limit: limit}
		p.open()
		for kind, row := range v.Rows(s) {
			p.encoded = appendRecord(p.encoded[:0], row)
			if p.full() {
				if !yield(p.close()) {
					return
				}
				p.open()
			}
			p.row(kind)
		}
		yield(p.close())
	}
}

// partWriter cuts rows into parts: {"networks":[…],"nodes":[…],…}, every kind
// in sight named in every part.
type partWriter struct {
	view    View
	limit   int
	buf     []byte // the part being written
	encoded []byte // the row to be written next
	next    Kind   // the first kind whose list is not open yet
	rows    int    // in this part
	first   bool   // no row in the open list yet
}

func (p *partWriter) open() {
	p.buf, p.next, p.rows = append(p.buf[:0], '{'), 0, 0
}

// list closes the open list and opens those of the kinds up to kind.
func (p *partWriter) list(kind Kind) {
	for ; p.next <= kind && p.next < numKinds; p.next++ {
		if !p.view.SeesKind(p.next) {
			continue
		}
		if len(p.buf) > 1 {
			p.buf = append(p.buf, ']', ',')
		}
		p.buf = append(p.buf, '"')
		p.buf = append(p.buf, p.next.Plural()...)
		p.buf = append(p.buf, '"', ':', '[')
		p.first = true
	}
}

// full reports whether the next row belongs in another part.
func (p *partWriter) full() bool {
	const headings = 160 // what list and close may still add, at most
	return p.rows > 0 && len(p.buf)+len(p.encoded)+headings > p.limit
}

// row writes the next row.
func (p *partWriter) row(kind Kind) {
	p.list(kind)
	if !p.first {
		p.buf = append(p.buf, ',')
	}
	if room := len(p.buf) + len(p.encoded); room > cap(p.buf) {
		// Most states fill a part, and memory that grows step by step is left behind.
		p.buf = slices.Grow(p.buf, max(len(p.encoded), min(4*room, p.limit)-len(p.buf)))
	}
	p.buf = append(p.buf, p.encoded...)
	p.first = false
	p.rows++
}

// close ends the part and returns it, good until the next open.
func (p *partWriter) close() []byte {
	p.list(numKinds)
	if len(p.buf) > 1 {
		p.buf = append(p.buf, ']')
	}
	return append(p.buf, '}')
}
