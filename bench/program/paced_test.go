package main

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/replication-gateway/gateway/bench/internal/rawhttp"
)

// TestStreamCountsTheWaiting lets a server stall once: every put that was due meanwhile has waited, also those that
// could not be sent.
func TestStreamCountsTheWaiting(t *testing.T) {
	const every, stall, puts = 100 * time.Millisecond, time.Second, 15
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe()
		st := &stream{writers: []*writer{{conn: rawhttp.New(ours), puts: newPuts(0, 1, 10)}}}
		go func() {
			requests := bufio.NewReader(theirs)
			for n := range puts {
				r, err := http.ReadRequest(requests)
				if err != nil {
					t.Error(err)
					return
				}
				if _, err := requests.Discard(int(r.ContentLength)); err != nil {
					t.Error(err)
					return
				}
				switch n {
				case 2:
					time.Sleep(stall) // of the bubble's clock
				case puts - 1:
					st.ended.Store(true)
				}
				fmt.Fprint(theirs, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
			}
		}()
		start := time.Now()
		st.running.Go(func() { st.run(st.writers[0], start, every) })
		st.running.Wait()
		all, err := st.end()
		if err != nil || len(all) != puts {
			t.Fatalf("%d puts of %d (%v)", len(all), puts, err)
		}
		for i, o := range all {
			due := time.Duration(i) * every
			if got := o.begin.Sub(start); got != due {
				t.Errorf("put %d counts from %v, want %v", i, got, due)
			}
			want := max(0, 2*every+stall-due)
			if i < 2 {
				want = 0
			}
			if got := o.end.Sub(o.begin); got != want {
				t.Errorf("put %d took %v, want %v", i, got, want)
			}
		}
		// Of those that were due in the second of the stall, the longest waited the whole of it.
		l := during(all, start.Add(2*every), start.Add(2*every+stall))
		if l.Len() != 10 || l.Max() != stall || l.Quantile(0.5) != stall/2 {
			t.Errorf("%d puts in the stall, half of them over %v, the longest %v", l.Len(), l.Quantile(0.5), l.Max())
		}
		if n := answered(all, start.Add(2*every), start.Add(2*every+stall)); n != 0 {
			t.Errorf("%d answers in the stall", n)
		}
		if n := answered(all, start, start.Add(3*every+stall)); n != puts-2 {
			t.Errorf("%d answers before the last two were due", n)
		}
	})
}
