package main

import (
	"testing"
	"time"

	"github.com/replication-gateway/gateway/bench/fanout/internal/crowd"
	"github.com/replication-gateway/gateway/bench/fanout/internal/peers"
	"github.com/replication-gateway/gateway/bench/fanout/internal/publish"
	"github.com/replication-gateway/gateway/bench/fanout/internal/tally"
)

func TestUnsentReadsTheKernelsTable(t *testing.T) {
	const table = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1
   1: 0100007F:1F90 0100007F:C350 01 00002000:00000000 01:00000014 00000000     0        0 2
   2: 0100007F:1F90 0100007F:C351 01 00001FFF:00000000 01:00000014 00000000     0        0 3
   3: 0100007F:1F90 0100007F:C352 04 0000FFFF:00000000 01:00000014 00000000     0        0 0
   4: 0100007F:C350 0100007F:1F90 01 0000FFFF:00000000 00:00000000 00000000     0        0 4
`
	if n := unsentIn(table, 8080, 0x2000); n != 2 {
		t.Errorf("%d sockets hold 8 KiB or more, want 2", n)
	}
}

func TestSocketMemoryIsReadInPages(t *testing.T) {
	const sockstat = "sockets: used 300\nTCP: inuse 34 orphan 0 tw 12 alloc 40 mem 7\nUDP: inuse 3 mem 2\n"
	if n := socketMemory([]byte(sockstat)); n != 7*int64(pageSize) {
		t.Errorf("%d bytes, want 7 pages", n)
	}
}

func TestMemoryThatIsNotThereIsNotTaken(t *testing.T) {
	if n := available([]byte("MemTotal: 99 kB\nMemAvailable:    12 kB\n")); n != 12<<10 {
		t.Errorf("%d bytes are available, want 12 KiB", n)
	}
	if err := enoughMemory(1); err != nil {
		t.Errorf("there is not a byte: %v", err)
	}
	if err := enoughMemory(1 << 60); err == nil {
		t.Error("there is more than any machine has")
	}
}

// TestAStalledSubscriberFillsItsSocket shows that those who are said to be stalled are.
func TestAStalledSubscriberFillsItsSocket(t *testing.T) {
	const lame, writes = 3, 300 // as many as a turn makes
	s, err := peers.Start(rawName, peers.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	on := &subject{subscribers: s.Subscribers, writes: publish.Target{Addr: s.Writes, Request: postDelta}}
	on.dialect = crowd.Bare
	open := func(o crowd.Options) *crowd.Crowd {
		c, err := on.open(o)
		if err != nil {
			t.Fatal(err)
		}
		if err := await(t.Context(), c.Joined(), c.Ended(), 10*time.Second, c.Err); err != nil {
			t.Fatal(err)
		}
		return c
	}
	account := tally.New(writes, 2)
	readers := open(crowd.Options{Subscribers: 2, Tally: account})
	stalled := open(crowd.Options{Subscribers: lame, Narrow: true, Losable: true})
	defer stalled.Close(0)
	stalled.Stall()
	if err := on.paced(t.Context(), readers, account, 0, writes, 10_000); err != nil {
		t.Fatal(err)
	}
	if n, err := on.stuck(); n != lame || err != nil {
		t.Errorf("%d sockets are full, want %d (%v)", n, lame, err)
	}
	if got := readers.Close(writes); got.Exact != 2 {
		t.Errorf("%d of 2 readers received all", got.Exact)
	}
}
