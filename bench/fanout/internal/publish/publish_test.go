package publish

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/replication-gateway/gateway/bench/fanout/internal/tally"
	"github.com/replication-gateway/gateway/bench/internal/rawhttp"
)

// recorder is a server that notes the bodies it is sent.
type recorder struct {
	mu     sync.Mutex
	bodies []string
}

func (r *recorder) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	b, _ := io.ReadAll(req.Body)
	r.mu.Lock()
	r.bodies = append(r.bodies, string(b))
	r.mu.Unlock()
	if string(b) == "refuse" {
		http.Error(w, "not this one", http.StatusConflict)
		return
	}
	io.WriteString(w, "{}")
}

func serve(t *testing.T) (*recorder, string) {
	r := new(recorder)
	s := httptest.NewServer(r)
	t.Cleanup(s.Close)
	return r, strings.TrimPrefix(s.URL, "http://")
}

func numbers(addr string) Target {
	return Target{Addr: addr, Request: func(write int) []byte {
		return rawhttp.Request("POST", "/", "", strconv.AppendInt(nil, int64(write), 10))
	}}
}

func TestPaceWritesInOrderAndOnTime(t *testing.T) {
	r, addr := serve(t)
	account := tally.New(30, 1)
	begun := time.Now()
	if err := Pace(t.Context(), numbers(addr), account, 10, 30, 1000, 1); err != nil {
		t.Fatal(err)
	}
	want := make([]string, 20)
	for i := range want {
		want[i] = strconv.Itoa(10 + i)
	}
	if !slices.Equal(r.bodies, want) {
		t.Errorf("the server got %q, want %q", r.bodies, want)
	}
	// Nothing was received, so each write is missing from the moment it was due on. They were 1 ms apart.
	if early := account.End(begun.Add(10 * time.Millisecond)).Missing; early > 11 {
		t.Errorf("%d writes were due in the first 10 ms, want 11 at most", early)
	}
	if all := account.End(begun.Add(time.Hour)); all.Missing != 20 || all.Latency.Max() > time.Hour {
		t.Errorf("%d missing, the first for %v, want 20, for less than an hour", all.Missing, all.Latency.Max())
	}
}

func TestFloodKeepsToItsWindow(t *testing.T) {
	const writes, window = 100, 8
	r, addr := serve(t)
	account := tally.New(writes, 1)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan error)
	target := numbers(addr)
	sent := make(chan int, writes)
	build := target.Request
	target.Request = func(write int) []byte {
		sent <- write
		return build(write)
	}
	go func() { done <- Flood(ctx, target, account, 0, window, 16) }()
	for seen := range writes {
		w := <-sent
		if ahead := len(sent); ahead > window {
			t.Fatalf("%d writes are under way after %d, want %d at most", ahead, seen, window)
		}
		account.Received([]int{w}, time.Now())
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if len(r.bodies) != writes {
		t.Errorf("the server got %d writes, want %d", len(r.bodies), writes)
	}
	cancel()
	if err := Flood(ctx, target, tally.New(5, 1), 0, 1, 1); err != nil {
		t.Errorf("a flood that is ended fails: %v", err)
	}
}

func TestAServerThatRefusesEndsTheRun(t *testing.T) {
	_, addr := serve(t)
	target := Target{Addr: addr, Request: func(int) []byte {
		return rawhttp.Request("POST", "/", "", []byte("refuse"))
	}}
	if err := Pace(t.Context(), target, tally.New(5, 1), 0, 5, 1000, 2); err == nil || !strings.Contains(err.Error(), "409") {
		t.Errorf("pace: %v", err)
	}
	if err := Flood(t.Context(), target, tally.New(5, 1), 0, 5, 2); err == nil || !strings.Contains(err.Error(), "409") {
		t.Errorf("flood: %v", err)
	}
}
