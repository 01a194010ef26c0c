package directory

import (
	"bytes"
	"fmt"
	"iter"
)

// AppendRow appends r as a line of a snapshot file:
//
//	row  = kind SPACE json NEWLINE
//	kind = "network" | "node" | … , as entry types have it
//	json = the record as a put carries it in data
//
// It allocates nothing but what dst needs to grow. The strings of r are UTF-8,
// as those of every State are.
func AppendRow(dst []byte, r Record) []byte {
	dst = append(dst, r.kind().String()...)
	dst = append(dst, ' ')
	dst = appendRecord(dst, r)
	return append(dst, '\n')
}

// ParseRow reads a line that AppendRow wrote, with its newline or without. The
// record keeps nothing of line. Any number of goroutines may call it.
func ParseRow(line []byte) (Record, error) {
	line = bytes.TrimSuffix(line, []byte{'\n'})
	word, encoded, _ := bytes.Cut(line, []byte{' '})
	kind, ok := parseKind(string(word))
	if !ok {
		return nil, fmt.Errorf("row of an unknown kind: %.40q", line)
	}
	r, err := parseRecord(EntryType{Kind: kind}, encoded)
	if err != nil {
		return nil, fmt.Errorf("%v row: %w", kind, err)
	}
	return r, nil
}

// EncodedRows yields every row of a frozen state as AppendRow writes it, in the
// order that a Loader wants. A line is good until the next is asked for; the
// rows of a large state pass through one buffer.
func (s *State) EncodedRows() iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		var line []byte
		for _, row := range NewView(AccessReplica).Rows(s) {
			line = AppendRow(line[:0], row)
			if !yield(line) {
				return
			}
		}
	}
}

// RowCount returns how many rows the state has, of all kinds together.
func (s *State) RowCount() uint64 {
	return uint64(s.networks.Len() + s.nodes.Len() + s.members.Len() + s.assignments.rows.Len() + s.users.rows.Len() +
		s.syncs.Len() + s.tokens.Len() + s.receipts.byID.Len())
}
