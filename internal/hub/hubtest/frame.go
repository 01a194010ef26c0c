// Package hubtest checks streams of frames as a subscriber receives them.
//
// A [Validator] consumes the frames of one subscriber, over any number of
// connections, and refuses the first that breaks a promise of the stream:
//
//   - ordered: sequence numbers never go back, each delta follows on the frame before;
//   - unique: no entry comes twice;
//   - atomic: a commit is never split except into parts that say so;
//   - reliable: no entry is left out;
//   - resumable: a resumed stream goes on exactly where the last one stood;
//   - filtered: nothing comes that the subscriber may not see;
//   - bookmarked: a heartbeat at N comes after everything up to N.
//
// The package knows frames only and can check any source of them.
package hubtest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"time"
)

// Frame is a frame as it comes off the wire. Members that may be left out are
// pointers.
type Frame struct {
	Type       string                       `json:"type"`
	Epoch      string                       `json:"epoch"`
	PrevSeqNo  *uint64                      `json:"prev_seq_no"`
	SeqNo      *uint64                      `json:"seq_no"`
	Committed  *uint64                      `json:"committed_seq_no"`
	Entries    []json.RawMessage            `json:"entries"`
	Snapshot   map[string][]json.RawMessage `json:"snapshot"`
	More       bool                         `json:"more"`
	At         string                       `json:"at"`
	IntervalMS *int64                       `json:"interval_ms"`
	Resumed    *bool                        `json:"resumed"`
	Reason     string                       `json:"reason"`
	Digest     string                       `json:"digest"`
	Lineage    json.RawMessage              `json:"lineage"`
}

// Parse decodes a frame and refuses one that is malformed on its own, whatever
// came before it.
func Parse(b []byte) (Frame, error) {
	var f Frame
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&f); err != nil {
		return f, err
	}
	if _, err := d.Token(); err != io.EOF {
		return f, fmt.Errorf("data after the frame")
	}
	return f, f.check()
}

func (f *Frame) check() error {
	switch {
	case f.Epoch == "":
		return fmt.Errorf("no epoch")
	case f.SeqNo == nil:
		return fmt.Errorf("no seq_no")
	case (f.Type == "delta") != (f.PrevSeqNo != nil):
		return fmt.Errorf("prev_seq_no belongs to deltas, all of them")
	case (f.Type == "delta") != (f.Entries != nil):
		return fmt.Errorf("entries belong to deltas, all of them")
	case (f.Type == "snapshot") != (f.Snapshot != nil):
		return fmt.Errorf("snapshot belongs to snapshots, all of them")
	case f.Type == "delta" && len(f.Entries) == 0:
		return fmt.Errorf("delta without an entry")
	case f.Committed != nil && *f.Committed > *f.SeqNo:
		return fmt.Errorf("committed_seq_no %d is after seq_no %d", *f.Committed, *f.SeqNo)
	case f.Committed != nil && f.Type == "snapshot":
		return fmt.Errorf("snapshot with committed_seq_no")
	case f.Type == "heartbeat":
		return f.checkHeartbeat()
	case f.Type != "delta" && f.Type != "snapshot":
		return fmt.Errorf("unknown type %q", f.Type)
	case f.At != "" || f.IntervalMS != nil || f.Resumed != nil || f.Reason != "" || f.Digest != "" || f.Lineage != nil:
		return fmt.Errorf("%s with a member of heartbeats", f.Type)
	}
	return nil
}

func (f *Frame) checkHeartbeat() error {
	const milliseconds = "2006-01-02T15:04:05.000Z"
	switch {
	case f.More:
		return fmt.Errorf("heartbeat in parts")
	case f.IntervalMS == nil:
		return fmt.Errorf("heartbeat without interval_ms")
	case f.Digest != "" && len(f.Digest) != 16:
		return fmt.Errorf("digest %q is not 16 digits", f.Digest)
	}
	at, err := time.Parse(milliseconds, f.At)
	if err == nil && at.Format(milliseconds) != f.At {
		err = fmt.Errorf("at %q is not in milliseconds", f.At)
	}
	return err
}

// seqNo is the seq_no of an entry.
func seqNo(entry json.RawMessage) (uint64, error) {
	var e struct {
		SeqNo *uint64 `json:"seq_no"`
	}
	if err := json.Unmarshal(entry, &e); err != nil {
		return 0, err
	}
	if e.SeqNo == nil {
		return 0, fmt.Errorf("entry without seq_no: %s", entry)
	}
	return *e.SeqNo, nil
}

// rows is the number of rows in a snapshot.
func rows(snapshot map[string][]json.RawMessage) (n int) {
	for _, r := range snapshot {
		n += len(r)
	}
	return n
}
