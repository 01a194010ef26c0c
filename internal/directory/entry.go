package directory

import (
	"bytes"
	"fmt"
	"iter"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// EntryType says what an entry does to a record of which kind.
type EntryType struct {
	Kind   Kind
	Delete bool
}

func (t EntryType) String() string {
	if t.Delete {
		return t.Kind.String() + ".delete"
	}
	return t.Kind.String() + ".put"
}

// EntryTypes yields all types that there are.
func EntryTypes() iter.Seq[EntryType] {
	return func(yield func(EntryType) bool) {
		for kind := range numKinds {
			if !yield(EntryType{Kind: kind}) || !yield(EntryType{Kind: kind, Delete: true}) {
				return
			}
		}
	}
}

// ParseEntryType reads the likes of node.put and member.delete.
func ParseEntryType(s string) (EntryType, error) {
	if t, known := parseEntryType(s); known {
		return t, nil
	}
	return EntryType{}, fmt.Errorf("unknown entry type %q", s)
}

func parseEntryType[S string | []byte](s S) (t EntryType, known bool) {
	for k, name := range kindNames {
		if len(s) > len(name) && string(s[:len(name)]) == name {
			switch string(s[len(name):]) {
			case ".put":
				return EntryType{Kind: Kind(k)}, true
			case ".delete":
				return EntryType{Kind: Kind(k), Delete: true}, true
			}
		}
	}
	return EntryType{}, false
}

// MarshalText implements encoding.TextMarshaler.
func (t EntryType) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler by way of ParseEntryType.
func (t *EntryType) UnmarshalText(b []byte) (err error) {
	*t, err = ParseEntryType(string(b))
	return err
}

// DeltaEntry is one change inside a commit. Data is the whole new record of a
// put, or the *Key of a delete.
type DeltaEntry struct {
	SeqNo     uint64    `json:"seq_no"`
	Type      EntryType `json:"type"`
	NetworkID uint16    `json:"network_id,omitzero"`
	NodeID    uint32    `json:"node_id,omitzero"`
	At        Time      `json:"at"`
	Actor     string    `json:"actor"`
	Data      Record    `json:"data"`
}

// Commit is one atomic change: what became durable, visible and sent together.
type Commit struct {
	SeqNo   uint64
	Entries []DeltaEntry
	Encoded [][]byte // the JSON of each entry, in the order of Entries
}

// AppendLine appends the commit as operators are given it, as one line of JSON:
// {"seq_no":N,"entries":[…]}. Its entries are its Encoded.
func (c *Commit) AppendLine(b []byte) []byte {
	b = fmt.Appendf(b, `{"seq_no":%d,"entries":[`, c.SeqNo)
	for i, entry := range c.Encoded {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, entry...)
	}
	return append(b, "]}\n"...)
}

// DecodeCommit reads a record of the log. The commit keeps nothing of record:
// Encoded share a copy of it, the rows have memory of their own. Any number of
// goroutines may call it.
func DecodeCommit(record []byte) (Commit, error) {
	record = bytes.Clone(record)
	c := Commit{Encoded: make([][]byte, 0, likelyEntries(record))}
	if !c.read(record) {
		return decodeCommit(record)
	}
	return c, nil
}

// DecodeEntries is DecodeCommit for a commit that will not be sent any more: it
// leaves out what of the commit is encoded.
func DecodeEntries(record []byte) ([]DeltaEntry, error) {
	var c Commit
	if !c.read(record) {
		var err error
		if c, err = decodeCommit(record); err != nil {
			return nil, err
		}
	}
	return c.Entries, nil
}

// read reads a record as EncodeCommit writes it, and no other. Encoded gets
// parts of record, unless it is nil.
func (commit *Commit) read(record []byte) bool {
	commit.Entries = make([]DeltaEntry, 0, likelyEntries(record))
	c := newReader(record)
	defer c.free()
	c.open('[')
	for i := 0; !c.failed; i++ {
		if i > 0 && c.take("]") {
			break
		}
		c.item(i)
		start := c.pos
		commit.Entries = append(commit.Entries, DeltaEntry{})
		c.entry(&commit.Entries[i])
		if commit.Encoded != nil {
			commit.Encoded = append(commit.Encoded, record[start:c.pos:c.pos])
		}
		c.failed = c.failed || commit.Entries[i].SeqNo != commit.Entries[0].SeqNo
	}
	if c.failed || c.pos != len(record) {
		return false
	}
	commit.SeqNo = commit.Entries[0].SeqNo
	return true
}

// likelyEntry is about how many bytes an entry takes.
const likelyEntry = 256

// likelyEntries guesses how many entries a record has, one at least.
func likelyEntries(record []byte) int { return len(record)/likelyEntry + 1 }

// decodeCommit reads any JSON array of entries. The commit keeps nothing of
// record.
func decodeCommit(record []byte) (Commit, error) {
	var raw []jsontext.Value
	if err := json.Unmarshal(record, &raw); err != nil {
		return Commit{}, fmt.Errorf("decode commit: %w", err)
	}
	if len(raw) == 0 {
		return Commit{}, fmt.Errorf("decode commit: no entries")
	}
	c := Commit{Entries: make([]DeltaEntry, len(raw)), Encoded: make([][]byte, len(raw))}
	for i, value := range raw {
		if err := json.Unmarshal(value, &c.Entries[i]); err != nil {
			return Commit{}, fmt.Errorf("decode entry %d: %w", i, err)
		}
		if seq := c.Entries[i].SeqNo; i > 0 && seq != c.SeqNo {
			return Commit{}, fmt.Errorf("decode entry %d: seq_no %d in commit %d", i, seq, c.SeqNo)
		}
		c.SeqNo = c.Entries[i].SeqNo
		c.Encoded[i] = value
	}
	return c, nil
}

// UnmarshalJSON decodes the data by the type, whatever the order of the
// members.
func (e *DeltaEntry) UnmarshalJSON(b []byte) error {
	var raw struct {
		SeqNo     uint64         `json:"seq_no"`
		Type      EntryType      `json:"type"`
		NetworkID uint16         `json:"network_id"`
		NodeID    uint32         `json:"node_id"`
		At        Time           `json:"at"`
		Actor     string         `json:"actor"`
		Data      jsontext.Value `json:"data"`
	}
	if err := json.Unmarshal(b, &raw); err != nil {
		return err
	}
	data := newRecord(raw.Type)
	if err := json.Unmarshal(raw.Data, data); err != nil {
		return err
	}
	*e = DeltaEntry{SeqNo: raw.SeqNo, Type: raw.Type, NetworkID: raw.NetworkID, NodeID: raw.NodeID,
		At: raw.At, Actor: raw.Actor, Data: data}
	return nil
}

func newRecord(t EntryType) Record {
	if t.Delete {
		return &Key{Kind: t.Kind}
	}
	switch t.Kind {
	case KindNetwork:
		return new(Network)
	case KindNode:
		return new(Node)
	case KindMember:
		return new(Member)
	case KindAssignment:
		return new(Assignment)
	case KindUser:
		return new(User)
	case KindSync:
		return new(Sync)
	case KindToken:
		return new(Token)
	case KindReceipt:
		return new(Receipt)
	}
	panic("directory: kind without a record: " + t.Kind.String())
}
