package client

import (
	"fmt"

	"github.com/replication-gateway/gateway/internal/directory"
)

// stream checks the frames of one connection against the protocol, and joins the
// parts of commits. It does no I/O and knows no clock. After an error it must not
// be used any more.
type stream struct {
	asked *Position // where the stream was to be resumed, nil for nowhere

	epoch     string // empty before the first frame
	seqNo     uint64 // of the newest frame
	based     bool   // resumed or given a snapshot, so that deltas may come
	committed uint64

	// What is begun and not complete, at seqNo.
	inSnapshot bool
	inCommit   bool
	after      uint64  // what the commit follows on
	entries    []Entry // of the commit
}

// accept takes a frame and keeps it. It returns nil for a frame of a type that
// this version does not know; everything else that the protocol does not allow
// is ErrProtocol.
func (s *stream) accept(b []byte) (Frame, error) {
	f, err := parse(b)
	if err != nil {
		return nil, err
	}
	switch f.typ {
	case "heartbeat", "snapshot", "delta":
	case "":
		return nil, broken(f, "no type")
	default:
		if s.epoch == "" {
			return nil, broken(f, "the first frame must be a heartbeat")
		}
		return nil, nil
	}
	if err := s.check(f); err != nil {
		return nil, err
	}
	switch f.typ {
	case "heartbeat":
		return s.heartbeat(f)
	case "snapshot":
		return s.snapshot(f)
	}
	return s.delta(f)
}

// broken says what is wrong with a frame.
func broken(f *wire, format string, args ...any) error {
	return fmt.Errorf("%w: %s: %s", ErrProtocol, fmt.Sprintf(format, args...), excerpt(f.raw))
}

// check is for what all frames have in common.
func (s *stream) check(f *wire) error {
	switch {
	case !directory.ValidEpoch(f.epoch):
		return broken(f, "no epoch")
	case f.seqNo == nil:
		return broken(f, "no seq_no")
	case s.epoch == "" && (f.typ != "heartbeat" || f.resumed == nil):
		return broken(f, "the first frame must be a heartbeat with resumed")
	case s.epoch != "" && f.epoch != s.epoch:
		return broken(f, "the epoch changed from %s", s.epoch)
	case s.inSnapshot && (f.typ != "snapshot" || *f.seqNo != s.seqNo):
		return broken(f, "the snapshot of %d is not complete", s.seqNo)
	case s.inCommit && (f.typ != "delta" || *f.seqNo != s.seqNo):
		return broken(f, "commit %d is not complete", s.seqNo)
	}
	if c := f.committed; c != nil {
		if *c > *f.seqNo || *c < s.committed {
			return broken(f, "committed_seq_no is not between %d and seq_no", s.committed)
		}
		s.committed = *c
	}
	return nil
}

func (s *stream) heartbeat(f *wire) (Frame, error) {
	switch {
	case f.interval == 0:
		return nil, broken(f, "no interval_ms")
	case s.epoch == "":
		if err := s.open(f); err != nil {
			return nil, err
		}
	case f.resumed != nil:
		return nil, broken(f, "the stream began long ago")
	case *f.seqNo < s.seqNo || !s.based && *f.seqNo != s.seqNo:
		return nil, broken(f, "the stream stands at %d", s.seqNo)
	}
	s.seqNo = *f.seqNo
	return &Heartbeat{
		Position: s.position(), At: f.at, Interval: f.interval, Resumed: f.resumed, Reason: f.reason,
		Committed: f.committed, Digest: f.digest, Lineage: f.lineage, raw: f.raw,
	}, nil
}

// open begins the stream.
func (s *stream) open(f *wire) error {
	switch {
	case *f.resumed && s.asked == nil:
		return broken(f, "resumed without a position")
	case *f.resumed && *f.seqNo != s.asked.SeqNo:
		return broken(f, "resumed at another position than %d", s.asked.SeqNo)
	case !*f.resumed && *f.seqNo != 0:
		return broken(f, "not resumed, and yet at a position")
	}
	// A position of an older epoch may be resumed under the name of a newer one.
	s.epoch, s.based = f.epoch, *f.resumed
	return nil
}

func (s *stream) snapshot(f *wire) (Frame, error) {
	if f.snapshot == nil {
		return nil, broken(f, "no snapshot")
	}
	rows, err := parseRows(f.snapshot)
	if err != nil {
		return nil, err
	}
	part := &SnapshotPart{First: !s.inSnapshot, More: f.more, Rows: rows, raw: f.raw}
	s.seqNo, s.inSnapshot = *f.seqNo, f.more
	s.based = !f.more
	part.Position = s.position()
	return part, nil
}

func (s *stream) delta(f *wire) (Frame, error) {
	switch {
	case f.entries == nil || f.prevSeqNo == nil:
		return nil, broken(f, "no entries or no prev_seq_no")
	case !s.based:
		return nil, broken(f, "a snapshot is due")
	case *f.prevSeqNo != s.seqNo:
		return nil, broken(f, "a gap or a repeat: the stream stands at %d", s.seqNo)
	case !s.inCommit && *f.seqNo <= s.seqNo:
		return nil, broken(f, "does not move on from %d", s.seqNo)
	}
	if !s.inCommit {
		s.after = s.seqNo
	}
	low := s.after + 1
	if f.more || s.inCommit { // a commit that is cut shares its frames with no other
		low = *f.seqNo
	}
	for raw := range elements(f.entries) {
		e, err := parseEntry(raw)
		if err != nil {
			return nil, err
		}
		if e.SeqNo < low || e.SeqNo > *f.seqNo {
			return nil, broken(f, "an entry of commit %d, outside %d to %d", e.SeqNo, low, *f.seqNo)
		}
		low = e.SeqNo
		s.entries = append(s.entries, e)
	}
	s.seqNo, s.inCommit = *f.seqNo, f.more
	d := &Delta{Position: s.position(), Prev: s.after, More: f.more, Committed: f.committed, raw: f.raw}
	if !f.more {
		d.Commits, s.entries = commits(s.entries), nil
	}
	return d, nil
}

func (s *stream) position() Position { return Position{Epoch: s.epoch, SeqNo: s.seqNo} }
