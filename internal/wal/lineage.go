package wal

import (
	"encoding/binary"
	"fmt"
	"slices"
)

// A lineage is stored as, for each epoch, oldest first: 8 the last seq_no before it, 1 length of its name, the name.
const (
	maxEpochs    = 1024
	maxEpochName = 64
	maxLineage   = maxEpochs * (9 + maxEpochName)
)

func appendLineage(b []byte, lineage []Epoch) []byte {
	for _, e := range lineage {
		b = binary.LittleEndian.AppendUint64(b, e.SeqNo)
		b = append(b, byte(len(e.Name)))
		b = append(b, e.Name...)
	}
	return b
}

// decodeLineage reads a history of so many epochs, which ends at a seq_no. Nothing but zeros may follow.
func decodeLineage(b []byte, count uint32, last uint64) ([]Epoch, error) {
	if count > maxEpochs {
		return nil, fmt.Errorf("%w: %d epochs", errFormat, count)
	}
	lineage := make([]Epoch, 0, count)
	for range count {
		if len(b) < 9 || len(b) < 9+int(b[8]) {
			return nil, fmt.Errorf("%w: lineage is cut short", errFormat)
		}
		end := 9 + int(b[8])
		lineage = append(lineage, Epoch{SeqNo: binary.LittleEndian.Uint64(b), Name: string(b[9:end])})
		b = b[end:]
	}
	if !isZero(b) {
		return nil, fmt.Errorf("%w: bytes after the lineage", errFormat)
	}
	if err := checkLineage(lineage, last); err != nil {
		return nil, fmt.Errorf("%w: %w", errFormat, err)
	}
	return lineage, nil
}

// checkLineage tells whether a lineage can be that of a history which ends at a seq_no. The error wraps ErrEpoch.
func checkLineage(lineage []Epoch, last uint64) error {
	if len(lineage) == 0 || len(lineage) > maxEpochs {
		return fmt.Errorf("%w: a history of %d epochs, at least 1 and at most %d can be", ErrEpoch, len(lineage), maxEpochs)
	}
	before, had := uint64(0), make(map[string]bool, len(lineage))
	for _, e := range lineage {
		if err := checkEpoch(e.Name); err != nil {
			return err
		}
		if e.SeqNo > last || e.SeqNo < before {
			return fmt.Errorf("%w: %q begins after seq_no %d, out of order", ErrEpoch, e.Name, e.SeqNo)
		}
		if had[e.Name] {
			return fmt.Errorf("%w: this history has had %q", ErrEpoch, e.Name)
		}
		before, had[e.Name] = e.SeqNo, true
	}
	return nil
}

// checkEpoch tells whether a name can be stored and shown.
func checkEpoch(name string) error {
	ok := len(name) > 0 && len(name) <= maxEpochName
	for _, c := range []byte(name) {
		ok = ok && (c == '-' || '0' <= c && c <= '9' || 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z')
	}
	if !ok {
		return fmt.Errorf("%w: %q", ErrEpoch, name)
	}
	return nil
}

// leadsTo tells whether a history that stood at a seq_no with one lineage can have gone on to another: that one has
// all its epochs, and those that came after began there or later.
func leadsTo(older []Epoch, seqNo uint64, newer []Epoch) bool {
	return len(older) <= len(newer) && slices.Equal(older, newer[:len(older)]) &&
		(len(older) == len(newer) || newer[len(older)].SeqNo >= seqNo)
}
