package api

import (
	"runtime"
	"testing"
	"testing/synctest"
)

// TestLeftoversAreCollected opens streams and counts the collections of what they
// leave behind.
func TestLeftoversAreCollected(t *testing.T) {
	for _, c := range []struct {
		name   string
		live   uint64
		opened int
		others int // streams from one collection of somebody else to the next, 0 for none
		want   int
	}{
		{"few", 1 << 20, 60, 0, 0},
		{"many, and a small heap", 1 << 20, 1000, 0, 15},
		{"many, and a heap of 64 MB", 64 << 20, 1000, 0, 3},
		{"very many, and a heap that has room", 65 << 20, 50_000, 0, 0},
		{"many, and others collect", 1 << 20, 1000, 48, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			var cycles uint64
			collected := 0
			l := &leftovers{
				heap:    func() (uint64, uint64) { return c.live, cycles },
				collect: func() { collected++; cycles++ },
			}
			for i := range c.opened {
				if c.others > 0 && i%c.others == 0 {
					cycles++
				}
				l.add()
				l.running.Wait()
			}
			if collected != c.want {
				t.Errorf("%d streams: collected %d times, want %d", c.opened, collected, c.want)
			}
		})
	}
}

// TestOneCollectionAtATime: a stream that is opened during a collection does not wait
// for it, and begins no other.
func TestOneCollectionAtATime(t *testing.T) {
	end := make(chan struct{})
	collected := 0
	l := &leftovers{
		heap:    func() (uint64, uint64) { return 0, 0 },
		collect: func() { collected++; <-end },
	}
	for range 1000 {
		l.add()
	}
	close(end)
	l.running.Wait()
	if collected != 1 {
		t.Errorf("collected %d times, want once", collected)
	}
}

// TestLeftoversOfACollection: what is left while a collection is under way counts for
// the next one, which begins when the runtime has counted the first, whether or not the
// call that began that has returned.
func TestLeftoversOfACollection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var cycles, begun uint64
		marked, swept := make(chan struct{}, 2), make(chan struct{})
		l := &leftovers{
			heap:    func() (uint64, uint64) { return 0, cycles },
			collect: func() { begun++; <-marked; cycles++; <-swept },
		}
		open := func(streams int, want uint64) {
			t.Helper()
			for range streams {
				l.add()
				synctest.Wait()
			}
			if begun != want {
				t.Errorf("%d collections have begun, want %d", begun, want)
			}
		}
		enough := leastLeft / leftBehind
		open(enough, 1)
		open(enough, 1)
		marked <- struct{}{}
		synctest.Wait()
		open(lookEvery, 2)
		marked <- struct{}{}
		synctest.Wait()
		open(enough-lookEvery, 2)
		open(lookEvery, 3)
		close(marked)
		close(swept)
		l.running.Wait()
	})
}

// TestLiveHeap: the runtime tells what is in use, and of each collection.
func TestLiveHeap(t *testing.T) {
	_, before := liveHeap()
	runtime.GC()
	if live, after := liveHeap(); live == 0 || after <= before {
		t.Errorf("%d bytes live, %d collections after %d, want some, and more", live, after, before)
	}
}
