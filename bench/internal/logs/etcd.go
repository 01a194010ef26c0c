package logs

import (
	"path/filepath"

	"go.etcd.io/etcd/server/v3/storage/wal"
	"go.etcd.io/etcd/server/v3/storage/wal/walpb"
	"go.etcd.io/raft/v3/raftpb"
	"go.uber.org/zap"
)

var etcdLog = Candidate{
	Name:   "etcd wal",
	Module: "go.etcd.io/etcd/server/v3",
	About:  "storage/wal with its defaults: segments of 64 MB, preallocated, the next one made ahead; one Save for each group",
	Open: func(dir string) (Log, error) {
		w, err := wal.Create(zap.NewNop(), etcdDir(dir), nil)
		if err != nil {
			return nil, err
		}
		return &etcdWriter{wal: w}, nil
	},
	Reader: func(dir string) (Reader, error) {
		w, err := wal.Open(zap.NewNop(), etcdDir(dir), etcdStart())
		if err != nil {
			return nil, err
		}
		return etcdReader{w}, nil
	},
}

// etcdDir is a folder that etcd makes itself.
func etcdDir(dir string) string { return filepath.Join(dir, "wal") }

func etcdStart() *walpb.Snapshot { return &walpb.Snapshot{Index: new(uint64(0)), Term: new(uint64(0))} }

type etcdWriter struct {
	wal     *wal.WAL
	entries []*raftpb.Entry // used again for each group; Save keeps none
}

// Append implements Log.
func (w *etcdWriter) Append(first uint64, records [][]byte) error {
	for len(w.entries) < len(records) {
		w.entries = append(w.entries, &raftpb.Entry{
			Term: new(uint64(1)), Index: new(uint64), Type: raftpb.EntryNormal.Enum(),
		})
	}
	for i, record := range records {
		*w.entries[i].Index = first + uint64(i)
		w.entries[i].Data = record
	}
	return w.wal.Save(&raftpb.HardState{}, w.entries[:len(records)])
}

// Close implements Log.
func (w *etcdWriter) Close() error { return w.wal.Close() }

type etcdReader struct{ wal *wal.WAL }

// Each implements Reader.
func (r etcdReader) Each(yield func([]byte) error) error {
	_, _, entries, err := r.wal.ReadAll()
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := yield(e.Data); err != nil {
			return err
		}
	}
	return nil
}

// Close implements Reader.
func (r etcdReader) Close() error { return r.wal.Close() }
