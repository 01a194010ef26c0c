package main

import (
	"bytes"
	"errors"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/replication-gateway/gateway/bench/internal/logs"
)

// readAhead is how many bytes the bare reader reads at a time, as the gateway's own reader does.
const readAhead = 256 << 10

// logBytes is where the bytes of a log lie: what no reader of it can do without.
type logBytes struct {
	files []string
	sizes []int64 // of each, without the zeros behind its end
}

// findBytes looks for the segments in a folder of the gateway's log.
func findBytes(dir string) (logBytes, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.log"))
	if err != nil {
		return logBytes{}, err
	}
	slices.Sort(files)
	l := logBytes{files: files}
	for _, path := range files {
		b, err := os.ReadFile(path)
		if err != nil {
			return logBytes{}, err
		}
		l.sizes = append(l.sizes, int64(len(bytes.TrimRight(b, "\x00"))))
	}
	return l, nil
}

// open makes the bytes a candidate.
func (l logBytes) open(string) (logs.Reader, error) { return &bareReader{logBytes: l}, nil }

// bareReader reads the bytes and sums them up. It knows no records.
type bareReader struct {
	logBytes
	sum uint32
}

// Each implements logs.Reader, and yields nothing.
func (r *bareReader) Each(func([]byte) error) error {
	buf := make([]byte, readAhead)
	for i, path := range r.files {
		if err := r.read(path, r.sizes[i], buf); err != nil {
			return err
		}
	}
	return nil
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func (r *bareReader) read(path string, size int64, buf []byte) (err error) {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	for size > 0 {
		n, err := io.ReadFull(f, buf[:min(size, int64(len(buf)))])
		if err != nil {
			return err
		}
		r.sum = crc32.Update(r.sum, castagnoli, buf[:n])
		size -= int64(n)
	}
	return nil
}

// Close implements logs.Reader.
func (*bareReader) Close() error { return nil }
