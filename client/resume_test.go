package client_test

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/replication-gateway/gateway/client"
)

// TestSnapshotThatBreaksOffBeginsAnew cuts the stream between the parts of a
// snapshot. The reader stands nowhere then, and says so.
func TestSnapshotThatBreaksOffBeginsAnew(t *testing.T) {
	part := func(more bool, nodes ...int) string {
		var rows []string
		for _, n := range nodes {
			rows = append(rows, fmt.Sprintf(row, n))
		}
		return fmt.Sprintf(`{"type":"snapshot","epoch":"e","seq_no":5,"snapshot":{"nodes":[%s]},"more":%t}`, strings.Join(rows, ","), more)
	}
	var tries atomic.Int32
	asked := make(chan string, 10)
	o := stream(t, func(s *speaker) {
		asked <- s.request.URL.RawQuery
		switch tries.Add(1) {
		case 1:
			s.greet()
			s.say(delta(1, 2, entryOf(2, 9), false), part(true, 1))
		case 2:
			s.say(hello, part(true, 1, 2))
		default:
			s.say(hello, part(true, 3), part(false, 4))
			s.listen()
		}
	})
	o.BackoffBase, o.BackoffMax = time.Millisecond, time.Millisecond
	s := client.NewState()
	follow(t, o, watch(t, s))
	v := reached(t, s, client.Position{Epoch: "e", SeqNo: 5})
	if len(lines(v)) != 2 || v.Node(3) == nil || v.Node(4) == nil {
		t.Errorf("holds %q", lines(v))
	}
	for range 3 {
		if query := <-asked; query != "" {
			t.Errorf("asked for %q", query)
		}
	}
}

// TestCommitThatBreaksOffIsNotApplied cuts the stream between the parts of a
// commit.
func TestCommitThatBreaksOffIsNotApplied(t *testing.T) {
	var tries atomic.Int32
	queries := make(chan string, 10)
	resume := make(chan struct{})
	o := stream(t, func(s *speaker) {
		queries <- s.request.URL.RawQuery
		switch tries.Add(1) {
		case 1:
			s.greet()
			s.say(delta(1, 2, entryOf(2, 1), false), delta(2, 3, entryOf(3, 2), true))
		default:
			<-resume
			s.greet()
			s.say(delta(2, 3, entryOf(3, 2), true), delta(3, 3, entryOf(3, 3), false))
			s.listen()
		}
	})
	o.BackoffBase, o.BackoffMax = time.Millisecond, time.Millisecond
	s := client.NewState()
	follow(t, o, watch(t, s))
	<-queries
	if query := <-queries; query != "epoch=e&since=2" {
		t.Errorf("asked for %q", query)
	}
	if v := s.View(); v.Position().SeqNo != 2 || v.Node(2) != nil {
		t.Errorf("half a commit: %v holds %q", v.Position(), lines(v))
	}
	close(resume)
	if v := reached(t, s, client.Position{Epoch: "e", SeqNo: 3}); v.Node(2) == nil || v.Node(3) == nil {
		t.Errorf("holds %q", lines(v))
	}
}

// TestUnknownKindsAreLeftOut: a newer gateway is no reason to stop.
func TestUnknownKindsAreLeftOut(t *testing.T) {
	const star = `{"seq_no":2,"type":"star.put",` + at + `,"actor":"a","data":{"star_id":1}}`
	o := stream(t, func(s *speaker) {
		s.say(hello, strings.Replace(nothing, `{}`, `{"stars":[{"star_id":1}],"nodes":[`+fmt.Sprintf(row, 1)+`]}`, 1),
			delta(1, 2, star+","+entryOf(2, 2), false), delta(2, 3, strings.Replace(star, ":2", ":3", 1), false))
		s.listen()
	})
	s := client.NewState()
	follow(t, o, s)
	if v := reached(t, s, client.Position{Epoch: "e", SeqNo: 3}); len(lines(v)) != 2 || v.Node(2) == nil {
		t.Errorf("holds %q", lines(v))
	}
}

// leavingEpoch is a gateway that comes to e:4, ends the stream because its history has
// changed, and speaks on when the client is back.
func leavingEpoch(t *testing.T, after func(*speaker)) client.Options {
	var tries atomic.Int32
	o := stream(t, func(s *speaker) {
		if tries.Add(1) > 1 {
			after(s)
			return
		}
		s.greet()
		s.say(delta(1, 4, entryOf(4, 1), false))
		_ = s.ws.Close(client.CloseHistoryChanged, "history changed")
	})
	o.BackoffBase, o.BackoffMax = time.Millisecond, time.Millisecond
	return o
}

// TestPositionsOfLeftEpochs: what was reached before a promotion stays reached,
// what was not is not waited for.
func TestPositionsOfLeftEpochs(t *testing.T) {
	o := leavingEpoch(t, func(s *speaker) {
		s.say(fmt.Sprintf(`{"type":"heartbeat","epoch":"f","seq_no":4,%s,%s,"resumed":true}`, at, second))
		s.say(strings.Replace(delta(4, 5, entryOf(5, 2), false), `"e"`, `"f"`, 1))
		s.listen()
	})
	s := client.NewState()
	waiting := make(chan error, 1)
	go func() {
		_, err := s.Reached(t.Context(), client.Position{Epoch: "e", SeqNo: 6})
		waiting <- err
	}()
	follow(t, o, watch(t, s))
	v := reached(t, s, client.Position{Epoch: "f", SeqNo: 5})
	if err := <-waiting; !errors.Is(err, client.ErrNotReached) {
		t.Errorf("a commit that was lost: %v", err)
	}
	if got, err := s.Reached(t.Context(), client.Position{Epoch: "e", SeqNo: 4}); err != nil || got != v {
		t.Errorf("a commit from before: %v", err)
	}
}

// TestPositionsOfAnotherHistory: what a snapshot of another epoch has of the one before
// nobody knows, not even of what was reached there.
func TestPositionsOfAnotherHistory(t *testing.T) {
	o := leavingEpoch(t, func(s *speaker) {
		s.say(strings.ReplaceAll(hello, `"e"`, `"f"`), strings.ReplaceAll(nothing, `"e"`, `"f"`),
			strings.ReplaceAll(delta(1, 2, entryOf(2, 2), false), `"e"`, `"f"`))
		s.listen()
	})
	s := client.NewState()
	follow(t, o, watch(t, s))
	reached(t, s, client.Position{Epoch: "f", SeqNo: 2})
	if _, err := s.Reached(t.Context(), client.Position{Epoch: "e", SeqNo: 4}); !errors.Is(err, client.ErrNotReached) {
		t.Errorf("a commit of the history that was left: %v", err)
	}
}

// TestResumedUnderANewerName: the same commit has another name after a promotion,
// and that is the one to come back with.
func TestResumedUnderANewerName(t *testing.T) {
	var tries atomic.Int32
	queries := make(chan string, 3)
	o := stream(t, func(s *speaker) {
		queries <- s.request.URL.RawQuery
		switch tries.Add(1) {
		case 1:
			s.greet()
		case 2:
			s.say(fmt.Sprintf(`{"type":"heartbeat","epoch":"f","seq_no":1,%s,%s,"resumed":true}`, at, second))
		default:
			s.listen()
		}
	})
	o.BackoffBase, o.BackoffMax = time.Millisecond, time.Millisecond
	s := client.NewState()
	follow(t, o, watch(t, s))
	for _, want := range []string{"", "epoch=e&since=1", "epoch=f&since=1"} {
		if query := <-queries; query != want {
			t.Errorf("asked for %q, want %q", query, want)
		}
	}
	if p := s.View().Position(); p != (client.Position{Epoch: "f", SeqNo: 1}) {
		t.Errorf("stands at %v", p)
	}
}
