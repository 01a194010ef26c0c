package directory

import (
	"errors"
	"fmt"
	"iter"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/tidwall/btree"
)

// Bounds of the receipts. What is past them is deleted by the command that
// would exceed them, or by ExpireReceipts; the state itself has no clock.
const (
	receiptLife     = 7 * 24 * 60 * 60 * 1000 // milliseconds that a receipt is good for
	maxReceipts     = 10_000
	maxReceiptBytes = 64 << 20 // of all answers
	maxAnswer       = 1 << 20  // bytes; a longer answer is kept in brief
	expireAtOnce    = 1_000    // receipts that one ExpireReceipts deletes at most
)

// ErrKeyReused refuses a request whose idempotency key came with another body
// before.
var ErrKeyReused = errors.New("the idempotency key came with another body before")

// Receipt is a stored answer: what a request that was carried out is told when
// it comes again.
type Receipt struct {
	ReceiptID string         `json:"receipt_id"`
	BodyHash  string         `json:"body_hash"`
	SeqNo     uint64         `json:"seq_no"` // of the commit that carried the request out
	At        Time           `json:"at"`
	Answer    jsontext.Value `json:"answer"`
}

func (*Receipt) kind() Kind      { return KindReceipt }
func (*Receipt) network() uint16 { return 0 }
func (*Receipt) node() uint32    { return 0 }

// Expired reports whether the receipt is no longer good at now.
func (r *Receipt) Expired(now Time) bool { return now-r.At >= receiptLife }

// receipts holds the receipts by id, and by the commit that made each, which
// is their age: a commit makes one receipt at most.
type receipts struct {
	byID  btree.Map[string, *Receipt]
	byAge btree.Map[uint64, *Receipt]
	bytes int // of all answers
}

func (r *receipts) clone() receipts {
	return receipts{byID: *r.byID.Copy(), byAge: *r.byAge.Copy(), bytes: r.bytes}
}

// put returns the receipt that was there under the id, or nil.
func (r *receipts) put(next *Receipt) (old *Receipt) {
	old = r.drop(next.ReceiptID)
	r.byID.Set(next.ReceiptID, next)
	r.byAge.Set(next.SeqNo, next)
	r.bytes += len(next.Answer)
	return old
}

// drop returns the receipt that was there under the id, or nil.
func (r *receipts) drop(id string) *Receipt {
	old, had := r.byID.Delete(id)
	if had {
		r.byAge.Delete(old.SeqNo)
		r.bytes -= len(old.Answer)
	}
	return old
}

// Receipt returns the receipt, or nil.
func (s *State) Receipt(id string) *Receipt {
	r, _ := s.receipts.byID.Get(id)
	return r
}

// Receipts yields the receipts with an id greater than after, in order.
func (s *State) Receipts(after string) iter.Seq[*Receipt] { return rowsAfter(&s.receipts.byID, after) }

// ReceiptsByAge yields the receipts, the oldest first.
func (s *State) ReceiptsByAge() iter.Seq[*Receipt] { return rowsAfter(&s.receipts.byAge, 0) }

// Answer is what a command carried out once is answered with.
type Answer[R any] struct {
	Value  R
	SeqNo  uint64 // of the commit that carried the command out
	Stored bool   // that was an earlier request; nothing was done now
}

// Briefer is an answer that can leave out what makes it long.
type Briefer[R any] interface {
	Brief() R
}

// Once carries a command out the first time that ReceiptID is seen, and from
// then on gives the stored answer, for seven days. The receipt is part of the
// command's commit, and is a commit of its own when the command changes
// nothing. The same id with another BodyHash is refused with ErrKeyReused; a
// refusal of the command stores nothing.
type Once[R Briefer[R]] struct {
	ReceiptID string // names who asks and the key
	BodyHash  string
	Command   Command[R]
}

func (c Once[R]) decide(d *draft) (Answer[R], error) {
	s := d.state()
	if old := s.Receipt(c.ReceiptID); old != nil && !old.Expired(d.now) {
		return c.stored(old)
	}
	value, err := c.Command.decide(d)
	if err != nil {
		return Answer[R]{Value: value}, err
	}
	encoded, err := json.Marshal(value, json.Deterministic(true))
	if err == nil && len(encoded) > maxAnswer {
		encoded, err = json.Marshal(value.Brief(), json.Deterministic(true))
	}
	if err != nil {
		return Answer[R]{}, fmt.Errorf("encode answer: %w", err)
	}
	next := &Receipt{ReceiptID: c.ReceiptID, BodyHash: c.BodyHash, SeqNo: d.seqNo(), At: d.now, Answer: encoded}
	d.makeRoom(s, next)
	d.put(next)
	return Answer[R]{Value: value, SeqNo: next.SeqNo}, nil
}

func (c Once[R]) stored(old *Receipt) (Answer[R], error) {
	if old.BodyHash != c.BodyHash {
		return Answer[R]{}, ErrKeyReused
	}
	a := Answer[R]{SeqNo: old.SeqNo, Stored: true}
	if err := json.Unmarshal(old.Answer, &a.Value); err != nil {
		return a, fmt.Errorf("decode stored answer: %w", err)
	}
	return a, nil
}

// makeRoom deletes the oldest receipts that s must lose to take next, and those
// that have expired, as many as one commit may.
func (d *draft) makeRoom(s *State, next *Receipt) {
	count, bytes := s.receipts.byID.Len()+1, s.receipts.bytes+len(next.Answer)
	if same := s.Receipt(next.ReceiptID); same != nil { // expired, and replaced
		count, bytes = count-1, bytes-len(same.Answer)
	}
	deleted := 0
	for r := range s.ReceiptsByAge() {
		over := count > maxReceipts || bytes > maxReceiptBytes
		if !over && (!r.Expired(d.now) || deleted >= expireAtOnce) {
			break
		}
		if r.ReceiptID == next.ReceiptID {
			continue
		}
		d.drop(Key{Kind: KindReceipt, ReceiptID: r.ReceiptID})
		count, bytes, deleted = count-1, bytes-len(r.Answer), deleted+1
	}
}

// ExpireReceipts deletes receipts that are no longer good, the oldest first and
// a bounded number at once. It answers with how many.
type ExpireReceipts struct{}

func (ExpireReceipts) decide(d *draft) (int, error) {
	deleted := 0
	for r := range d.state().ReceiptsByAge() {
		if deleted == expireAtOnce || !r.Expired(d.now) {
			break
		}
		d.drop(Key{Kind: KindReceipt, ReceiptID: r.ReceiptID})
		deleted++
	}
	return deleted, nil
}

// NextExpiry returns when the oldest receipt ceases to be good, false when
// there is none.
func (s *State) NextExpiry() (Time, bool) {
	for r := range s.ReceiptsByAge() {
		return r.At + receiptLife, true
	}
	return 0, false
}

// Brief returns the result without its lists.
func (r DirectorySyncResult) Brief() DirectorySyncResult {
	r.Items, r.Actions = nil, nil
	return r
}
