package wal

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
)

var (
	errDead  = errors.New("the process is dead")
	errFault = errors.New("injected fault")
)

// disk is a file system that can fail, die and lose power. Each file has two images: what the page cache shows and
// what the platter holds. A sync moves the dirty sectors from the one to the other. A sync that fails leaves them
// clean all the same, as Linux does: the cache shows what the platter lacks, and no later sync brings it there. Every
// handle that was open then is told of it once, by its own next sync.
type disk struct {
	mu      sync.Mutex
	rng     *rand.Rand
	names   map[string]*inode // as programs see them
	durable map[string]*inode // as the platter has them
	pending []change          // of names, that no SyncDir has made durable
	locked  map[string]bool
	life    int // handles of an earlier life are dead

	steps  int  // writes, syncs and changes of names so far
	dieAt  int  // the step at which the process dies, 0 for never
	failAt int  // the step that fails, 0 for none
	failOn bool // and so do all after it
	silent bool // a write that fails returns no error
	failed bool
}

// change is one change of a name in a folder.
type change struct {
	dir  string
	make func() // changes durable
}

type inode struct {
	cache, platter []byte
	dirty          map[int]bool // sectors
	lost           int          // syncs that failed
}

func newDisk(seed uint64) *disk {
	return &disk{rng: rand.New(rand.NewPCG(seed, 1)), names: map[string]*inode{}, durable: map[string]*inode{}, locked: map[string]bool{}}
}

// step counts one operation of a life and tells whether it may happen. It is called with mu held.
func (d *disk) step(life int) error {
	if life != d.life {
		return errDead
	}
	d.steps++
	if d.dieAt > 0 && d.steps >= d.dieAt {
		return errDead
	}
	if d.steps == d.failAt || d.failOn && d.steps > d.failAt {
		d.failed = true
		return errFault
	}
	return nil
}

// restart begins another life of the process; the page cache stays. Pages that are clean may be read anew from the
// platter.
func (d *disk) restart() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, f := range d.names {
		for s := range (len(f.cache) + sectorSize - 1) / sectorSize {
			if !f.dirty[s] && d.rng.IntN(4) == 0 {
				copySector(f.cache, f.platter, s)
			}
		}
	}
	d.reset()
}

// powerCut loses the page cache: of each dirty sector and each changed name that no sync made durable, keep says
// whether it reached the platter.
func (d *disk) powerCut(keep func() bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	files := map[*inode]bool{}
	for _, f := range d.names {
		files[f] = true
	}
	for _, f := range d.durable {
		files[f] = true
	}
	for f := range files {
		if len(f.cache) > len(f.platter) && keep() {
			f.platter = append(f.platter, make([]byte, len(f.cache)-len(f.platter))...)
		}
		for _, s := range slices.Sorted(maps.Keys(f.dirty)) {
			if keep() {
				copySector(f.platter, f.cache, s)
			}
		}
		f.cache, f.dirty = slices.Clone(f.platter), map[int]bool{}
	}
	for _, c := range d.pending {
		if keep() {
			c.make()
		}
	}
	d.pending = nil
	d.names = maps.Clone(d.durable)
	d.reset()
}

// reset begins another life without a fault to come.
func (d *disk) reset() {
	d.life++
	d.dieAt, d.failAt, d.failOn, d.silent, d.steps = 0, 0, false, false, 0
	clear(d.locked)
}

func (d *disk) coin() bool { return d.rng.IntN(2) == 0 }

// copySector copies what both images have of a sector.
func copySector(to, from []byte, sector int) {
	at := sector * sectorSize
	if at < len(to) && at < len(from) {
		copy(to[at:], from[at:min(at+sectorSize, len(from))])
	}
}

// image is the content of all files.
func (d *disk) image() map[string][]byte {
	files := map[string][]byte{}
	for name, f := range d.names {
		files[name] = slices.Clone(f.cache)
	}
	return files
}

// diskOf holds an image, all of it durable.
func diskOf(files map[string][]byte) *disk {
	d := newDisk(1)
	for name, b := range files {
		d.names[name] = &inode{cache: slices.Clone(b), platter: slices.Clone(b), dirty: map[int]bool{}}
	}
	d.durable = maps.Clone(d.names)
	return d
}

func (d *disk) MkdirAll(string) error { return nil }

func (d *disk) List(dir string) ([]string, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	var names []string
	for path := range d.names {
		if filepath.Dir(path) == dir {
			names = append(names, filepath.Base(path))
		}
	}
	return names, nil
}

func (d *disk) Open(path string, flag int) (Handle, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	f := d.names[path]
	if f == nil && flag&os.O_CREATE == 0 {
		return nil, &fs.PathError{Op: "open", Path: path, Err: fs.ErrNotExist}
	}
	if f == nil || flag&os.O_TRUNC != 0 {
		if err := d.step(d.life); err != nil {
			return nil, err
		}
		f = &inode{dirty: map[int]bool{}}
		d.names[path] = f
		d.pending = append(d.pending, change{filepath.Dir(path), func() { d.durable[path] = f }})
	}
	return &diskHandle{disk: d, file: f, life: d.life, told: f.lost}, nil
}

func (d *disk) Rename(from, to string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.step(d.life); err != nil {
		return err
	}
	f := d.names[from]
	if f == nil {
		return &fs.PathError{Op: "rename", Path: from, Err: fs.ErrNotExist}
	}
	delete(d.names, from)
	d.names[to] = f
	d.pending = append(d.pending, change{filepath.Dir(to), func() { delete(d.durable, from); d.durable[to] = f }})
	return nil
}

func (d *disk) Remove(path string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.step(d.life); err != nil {
		return err
	}
	if d.names[path] == nil {
		return &fs.PathError{Op: "remove", Path: path, Err: fs.ErrNotExist}
	}
	delete(d.names, path)
	d.pending = append(d.pending, change{filepath.Dir(path), func() { delete(d.durable, path) }})
	return nil
}

func (d *disk) SyncDir(dir string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.step(d.life); err != nil {
		return err
	}
	d.pending = slices.DeleteFunc(d.pending, func(c change) bool {
		if c.dir == dir {
			c.make()
		}
		return c.dir == dir
	})
	return nil
}

func (d *disk) Lock(path string) (io.Closer, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.locked[path] {
		return nil, ErrLocked
	}
	d.locked[path] = true
	return diskLock{d, path, d.life}, nil
}

type diskLock struct {
	disk *disk
	path string
	life int
}

func (l diskLock) Close() error {
	l.disk.mu.Lock()
	defer l.disk.mu.Unlock()
	if l.life == l.disk.life {
		delete(l.disk.locked, l.path)
	}
	return nil
}

type diskHandle struct {
	disk *disk
	file *inode
	life int
	told int // of the file's failed syncs
}

func (h *diskHandle) Close() error { return nil }

func (h *diskHandle) Size() (int64, error) {
	h.disk.mu.Lock()
	defer h.disk.mu.Unlock()
	return int64(len(h.file.cache)), nil
}

func (h *diskHandle) ReadAt(b []byte, at int64) (int, error) {
	h.disk.mu.Lock()
	defer h.disk.mu.Unlock()
	if at >= int64(len(h.file.cache)) {
		return 0, io.EOF
	}
	n := copy(b, h.file.cache[at:])
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

// WriteAt writes to the cache. A write that fails, or during which the process dies, has written some sectors; one that
// falls short in silence may have ended anywhere.
func (h *diskHandle) WriteAt(b []byte, at int64) (int, error) {
	h.disk.mu.Lock()
	defer h.disk.mu.Unlock()
	err := h.disk.step(h.life)
	short, whole := errors.Is(err, errFault) && h.disk.silent, len(b)
	switch {
	case errors.Is(err, errFault) || err != nil && h.disk.steps == h.disk.dieAt:
		b = b[:h.disk.rng.IntN(len(b)+1)]
		if short {
			b = b[:min(len(b), whole-1)] // all of it would be a success
			break
		}
		b = b[:max(0, len(b)-int(at+int64(len(b)))%sectorSize)]
	case err != nil:
		return 0, err
	}
	f := h.file
	if end := int(at) + len(b); end > len(f.cache) {
		f.cache = append(f.cache, make([]byte, end-len(f.cache))...)
	}
	copy(f.cache[at:], b)
	for s := int(at) / sectorSize; s*sectorSize < int(at)+len(b); s++ {
		f.dirty[s] = true
	}
	if short {
		err = nil
	}
	return len(b), err
}

func (h *diskHandle) Named() (bool, error) {
	h.disk.mu.Lock()
	defer h.disk.mu.Unlock()
	for _, f := range h.disk.names {
		if f == h.file {
			return true, nil
		}
	}
	return false, nil
}

func (h *diskHandle) Sync() error {
	h.disk.mu.Lock()
	defer h.disk.mu.Unlock()
	err := h.disk.step(h.life)
	if errors.Is(err, errDead) {
		return err
	}
	f := h.file
	if n := len(f.cache) - len(f.platter); n > 0 && (err == nil || h.disk.coin()) {
		f.platter = append(f.platter, make([]byte, n)...)
	}
	for _, s := range slices.Sorted(maps.Keys(f.dirty)) {
		if err == nil || h.disk.coin() {
			copySector(f.platter, f.cache, s)
		}
	}
	clear(f.dirty)
	if err != nil {
		f.lost++
	} else if h.told < f.lost {
		err = errFault
	}
	h.told = f.lost
	if err != nil {
		return fmt.Errorf("sync: %w", err)
	}
	return nil
}
