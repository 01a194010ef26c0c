package logs

import (
	"errors"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
	raftwal "github.com/hashicorp/raft-wal"
	"github.com/hashicorp/raft-wal/metadb"
)

var raftLog = Candidate{
	Name:   "hashicorp raft-wal",
	Module: "github.com/hashicorp/raft-wal",
	About:  "its defaults: segments of 64 MiB, preallocated; one StoreLogs for each group, read with GetLog",
	Open: func(dir string) (Log, error) {
		w, err := openRaftWAL(dir)
		if err != nil {
			return nil, err
		}
		return &raftWriter{raftWAL: w}, nil
	},
	Reader: func(dir string) (Reader, error) {
		w, err := openRaftWAL(dir)
		if err != nil {
			return nil, err
		}
		return raftReader{w}, nil
	},
}

// raftWAL is an open WAL and its database of segments, which the WAL's own Close leaves open and locked.
type raftWAL struct {
	*raftwal.WAL
	meta *metadb.BoltMetaDB
}

func openRaftWAL(dir string) (raftWAL, error) {
	meta := &metadb.BoltMetaDB{}
	w, err := raftwal.Open(dir, raftwal.WithLogger(hclog.NewNullLogger()), raftwal.WithMetaStore(meta))
	if err != nil {
		return raftWAL{}, errors.Join(err, meta.Close())
	}
	return raftWAL{w, meta}, nil
}

// Close implements Log and Reader.
func (w raftWAL) Close() error { return errors.Join(w.WAL.Close(), w.meta.Close()) }

type raftWriter struct {
	raftWAL
	entries []*raft.Log // used again for each group; StoreLogs keeps none
}

// Append implements Log.
func (w *raftWriter) Append(first uint64, records [][]byte) error {
	for len(w.entries) < len(records) {
		w.entries = append(w.entries, &raft.Log{Term: 1})
	}
	for i, record := range records {
		w.entries[i].Index = first + uint64(i)
		w.entries[i].Data = record
	}
	return w.StoreLogs(w.entries[:len(records)])
}

type raftReader struct{ raftWAL }

// Each implements Reader.
func (r raftReader) Each(yield func([]byte) error) error {
	first, err := r.FirstIndex()
	if err != nil {
		return err
	}
	last, err := r.LastIndex()
	if err != nil || last == 0 {
		return err
	}
	var entry raft.Log
	for i := first; i <= last; i++ {
		if err := r.GetLog(i, &entry); err != nil {
			return err
		}
		if err := yield(entry.Data); err != nil {
			return err
		}
	}
	return nil
}
