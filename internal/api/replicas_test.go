package api_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/replication-gateway/gateway/internal/api"
	"github.com/replication-gateway/gateway/internal/gateway"
)

// waiting has writes wait for a standby, and not for long.
func waiting(_ *api.Options, g *gateway.Options) {
	g.SyncStandbys, g.AckTimeout = 1, 200*time.Millisecond
}

// replicaToken makes a token that no standby acknowledges yet.
func (h *harness) replicaToken() string {
	h.t.Helper()
	a := h.call(adminToken, "POST", "/tokens", `{"name":"standby","role":"replica"}`)
	a.refused(h.t, http.StatusGatewayTimeout, "not-replicated")
	if a.text(h.t, "token") == "" || a.text(h.t, "seq_no") != "1" || a.position() == "" {
		h.t.Fatalf("the token is not in the answer: %s at %q", a.body, a.position())
	}
	return a.text(h.t, "token")
}

func say(t *testing.T, r *reader, format string, args ...any) {
	t.Helper()
	if err := r.conn.Write(t.Context(), websocket.MessageText, fmt.Appendf(nil, format, args...)); err != nil {
		t.Fatal(err)
	}
}

func TestWritesWaitForStandbys(t *testing.T) {
	h := start(t, waiting)
	token := h.replicaToken()
	for _, request := range [][2]string{{"PUT", "/networks/7"}, {"POST", "/batch"}} {
		body := map[string]string{"/networks/7": `{}`, "/batch": `{"ops":[{"type":"network.put","data":{"network_id":8}}]}`}[request[1]]
		a := h.call(adminToken, request[0], request[1], body)
		a.refused(t, http.StatusGatewayTimeout, "not-replicated")
		if a.text(t, "seq_no") == "" {
			t.Errorf("%s: no seq_no in %s", request[1], a.body)
		}
	}
	if a := h.ok("GET", "/networks", ""); a.text(t, "items") != "[]" {
		t.Errorf("before an acknowledgement a reader sees %s", a.body)
	}
	r := h.subscribe(token, "?standby=one")
	epoch := h.gateway.Lineage().Current()
	say(t, r, `{"type":"ack","epoch":%q,"seq_no":3}`, epoch)
	if err := h.gateway.Await(t.Context(), h.gateway.PositionOf(3)); err != nil {
		t.Fatalf("after an acknowledgement: %v", err)
	}
	answered := make(chan answer, 1)
	go func() { answered <- h.call(adminToken, "PUT", "/networks/9", `{}`) }()
	r.until(4) // a standby is sent it before anybody else sees it
	say(t, r, `{"type":"ack","epoch":%q,"seq_no":4}`, epoch)
	if a := <-answered; a.status != http.StatusOK || a.text(t, "acks") != "1" {
		t.Errorf("the write: %d %s, want one acknowledgement", a.status, a.body)
	}
}

// What a subscriber says is an acknowledgement that can be right, or misuse.
func TestMessagesThatAreMisuse(t *testing.T) {
	h := start(t)
	replica, _ := h.token("replica")
	h.ok("PUT", "/networks/7", `{}`)
	epoch := h.gateway.Lineage().Current()
	good := fmt.Sprintf(`{"type":"ack","epoch":%q,"seq_no":1}`, epoch)
	for name, tt := range map[string]struct{ token, query, message string }{
		"from an admin":            {adminToken, "", good},
		"from a narrowed replica":  {replica, "?network_id=7", good},
		"of another epoch":         {replica, "?standby=a", `{"type":"ack","epoch":"other","seq_no":1}`},
		"of what is not there yet": {replica, "?standby=a", fmt.Sprintf(`{"type":"ack","epoch":%q,"seq_no":999}`, epoch)},
		"of another type":          {replica, "?standby=a", `{"type":"hello"}`},
		"no JSON":                  {replica, "?standby=a", `ack`},
		"with more in it":          {replica, "?standby=a", fmt.Sprintf(`{"type":"ack","epoch":%q,"seq_no":1,"more":1}`, epoch)},
		"far too long":             {replica, "?standby=a", good + fmt.Sprintf("%600s", "")},
	} {
		r := h.subscribe(tt.token, tt.query)
		say(t, r, "%s", tt.message)
		if code, _ := r.closed(); code != websocket.StatusPolicyViolation {
			t.Errorf("a message %s: the stream ended with %d, want 1008", name, code)
		}
	}
	r := h.subscribe(replica, "?standby=a")
	say(t, r, "%s", good)
	h.ok("PUT", "/networks/8", `{}`)
	r.until(h.seqNo())
}

func TestStandbyNames(t *testing.T) {
	h := start(t)
	replica, _ := h.token("replica")
	for _, tt := range []struct{ token, query, accept, fault string }{
		{adminToken, "?standby=a", "*/*", "/standby role"}, {replica, "?standby=a&network_id=7", "*/*", "/standby role"},
		{replica, "?standby=", "*/*", "/standby name"}, {replica, "?standby=a", "text/event-stream", "/standby role"},
	} {
		a := h.call(tt.token, "GET", "/subscribe"+tt.query, "", "Accept: "+tt.accept)
		a.refused(t, 422, "validation")
		if got := fmt.Sprint(a.faults(t)); got != "["+tt.fault+"]" {
			t.Errorf("%s: faults %s, want %s", tt.query, got, tt.fault)
		}
	}
}

func TestStandbyWithoutAState(t *testing.T) {
	h := start(t, func(_ *api.Options, g *gateway.Options) { g.Standby = true })
	for _, path := range []string{"/readyz", "/snapshot", "/networks", "/subscribe"} {
		h.call(adminToken, "GET", path, "").refused(t, http.StatusServiceUnavailable, "not-ready")
	}
	h.call(adminToken, "PUT", "/networks/1", `{}`).refused(t, http.StatusServiceUnavailable, "primary-unreachable")
	h.call(adminToken, "POST", "/replication/promote", "").refused(t, http.StatusConflict, "not-ready")
	if a := h.ok("GET", "/replication", ""); a.text(t, "role") != "standby" {
		t.Errorf("replication: %s", a.body)
	}
}

func TestPromotingAPrimaryDoesNothing(t *testing.T) {
	h := start(t)
	h.ok("PUT", "/networks/7", `{}`)
	before := h.ok("GET", "/networks", "").position()
	if a := h.ok("POST", "/replication/promote", ""); a.text(t, "role") != "primary" || a.position() != before {
		t.Errorf("promoted: %s at %s, was at %s", a.body, a.position(), before)
	}
}
