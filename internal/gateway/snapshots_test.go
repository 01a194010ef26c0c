package gateway_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"github.com/replication-gateway/gateway/internal/directory"
	"github.com/replication-gateway/gateway/internal/gateway"
	"github.com/replication-gateway/gateway/internal/wal"
)

// eager stores a snapshot after every few commits, and keeps a short window.
func eager(o *gateway.Options) {
	o.Snapshots.After = 1000
	o.WindowCommits = 20
	o.Log.SegmentSize = 4 << 10
}

// snapshotFiles lists the snapshots in a folder, oldest first.
func snapshotFiles(t *testing.T, dir string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.snapshot"))
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(files)
	return files
}

// fill makes network 1 and puts nodes into it that are members, each commit two
// entries, and returns the state that came of it.
func fill(t *testing.T, g *gateway.Gateway, from, to uint32) *directory.State {
	t.Helper()
	if from == 1 {
		mustDo(t, g, directory.PutNetwork{Network: directory.Network{NetworkID: 1, Name: "corp"}})
	}
	for id := from; id <= to; id++ {
		mustDo(t, g, directory.Batch{Ops: []directory.Op{
			directory.OpOf(directory.PutNode{Node: directory.Node{NodeID: id, Hostname: strings.Repeat("h", 50), ExternalID: fmt.Sprint("p", id%50)}}),
			directory.OpOf(directory.PutMember{NetworkID: 1, NodeID: id}),
		}})
	}
	state, _ := g.State()
	return state
}

func mustDo[R any](t *testing.T, g *gateway.Gateway, c directory.Command[R]) gateway.Outcome {
	t.Helper()
	_, outcome, err := gateway.Do(t.Context(), g, "test", c)
	if err != nil {
		t.Fatalf("%T: %v", c, err)
	}
	return outcome
}

func same(t *testing.T, got, want *directory.State) {
	t.Helper()
	if got.SeqNo() != want.SeqNo() || got.Digest() != want.Digest() || got.RowCount() != want.RowCount() ||
		got.Counts(1) != want.Counts(1) {
		t.Errorf("the state is at %d with %d rows, digest %x, counts %v; want %d, %d, %x, %v", got.SeqNo(), got.RowCount(),
			got.Digest(), got.Counts(1), want.SeqNo(), want.RowCount(), want.Digest(), want.Counts(1))
	}
}

func TestSnapshotsShortenLogAndStart(t *testing.T) {
	dir := t.TempDir()
	g := open(t, dir, wal.OSFS, eager)
	want := fill(t, g, 1, 200)
	if err := g.Close(); err != nil {
		t.Fatal(err)
	}
	if n := len(snapshotFiles(t, dir)); n < 2 || n > 3 {
		t.Errorf("%d snapshots are kept, want the last two and perhaps the one before the window", n)
	}
	segments, _ := filepath.Glob(filepath.Join(dir, "*.log"))
	if first := filepath.Base(segments[0]); first == "00000000000000000001.log" {
		t.Errorf("the log was not cut: %d segments from %s on", len(segments), first)
	}
	var log bytes.Buffer
	g = open(t, dir, wal.OSFS, eager, func(o *gateway.Options) { o.Logger = zerolog.New(&log) })
	got, _ := g.State()
	same(t, got, want)
	if !strings.Contains(log.String(), `"snapshot":`) || strings.Contains(log.String(), `"snapshot":0,`) {
		t.Errorf("the start did not begin with a snapshot: %s", log.String())
	}
	fill(t, g, 201, 210)
}

// The window is as warm as if the gateway had run on: every position in it can
// be resumed, by readers of every kind, and no other.
func TestWindowIsWarmAfterStartFromSnapshot(t *testing.T) {
	dir := t.TempDir()
	long := func(o *gateway.Options) { o.WindowCommits = 120 } // longer than from one snapshot to the next
	g := open(t, dir, wal.OSFS, eager, long)
	fill(t, g, 1, 200)
	views := []directory.View{directory.NewView(directory.AccessAdmin), directory.NewView(directory.AccessViewer, 1), directory.NewView(directory.AccessReplica)}
	_, at := g.State()
	resume := func(g *gateway.Gateway, v directory.View, since uint64) string {
		sub, err := g.Subscribe(gateway.SubscribeOptions{View: v, Resume: &directory.Position{Epoch: at.Epoch, SeqNo: since}})
		if err != nil {
			t.Fatal(err)
		}
		defer g.Unsubscribe(sub)
		frames := next(sub)
		_, rest, _ := strings.Cut(string(frames[0]), `"resumed"`) // the heartbeat's time differs
		return rest + fmt.Sprintf("%s", frames[1:])
	}
	before := map[string]string{}
	for _, v := range views {
		for since := at.SeqNo - 125; since <= at.SeqNo; since += 5 {
			before[fmt.Sprint(v, since)] = resume(g, v, since)
		}
	}
	if err := g.Close(); err != nil {
		t.Fatal(err)
	}
	g = open(t, dir, wal.OSFS, eager, long)
	for _, v := range views {
		for since := at.SeqNo - 125; since <= at.SeqNo; since += 5 {
			if want, got := before[fmt.Sprint(v, since)], resume(g, v, since); got != want {
				t.Errorf("%v since %d:\ngot  %.300s\nwant %.300s", v, since, got, want)
			}
		}
	}
}

// cutShort copies the folder of a gateway that stored snapshots of 200 nodes, and
// ran on until its window no longer reached back to the last of them.
func cutShort(t *testing.T, options func(*gateway.Options)) (dir string, state *directory.State) {
	t.Helper()
	running := t.TempDir()
	g := open(t, running, wal.OSFS, options)
	fill(t, g, 1, 200)
	if err := g.Close(); err != nil {
		t.Fatal(err)
	}
	g = open(t, running, wal.OSFS)
	state = fill(t, g, 201, 240)
	dir = t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(running)); err != nil {
		t.Fatal(err)
	}
	return dir, state
}

func TestDamagedSnapshotFallsBack(t *testing.T) {
	dir, want := cutShort(t, eager)
	// From the newest to the oldest, until none is left that is good.
	files := snapshotFiles(t, dir)
	for i := len(files) - 1; i >= 0; i-- {
		b, err := os.ReadFile(files[i])
		if err != nil {
			t.Fatal(err)
		}
		b[len(b)/2] ^= 0x10
		if err := os.WriteFile(files[i], b, 0o600); err != nil {
			t.Fatal(err)
		}
		var log bytes.Buffer
		broken := t.TempDir()
		if err := os.CopyFS(broken, os.DirFS(dir)); err != nil {
			t.Fatal(err)
		}
		g := gateway.New(gateway.Options{Dir: broken, Heartbeat: time.Hour, WindowCommits: 20, Logger: zerolog.New(&log)})
		err = g.Open()
		if i == 0 {
			if !errors.Is(err, wal.ErrDamaged) {
				t.Errorf("without a good snapshot: %v, want ErrDamaged", err)
			}
			break
		}
		if err != nil {
			t.Fatalf("with %d good snapshots: %v", i, err)
		}
		got, _ := g.State()
		same(t, got, want)
		_ = g.Close()
		// Loudly, each of them by its name.
		for _, file := range files[i:] {
			if !hasLine(log.String(), `"level":"error"`, filepath.Base(file), "a snapshot is damaged and left aside") {
				t.Errorf("no error about %s in the log:\n%s", file, log.String())
			}
		}
	}
}

// hasLine reports whether one line of a log has all of the texts.
func hasLine(log string, texts ...string) bool {
	for line := range strings.Lines(log) {
		if !slices.ContainsFunc(texts, func(text string) bool { return !strings.Contains(line, text) }) {
			return true
		}
	}
	return false
}

func TestBackupAndRestore(t *testing.T) {
	g := open(t, t.TempDir(), wal.OSFS)
	want := fill(t, g, 1, 50)
	_, at := g.State()
	var file bytes.Buffer
	if err := g.WriteSnapshot(&file, want, at); err != nil {
		t.Fatal(err)
	}
	fill(t, g, 51, 60) // not in the backup

	none := func(uint64, uint64) {}
	checked, err := gateway.CheckBackup(bytes.NewReader(file.Bytes()), none)
	if err != nil || checked.Position != at || checked.Rows != want.RowCount() {
		t.Fatalf("the backup is of %+v (%v), want %v with %d rows", checked, err, at, want.RowCount())
	}
	for name, damaged := range map[string][]byte{
		"cut short": file.Bytes()[:file.Len()-1], "with a byte more": append(bytes.Clone(file.Bytes()), 0), "empty": {},
	} {
		dir := filepath.Join(t.TempDir(), "restored")
		if _, _, err := gateway.Restore(dir, bytes.NewReader(damaged), none); !errors.Is(err, wal.ErrDamaged) {
			t.Errorf("restore of a backup %s: %v, want ErrDamaged", name, err)
		}
		g := gateway.New(gateway.Options{Dir: dir, Heartbeat: time.Hour, Logger: zerolog.Nop()})
		if err := g.Open(); err == nil {
			if state, _ := g.State(); state.RowCount() != 0 {
				t.Errorf("a backup %s left %d rows", name, state.RowCount())
			}
			_ = g.Close()
		}
	}

	dir := filepath.Join(t.TempDir(), "restored")
	restored, epoch, err := gateway.Restore(dir, bytes.NewReader(file.Bytes()), none)
	if err != nil || restored != checked || epoch == at.Epoch {
		t.Fatalf("restored %+v in epoch %s (%v), want %+v and a new epoch", restored, epoch, err, checked)
	}
	if _, _, err := gateway.Restore(dir, bytes.NewReader(file.Bytes()), none); !errors.Is(err, wal.ErrNotEmpty) {
		t.Errorf("restore into a folder that holds data: %v, want ErrNotEmpty", err)
	}
	g = open(t, dir, wal.OSFS, func(o *gateway.Options) { o.Clock = func() time.Time { return time.Unix(0, 0) } })
	got, now := g.State()
	same(t, got, want)
	if now.Epoch != epoch {
		t.Errorf("the restored gateway is at %v, want epoch %s", now, epoch)
	}
	for since, resumed := range map[uint64]string{at.SeqNo: `"resumed":true`, at.SeqNo + 1: `"reason":"ahead"`} {
		sub, err := g.Subscribe(gateway.SubscribeOptions{View: directory.NewView(directory.AccessAdmin),
			Resume: &directory.Position{Epoch: at.Epoch, SeqNo: since}})
		if err != nil {
			t.Fatal(err)
		}
		if first := string(next(sub)[0]); !strings.Contains(first, resumed) {
			t.Errorf("a reader of the old epoch at %d got %s, want %s", since, first, resumed)
		}
		g.Unsubscribe(sub)
	}
	if p := mustPutNode(t, g, 1000).Position; p.SeqNo != at.SeqNo+1 || p.Epoch != epoch {
		t.Errorf("the first commit after the restore is %v", p)
	}
	if after, _ := g.State(); after.Node(1000).CreatedAt < want.Node(50).CreatedAt {
		t.Errorf("on a clock that is behind, the node was made at %v, before what the backup holds", after.Node(1000).CreatedAt)
	}
}

// A snapshot whose bytes are sound, but which is not of the state that it says.
func TestSnapshotOfAnotherState(t *testing.T) {
	row := directory.AppendRow(nil, &directory.Network{NetworkID: 1, RoleMappings: []directory.RoleMapping{}})
	state := directory.NewState()
	for name, said := range map[string]wal.Snapshot{
		"another digest": {SeqNo: 1, Rows: 1, Digest: state.Digest()}, "more rows": {SeqNo: 1, Rows: 2},
	} {
		said.Lineage = []wal.Epoch{{Name: "e"}}
		var file bytes.Buffer
		err := wal.EncodeSnapshot(&file, said, func(w io.Writer) error {
			_, err := w.Write(row)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := gateway.CheckBackup(&file, func(uint64, uint64) {}); !errors.Is(err, wal.ErrDamaged) {
			t.Errorf("%s: %v, want ErrDamaged", name, err)
		}
	}
}

// Such a snapshot among the stored ones is passed over at the start, loudly.
func TestStoredSnapshotOfAnotherState(t *testing.T) {
	dir, want := cutShort(t, func(*gateway.Options) {})
	stored := snapshotFiles(t, dir)[0]
	b, err := os.ReadFile(stored)
	if err != nil {
		t.Fatal(err)
	}
	var file bytes.Buffer
	err = wal.DecodeSnapshot(bytes.NewReader(b), func(s wal.Snapshot, rows io.Reader) error {
		all, err := io.ReadAll(rows)
		if err != nil {
			return err
		}
		return wal.EncodeSnapshot(&file, s, func(w io.Writer) error {
			_, err := w.Write(bytes.Replace(all, []byte("hhh"), []byte("hxh"), 1))
			return err
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(stored, file.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := gateway.Verify(dir, func(wal.Checked) {}); !errors.Is(err, wal.ErrDamaged) {
		t.Errorf("Verify: %v, want ErrDamaged", err)
	}
	var log bytes.Buffer
	g := open(t, dir, wal.OSFS, func(o *gateway.Options) { o.WindowCommits, o.Logger = 20, zerolog.New(&log) })
	got, _ := g.State()
	same(t, got, want)
	if !hasLine(log.String(), `"level":"error"`, "a snapshot is damaged and left aside", `"seq_no":201`) {
		t.Errorf("no error in the log:\n%s", log.String())
	}
}

func TestStoredAnswersSurviveRestartAndExpire(t *testing.T) {
	dir, clock := t.TempDir(), time.Date(2030, 1, 1, 12, 0, 0, 0, time.UTC)
	at := func(now time.Time) func(*gateway.Options) {
		return func(o *gateway.Options) { o.Clock = func() time.Time { return now } }
	}
	sync := directory.Once[directory.DirectorySyncResult]{ReceiptID: "k", BodyHash: "b",
		Command: directory.SyncDirectory{Request: &directory.DirectorySyncRequest{NetworkID: 1}}}
	g := open(t, dir, wal.OSFS, at(clock))
	mustDo(t, g, directory.PutNetwork{Network: directory.Network{NetworkID: 1, Enterprise: true}})
	first := mustDo(t, g, sync)
	if err := g.Close(); err != nil {
		t.Fatal(err)
	}
	g = open(t, dir, wal.OSFS, at(clock.Add(7*24*time.Hour-time.Second)))
	answer, _, err := gateway.Do(t.Context(), g, "test", sync)
	if err != nil || !answer.Stored || g.PositionOf(answer.SeqNo) != first.Position {
		t.Errorf("after the restart: %+v, %v, want the stored answer at %v", answer, err, first.Position)
	}
	if err := g.Close(); err != nil {
		t.Fatal(err)
	}
	// Expired receipts are cleaned up without a request.
	g = open(t, dir, wal.OSFS, at(clock.Add(8*24*time.Hour)))
	next := directory.Position{Epoch: first.Position.Epoch, SeqNo: first.Position.SeqNo + 1}
	if err := g.Await(t.Context(), next); err != nil {
		t.Fatalf("no clean-up came: %v", err)
	}
	if state, _ := g.State(); state.Receipt("k") != nil {
		t.Error("the expired answer is still there")
	}
}

// Expired answers are cleaned up by a command, whose acknowledgement by standbys does
// not keep a gateway that closes.
func TestClosingDoesNotWaitForCleanUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		g := open(t, dir, wal.OSFS)
		mustDo(t, g, directory.PutNetwork{Network: directory.Network{NetworkID: 1, Enterprise: true}})
		mustDo(t, g, directory.Once[directory.DirectorySyncResult]{ReceiptID: "k", BodyHash: "b",
			Command: directory.SyncDirectory{Request: &directory.DirectorySyncRequest{NetworkID: 1}}})
		if err := g.Close(); err != nil {
			t.Fatal(err)
		}
		g = open(t, dir, wal.OSFS, waits(1, time.Hour), func(o *gateway.Options) {
			o.Clock = func() time.Time { return time.Now().Add(8 * 24 * time.Hour) }
		})
		synctest.Wait()
		if state, at := g.Durable(); state.Receipt("k") != nil {
			t.Fatalf("at %v the expired answer is still there", at)
		}
		before := time.Now()
		if err := g.Close(); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(before); took != 0 {
			t.Errorf("closing took %v", took)
		}
	})
}

// A snapshot that cannot be written leaves writing and the log as they are.
func TestFailedSnapshotLeavesWritingAlone(t *testing.T) {
	dir := t.TempDir()
	disk := &faultyFS{FS: wal.OSFS, fault: fault{op: "write", suffix: ".snapshot", err: syscall.ENOSPC}}
	var log bytes.Buffer
	g := open(t, dir, disk, eager, func(o *gateway.Options) { o.Logger = zerolog.New(&log) })
	want := fill(t, g, 1, 100)
	if n := len(snapshotFiles(t, dir)); n != 0 {
		t.Fatalf("%d snapshots on a disk that takes none", n)
	}
	if err := g.Ready(); err != nil {
		t.Errorf("Ready: %v", err)
	}
	if err := g.Close(); err != nil {
		t.Fatal(err)
	}
	if !hasLine(log.String(), `"level":"error"`, "snapshot failed", syscall.ENOSPC.Error()) {
		t.Errorf("no error in the log:\n%s", log.String())
	}
	g = open(t, dir, wal.OSFS, eager)
	got, _ := g.State()
	same(t, got, want)
}
