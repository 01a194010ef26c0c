package client

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"time"
	"unicode/utf8"
)

// Frame is what a stream consists of: a *Heartbeat, a *SnapshotPart or a *Delta.
// It is the receiver's own, with all that it holds.
type Frame interface {
	// Raw returns the frame as it came, one JSON object. What else a frame holds
	// shares its memory, so it must not be changed while that is in use.
	Raw() []byte
	isFrame()
}

// Heartbeat says that the gateway is there, and how far the stream has come.
type Heartbeat struct {
	// Position: everything up to it has come. Before the snapshot of a stream that
	// is not resumed it has seq_no 0.
	Position
	At       Time          // by the gateway's clock
	Interval time.Duration // between heartbeats

	// Resumed is there in the first of a stream alone: whether the stream goes on
	// at Options.Since. If not, a snapshot follows, and Reason says why a position
	// was not taken up: unknown-epoch, window-exceeded, ahead or a later word.
	Resumed *bool
	Reason  string

	// Of replica streams. Committed is the newest commit that may be shown, where
	// the gateway tells. Digest is that of the whole state at Position, of
	// unfiltered streams; that of the empty state is 0. Lineage comes with the first heartbeat.
	Committed *uint64
	Digest    *uint64
	Lineage   Lineage

	raw []byte
}

// Raw returns the frame as it came.
func (h *Heartbeat) Raw() []byte { return h.raw }
func (*Heartbeat) isFrame()      {}

// first reports whether h opens a stream.
func (h *Heartbeat) first() bool { return h.Resumed != nil }

// wire is a frame as it comes, with what may be missing.
type wire struct {
	raw              []byte
	typ, epoch       string
	seqNo, prevSeqNo *uint64
	committed        *uint64
	more             bool

	entries  []byte // an array
	snapshot []byte // an object

	at       Time
	interval time.Duration
	resumed  *bool
	reason   string
	digest   *uint64
	lineage  Lineage
}

// parse reads a frame. Members that are not known here are left alone. What it
// holds shares the memory of b.
func parse(b []byte) (*wire, error) {
	b = bytes.TrimSpace(b)
	switch {
	case !utf8.Valid(b) || !json.Valid(b):
		return nil, fmt.Errorf("%w: a frame is not JSON in UTF-8: %s", ErrProtocol, excerpt(b))
	case b[0] != '{':
		return nil, fmt.Errorf("%w: a frame is not an object: %s", ErrProtocol, excerpt(b))
	}
	f := &wire{raw: b}
	for name, value := range members(b) {
		if err := f.member(string(name), value); err != nil {
			return nil, fmt.Errorf("%w: member %s of a frame: %v: %s", ErrProtocol, name, err, excerpt(b))
		}
	}
	return f, nil
}

// member takes note of a member. One that is null counts as not there.
func (f *wire) member(name string, value []byte) (err error) {
	if string(value) == "null" {
		return nil
	}
	switch name {
	case "type":
		f.typ, err = stringOf(value)
	case "epoch":
		f.epoch, err = stringOf(value)
	case "seq_no":
		f.seqNo, err = numberOf(value)
	case "prev_seq_no":
		f.prevSeqNo, err = numberOf(value)
	case "committed_seq_no":
		f.committed, err = numberOf(value)
	case "more":
		err = json.Unmarshal(value, &f.more)
	case "entries":
		f.entries, err = value, want(value, '[')
	case "snapshot":
		f.snapshot, err = value, want(value, '{')
	case "at":
		err = json.Unmarshal(value, &f.at)
	case "interval_ms":
		var ms *uint64
		if ms, err = numberOf(value); err == nil {
			f.interval = time.Duration(min(*ms, uint64(maxInterval/time.Millisecond))) * time.Millisecond
		}
	case "resumed":
		err = json.Unmarshal(value, &f.resumed)
	case "reason":
		f.reason, err = stringOf(value)
	case "digest":
		f.digest, err = digestOf(value)
	case "lineage":
		err = json.Unmarshal(value, &f.lineage)
	}
	return err
}

// maxInterval bounds what a heartbeat can make us wait for the next.
const maxInterval = time.Hour

func stringOf(value []byte) (string, error) {
	if err := want(value, '"'); err != nil {
		return "", err
	}
	return string(unquote(value)), nil
}

func numberOf(value []byte) (*uint64, error) {
	n, err := strconv.ParseUint(string(value), 10, 64)
	return &n, err
}

func digestOf(value []byte) (*uint64, error) {
	s, err := stringOf(value)
	if err != nil {
		return nil, err
	}
	n, err := strconv.ParseUint(s, 16, 64)
	return &n, err
}

// want checks how a value begins, and so what it is.
func want(value []byte, first byte) error {
	if value[0] != first {
		return fmt.Errorf("does not begin with %c", first)
	}
	return nil
}

// excerpt shortens b for the text of an error.
func excerpt(b []byte) string {
	const most = 200
	if len(b) <= most {
		return strconv.Quote(string(b))
	}
	return strconv.Quote(string(b[:most])) + "…"
}
