package hubtest

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// DefaultMaxFrame is the size that a frame stays under.
const DefaultMaxFrame = 256 << 10

// Oracle knows what a subscriber must be sent. Each func may be nil, which gives
// up the check.
type Oracle struct {
	// Entries returns the entries of the commits after one position up to another
	// that the subscriber may see. It makes the checks for reliable, filtered and
	// bookmarked complete; without it, only what the frames say of themselves is
	// checked.
	Entries func(after, to uint64) [][]byte
	// Snapshot compares a complete snapshot with the state at seqNo.
	Snapshot func(seqNo uint64, snapshot map[string][]json.RawMessage) error
	// Digest is the digest of the state at seqNo; heartbeats that carry one are
	// compared with it.
	Digest func(seqNo uint64) string
}

// Options sets up a Validator.
type Options struct {
	Oracle   Oracle
	MaxFrame int // bytes, 0 for DefaultMaxFrame
}

// Position is where a subscriber stands.
type Position struct {
	Epoch string
	SeqNo uint64
}

// Validator follows one subscriber. It is not safe for concurrent use. After an
// error it must not be used any more.
type Validator struct {
	options Options

	// What the subscriber holds, over all its connections.
	held     *Position // nil before the first complete snapshot
	snapshot map[string][]json.RawMessage
	entries  []json.RawMessage

	// The present connection.
	asked     *Position // the position given, nil for none
	epoch     string
	frames    int
	resumed   bool
	prev      uint64 // seq_no of the last frame
	committed uint64
	based     bool // resumed or given a snapshot, so that deltas may come
	partial   *part
}

// part is a snapshot or a commit of which some frames are still to come.
type part struct {
	typ      string
	seqNo    uint64
	after    uint64 // where the subscriber stands until it is complete
	entries  []json.RawMessage
	snapshot map[string][]json.RawMessage
}

// New returns a Validator for a subscriber that has not connected yet.
func New(o Options) *Validator {
	if o.MaxFrame == 0 {
		o.MaxFrame = DefaultMaxFrame
	}
	return &Validator{options: o}
}

// Connect begins a connection that gives no position. What was begun on the one
// before and not finished is forgotten.
func (v *Validator) Connect() { v.connect(nil) }

// ConnectAt begins a connection that asks to be resumed at p. For the promise of
// resuming p is what Position returned.
func (v *Validator) ConnectAt(p Position) { v.connect(&p) }

func (v *Validator) connect(asked *Position) {
	v.asked = asked
	v.epoch, v.frames, v.resumed, v.prev, v.committed, v.based, v.partial = "", 0, false, 0, 0, false, nil
}

// Position is where the subscriber stands, false if it holds nothing yet.
func (v *Validator) Position() (Position, bool) {
	if v.held == nil {
		return Position{}, false
	}
	return *v.held, true
}

// Snapshot is the last complete snapshot, its parts put together.
func (v *Validator) Snapshot() map[string][]json.RawMessage { return v.snapshot }

// Entries are those of all complete commits since the last snapshot, or since the
// first position that a connection was resumed at.
func (v *Validator) Entries() []json.RawMessage { return v.entries }

// Resumed reports whether the present connection was resumed.
func (v *Validator) Resumed() bool { return v.resumed }

// Partial reports whether more frames must follow before the subscriber stands
// anywhere.
func (v *Validator) Partial() bool { return v.partial != nil || v.frames > 0 && !v.based }

// Frame consumes one frame.
func (v *Validator) Frame(b []byte) error {
	f, err := Parse(b)
	if err == nil {
		err = v.size(&f, len(b))
	}
	if err == nil {
		err = v.consume(&f)
	}
	if err != nil {
		return fmt.Errorf("frame %d: %w: %s", v.frames+1, err, b[:min(len(b), 512)])
	}
	v.frames++
	v.prev = *f.SeqNo
	return nil
}

func (v *Validator) size(f *Frame, n int) error {
	if n >= v.options.MaxFrame && len(f.Entries)+rows(f.Snapshot) > 1 {
		return fmt.Errorf("%d bytes and more than one row, limit %d", n, v.options.MaxFrame)
	}
	return nil
}

func (v *Validator) consume(f *Frame) error {
	if v.frames == 0 {
		return v.first(f)
	}
	if f.Epoch != v.epoch {
		return fmt.Errorf("epoch changed from %s", v.epoch)
	}
	if p := v.partial; p != nil && (f.Type != p.typ || *f.SeqNo != p.seqNo) {
		return fmt.Errorf("%s of %d is not complete", p.typ, p.seqNo)
	}
	if f.Committed != nil {
		if *f.Committed < v.committed {
			return fmt.Errorf("committed_seq_no went back from %d", v.committed)
		}
		v.committed = *f.Committed
	}
	switch f.Type {
	case "heartbeat":
		return v.heartbeat(f)
	case "snapshot":
		return v.snapshotPart(f)
	default:
		return v.delta(f)
	}
}

// first is the heartbeat that says whether the stream was resumed.
func (v *Validator) first(f *Frame) error {
	switch {
	case f.Type != "heartbeat" || f.Resumed == nil:
		return fmt.Errorf("the first frame must be a heartbeat with resumed")
	case *f.Resumed && v.asked == nil:
		return fmt.Errorf("resumed without a position")
	case *f.Resumed && f.Reason != "":
		return fmt.Errorf("resumed with a reason")
	case *f.Resumed && *f.SeqNo != v.asked.SeqNo:
		return fmt.Errorf("resumed at another position than %d", v.asked.SeqNo)
	case !*f.Resumed && *f.SeqNo != 0:
		return fmt.Errorf("not resumed, so seq_no must be 0")
	case !*f.Resumed && (f.Reason != "") != (v.asked != nil):
		return fmt.Errorf("a reason belongs to a position that was refused")
	case !*f.Resumed && f.Digest != "":
		return fmt.Errorf("digest of nothing")
	}
	v.epoch, v.resumed, v.based = f.Epoch, *f.Resumed, *f.Resumed
	if f.Committed != nil {
		v.committed = *f.Committed
	}
	if !v.resumed {
		return nil
	}
	// The gateway may know the same position under the name of a newer epoch.
	v.held = &Position{Epoch: f.Epoch, SeqNo: *f.SeqNo}
	return v.digest(f)
}

func (v *Validator) heartbeat(f *Frame) error {
	switch {
	case f.Resumed != nil || f.Reason != "" || f.Lineage != nil:
		return fmt.Errorf("only the first heartbeat tells how the stream began")
	case *f.SeqNo < v.prev:
		return fmt.Errorf("went back from %d", v.prev)
	case !v.based && (*f.SeqNo > 0 || strings.Trim(f.Digest, "0") != ""):
		return fmt.Errorf("heartbeat that has something where a snapshot is due")
	case !v.based:
		return nil
	}
	if err := v.digest(f); err != nil {
		return err
	}
	if err := v.expect(v.prev, *f.SeqNo, nil); err != nil {
		return err
	}
	v.held = &Position{Epoch: f.Epoch, SeqNo: *f.SeqNo}
	return nil
}

func (v *Validator) digest(f *Frame) error {
	if want := v.options.Oracle.Digest; want != nil && f.Digest != "" && f.Digest != want(*f.SeqNo) {
		return fmt.Errorf("digest is not %s", want(*f.SeqNo))
	}
	return nil
}

func (v *Validator) snapshotPart(f *Frame) error {
	p := v.partial
	if p == nil {
		p = &part{typ: f.Type, seqNo: *f.SeqNo, snapshot: make(map[string][]json.RawMessage)}
	}
	for name, rows := range f.Snapshot {
		p.snapshot[name] = append(p.snapshot[name], rows...)
	}
	if v.partial = p; f.More {
		return nil
	}
	v.partial = nil
	if check := v.options.Oracle.Snapshot; check != nil {
		if err := check(p.seqNo, p.snapshot); err != nil {
			return fmt.Errorf("snapshot of %d: %w", p.seqNo, err)
		}
	}
	v.based = true
	v.snapshot, v.entries = p.snapshot, nil
	v.held = &Position{Epoch: f.Epoch, SeqNo: p.seqNo}
	return nil
}

func (v *Validator) delta(f *Frame) error {
	switch {
	case !v.based:
		return fmt.Errorf("delta where a snapshot is due")
	case *f.PrevSeqNo != v.prev:
		return fmt.Errorf("prev_seq_no is not %d", v.prev)
	case v.partial == nil && *f.SeqNo <= v.prev:
		return fmt.Errorf("does not move on from %d", v.prev)
	}
	p := v.partial
	if p == nil {
		p = &part{typ: f.Type, seqNo: *f.SeqNo, after: v.prev}
	}
	cut := f.More || v.partial != nil
	for _, e := range f.Entries {
		if err := p.add(e, cut); err != nil {
			return err
		}
	}
	if v.partial = p; f.More {
		return nil
	}
	v.partial = nil
	if err := v.expect(p.after, p.seqNo, p.entries); err != nil {
		return err
	}
	v.entries = append(v.entries, p.entries...)
	v.held = &Position{Epoch: f.Epoch, SeqNo: p.seqNo}
	return nil
}

// add takes an entry of a delta. A commit that is cut shares its frames with no
// other.
func (p *part) add(entry json.RawMessage, cut bool) error {
	n, err := seqNo(entry)
	if err != nil {
		return err
	}
	low := p.after + 1
	if cut {
		low = p.seqNo
	} else if k := len(p.entries); k > 0 {
		low, _ = seqNo(p.entries[k-1])
	}
	if n < low || n > p.seqNo {
		return fmt.Errorf("entry of commit %d, outside %d to %d", n, low, p.seqNo)
	}
	p.entries = append(p.entries, entry)
	return nil
}

// expect compares what came for the commits after one position up to another with
// what must come.
func (v *Validator) expect(after, to uint64, got []json.RawMessage) error {
	if v.options.Oracle.Entries == nil {
		return nil
	}
	want := v.options.Oracle.Entries(after, to)
	if slices.EqualFunc(got, want, func(g json.RawMessage, w []byte) bool { return string(g) == string(w) }) {
		return nil
	}
	return fmt.Errorf("after %d up to %d came %s, want %s", after, to, brief(got), brief(want))
}

func brief[T ~[]byte](list []T) string {
	const most = 8
	s := fmt.Sprintf("%d entries", len(list))
	for _, e := range list[:min(len(list), most)] {
		s += " " + string(e[:min(len(e), 100)])
	}
	return s
}
