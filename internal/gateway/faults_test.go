package gateway_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/replication-gateway/gateway/internal/directory"
	"github.com/replication-gateway/gateway/internal/gateway"
	"github.com/replication-gateway/gateway/internal/hub"
	"github.com/replication-gateway/gateway/internal/wal"
)

// Whatever goes wrong with the disk under a running gateway: the write that hit
// it is answered with ErrStorageFailed, so are all later ones, reads go on with
// what was shown, and after a restart on a sound disk every acknowledged write
// is there.
func TestDiskFaults(t *testing.T) {
	for name, fault := range map[string]fault{
		"a failed write":                 {op: "write", suffix: ".log", err: syscall.EIO},
		"a full disk":                    {op: "write", suffix: ".log", err: syscall.ENOSPC},
		"a short write":                  {op: "write", suffix: ".log", err: syscall.ENOSPC, part: 7},
		"a folder that went read-only":   {op: "write", suffix: ".log", err: syscall.EROFS},
		"a failed sync":                  {op: "sync", suffix: ".log", err: syscall.EIO},
		"a failed write of the mark":     {op: "write", suffix: "committed", err: syscall.EIO},
		"no room for the next segment":   {op: "open", suffix: ".log.tmp", err: syscall.ENOSPC},
		"no name for the next segment":   {op: "rename", suffix: ".log.tmp", err: syscall.EIO},
		"a folder that cannot be synced": {op: "syncdir", err: syscall.EIO},
	} {
		t.Run(name, func(t *testing.T) {
			dir, disk := t.TempDir(), &faultyFS{FS: wal.OSFS}
			small := func(o *gateway.Options) { o.Log.SegmentSize = 4 << 10 } // the next segment is never far
			var log bytes.Buffer
			g := open(t, dir, disk, small, func(o *gateway.Options) { o.Logger = zerolog.New(&log) })
			mustPutNode(t, g, 1)
			sub, err := g.Subscribe(gateway.SubscribeOptions{View: directory.NewView(directory.AccessAdmin)})
			if err != nil {
				t.Fatal(err)
			}
			defer g.Unsubscribe(sub)
			disk.set(fault)
			acknowledged := uint32(1)
			for id := uint32(2); err == nil && id < 200; id++ {
				if _, err = putNode(t.Context(), g, id); err == nil {
					acknowledged = id
				}
			}
			if !errors.Is(err, gateway.ErrStorageFailed) {
				t.Fatalf("%d writes, then %v, want ErrStorageFailed", acknowledged, err)
			}
			disk.set(faultNone)
			if _, err := putNode(t.Context(), g, 1000); !errors.Is(err, gateway.ErrStorageFailed) {
				t.Errorf("a write after the failure: %v", err)
			}
			if err := g.Ready(); !errors.Is(err, gateway.ErrStorageFailed) {
				t.Errorf("Ready: %v", err)
			}
			if state, at := g.State(); at.SeqNo != uint64(acknowledged) || state.Node(acknowledged) == nil {
				t.Errorf("readers see seq_no %d, want %d", at.SeqNo, acknowledged)
			}
			if frames := all(sub); !strings.Contains(frames, fmt.Sprintf(`"seq_no":%d,`, acknowledged)) || sub.Ended() {
				t.Errorf("a stream brought %s and ended: %t; want all that was acknowledged, and no end", frames, sub.Ended())
			}
			_ = g.Close()
			if !hasLine(log.String(), `"level":"error"`, "storage failed: writing ends", `"seq_no":`) {
				t.Errorf("no error in the log:\n%s", log.String())
			}

			g = open(t, dir, wal.OSFS, small)
			state, at := g.State()
			for id := range acknowledged {
				if state.Node(id+1) == nil {
					t.Errorf("node %d was acknowledged and is gone", id+1)
				}
			}
			if last := uint64(acknowledged); at.SeqNo != last && at.SeqNo != last+1 {
				t.Errorf("the log ends at %d, acknowledged were %d and one write was under way", at.SeqNo, last)
			}
			mustPutNode(t, g, 2000)
		})
	}
}

// The log is filled with zeros ahead of its end. A disk that fails there is heard of
// at once, and not by the next one who writes.
func TestADiskThatFailsAheadIsHeardOf(t *testing.T) {
	disk := &faultyFS{FS: wal.OSFS, fault: fault{op: "write", suffix: ".log", err: syscall.EIO, from: 1 << 20}}
	log := &awaitedLog{text: "storage failed", said: make(chan struct{})}
	g := open(t, t.TempDir(), disk, func(o *gateway.Options) { o.Log.SegmentSize, o.Logger = 8<<20, zerolog.New(log) })
	mustDo(t, g, directory.PutNode{Node: directory.Node{NodeID: 1, Hostname: strings.Repeat("h", 700<<10)}}) // within what was filled at first
	<-log.said
	if err := g.Ready(); !errors.Is(err, gateway.ErrStorageFailed) {
		t.Errorf("Ready: %v, want ErrStorageFailed", err)
	}
	if state, _ := g.State(); state.Node(1) == nil {
		t.Error("what was acknowledged is not shown")
	}
	if _, err := putNode(t.Context(), g, 2); !errors.Is(err, gateway.ErrStorageFailed) {
		t.Errorf("a write: %v, want ErrStorageFailed", err)
	}
}

// awaitedLog is a log in which a text is waited for.
type awaitedLog struct {
	text string
	said chan struct{} // closed when the text has been logged
	once sync.Once
}

func (l *awaitedLog) Write(line []byte) (int, error) {
	if strings.Contains(string(line), l.text) {
		l.once.Do(func() { close(l.said) })
	}
	return len(line), nil
}

// all returns what is due to a subscriber, until nothing is.
func all(sub *hub.Sub) string {
	var text strings.Builder
	for frames := next(sub); len(frames) > 0; frames = next(sub) {
		for _, f := range frames {
			text.Write(f)
		}
	}
	return text.String()
}

// A promotion that cannot be noted is a failure of the disk like any other: the
// gateway stays a standby, and takes over nothing until it is opened again.
func TestPromotionThatCannotBeNoted(t *testing.T) {
	dir := t.TempDir()
	g := open(t, dir, wal.OSFS)
	mustPutNode(t, g, 1)
	if err := g.Close(); err != nil {
		t.Fatal(err)
	}
	asStandby := func(o *gateway.Options) { o.Standby = true }
	g = open(t, dir, wal.OSFS, asStandby)
	inTheWay := filepath.Join(dir, "promoted")
	if err := os.Mkdir(inTheWay, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := g.Promote("later"); !errors.Is(err, gateway.ErrStorageFailed) {
		t.Errorf("Promote: %v, want ErrStorageFailed", err)
	}
	if err := os.Remove(inTheWay); err != nil {
		t.Fatal(err)
	}
	if err := g.Promote("later"); !errors.Is(err, gateway.ErrStorageFailed) || g.Role() != gateway.Standby {
		t.Errorf("Promote again: %v as %s, want ErrStorageFailed of a standby", err, g.Role())
	}
	if err := g.Ready(); !errors.Is(err, gateway.ErrStorageFailed) {
		t.Errorf("Ready: %v", err)
	}
	_ = g.Close()

	g = open(t, dir, wal.OSFS, asStandby)
	if err := g.Promote("later"); err != nil || g.Role() != gateway.Primary {
		t.Errorf("Promote after the restart: %v as %s", err, g.Role())
	}
}

// What a gateway that died over a small file left of it is gone after the next start.
func TestStartRemovesHalfAFile(t *testing.T) {
	dir := t.TempDir()
	half := filepath.Join(dir, "aside-E-5.jsonl.123.unfinished")
	if err := os.WriteFile(half, []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	open(t, dir, wal.OSFS)
	if _, err := os.Stat(half); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%s is still there: %v", half, err)
	}
}

// A note of a promotion that names no epoch of the history, as when a byte of it was
// flipped, makes a standby of a primary. That is said.
func TestADamagedNoteOfAPromotionIsSaid(t *testing.T) {
	dir := t.TempDir()
	var log bytes.Buffer
	start := func() *gateway.Gateway {
		log.Reset()
		return open(t, dir, wal.OSFS, func(o *gateway.Options) { o.Standby, o.Logger = true, zerolog.New(&log) })
	}
	primary := open(t, dir, wal.OSFS)
	mustPutNode(t, primary, 1)
	if err := primary.Close(); err != nil {
		t.Fatal(err)
	}
	g := start()
	if err := g.Promote("later"); err != nil {
		t.Fatal(err)
	}
	_ = g.Close()
	const said = "promote it again"
	g = start()
	if g.Role() != gateway.Primary || strings.Contains(log.String(), said) {
		t.Errorf("started again as %s:\n%s", g.Role(), log.String())
	}
	_ = g.Close()
	note := filepath.Join(dir, "promoted")
	if err := os.WriteFile(note, []byte("latfr\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	g = start()
	if g.Role() != gateway.Standby || !hasLine(log.String(), `"level":"warn"`, said, note, "latfr") {
		t.Errorf("started as %s with a damaged note:\n%s", g.Role(), log.String())
	}
	if err := g.Promote("again"); err != nil || g.Role() != gateway.Primary {
		t.Errorf("promoted again: %v", err)
	}
}

// A folder that cannot be written to is refused at the start, and left alone.
func TestReadOnlyFolderIsRefused(t *testing.T) {
	dir := t.TempDir()
	g := open(t, dir, wal.OSFS)
	mustPutNode(t, g, 1)
	if err := g.Close(); err != nil {
		t.Fatal(err)
	}
	g = gateway.New(gateway.Options{Dir: dir, Log: wal.Options{FS: readOnlyFS{wal.OSFS}}, Heartbeat: time.Hour, Logger: zerolog.Nop()})
	if err := g.Open(); !errors.Is(err, syscall.EROFS) {
		t.Errorf("open: %v, want EROFS", err)
	}
	_ = g.Close()
	state, _ := open(t, dir, wal.OSFS).State()
	if state.Node(1) == nil {
		t.Error("the node is gone")
	}
}

// fault is what a file system does wrong, with every call that fits.
type fault struct {
	op     string // open, write, sync, rename, syncdir
	suffix string // of the path
	err    error
	part   int   // bytes that a failed write writes all the same
	from   int64 // offset before which writes succeed
}

var faultNone = fault{}

// faultyFS is the real file system with a fault.
type faultyFS struct {
	wal.FS
	mu    sync.Mutex
	fault fault
}

func (f *faultyFS) set(fault fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fault = fault
}

// at returns the fault of a call, the zero value for none.
func (f *faultyFS) at(op, path string) fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.fault.op == op && strings.HasSuffix(path, f.fault.suffix) {
		return f.fault
	}
	return faultNone
}

func (f *faultyFS) Open(path string, flag int) (wal.Handle, error) {
	if bad := f.at("open", path); bad.err != nil {
		return nil, &fs.PathError{Op: "open", Path: path, Err: bad.err}
	}
	h, err := f.FS.Open(path, flag)
	if err != nil {
		return nil, err
	}
	return &faultyFile{h, f, strings.TrimSuffix(path, ".tmp")}, nil // the name that it is given once whole
}

func (f *faultyFS) Rename(from, to string) error {
	if bad := f.at("rename", from); bad.err != nil {
		return bad.err
	}
	return f.FS.Rename(from, to)
}

func (f *faultyFS) SyncDir(dir string) error {
	if bad := f.at("syncdir", dir); bad.err != nil {
		return bad.err
	}
	return f.FS.SyncDir(dir)
}

type faultyFile struct {
	wal.Handle
	fs   *faultyFS
	path string
}

func (h *faultyFile) WriteAt(b []byte, at int64) (int, error) {
	if bad := h.fs.at("write", h.path); bad.err != nil && at >= bad.from {
		n, _ := h.Handle.WriteAt(b[:min(bad.part, len(b))], at)
		return n, bad.err
	}
	return h.Handle.WriteAt(b, at)
}

func (h *faultyFile) Sync() error {
	if bad := h.fs.at("sync", h.path); bad.err != nil {
		return bad.err
	}
	return h.Handle.Sync()
}

// readOnlyFS is the real file system, mounted read-only.
type readOnlyFS struct{ wal.FS }

func (readOnlyFS) MkdirAll(string) error { return nil } // the folder is there
func (f readOnlyFS) Open(path string, flag int) (wal.Handle, error) {
	if flag&(syscall.O_WRONLY|syscall.O_RDWR|syscall.O_CREAT) != 0 {
		return nil, &fs.PathError{Op: "open", Path: path, Err: syscall.EROFS}
	}
	return f.FS.Open(path, flag)
}
func (readOnlyFS) Rename(string, string) error { return syscall.EROFS }
func (readOnlyFS) Remove(string) error         { return syscall.EROFS }
func (f readOnlyFS) Lock(path string) (io.Closer, error) {
	return nil, &fs.PathError{Op: "open", Path: filepath.Clean(path), Err: syscall.EROFS}
}

// A torn last write is cut off, and the log says where.
func TestATornWriteIsSaid(t *testing.T) {
	dir := t.TempDir()
	g := open(t, dir, wal.OSFS)
	mustPutNode(t, g, 1)
	if err := g.Close(); err != nil {
		t.Fatal(err)
	}
	segment := filepath.Join(dir, "00000000000000000001.log")
	file, err := os.OpenFile(segment, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := file.WriteAt([]byte("what came of a later sector"), 2048); err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	g = open(t, dir, wal.OSFS, func(o *gateway.Options) { o.Logger = zerolog.New(&log) })
	if !hasLine(log.String(), `"level":"warn"`, `"file":"`+segment, `"offset":`, `"seq_no":2`, "had not been acknowledged") {
		t.Errorf("no warning in the log:\n%s", log.String())
	}
	mustPutNode(t, g, 2)
}

// Who finds an empty gateway, because all files of the log are gone or another disk
// is mounted, reads in the log that this is a beginning.
func TestABeginningIsSaid(t *testing.T) {
	dir := t.TempDir()
	for begins := range 2 {
		var log bytes.Buffer
		g := open(t, dir, wal.OSFS, func(o *gateway.Options) { o.Logger = zerolog.New(&log) })
		if said := strings.Contains(log.String(), "a new history begins"); said != (begins == 0) {
			t.Errorf("start %d: said that a history begins: %t\n%s", begins+1, said, log.String())
		}
		if err := g.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
