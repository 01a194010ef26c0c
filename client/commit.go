package client

import (
	"fmt"

	"github.com/replication-gateway/gateway/internal/directory"
)

// Delta is a frame with changes: as a rule one commit or several, or a part of
// one that does not fit into a frame.
type Delta struct {
	// Position is where the stream stands behind it, once More is over.
	Position
	// Prev is the seq_no that the commits follow on: where the stream stood
	// before. All parts of a commit have the same.
	Prev uint64
	// More says that the commit goes on in the next frame. Commits is empty then,
	// and the last part has the commit as a whole.
	More bool
	// Commits are in order, and each is whole. The stream may stand further on
	// than the last: commits in which this reader may see nothing are left out.
	Commits []Commit
	// Committed is the newest commit that may be shown, where the gateway tells
	// (replica streams).
	Committed *uint64

	raw []byte
}

// Raw returns the frame as it came.
func (d *Delta) Raw() []byte { return d.raw }
func (*Delta) isFrame()      {}

// Commit is one atomic change, as far as this reader may see it: to be applied
// as a whole or not at all.
type Commit struct {
	SeqNo   uint64
	Entries []Entry // in the order in which they are to be applied, at least one
}

// Entry is one change inside a commit, not decoded.
type Entry struct {
	SeqNo uint64
	Type  string // kind and verb, as in member.put
	Raw   []byte // the JSON object as it came, byte for byte
}

// Decode decodes the entry. It returns ErrUnknownKind for a type that this
// version does not know.
func (e Entry) Decode() (DeltaEntry, error) {
	entries, err := decode([]Entry{e})
	if err != nil {
		return DeltaEntry{}, err
	}
	return entries[0], nil
}

// Decode decodes all entries. It returns ErrUnknownKind if one is of a type that
// this version does not know.
func (c Commit) Decode() ([]DeltaEntry, error) { return decode(c.Entries) }

// Record returns the entries as a JSON array, each byte for byte as it came: for
// a replica stream that is the record of the gateway's own log. The memory is new.
func (c Commit) Record() []byte { return record(c.Entries) }

func record(entries []Entry) []byte {
	size := len("[]") + len(entries)
	for _, e := range entries {
		size += len(e.Raw)
	}
	b := append(make([]byte, 0, size), '[')
	for i, e := range entries {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, e.Raw...)
	}
	return append(b, ']')
}

func decode(entries []Entry) ([]DeltaEntry, error) {
	for _, e := range entries {
		if !e.known() {
			return nil, fmt.Errorf("%w: entry of type %q in commit %d", ErrUnknownKind, e.Type, e.SeqNo)
		}
	}
	return directory.DecodeEntries(record(entries))
}

// known reports whether this version knows what the entry is about.
func (e Entry) known() bool {
	_, err := directory.ParseEntryType(e.Type)
	return err == nil
}

// parseEntry finds out what has to be known of an entry to pass it on.
func parseEntry(raw []byte) (Entry, error) {
	e := Entry{Raw: raw}
	if err := want(raw, '{'); err != nil {
		return e, fmt.Errorf("%w: an entry is not an object: %s", ErrProtocol, excerpt(raw))
	}
	var seqNo *uint64
	var err error
	for name, value := range members(raw) {
		switch string(name) {
		case "seq_no":
			seqNo, err = numberOf(value)
		case "type":
			e.Type, err = stringOf(value)
		}
		if err != nil {
			return e, fmt.Errorf("%w: member %s of an entry: %v: %s", ErrProtocol, name, err, excerpt(raw))
		}
	}
	if seqNo == nil || e.Type == "" {
		return e, fmt.Errorf("%w: an entry without seq_no or type: %s", ErrProtocol, excerpt(raw))
	}
	e.SeqNo = *seqNo
	return e, nil
}

// commits groups entries, which are in order, by their commit.
func commits(entries []Entry) []Commit {
	var list []Commit
	for start, end := 0, 1; start < len(entries); start, end = end, end+1 {
		for end < len(entries) && entries[end].SeqNo == entries[start].SeqNo {
			end++
		}
		list = append(list, Commit{SeqNo: entries[start].SeqNo, Entries: entries[start:end:end]})
	}
	return list
}
