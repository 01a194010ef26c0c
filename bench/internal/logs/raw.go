package logs

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// rawSize is the size of the raw file. A writer that comes to its end begins again at the front: what is written
// there costs the same as what was zero-filled before.
const rawSize = 256 << 20

// rawFile is the limit: what the disk and the system calls cost, and nothing else.
var rawFile = Candidate{
	Name:  "raw limit",
	About: "one file, zero-filled to 256 MiB and synced before the clock starts; for each group one pwrite of the bare records and one fdatasync",
	Open:  func(dir string) (Log, error) { return openRaw(dir, rawSize) },
}

type raw struct {
	file *os.File
	size int64
	pos  int64
	buf  []byte
}

// openRaw makes the file; size is a multiple of 1 MiB.
func openRaw(dir string, size int64) (*raw, error) {
	f, err := os.OpenFile(filepath.Join(dir, "raw"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	zeros := make([]byte, 1<<20)
	for at := int64(0); at < size; at += int64(len(zeros)) {
		if _, err := f.WriteAt(zeros, at); err != nil {
			return nil, errors.Join(err, f.Close())
		}
	}
	if err := f.Sync(); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &raw{file: f, size: size}, nil
}

// Append implements Log.
func (r *raw) Append(_ uint64, records [][]byte) error {
	r.buf = r.buf[:0]
	for _, record := range records {
		r.buf = append(r.buf, record...)
	}
	if int64(len(r.buf)) > r.size {
		return fmt.Errorf("a group of %d bytes in a file of %d", len(r.buf), r.size)
	}
	if r.pos+int64(len(r.buf)) > r.size {
		r.pos = 0
	}
	if _, err := r.file.WriteAt(r.buf, r.pos); err != nil {
		return err
	}
	r.pos += int64(len(r.buf))
	for {
		if err := unix.Fdatasync(int(r.file.Fd())); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

// Close implements Log.
func (r *raw) Close() error { return r.file.Close() }
