package gateway_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"
	"go.uber.org/goleak"

	"github.com/replication-gateway/gateway/internal/directory"
	"github.com/replication-gateway/gateway/internal/gateway"
	"github.com/replication-gateway/gateway/internal/hub"
	"github.com/replication-gateway/gateway/internal/wal"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// open opens a gateway in dir and closes it at the end of the test.
func open(t *testing.T, dir string, fs wal.FS, options ...func(*gateway.Options)) *gateway.Gateway {
	t.Helper()
	o := gateway.Options{Dir: dir, Log: wal.Options{SegmentSize: 1 << 20, FS: fs}, Heartbeat: time.Hour, Logger: zerolog.Nop()}
	for _, option := range options {
		option(&o)
	}
	g := gateway.New(o)
	if err := g.Open(); err != nil {
		t.Fatalf("open: %v", err)
	}
	t.Cleanup(func() { _ = g.Close() }) // a test that breaks the disk closes with an error
	return g
}

func putNode(ctx context.Context, g *gateway.Gateway, id uint32) (gateway.Outcome, error) {
	_, outcome, err := gateway.Do(ctx, g, "test", directory.PutNode{Node: directory.Node{NodeID: id, Hostname: fmt.Sprint("n", id)}})
	return outcome, err
}

func mustPutNode(t *testing.T, g *gateway.Gateway, id uint32) gateway.Outcome {
	t.Helper()
	outcome, err := putNode(t.Context(), g, id)
	if err != nil {
		t.Fatalf("put node %d: %v", id, err)
	}
	return outcome
}

func TestNothingIsShownBeforeItIsDurable(t *testing.T) {
	fs := &gatedFS{FS: wal.OSFS}
	g := open(t, t.TempDir(), fs)
	mustPutNode(t, g, 1)
	sub, err := g.Subscribe(gateway.SubscribeOptions{View: directory.NewView(directory.AccessAdmin)})
	if err != nil {
		t.Fatal(err)
	}
	defer g.Unsubscribe(sub)
	next(sub) // heartbeat
	next(sub) // snapshot

	syncing, release := make(chan struct{}), make(chan struct{})
	var once sync.Once
	fs.set(func() error {
		once.Do(func() { close(syncing) })
		<-release
		return nil
	})
	answered := make(chan error, 1)
	go func() {
		_, err := putNode(t.Context(), g, 2)
		answered <- err
	}()
	<-syncing
	if state, at := g.State(); at.SeqNo != 1 || state.Node(2) != nil {
		t.Errorf("before the sync readers see seq_no %d and node 2 as %v", at.SeqNo, state.Node(2))
	}
	if frames := next(sub); len(frames) != 0 {
		t.Errorf("before the sync a subscriber got %s", frames)
	}
	select {
	case err := <-answered:
		close(release)
		t.Fatalf("before the sync the command was answered: %v", err)
	default:
	}
	close(release)
	if err := <-answered; err != nil {
		t.Fatal(err)
	}
	if state, at := g.State(); at.SeqNo != 2 || state.Node(2) == nil {
		t.Errorf("after the answer readers see seq_no %d and node 2 as %v", at.SeqNo, state.Node(2))
	}
	if frames := fmt.Sprintf("%s", next(sub)); !strings.Contains(frames, `"seq_no":2`) {
		t.Errorf("after the answer a subscriber got %s", frames)
	}
}

func TestStorageFailureEndsWriting(t *testing.T) {
	fs, dir := &gatedFS{FS: wal.OSFS}, t.TempDir()
	g := open(t, dir, fs)
	mustPutNode(t, g, 1)
	fs.set(func() error { return errDisk })
	if _, err := putNode(t.Context(), g, 2); !errors.Is(err, gateway.ErrStorageFailed) {
		t.Fatalf("write on a failing disk: %v, want ErrStorageFailed", err)
	}
	fs.set(nil)
	if _, err := putNode(t.Context(), g, 3); !errors.Is(err, gateway.ErrStorageFailed) {
		t.Errorf("write after the failure: %v, want ErrStorageFailed", err)
	}
	if _, err := putNode(t.Context(), g, 1); !errors.Is(err, gateway.ErrStorageFailed) {
		t.Errorf("a write that would change nothing, after the failure: %v, want ErrStorageFailed", err)
	}
	if err := g.Ready(); !errors.Is(err, gateway.ErrStorageFailed) {
		t.Errorf("Ready: %v, want ErrStorageFailed", err)
	}
	if state, at := g.State(); at.SeqNo != 1 || state.Node(1) == nil || state.Node(2) != nil {
		t.Errorf("readers see seq_no %d, node 1 %v, node 2 %v", at.SeqNo, state.Node(1), state.Node(2))
	}
	_ = g.Close()
	g = open(t, dir, wal.OSFS)
	if state, _ := g.State(); state.Node(1) == nil {
		t.Error("the acknowledged write is gone after the restart")
	}
	mustPutNode(t, g, 4)
}

func TestRefusalsRestOnDurableState(t *testing.T) {
	fs := &gatedFS{FS: wal.OSFS}
	g := open(t, t.TempDir(), fs)
	syncing, release := make(chan struct{}), make(chan struct{})
	fs.set(func() error { syncing <- struct{}{}; <-release; return errDisk })
	first := make(chan error, 1)
	go func() { _, err := putNode(t.Context(), g, 1); first <- err }()
	<-syncing
	// Node 1 is decided, not durable. Deleting node 2 is refused on that state.
	second := make(chan error, 1)
	go func() {
		_, _, err := gateway.Do(t.Context(), g, "test", directory.DeleteNode{NodeID: 2})
		second <- err
	}()
	close(release)
	if err := <-first; !errors.Is(err, gateway.ErrStorageFailed) {
		t.Errorf("the write: %v, want ErrStorageFailed", err)
	}
	if err := <-second; !errors.Is(err, gateway.ErrStorageFailed) {
		t.Errorf("the refusal: %v, want ErrStorageFailed", err)
	}
}

func TestWaitingCommandsShareASync(t *testing.T) {
	fs := &gatedFS{FS: wal.OSFS}
	g := open(t, t.TempDir(), fs)
	const writers = 64
	syncs, syncing, release := 0, make(chan struct{}), make(chan struct{})
	fs.set(func() error { // the writer's syncs come one after the other
		if syncs++; syncs == 1 {
			close(syncing)
			<-release
		}
		return nil
	})
	var wg sync.WaitGroup
	wg.Go(func() { mustPutNode(t, g, 1) })
	<-syncing
	entered := make(chan struct{}, writers)
	for i := range writers {
		wg.Go(func() {
			entered <- struct{}{}
			mustPutNode(t, g, uint32(i+2))
		})
	}
	for range writers {
		<-entered
	}
	close(release)
	wg.Wait()
	if _, at := g.State(); at.SeqNo != writers+1 {
		t.Errorf("seq_no %d, want %d", at.SeqNo, writers+1)
	}
	if syncs > writers/2 {
		t.Errorf("%d commands took %d syncs", writers+1, syncs)
	}
}

func TestRestartKeepsStateWindowAndDigest(t *testing.T) {
	dir := t.TempDir()
	g := open(t, dir, wal.OSFS)
	for id := range uint32(20) {
		mustPutNode(t, g, id+1)
	}
	before, at := g.State()
	if err := g.Close(); err != nil {
		t.Fatal(err)
	}
	g = open(t, dir, wal.OSFS)
	after, now := g.State()
	if now != at || after.Digest() != before.Digest() {
		t.Errorf("after the restart at %v with digest %x, before %v, %x", now, after.Digest(), at, before.Digest())
	}
	sub, err := g.Subscribe(gateway.SubscribeOptions{View: directory.NewView(directory.AccessAdmin),
		Resume: &directory.Position{Epoch: at.Epoch, SeqNo: 7}})
	if err != nil {
		t.Fatal(err)
	}
	defer g.Unsubscribe(sub)
	frames := fmt.Sprintf("%s", next(sub))
	if !strings.Contains(frames, `"resumed":true`) || !strings.Contains(frames, `"prev_seq_no":7`) {
		t.Errorf("a reader that stood at 7 got %s", frames)
	}
}

func TestClosedGatewayTakesNoCommands(t *testing.T) {
	g := open(t, t.TempDir(), wal.OSFS)
	if err := g.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := putNode(t.Context(), g, 1); !errors.Is(err, gateway.ErrClosed) {
		t.Errorf("write: %v, want ErrClosed", err)
	}
	if err := g.Ready(); !errors.Is(err, gateway.ErrClosed) {
		t.Errorf("Ready: %v, want ErrClosed", err)
	}
}

// A position is reached when all up to it may be shown, also one of an epoch that has
// ended.
func TestAwaitOfAnEpochThatHasEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		primary := open(t, t.TempDir(), wal.OSFS)
		defer primary.Close()
		g := open(t, t.TempDir(), wal.OSFS, func(o *gateway.Options) { o.Standby = true })
		defer g.Close()
		state, _ := primary.State()
		first := mustPutNode(t, primary, 1).Position
		var record []byte
		err := errors.Join(
			primary.Records(0, func(r []byte) error { record = bytes.Clone(r); return nil }),
			g.Adopt(state, primary.Lineage(), false),
			g.Replicate(1, [][]byte{record}, 0),
			g.EnterEpoch("later"))
		if err != nil {
			t.Fatal(err)
		}
		if err := g.Await(t.Context(), first); !errors.Is(err, gateway.ErrPositionNotReached) {
			t.Errorf("%v, of which nothing may be shown: %v, want ErrPositionNotReached", first, err)
		}
		if err := errors.Join(g.Commit(1), g.Await(t.Context(), first)); err != nil {
			t.Errorf("%v, which is shown: %v", first, err)
		}
	})
}

func TestAwait(t *testing.T) {
	g := open(t, t.TempDir(), wal.OSFS)
	at := mustPutNode(t, g, 1).Position
	if err := g.Await(t.Context(), at); err != nil {
		t.Errorf("a position that is there: %v", err)
	}
	next := directory.Position{Epoch: at.Epoch, SeqNo: at.SeqNo + 1}
	reached := make(chan error, 1)
	go func() { reached <- g.Await(t.Context(), next) }()
	mustPutNode(t, g, 2)
	if err := <-reached; err != nil {
		t.Errorf("the next position: %v", err)
	}
	if err := g.Await(t.Context(), directory.Position{Epoch: "other", SeqNo: 1}); !errors.Is(err, gateway.ErrPositionNotReached) {
		t.Errorf("a position of another history: %v, want ErrPositionNotReached", err)
	}
}

// A standby stands at a position of a new epoch as soon as that begins there, which
// may be long before its first commit.
func TestAwaitThroughTheBeginningOfAnEpoch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := open(t, t.TempDir(), wal.OSFS)
		defer g.Close()
		at := mustPutNode(t, g, 1).Position
		g.Demote()
		reached := make(chan error, 1)
		go func() { reached <- g.Await(t.Context(), directory.Position{Epoch: "later", SeqNo: at.SeqNo}) }()
		synctest.Wait()
		if err := g.EnterEpoch("later"); err != nil {
			t.Fatal(err)
		}
		if err := <-reached; err != nil {
			t.Errorf("the position at which the epoch begins: %v", err)
		}
	})
}

func TestClockNeverGoesBack(t *testing.T) {
	dir, clock := t.TempDir(), time.Date(2030, 1, 1, 12, 0, 0, 0, time.UTC)
	start := func() *gateway.Gateway {
		return open(t, dir, wal.OSFS, func(o *gateway.Options) { o.Clock = func() time.Time { return clock } })
	}
	g := start()
	mustPutNode(t, g, 1)
	if err := g.Close(); err != nil {
		t.Fatal(err)
	}
	clock = clock.Add(-time.Hour)
	g = start()
	defer g.Close()
	mustPutNode(t, g, 2)
	state, _ := g.State()
	if first, second := state.Node(1).CreatedAt, state.Node(2).CreatedAt; second < first {
		t.Errorf("the second node was made at %v, before the first at %v", second, first)
	}
}

// next returns the frames that are due to a subscriber, all of them.
func next(sub *hub.Sub) [][]byte {
	var b hub.Batch
	sub.Next(&b, 1<<20)
	return b.Frames
}
