package logs

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"github.com/cockroachdb/pebble/v2/record"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/prometheus/client_golang/prometheus"
)

// pebbleFileSize is when a log file is spent: CockroachDB's memtable size, which is what bounds a log file there.
// Pebble preallocates a tenth more.
const pebbleFileSize = 64 << 20

const pebbleSuffix = ".log"

var pebbleLog = Candidate{
	Name:   "pebble record log",
	Module: "github.com/cockroachdb/pebble/v2",
	About: "record.LogWriter over vfs.NewSyncingFile as pebble sets it up: log files of 64 MiB, preallocated, sync offsets on; " +
		"each group ends with SyncRecord",
	Open:   func(dir string) (Log, error) { return openPebble(dir, pebbleFileSize, false) },
	Reader: func(dir string) (Reader, error) { return openPebbleReader(dir) },
}

// pebbleRecycled is pebble after its first minutes: the log then only covers what is not in tables yet, and a spent
// file is written over. A log that keeps its records cannot work like that.
var pebbleRecycled = Candidate{
	Name:   "pebble, recycled files",
	Module: "github.com/cockroachdb/pebble/v2",
	About: "the same, each file written over one that was filled before the clock starts, which a log that keeps its " +
		"records cannot do",
	Open: func(dir string) (Log, error) { return openPebble(dir, pebbleFileSize, true) },
}

type pebbleWriter struct {
	dir      string
	folder   vfs.File
	fileSize int64
	recycle  bool
	spare    string // the path of a spent file to write over, empty for none
	num      uint64 // of the file in use
	path     string
	log      *record.LogWriter
	syncs    chan struct{} // bounds the syncs under way, as pebble's commit pipeline does
	latency  prometheus.Histogram
}

func openPebble(dir string, fileSize int64, recycle bool) (*pebbleWriter, error) {
	folder, err := vfs.Default.OpenDir(dir)
	if err != nil {
		return nil, err
	}
	w := &pebbleWriter{
		dir:      dir,
		folder:   folder,
		fileSize: fileSize,
		recycle:  recycle,
		syncs:    make(chan struct{}, record.SyncConcurrency-1),
		latency:  prometheus.NewHistogram(prometheus.HistogramOpts{Name: "sync_seconds"}),
	}
	if err := w.create(); err != nil {
		return nil, errors.Join(err, folder.Close())
	}
	if recycle {
		if err := w.fill(); err != nil {
			return nil, errors.Join(err, w.Close())
		}
	}
	return w, nil
}

// fill spends the first file, so that the one in use was written before.
func (w *pebbleWriter) fill() error {
	record := make([]byte, min(w.fileSize, 1<<20))
	for w.log.Size() <= w.fileSize {
		if err := w.Append(0, [][]byte{record}); err != nil {
			return err
		}
	}
	return w.roll()
}

// create begins the next log file.
func (w *pebbleWriter) create() error {
	w.num++
	path := filepath.Join(w.dir, fmt.Sprintf("%06d%s", w.num, pebbleSuffix))
	var f vfs.File
	var err error
	if w.spare != "" {
		f, err = vfs.Default.ReuseForWrite(w.spare, path, "wal")
		w.spare = ""
	} else {
		f, err = vfs.Default.Create(path, "wal")
	}
	if err != nil {
		return err
	}
	if err := w.folder.Sync(); err != nil {
		return errors.Join(err, f.Close())
	}
	f = vfs.NewSyncingFile(f, vfs.SyncingFileOptions{PreallocateSize: int(w.fileSize) * 11 / 10})
	w.log = recordWriter(record.NewLogWriter, f, w.num, record.LogWriterConfig{
		QueueSemChan:        w.syncs,
		WALFsyncLatency:     w.latency,
		WriteWALSyncOffsets: func() bool { return true },
	})
	w.path = path
	return nil
}

// roll ends the log file in use and begins the next.
func (w *pebbleWriter) roll() error {
	if err := w.log.Close(); err != nil {
		return err
	}
	if w.recycle {
		w.spare = w.path
	}
	return w.create()
}

// Append implements Log.
func (w *pebbleWriter) Append(_ uint64, records [][]byte) error {
	if w.log.Size() > w.fileSize {
		if err := w.roll(); err != nil {
			return err
		}
	}
	last := len(records) - 1
	for _, r := range records[:last] {
		if _, err := w.log.WriteRecord(r); err != nil {
			return err
		}
	}
	var synced sync.WaitGroup
	var failed error
	synced.Add(1)
	w.syncs <- struct{}{}
	if _, err := w.log.SyncRecord(records[last], &synced, &failed); err != nil {
		return err
	}
	synced.Wait()
	return failed
}

// Close implements Log.
func (w *pebbleWriter) Close() error { return errors.Join(w.log.Close(), w.folder.Close()) }

// recordWriter calls record.NewLogWriter: the type of a log's number can only be named inside pebble.
func recordWriter[N ~uint64](
	f func(io.Writer, N, record.LogWriterConfig) *record.LogWriter, w io.Writer, n uint64, c record.LogWriterConfig,
) *record.LogWriter {
	return f(w, N(n), c)
}

// pebbleReader reads as pebble's DB does when it replays its log.
type pebbleReader struct{ paths []string }

func openPebbleReader(dir string) (Reader, error) {
	paths, err := filepath.Glob(filepath.Join(dir, "*"+pebbleSuffix)) // sorted, and so in order
	if err != nil {
		return nil, err
	}
	return pebbleReader{paths}, nil
}

// Each implements Reader. Only the last file may end anyhow: what was cut off there is taken for an unfinished write.
func (r pebbleReader) Each(yield func([]byte) error) error {
	for i, path := range r.paths {
		if err := readPebbleFile(path, i == len(r.paths)-1, yield); err != nil {
			return fmt.Errorf("%s: %w", filepath.Base(path), err)
		}
	}
	return nil
}

func readPebbleFile(path string, last bool, yield func([]byte) error) (err error) {
	num, err := strconv.ParseUint(strings.TrimSuffix(filepath.Base(path), pebbleSuffix), 10, 64)
	if err != nil {
		return err
	}
	f, err := vfs.Default.Open(path, vfs.SequentialReadsOption)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	in := recordReader(record.NewReader, f, num)
	var buf bytes.Buffer
	for {
		r, err := in.Next()
		if err == nil {
			buf.Reset()
			_, err = buf.ReadFrom(r)
		}
		switch {
		case err == nil:
		case errors.Is(err, io.EOF), last && errors.Is(err, record.ErrUnexpectedEOF):
			return nil
		default:
			return err
		}
		if err := yield(buf.Bytes()); err != nil {
			return err
		}
	}
}

// recordReader calls record.NewReader, as recordWriter does its writer.
func recordReader[N ~uint64](f func(io.Reader, N) *record.Reader, r io.Reader, n uint64) *record.Reader {
	return f(r, N(n))
}

// Close implements Reader.
func (pebbleReader) Close() error { return nil }
