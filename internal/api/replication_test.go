package api_test

import (
	"fmt"
	"testing"
	"time"
)

// replicationAnswer is what GET /replication says.
type replicationAnswer struct {
	Role            string `json:"role"`
	Epoch           string `json:"epoch"`
	SeqNo           uint64 `json:"seq_no"`
	SubscriberCount int    `json:"subscriber_count"`
	Subscribers     []struct {
		ID          string    `json:"id"`
		Kind        string    `json:"kind"`
		RemoteAddr  string    `json:"remote_addr"`
		SeqNo       uint64    `json:"seq_no"`
		Behind      uint64    `json:"behind"`
		ConnectedAt time.Time `json:"connected_at"`
	} `json:"subscribers"`
}

func (h *harness) replication(token string) (r replicationAnswer) {
	h.t.Helper()
	a := h.call(token, "GET", "/replication", "")
	if a.status != 200 {
		h.t.Fatalf("got %d %s", a.status, a.body)
	}
	a.decode(h.t, &r)
	if got := fmt.Sprintf("%s:%d", r.Epoch, r.SeqNo); got != a.position() {
		h.t.Errorf("the body says %s, Gateway-Position %s", got, a.position())
	}
	return r
}

func TestReplicationShowsEveryStream(t *testing.T) {
	h := start(t)
	replica, _ := h.token("replica")
	viewer, _ := h.token("viewer", 7)
	if r := h.replication(viewer); r.Role != "primary" || r.SeqNo != h.seqNo() || r.SubscriberCount != 0 || r.Subscribers == nil {
		t.Errorf("without streams: got %+v", r)
	}
	before := time.Now().Truncate(time.Millisecond)
	first := h.subscribe(adminToken, "")
	second := h.subscribe(replica, "")
	third := h.subscribe(viewer, "?network_id=7")
	h.ok("PUT", "/networks/7", `{}`)
	for _, r := range []*reader{first, second, third} {
		r.until(h.seqNo())
	}
	// What was read has been handed out, and is accounted for before it is sent.
	r := h.replication(replica)
	if r.SubscriberCount != 3 || len(r.Subscribers) != 3 {
		t.Fatalf("got %+v, want three streams", r)
	}
	for i, want := range []string{"websocket", "standby", "websocket"} {
		s := r.Subscribers[i]
		if s.ID != fmt.Sprint(i+1) || s.Kind != want || s.SeqNo != h.seqNo() || s.Behind != 0 {
			t.Errorf("stream %d: got %+v, want a %s at %d", i, s, want, h.seqNo())
		}
		if s.ConnectedAt.Before(before) || s.ConnectedAt.After(time.Now()) || s.RemoteAddr == "" {
			t.Errorf("stream %d: %s from %q", i, s.ConnectedAt, s.RemoteAddr)
		}
	}
	if a, b := r.Subscribers[0].RemoteAddr, r.Subscribers[1].RemoteAddr; a == b {
		t.Errorf("two connections from %s", a)
	}
}

func TestReplicationForgetsStreamsThatEnded(t *testing.T) {
	h := start(t)
	token, id := h.token("viewer")
	r := h.subscribe(token, "")
	r.until(h.seqNo())
	h.ok("DELETE", "/tokens/"+id, "")
	if code, _ := r.closed(); code != 4403 {
		t.Fatalf("closed with %d", code)
	}
	if got := h.replication(adminToken); got.SubscriberCount != 0 {
		t.Errorf("got %+v, want no stream", got)
	}
}
