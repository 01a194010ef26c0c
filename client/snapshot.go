package client

import (
	"fmt"
	"strings"

	"github.com/replication-gateway/gateway/internal/directory"
)

// SnapshotPart is a frame with rows of a state. The parts of a snapshot follow
// on each other, and together replace everything that the reader held before.
type SnapshotPart struct {
	// Position is where the state stands that the parts are of.
	Position
	First bool // the part that begins the snapshot
	More  bool // another part follows; without it the snapshot is complete
	Rows  []Row

	raw []byte
}

// Raw returns the frame as it came.
func (p *SnapshotPart) Raw() []byte { return p.raw }
func (*SnapshotPart) isFrame()      {}

// Row is a record of a snapshot, not decoded.
type Row struct {
	Collection string // where it stood: networks, nodes, members …
	Raw        []byte // the JSON object as it came, byte for byte
}

// Decode decodes the row. It returns ErrUnknownKind for a collection that this
// version does not know.
func (r Row) Decode() (Record, error) {
	kind, known := kindOf(r.Collection)
	if !known {
		return nil, fmt.Errorf("%w: row of %q", ErrUnknownKind, r.Collection)
	}
	line := make([]byte, 0, len(r.Collection)+len(r.Raw))
	line = append(line, kind.String()...)
	line = append(line, ' ')
	return directory.ParseRow(append(line, r.Raw...))
}

// kindOf returns the kind whose rows a collection lists.
func kindOf(collection string) (Kind, bool) {
	word, plural := strings.CutSuffix(collection, "s")
	t, err := directory.ParseEntryType(word + ".put")
	return t.Kind, plural && err == nil && t.Kind.Plural() == collection
}

// parseRows lists the rows of a part, in the order in which they stand there.
func parseRows(snapshot []byte) ([]Row, error) {
	var rows []Row
	for name, list := range members(snapshot) {
		collection := string(name)
		if err := want(list, '['); err != nil {
			return nil, fmt.Errorf("%w: %s of a snapshot is not a list: %s", ErrProtocol, collection, excerpt(list))
		}
		for row := range elements(list) {
			if err := want(row, '{'); err != nil {
				return nil, fmt.Errorf("%w: a row of %s is not an object: %s", ErrProtocol, collection, excerpt(row))
			}
			rows = append(rows, Row{Collection: collection, Raw: row})
		}
	}
	return rows, nil
}
