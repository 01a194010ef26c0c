package wal

import (
	"fmt"
	"slices"
)

// BeginEpoch implements Log. An epoch is a segment whose header names it: the active segment is rolled, or replaced
// when it is still empty.
func (l *File) BeginEpoch(name string) error {
	l.writing.Lock()
	defer l.writing.Unlock()
	if err := l.usable(); err != nil {
		return err
	}
	last := l.Last()
	lineage := append(l.Lineage(), Epoch{Name: name, SeqNo: last})
	if err := checkLineage(lineage, last); err != nil {
		return err
	}
	begin := l.roll
	if l.active.empty() {
		begin = l.replaceEmpty
	}
	if err := begin(last+1, lineage); err != nil {
		return l.fail(err)
	}
	l.mu.Lock()
	l.lineage = lineage
	l.mu.Unlock()
	// The file comes after the segment: an epoch that it names must be known to the log.
	if err := l.mark.enter(name); err != nil {
		return l.fail(err)
	}
	return nil
}

// replaceEmpty puts an empty segment of another lineage in the place of the active one. Both have the same path, so
// that the change of it is all at once.
func (l *File) replaceEmpty(first uint64, lineage []Epoch) error {
	fresh, err := l.activate(createSegment(l.fs, l.active.path, segmentHeader{first: first, lineage: lineage}, l.segmentSize))
	if err != nil {
		return err
	}
	spent := l.active
	l.active = fresh
	l.mu.Lock()
	l.segments = append(slices.Clone(l.segments[:len(l.segments)-1]), fresh.segment)
	l.mu.Unlock()
	if err := spent.close(); err != nil {
		return fmt.Errorf("close the segment that was replaced: %w", err)
	}
	return nil
}
