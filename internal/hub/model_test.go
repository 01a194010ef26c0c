package hub

import (
	"encoding/json"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/replication-gateway/gateway/internal/hub/hubtest"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The classes of the model: all sees everything, odd the odd keys, none nothing.
const (
	all  = Class("all")
	odd  = Class("odd")
	none = Class("none")
)

func visible(c Class, key int) bool { return c == all || c == odd && key%2 == 1 }

// change is one entry of the model: key is set to the seq_no of its commit.
type change struct {
	key int
	pad int // bytes that make the entry larger
}

// model is a history that says what every subscriber must see. It is safe for
// concurrent use.
type model struct {
	mu      sync.RWMutex
	commits map[uint64][]change
	resets  map[uint64]bool // states that nothing is carried over into
	last    uint64
}

func newModel() *model {
	return &model{commits: make(map[uint64][]change), resets: make(map[uint64]bool)}
}

// commit adds the next commit.
func (m *model) commit(changes ...change) Commit {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.last++
	m.commits[m.last] = changes
	c := Commit{SeqNo: m.last, Digest: digestOf(m.last)}
	c.Entries = func(class Class) [][]byte { return entries(class, c.SeqNo, changes) }
	for _, e := range c.Entries(all) {
		c.Bytes += len(e)
	}
	return c
}

// small adds a commit of one entry.
func (m *model) small() Commit { return m.commit(change{key: int(m.last) % 10}) }

// replace skips numbers and begins anew with a state that holds one row.
func (m *model) replace(skip uint64) State {
	m.mu.Lock()
	m.last += skip
	m.commits[m.last] = []change{{key: 1}}
	m.resets[m.last] = true
	m.mu.Unlock()
	return m.state(m.last)
}

// head is the state after the last commit.
func (m *model) head() State { return m.state(m.last) }

func (m *model) state(seq uint64) State {
	return State{SeqNo: seq, Digest: digestOf(seq), Parts: func(c Class, max int) iter.Seq[[]byte] {
		return lent(parts(m.rows(c, seq), max)...)
	}}
}

// rows is what a class sees of the state at seq.
func (m *model) rows(c Class, seq uint64) map[int]uint64 {
	m.mu.RLock()
	defer m.mu.RUnlock()
	rows := make(map[int]uint64)
	for n := uint64(1); n <= seq; n++ {
		if m.resets[n] {
			clear(rows)
		}
		for _, ch := range m.commits[n] {
			if visible(c, ch.key) {
				rows[ch.key] = n
			}
		}
	}
	return rows
}

func (m *model) oracle(c Class) hubtest.Oracle {
	return hubtest.Oracle{
		Entries: func(after, to uint64) (list [][]byte) {
			m.mu.RLock()
			defer m.mu.RUnlock()
			for n := after + 1; n <= to; n++ {
				list = append(list, entries(c, n, m.commits[n])...)
			}
			return list
		},
		Snapshot: func(seq uint64, got map[string][]json.RawMessage) error {
			if have, want := decode(got), m.rows(c, seq); !maps.Equal(have, want) {
				return fmt.Errorf("rows are %v, want %v", have, want)
			}
			return nil
		},
		Digest: func(seq uint64) string { return fmt.Sprintf("%016x", digestOf(seq)) },
	}
}

func digestOf(seq uint64) uint64 { return seq * 0x9e3779b97f4a7c15 }

func entries(c Class, seq uint64, changes []change) (list [][]byte) {
	for _, ch := range changes {
		if visible(c, ch.key) {
			list = append(list, fmt.Appendf(nil, `{"seq_no":%d,"key":%d,"pad":"%s"}`, seq, ch.key, strings.Repeat("x", ch.pad)))
		}
	}
	return list
}

// parts encodes rows as {"rows":[[key,value],…]}, cut to max bytes.
func parts(rows map[int]uint64, max int) (list [][]byte) {
	const open, end = `{"rows":[`, `]}`
	part := []byte(open)
	for _, key := range slices.Sorted(maps.Keys(rows)) {
		row := fmt.Appendf(nil, "[%d,%d]", key, rows[key])
		if len(part) > len(open) && len(part)+1+len(row)+len(end) > max {
			list = append(list, append(part, end...))
			part = []byte(open)
		}
		if len(part) > len(open) {
			part = append(part, ',')
		}
		part = append(part, row...)
	}
	return append(list, append(part, end...))
}

// lent yields the parts of a state, each no longer than until the next step.
func lent(list ...[]byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		var b []byte
		for _, part := range list {
			b = append(b[:0], part...)
			if !yield(b) {
				return
			}
			clear(b)
		}
	}
}

func decode(snapshot map[string][]json.RawMessage) map[int]uint64 {
	rows := make(map[int]uint64)
	for _, raw := range snapshot["rows"] {
		key, value, _ := strings.Cut(strings.Trim(string(raw), "[]"), ",")
		k, _ := strconv.Atoi(key)
		rows[k], _ = strconv.ParseUint(value, 10, 64)
	}
	return rows
}

// reader is a subscriber with a validator. Its methods return the first breach.
type reader struct {
	model   *model
	manager *Manager
	options SubOptions
	valid   *hubtest.Validator
	sub     *Sub
	batch   Batch
}

func newReader(m *Manager, mod *model, o SubOptions) *reader {
	return &reader{model: mod, manager: m, options: o, valid: hubtest.New(hubtest.Options{
		Oracle:   mod.oracle(o.Class),
		MaxFrame: m.options.MaxFrame,
	})}
}

// connect opens a stream at the position that the reader holds, if resume.
func (r *reader) connect(resume bool) error {
	if r.sub != nil {
		r.manager.RemoveSub(r.sub)
	}
	o := r.options
	p, ok := r.valid.Position()
	if o.Resume = resume && ok; o.Resume {
		o.Since = p.SeqNo
		r.valid.ConnectAt(p)
	} else {
		r.valid.Connect()
	}
	var err error
	r.sub, err = r.manager.AddSub(o)
	return err
}

// next reads once and reports how many frames came.
func (r *reader) next(maxBytes int) (int, error) {
	r.sub.Next(&r.batch, maxBytes)
	for _, frame := range r.batch.Frames {
		if err := r.valid.Frame(frame); err != nil {
			return 0, fmt.Errorf("class %s: %w", r.options.Class, err)
		}
	}
	return len(r.batch.Frames), nil
}

// drain reads until nothing is due.
func (r *reader) drain() error {
	for {
		if n, err := r.next(1); n == 0 || err != nil {
			return err
		}
	}
}

// check compares what the reader has put together with the state where it stands.
// A resumed position before the first snapshot can only be that of an empty state.
func (r *reader) check() error {
	p, ok := r.valid.Position()
	if !ok {
		return nil
	}
	rows := decode(r.valid.Snapshot())
	for _, raw := range r.valid.Entries() {
		var e struct {
			SeqNo uint64 `json:"seq_no"`
			Key   int    `json:"key"`
		}
		if err := json.Unmarshal(raw, &e); err != nil {
			return err
		}
		rows[e.Key] = e.SeqNo
	}
	if want := r.model.rows(r.options.Class, p.SeqNo); !maps.Equal(rows, want) {
		return fmt.Errorf("class %s at %d holds %v, want %v", r.options.Class, p.SeqNo, rows, want)
	}
	return nil
}

// must stops the test at the first breach.
func must(t interface{ Fatal(...any) }, err error) {
	if err != nil {
		t.Fatal(err)
	}
}

// start returns a manager that holds the empty state.
func start(o Options) (*Manager, *model) {
	o.Epoch = "e1"
	m, mod := NewManager(o), newModel()
	m.Push(mod.head())
	return m, mod
}

// push commits n small changes, each on its own.
func push(m *Manager, mod *model, n int) {
	for range n {
		c := mod.small()
		m.PushDelta(mod.head(), c)
	}
}

// join adds a subscriber and reads until nothing is due.
func join(t *testing.T, m *Manager, mod *model, o SubOptions) *reader {
	t.Helper()
	r := newReader(m, mod, o)
	must(t, r.connect(false))
	must(t, r.drain())
	return r
}

// take calls Next once and returns the frames.
func take(s *Sub, maxBytes int) [][]byte {
	var b Batch
	s.Next(&b, maxBytes)
	return b.Frames
}

// frames reads all that is due, as text.
func frames(s *Sub) (list []string) {
	for {
		got := take(s, 1)
		if len(got) == 0 {
			return list
		}
		list = append(list, string(got[0]))
	}
}
