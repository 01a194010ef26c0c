package gateway_test

import (
	"errors"
	"sync"

	"github.com/replication-gateway/gateway/internal/wal"
)

var errDisk = errors.New("the disk is gone")

// gatedFS is the real file system with a gate before every sync of a file.
type gatedFS struct {
	wal.FS
	mu   sync.Mutex
	gate func() error // nil lets all through
}

func (f *gatedFS) Open(path string, flag int) (wal.Handle, error) {
	h, err := f.FS.Open(path, flag)
	if err != nil {
		return nil, err
	}
	return gatedHandle{h, f}, nil
}

// set replaces the gate. What it returns is the answer of a sync; while it
// blocks, the sync has not happened.
func (f *gatedFS) set(gate func() error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.gate = gate
}

type gatedHandle struct {
	wal.Handle
	fs *gatedFS
}

func (h gatedHandle) Sync() error {
	h.fs.mu.Lock()
	gate := h.fs.gate
	h.fs.mu.Unlock()
	if gate != nil {
		if err := gate(); err != nil {
			return err
		}
	}
	return h.Handle.Sync()
}
