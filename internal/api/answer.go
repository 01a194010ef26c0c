package api

import (
	"fmt"
	"iter"
	"net/http"
	"strconv"

	"github.com/go-json-experiment/json"

	"github.com/replication-gateway/gateway/internal/directory"
	"github.com/replication-gateway/gateway/internal/gateway"
)

func (c *call) setPosition(p directory.Position) { c.header().Set("Gateway-Position", p.String()) }

// countedByServer is the size in bytes of bodies that net/http counts by itself,
// since they fit its buffer. Most answers do, and with a header less theirs fit a
// map that need not grow.
const countedByServer = 2048

// answer writes body as JSON.
func (c *call) answer(status int, body any) error { return c.write(status, "application/json", body) }

func (c *call) write(status int, contentType string, body any) error {
	b, err := json.Marshal(body)
	if err != nil {
		return fmt.Errorf("encode answer: %w", err)
	}
	c.send(status, contentType, b)
	return nil
}

// send writes a body that is encoded already.
func (c *call) send(status int, contentType string, body []byte) {
	c.header().Set("Content-Type", contentType)
	if len(body) > countedByServer {
		c.header().Set("Content-Length", strconv.Itoa(len(body)))
	}
	c.w.WriteHeader(status)
	_, _ = c.w.Write(body) // a reader who is gone needs no answer
}

// stream writes a JSON body piece by piece: a long one needs no memory in one
// piece, and its reader has the beginning while the rest is encoded.
func (c *call) stream(status int, pieces iter.Seq[[]byte]) {
	c.header().Set("Content-Type", "application/json")
	c.w.WriteHeader(status)
	for piece := range pieces {
		if _, err := c.w.Write(piece); err != nil {
			return // a reader who is gone needs no answer
		}
	}
}

// written is the answer to a write: the record, and the commit's position.
type written[R any] struct {
	Record R      `json:",embed"`
	SeqNo  uint64 `json:"seq_no"`
	Epoch  string `json:"epoch"`
	Acks   *int   `json:"acks,omitzero"` // standbys that have it on disk, where writes wait for some
}

// inPieces is a record that encodes itself piece by piece, all but the closing
// brace.
type inPieces interface {
	Pieces(size int) iter.Seq[[]byte]
}

// pieces yields w, whose record is given, as JSON. A piece is good until the next
// step.
func (w *written[R]) pieces(record inPieces) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for piece := range record.Pieces(answerPiece) {
			if !yield(piece) {
				return
			}
		}
		b := strconv.AppendUint([]byte(`,"seq_no":`), w.SeqNo, 10)
		b = append(b, `,"epoch":"`...) // letters, digits and hyphens
		b = append(append(b, w.Epoch...), '"')
		if w.Acks != nil {
			b = strconv.AppendInt(append(b, `,"acks":`...), int64(*w.Acks), 10)
		}
		yield(append(b, '}'))
	}
}

// commit has a command carried out and answers with its record.
func commit[R any](s *Server, c *call, command directory.Command[R]) error {
	record, outcome, err := gateway.Do(c.Context(), s.options.Gateway, c.who.actor, command)
	if err != nil {
		return c.unreplicated(err, outcome.Position, nil)
	}
	return answerWritten(s, c, http.StatusOK, record, outcome.Position)
}

func answerWritten[R any](s *Server, c *call, status int, record R, p directory.Position) error {
	c.setPosition(p)
	w := written[R]{Record: record, SeqNo: p.SeqNo, Epoch: p.Epoch}
	if s.options.Gateway.SyncStandbys() > 0 {
		acks := s.options.Gateway.Acks(p.SeqNo)
		w.Acks = &acks
	}
	if record, can := any(&w.Record).(inPieces); can {
		c.stream(status, w.pieces(record))
		return nil
	}
	b, err := json.Marshal(w)
	if err != nil {
		return fmt.Errorf("encode answer: %w", err)
	}
	c.send(status, "application/json", b)
	return nil
}

// page is a part of a list. Next is the key of the last item when more follow.
type page[R, K any] struct {
	Items []R `json:"items"`
	Next  K   `json:"next,omitzero"`
}

// Bounds of a page.
const (
	defaultLimit = 100
	maxLimit     = 1000
)

// limit returns how many items the caller wants at most.
func (c *call) limit() int {
	text, ok := c.single("limit")
	if !ok {
		return defaultLimit
	}
	return int(c.number("limit", "query", text, 1, maxLimit))
}

// after returns the numeric key to go on after, 0 for the beginning.
func (c *call) after(most uint64) uint64 {
	text, ok := c.single("after")
	if !ok {
		return 0
	}
	return c.number("after", "query", text, 0, most)
}

// pageOf takes the first rows of a list.
func pageOf[R, K any](rows iter.Seq[R], limit int, key func(R) K) page[R, K] {
	p := page[R, K]{Items: []R{}}
	for row := range rows {
		if len(p.Items) == limit {
			p.Next = key(p.Items[limit-1])
			break
		}
		p.Items = append(p.Items, row)
	}
	return p
}
