package wal

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
)

// Cut implements Log. After an accident at any point what is on disk is a whole log: each removal is durable before
// the next, snapshots go before the records that they need, and records go oldest first.
func (l *File) Cut(window uint64) error {
	l.keeping.Lock()
	defer l.keeping.Unlock()
	if err := l.usable(); err != nil {
		return err
	}
	upTo := l.dropSnapshots(window)
	if err := l.removeOwed(); err != nil {
		return fmt.Errorf("cut: %w", err)
	}
	if !l.spent(upTo) {
		return nil
	}
	// What may be shown may be known from frames alone, and these go now.
	if err := l.mark.persist(); err != nil {
		return fmt.Errorf("cut: %w", err)
	}
	for l.spent(upTo) {
		l.owed = append(l.owed, l.dropSegment())
		if err := l.removeOwed(); err != nil {
			return fmt.Errorf("cut: %w", err)
		}
	}
	return nil
}

// retain decides which snapshots, oldest first, stay for a window: the two newest, the newest one at or before the
// window, and the oldest one after it, which takes its place when the window has moved on. Damaged ones count for
// nothing. upTo is the seq_no up to which records may go, 0 for none.
func retain(snapshots []stored, window uint64) (stay []stored, upTo uint64) {
	sound := slices.DeleteFunc(slices.Clone(snapshots), func(s stored) bool { return s.damaged })
	if len(sound) == 0 {
		return snapshots, 0
	}
	after := slices.IndexFunc(sound, func(s stored) bool { return s.seqNo > window })
	if after < 0 {
		after = len(sound)
	}
	for i, s := range sound {
		if i >= len(sound)-2 || i == after-1 || i == after {
			stay = append(stay, s)
		}
	}
	if after > 0 {
		upTo = stay[0].seqNo
	}
	return stay, upTo
}

// dropSnapshots takes those out that do not stay, and owes their removal. It returns up to where records may go.
func (l *File) dropSnapshots(window uint64) (upTo uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	stay, upTo := retain(l.snapshots, window)
	for _, s := range l.snapshots {
		if !slices.Contains(stay, s) {
			l.owed = append(l.owed, snapshotPath(l.dir, s.seqNo))
		}
	}
	l.snapshots = stay
	return upTo
}

// spent tells whether all records of the oldest segment are at or before a seq_no. The active segment never is.
func (l *File) spent(upTo uint64) bool {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return len(l.segments) > 1 && l.segments[1].first-1 <= upTo
}

// dropSegment takes the oldest segment out and returns its path.
func (l *File) dropSegment() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	path := l.segments[0].path
	l.segments = slices.Clone(l.segments[1:])
	return path
}

// removeOwed removes the files that are to go, one after the other, each durably. What fails stays owed.
func (l *File) removeOwed() error {
	for len(l.owed) > 0 {
		if err := l.fs.Remove(l.owed[0]); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove %s: %w", l.owed[0], err)
		}
		if err := l.fs.SyncDir(l.dir); err != nil {
			return fmt.Errorf("sync folder: %w", err)
		}
		l.owed = l.owed[1:]
	}
	return nil
}

// First implements Log.
func (l *File) First() uint64 {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.segments[0].first
}
