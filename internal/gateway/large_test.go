package gateway_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/replication-gateway/gateway/internal/directory"
	"github.com/replication-gateway/gateway/internal/gateway"
	"github.com/replication-gateway/gateway/internal/wal"
)

// largeBatch puts a thousand nodes, from one on, in a commit of over a megabyte.
func largeBatch(from uint32) directory.Batch {
	var b directory.Batch
	for id := from; id < from+1000; id++ {
		b.Ops = append(b.Ops, directory.OpOf(directory.PutNode{Node: directory.Node{NodeID: id, Hostname: strings.Repeat("h", 200),
			Tags: slices.Repeat([]string{strings.Repeat("t", 60)}, 16)}}))
	}
	return b
}

// Large commits are applied while the disk works on them. Whatever comes between
// and behind them is decided on a state that has them, and numbered after them.
func TestLargeCommitsAmongOthers(t *testing.T) {
	dir := t.TempDir()
	g := open(t, dir, nil)
	var group sync.WaitGroup
	var mu sync.Mutex
	var numbers []uint64
	took := func(o gateway.Outcome, err error) {
		if err != nil {
			t.Error(err)
		}
		mu.Lock()
		defer mu.Unlock()
		numbers = append(numbers, o.Position.SeqNo)
	}
	for writer := range uint32(2) {
		base := writer * 100_000
		group.Go(func() {
			for i := range uint32(3) {
				_, o, err := gateway.Do(t.Context(), g, "test", largeBatch(base+1+i*1000))
				took(o, err)
				_, o, err = gateway.Do(t.Context(), g, "test", directory.DeleteNode{NodeID: base + 1 + i*1000})
				took(o, err)
			}
		})
		group.Go(func() {
			for i := range uint32(30) {
				took(putNode(t.Context(), g, base+50_000+i))
			}
		})
	}
	group.Wait()
	slices.Sort(numbers)
	for i, n := range numbers {
		if n != uint64(i+1) {
			t.Fatalf("answer number %d names commit %d", i+1, n)
		}
	}
	state, _ := g.State()
	if err := g.Close(); err != nil {
		t.Fatal(err)
	}
	again, at := open(t, dir, nil).State()
	if want := uint64(len(numbers)); at.SeqNo != want || again.Digest() != state.Digest() {
		t.Errorf("the log leads to seq_no %d and digest %x, the writer to %d and %x", at.SeqNo, again.Digest(), want, state.Digest())
	}
}

// A large commit that the disk refuses is not seen, though it was applied.
func TestLargeCommitThatFailsIsNotSeen(t *testing.T) {
	fs := &gatedFS{FS: wal.OSFS}
	g := open(t, t.TempDir(), fs)
	before := mustPutNode(t, g, 1)
	fs.set(func() error { return fmt.Errorf("broken") })
	if _, _, err := gateway.Do(t.Context(), g, "test", largeBatch(100)); !errors.Is(err, gateway.ErrStorageFailed) {
		t.Errorf("the batch: %v, want ErrStorageFailed", err)
	}
	if state, at := g.State(); at != before.Position || state.Node(100) != nil {
		t.Errorf("readers see %v and node 100 as %v", at, state.Node(100))
	}
}
