package wal

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
)

// stored is a snapshot in the folder.
type stored struct {
	seqNo   uint64
	damaged bool // as far as is known
}

// SaveSnapshot implements Log.
func (l *File) SaveSnapshot(s Snapshot, rows func(io.Writer) error) error {
	l.keeping.Lock()
	defer l.keeping.Unlock()
	if err := l.admitSnapshot(&s); err != nil {
		return err
	}
	path := snapshotPath(l.dir, s.SeqNo)
	f, err := l.draftSnapshot(path, s, rows)
	if err != nil {
		return err
	}
	if err := f.finish(path); err != nil {
		// It may have its name, and whether it keeps it is not known.
		l.owed = append(l.owed, path)
		_ = l.removeOwed() // the next Cut tries again
		return err
	}
	l.owed = slices.DeleteFunc(l.owed, func(owed string) bool { return owed == path })
	l.mu.Lock()
	defer l.mu.Unlock()
	l.snapshots = slices.DeleteFunc(slices.Clone(l.snapshots), func(old stored) bool { return old.seqNo == s.SeqNo })
	l.snapshots = append(l.snapshots, stored{seqNo: s.SeqNo})
	slices.SortFunc(l.snapshots, func(a, b stored) int { return cmp.Compare(a.seqNo, b.seqNo) })
	return nil
}

// draftSnapshot writes the snapshot that is to have a path, under a temporary name. It ends when the log fails or is
// closed.
func (l *File) draftSnapshot(path string, s Snapshot, rows func(io.Writer) error) (*pacedFile, error) {
	f, err := startFile(l.fs, path+tempSuffix, l.usable)
	if err != nil {
		return nil, fmt.Errorf("create snapshot: %w", err)
	}
	if err := EncodeSnapshot(f, s, rows); err != nil {
		f.abandon()
		return nil, err
	}
	return f, nil
}

// admitSnapshot refuses a snapshot that must not be stored and fills in its lineage. One that is known to be damaged
// may be stored again.
func (l *File) admitSnapshot(s *Snapshot) error {
	if err := l.usable(); err != nil {
		return err
	}
	l.mu.RLock()
	defer l.mu.RUnlock()
	if s.SeqNo > l.last {
		return fmt.Errorf("%w: snapshot of %d, where the log ends at %d", ErrOrder, s.SeqNo, l.last)
	}
	for _, old := range l.snapshots {
		if !old.damaged && s.SeqNo <= old.seqNo {
			return fmt.Errorf("%w: snapshot of %d, where one of %d is stored", ErrOrder, s.SeqNo, old.seqNo)
		}
	}
	s.Lineage = lineageAt(l.lineage, s.SeqNo)
	return nil
}

// lineageAt is the part of a lineage that had begun at a seq_no.
func lineageAt(lineage []Epoch, seqNo uint64) []Epoch {
	later := slices.IndexFunc(lineage, func(e Epoch) bool { return e.SeqNo > seqNo })
	if later < 0 {
		later = len(lineage)
	}
	return slices.Clone(lineage[:later])
}

// Snapshots implements Log.
func (l *File) Snapshots() []uint64 {
	l.mu.RLock()
	defer l.mu.RUnlock()
	seqNos := make([]uint64, 0, len(l.snapshots))
	for _, s := range slices.Backward(l.snapshots) {
		seqNos = append(seqNos, s.seqNo)
	}
	return seqNos
}

// ReadSnapshot implements Log. It reads through a file of its own and takes no lock while it does.
func (l *File) ReadSnapshot(seqNo uint64, rows func(Snapshot, io.Reader) error) error {
	l.mu.RLock()
	lineage, era, err := l.lineage, l.era.Load(), l.readable()
	l.mu.RUnlock()
	if err != nil {
		return err
	}
	if !l.stores(seqNo) {
		return fmt.Errorf("%w: %d", ErrNoSnapshot, seqNo)
	}
	path := snapshotPath(l.dir, seqNo)
	var refused error // of rows
	_, err = readSnapshot(l.fs, path, seqNo, nil, func(s Snapshot, r io.Reader) error {
		if d := checkIdentity(path, seqNo, s, lineage); d != nil {
			return d
		}
		refused = rows(s, r)
		return refused
	})
	if l.era.Load() != era && (refused == nil || errors.Is(err, ErrDamaged)) {
		return fmt.Errorf("%w while the snapshot of %d was read", ErrReplaced, seqNo)
	}
	if gone := (*fs.PathError)(nil); errors.As(err, &gone) && gone.Path == path && errors.Is(gone, fs.ErrNotExist) {
		if !l.stores(seqNo) {
			return fmt.Errorf("%w: %d", ErrNoSnapshot, seqNo) // cut in the meantime
		}
		err = &DamageError{File: path, SeqNo: seqNo, Reason: "the file is missing"}
	}
	if errors.Is(err, ErrDamaged) {
		l.distrust(seqNo, era)
	}
	return err
}

// stores tells whether a snapshot is there.
func (l *File) stores(seqNo uint64) bool {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return slices.ContainsFunc(l.snapshots, func(s stored) bool { return s.seqNo == seqNo })
}

// distrust remembers that a snapshot of an era is damaged.
func (l *File) distrust(seqNo, era uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.era.Load() != era {
		return
	}
	l.snapshots = slices.Clone(l.snapshots)
	for i := range l.snapshots {
		if l.snapshots[i].seqNo == seqNo {
			l.snapshots[i].damaged = true
		}
	}
}

// readSnapshot reads a snapshot file to its end. progress, which may be nil, is told now and then how many bytes were
// read.
func readSnapshot(fsys FS, path string, seqNo uint64, progress func(at int64), rows func(Snapshot, io.Reader) error) (_ Snapshot, err error) {
	f, err := openSequential(fsys, path)
	if err != nil {
		return Snapshot{}, fmt.Errorf("open snapshot: %w", err)
	}
	f.progress = progress
	defer func() {
		if closing := f.Close(); err == nil {
			err = closing // and the error of rows stays as it is
		}
	}()
	return decodeSnapshot(path, seqNo, f, rows)
}

// readSnapshotHeader reads the header of a snapshot file.
func readSnapshotHeader(fsys FS, path string, seqNo uint64) (_ Snapshot, err error) {
	f, err := openSequential(fsys, path)
	if err != nil {
		return Snapshot{}, fmt.Errorf("open snapshot: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	s, err := newBlockReader(f, sectorSize).header()
	return s, asDamage(err, path, 0, seqNo)
}

// sequential reads a file from its beginning to its end.
type sequential struct {
	Handle
	at, told int64
	progress func(at int64) // nil for no report
}

func openSequential(fsys FS, path string) (*sequential, error) {
	f, err := fsys.Open(path, os.O_RDONLY)
	if err != nil {
		return nil, err
	}
	return &sequential{Handle: f}, nil
}

// Read reads on.
func (s *sequential) Read(b []byte) (int, error) {
	n, err := s.ReadAt(b, s.at)
	s.at += int64(n)
	if s.progress != nil && s.at-s.told >= progressEvery {
		s.told = s.at
		s.progress(s.at)
	}
	if n > 0 {
		err = nil // and comes again where there is nothing more
	}
	return n, err
}
