package wal

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// FS is what the log asks of a file system. The real one is used unless Options names another; tests put one
// between that fails and forgets. What is not there is an error for which errors.Is(err, fs.ErrNotExist) holds.
type FS interface {
	// MkdirAll makes a folder and those above it that are missing, durably.
	MkdirAll(dir string) error
	// Open opens a file with the flags of package os. A file that it makes is readable by its owner alone.
	Open(path string, flag int) (Handle, error)
	// Rename gives a file another name, all at once, also where another file has it.
	Rename(from, to string) error
	Remove(path string) error
	// List names the entries of a folder.
	List(dir string) ([]string, error)
	// SyncDir makes the names in a folder durable.
	SyncDir(dir string) error
	// Lock takes the lock file and the folder that it is in for this process alone, or fails with ErrLocked. It makes
	// the file when that is missing; one that somebody deleted does not open the way. Closing gives both free.
	Lock(path string) (io.Closer, error)
}

// Handle is an open file.
type Handle interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	Size() (int64, error)
	// Sync makes the contents and the size durable.
	Sync() error
	// Named tells whether the file still has a name. One that was deleted, or whose name another file took, is gone as
	// soon as it is closed, whatever was synced.
	Named() (bool, error)
}

// OSFS is the real file system.
var OSFS FS = osFS{}

// place gives a file that is durable its name, durably: that of its folder is synced. When it fails the file may be
// there under either name, and which one is durable is not known.
func place(fsys FS, temp, path string) error {
	if err := fsys.Rename(temp, path); err != nil {
		return err
	}
	return fsys.SyncDir(filepath.Dir(path))
}

// osFS implements OSFS.
type osFS struct{}

func (osFS) Rename(from, to string) error { return os.Rename(from, to) }
func (osFS) Remove(path string) error     { return os.Remove(path) }

func (o osFS) MkdirAll(dir string) error {
	parent := filepath.Dir(dir)
	if _, err := os.Stat(parent); errors.Is(err, fs.ErrNotExist) {
		if err := o.MkdirAll(parent); err != nil {
			return err
		}
	}
	err := os.Mkdir(dir, 0o700)
	there := errors.Is(err, fs.ErrExist)
	if err != nil && !there {
		return err
	}
	// A folder that is there may have been made by a process that was killed before this sync. Who may not read the
	// parent did not make it.
	if err := o.SyncDir(parent); err != nil && !(there && errors.Is(err, fs.ErrPermission)) {
		return err
	}
	return nil
}

func (osFS) List(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	names := make([]string, 0, len(entries))
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names, err
}

func (osFS) Open(path string, flag int) (Handle, error) {
	f, err := os.OpenFile(path, flag, 0o600)
	if err != nil {
		return nil, err
	}
	return osHandle{f}, nil
}

func (osFS) SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func (osFS) Lock(path string) (io.Closer, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, unix.EROFS) {
		f, err = os.Open(path) // who may only read can still look at a stopped log
	}
	if err != nil {
		return nil, err
	}
	if err := flock(f); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	// A lock file that was deleted and made anew is another file; the folder stays the same. Not every file system of a
	// network locks folders, and then the file has to do.
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	if err := flock(dir); errors.Is(err, ErrLocked) {
		return nil, errors.Join(err, dir.Close(), f.Close())
	}
	return folderLock{f, dir}, nil
}

// flock locks an open file, or fails with ErrLocked.
func flock(f *os.File) error {
	err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	switch {
	case errors.Is(err, unix.EWOULDBLOCK):
		return ErrLocked
	case err != nil:
		return &fs.PathError{Op: "flock", Path: f.Name(), Err: err}
	}
	return nil
}

// folderLock is a lock file and its folder, both locked.
type folderLock struct{ file, dir *os.File }

func (l folderLock) Close() error { return errors.Join(l.dir.Close(), l.file.Close()) }

type osHandle struct{ *os.File }

func (h osHandle) Size() (int64, error) {
	info, err := h.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

func (h osHandle) Named() (bool, error) { return linked(h.File) }

// linkedByStat tells whether an open file has a name, in the way that all systems have.
func linkedByStat(f *os.File) (bool, error) {
	var stat unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &stat); err != nil {
		return false, &fs.PathError{Op: "fstat", Path: f.Name(), Err: err}
	}
	return stat.Nlink > 0, nil
}

func (h osHandle) Sync() error {
	if err := datasync(h.File); err != nil {
		return fmt.Errorf("sync %s: %w", h.Name(), err)
	}
	return nil
}
