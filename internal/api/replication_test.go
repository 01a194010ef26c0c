package api_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/replication-gateway/gateway/internal/api"
	"github.com/replication-gateway/gateway/internal/gateway"
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

// eventStream opens a stream of server-sent events.
func (h *harness) eventStream(token string) io.Reader {
	h.t.Helper()
	req, err := http.NewRequestWithContext(h.t.Context(), "GET", h.url+"/subscribe", nil)
	if err != nil {
		h.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Accept", "text/event-stream")
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { resp.Body.Close() })
	if resp.StatusCode != http.StatusOK {
		h.t.Fatalf("events: %s", resp.Status)
	}
	return resp.Body
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
	events := h.eventStream(adminToken)
	h.ok("PUT", "/networks/7", `{}`)
	for _, r := range []*reader{first, second, third} {
		r.until(h.seqNo())
	}
	for scanner := bufio.NewScanner(events); scanner.Scan() && !strings.HasSuffix(scanner.Text(), fmt.Sprint(":", h.seqNo())); {
	}
	// What was read has been handed out, and is accounted for before it is sent.
	r := h.replication(replica)
	if r.SubscriberCount != 4 || len(r.Subscribers) != 4 {
		t.Fatalf("got %+v, want four streams", r)
	}
	for i, want := range []string{"websocket", "standby", "websocket", "sse"} {
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

// A standby tells whether its primary is heard of, since when, and how long ago it
// last was.
func TestReplicationOfAStandby(t *testing.T) {
	h := start(t, func(_ *api.Options, g *gateway.Options) { g.Standby = true })
	type upstream struct {
		Up       bool      `json:"up"`
		Since    time.Time `json:"since"`
		SilentMS *int64    `json:"silent_ms"`
		Problem  string    `json:"problem"`
	}
	ask := func() (primary string, u *upstream) {
		var answer struct {
			Primary  string    `json:"primary"`
			Upstream *upstream `json:"upstream"`
		}
		h.ok("GET", "/replication", "").decode(t, &answer)
		return answer.Primary, answer.Upstream
	}
	if primary, u := ask(); primary != "" || u != nil {
		t.Errorf("before it follows anybody: %q, %+v", primary, u)
	}
	before := time.Now().Truncate(time.Millisecond)
	there := gateway.Upstream{URL: "http://primary.example"}
	h.gateway.SetUpstream(there)
	if primary, u := ask(); primary != there.URL || u == nil || u.Up || u.SilentMS != nil || u.Since.Before(before) {
		t.Errorf("never heard of: %q, %+v", primary, u)
	}
	there.Up = true
	h.gateway.SetUpstream(there)
	_, heard := ask()
	if heard == nil || !heard.Up || heard.SilentMS == nil {
		t.Fatalf("heard of: %+v", heard)
	}
	there.Up = false
	h.gateway.SetUpstream(there)
	if _, u := ask(); u == nil || u.Up || u.SilentMS == nil || u.Since.Before(heard.Since) {
		t.Errorf("missed: %+v, was %+v", u, heard)
	}
	there.Trouble = errors.New("not let in")
	h.gateway.SetUpstream(there)
	if _, u := ask(); u == nil || u.Up || u.Problem != "not let in" {
		t.Errorf("refused: %+v", u)
	}
	if a := h.call("", "GET", "/readyz", ""); a.status != 503 || strings.Contains(string(a.body), "not let in") {
		t.Errorf("all the world is told why: %d %s", a.status, a.body)
	}
}

// A standby whose token its primary does not take any more passes writes on all the
// same: they bear the caller's.
func TestWritesPassByABadToken(t *testing.T) {
	primary, standby := start(t), start(t, func(_ *api.Options, g *gateway.Options) { g.Standby = true })
	there := gateway.Upstream{URL: primary.url, Trouble: errors.New("refused")}
	standby.gateway.SetUpstream(there)
	standby.call(adminToken, "PUT", "/networks/7", `{}`).refused(t, 503, "primary-unreachable")
	there.Answers = true
	standby.gateway.SetUpstream(there)
	standby.ok("PUT", "/networks/7", `{}`)
	primary.ok("GET", "/networks/7", "")
}

func TestReplicationForgetsStreamsThatEnded(t *testing.T) {
	h := start(t)
	token, id := h.token("viewer")
	r := h.subscribe(token, "")
	r.until(h.seqNo())
	h.ok("DELETE", "/tokens/"+id, "")
	// The reader does not answer the farewell, which takes its time.
	for h.gateway.SubCount() > 0 {
		h.ok("GET", "/healthz", "")
	}
	if got := h.replication(adminToken); got.SubscriberCount != 0 {
		t.Errorf("got %+v, want no stream", got)
	}
}
