package api_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/replication-gateway/gateway/internal/api"
	"github.com/replication-gateway/gateway/internal/gateway"
	"github.com/replication-gateway/gateway/internal/hub/hubtest"
)

func TestSubscribeAndResume(t *testing.T) {
	h := start(t)
	syncFleet(h)
	r := h.subscribe(adminToken, "")
	r.until(h.seqNo())
	if got := len(r.validator.Snapshot()["members"]); got != 9 || r.validator.Resumed() {
		t.Errorf("snapshot: got %d members, want 9, and no resume", got)
	}
	h.ok("PUT", "/nodes/50", `{}`)
	h.ok("DELETE", "/nodes/1", ``)
	r.until(h.seqNo())
	r.expect("entries", "node.put [0,50]", "member.delete [7,1]", "node.delete [0,1]")

	at, _ := r.validator.Position()
	_ = r.conn.CloseNow()
	h.ok("DELETE", "/nodes/50", ``)
	r.validator.ConnectAt(at)
	r.connect(adminToken, fmt.Sprintf("?epoch=%s&since=%d", at.Epoch, at.SeqNo))
	r.until(h.seqNo())
	if !r.validator.Resumed() {
		t.Error("not resumed")
	}
	r.expect("entries over both connections", "node.put [0,50]", "member.delete [7,1]", "node.delete [0,1]", "node.delete [0,50]")

	for query, reason := range map[string]string{
		"?epoch=other&since=1":                             "unknown-epoch",
		fmt.Sprintf("?epoch=%s&since=99", at.Epoch):        "ahead",
		fmt.Sprintf("?since=%d&epoch=%s", 1<<62, at.Epoch): "ahead",
	} {
		r := &reader{t: t, h: h, validator: hubtest.New(hubtest.Options{})}
		r.validator.ConnectAt(hubtest.Position{Epoch: "any"})
		r.connect(adminToken, query)
		if f, err := r.frame(); err != nil || f.Reason != reason {
			t.Errorf("%s: got %q, %v, want %q", query, f.Reason, err, reason)
		}
	}
}

func TestSubscribeRefusals(t *testing.T) {
	h := start(t)
	viewer, _ := h.token("viewer", 7)
	sync, _ := h.token("sync", 7)
	for _, c := range []struct {
		token, query, origin string
		status               int
		code                 string
		faults               []string
	}{
		{"wrong", "?x=1", "", 401, "unauthorized", nil},
		{sync, "?x=1", "", 403, "forbidden", nil},
		{viewer, "?epoch=e", "", 422, "validation", []string{"/since required"}},
		{viewer, "?since=1", "", 422, "validation", []string{"/epoch required"}},
		{viewer, "?epoch=&since=", "", 422, "validation", []string{"/epoch epoch", "/since type"}},
		{viewer, "?epoch=a:b&since=-1", "", 422, "validation", []string{"/epoch epoch", "/since type"}},
		{viewer, "?epoch=a&since=18446744073709551616", "", 422, "validation", []string{"/since type"}},
		{viewer, "?epoch=a&epoch=a&since=1", "", 422, "validation", []string{"/epoch once"}},
		{viewer, "?network_id=7&network_id=0&network_id=70000", "", 422, "validation", []string{"/network_id min", "/network_id type"}},
		{viewer, "?networks=7", "", 422, "validation", []string{"/networks unknown"}},
		{viewer, "?network_id=7&network_id=8", "", 403, "forbidden", nil},
		{viewer, "", "https://evil.example", 403, "forbidden", nil},
		{viewer, "", "null", 403, "forbidden", nil},
	} {
		// As a plain request and as a handshake, which must learn the same.
		header := []string{"Origin: " + c.origin}
		if c.origin == "" {
			header = nil
		}
		plain := h.call(c.token, "GET", "/subscribe"+c.query, "", header...)
		handshake := http.Header{"Authorization": {"Bearer " + c.token}}
		if c.origin != "" {
			handshake.Set("Origin", c.origin)
		}
		_, resp, err := h.dial(c.query, handshake)
		if err == nil {
			t.Errorf("%s: a stream was opened", c.query)
			continue
		}
		body, _ := io.ReadAll(resp.Body)
		for _, a := range []answer{plain, {resp.StatusCode, resp.Header, body}} {
			if got := a.faults(t); a.status != c.status || a.text(t, "code") != c.code || !slices.Equal(got, c.faults) {
				t.Errorf("%s %s:\ngot  %d %s %q\nwant %d %s %q", c.query, c.origin, a.status, a.text(t, "code"), got, c.status, c.code, c.faults)
			}
		}
	}
	a := h.call(viewer, "GET", "/subscribe", "")
	a.refused(t, 426, "upgrade-required")
	if a.header.Get("Upgrade") != "websocket" {
		t.Errorf("426 with Upgrade %q", a.header.Get("Upgrade"))
	}
	h.call(viewer, "GET", "/subscribe", "", "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 12",
		"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==").refused(t, 426, "upgrade-required")
	if got := h.gateway.SubCount(); got != 0 {
		t.Errorf("%d subscribers are left of refused ones", got)
	}
}

func TestTooManySubscribers(t *testing.T) {
	h := start(t, func(_ *api.Options, g *gateway.Options) { g.MaxSubscribers = 2 })
	first := h.subscribe(adminToken, "")
	h.subscribe(adminToken, "")
	a := h.call(adminToken, "GET", "/subscribe", "")
	a.refused(t, 503, "too-many-subscribers")
	if a.header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	_ = first.conn.Close(websocket.StatusNormalClosure, "")
	for h.gateway.SubCount() > 1 { // until the gateway has heard of it
		h.ok("GET", "/healthz", "")
	}
	h.subscribe(adminToken, "")
}

func TestOriginsThatMaySubscribe(t *testing.T) {
	h := start(t)
	for _, origin := range []string{h.url, "https://ops.example"} {
		conn, _, err := h.dial("", http.Header{"Authorization": {"Bearer " + adminToken}, "Origin": {origin}})
		if err != nil {
			t.Errorf("origin %s: %v", origin, err)
			continue
		}
		_ = conn.CloseNow()
	}
}

func TestTokenAsSubprotocol(t *testing.T) {
	h := start(t)
	viewer, _ := h.token("viewer")
	conn, resp, err := h.dial("", nil, "gateway.v1", tokenSubprotocol(viewer))
	if err != nil {
		t.Fatal(err)
	}
	if got := conn.Subprotocol(); got != "gateway.v1" {
		t.Errorf("selected %q, want gateway.v1", got)
	}
	if strings.Contains(fmt.Sprint(resp.Header), tokenSubprotocol(viewer)) {
		t.Errorf("the answer repeats the token: %v", resp.Header)
	}
	if got := resp.Header.Get("Sec-WebSocket-Extensions"); got != "" {
		t.Errorf("extensions: got %q, want none", got)
	}
}

// TestNodesComeAndGo follows the streams of a limited viewer and of a filter.
func TestNodesComeAndGo(t *testing.T) {
	h := start(t)
	for _, path := range []string{"/networks/1", "/networks/2", "/nodes/5", "/nodes/6"} {
		h.ok("PUT", path, `{}`)
	}
	viewer, _ := h.token("viewer", 1, 3)
	limited, filtered := h.subscribe(viewer, ""), h.subscribe(adminToken, "?network_id=1&network_id=3")
	readers := map[string]*reader{"limited": limited, "filtered": filtered}
	for name, r := range readers {
		r.until(h.seqNo())
		s := r.validator.Snapshot()
		if _, users := s["users"]; len(s["networks"]) != 1 || len(s["nodes"]) != 0 || users != (name == "filtered") {
			t.Errorf("%s: snapshot %v", name, s)
		}
	}
	h.ok("PUT", "/nodes/5", `{"hostname":"unseen"}`)
	h.ok("PUT", "/networks/2/members/5", ``) // another network
	h.ok("PUT", "/networks/1/members/5", ``) // comes
	h.ok("PUT", "/nodes/5", `{"hostname":"seen"}`)
	h.ok("PUT", "/networks/3", `{}`) // was not there when the streams began
	h.ok("PUT", "/networks/3/members/5", ``)
	h.ok("DELETE", "/networks/1/members/5", ``)
	h.ok("DELETE", "/networks/3", ``) // goes
	h.ok("PUT", "/nodes/5", `{"hostname":"gone"}`)
	h.ok("PUT", "/nodes/6", `{"hostname":"never there"}`)
	h.ok("PUT", "/networks/1", `{"name":"the end"}`)
	for name, r := range readers {
		r.until(h.seqNo())
		r.expect(name, "node.put [0,5]", "member.put [1,5]", "node.put [0,5]", "network.put [3,0]", "member.put [3,5]",
			"member.delete [1,5]", "member.delete [3,5]", "node.delete [0,5]", "network.delete [3,0]", "network.put [1,0]")
	}
}

func TestReplicaStreamHasEverything(t *testing.T) {
	h := start(t, func(_ *api.Options, g *gateway.Options) { g.Heartbeat = time.Second / 10 })
	replica, _ := h.token("replica")
	r := h.subscribe(replica, "")
	first, err := r.frame()
	if err != nil || first.Lineage == nil {
		t.Errorf("first frame: %v, lineage %s, want one", err, first.Lineage)
	}
	h.token("viewer")
	syncFleet(h)
	h.ok("POST", "/directory-sync", request(`{"external_id":"p1","role":"admin"}`), "Idempotency-Key: k")
	r.until(h.seqNo())
	for {
		f, err := r.frame()
		if err != nil {
			t.Fatal(err)
		}
		if f.Type == "heartbeat" {
			if f.Digest == "" || f.Committed == nil {
				t.Errorf("heartbeat without digest or committed_seq_no")
			}
			break
		}
	}
	tokens, receipts := len(r.validator.Snapshot()["tokens"]), 0
	for _, change := range r.changes() {
		switch {
		case strings.HasPrefix(change, "token.put"):
			tokens++
		case strings.HasPrefix(change, "receipt.put"):
			receipts++
		}
	}
	if tokens != 2 || receipts != 1 {
		t.Errorf("%d tokens and %d receipts, want 2 and 1", tokens, receipts)
	}
	viewer := h.subscribe(adminToken, "")
	if f, err := viewer.frame(); err != nil || f.Lineage != nil || f.Committed != nil {
		t.Errorf("an admin's first frame: %v, lineage %s, committed %v, want neither", err, f.Lineage, f.Committed)
	}
}

func TestAnyMessageFromASubscriberIsMisuse(t *testing.T) {
	h := start(t)
	for _, size := range []int{0, 10, 1 << 20} {
		r := h.subscribe(adminToken, "")
		if err := r.conn.Write(t.Context(), websocket.MessageText, []byte(strings.Repeat("x", size))); err != nil {
			t.Fatal(err)
		}
		if code, reason := r.closed(); code != websocket.StatusPolicyViolation {
			t.Errorf("a message of %d bytes: closed with %d %s, want 1008", size, code, reason)
		}
	}
}

func TestPingsAreAnswered(t *testing.T) {
	h := start(t)
	r := h.subscribe(adminToken, "")
	pinged := make(chan error, 1)
	go func() {
		pinged <- r.conn.Ping(t.Context()) // returns with the pong, which r must read
		_ = r.conn.CloseNow()
	}()
	for {
		if _, err := r.frame(); err != nil {
			break
		}
	}
	if err := <-pinged; err != nil {
		t.Error(err)
	}
}

func TestStreamEndsWithItsToken(t *testing.T) {
	h := start(t)
	revoked, id := h.token("viewer")
	stays, _ := h.token("viewer")
	a, b, other, admin := h.subscribe(revoked, ""), h.subscribe(revoked, ""), h.subscribe(stays, ""), h.subscribe(adminToken, "")
	h.ok("DELETE", "/tokens/"+id, "")
	for _, r := range []*reader{a, b} {
		if code, reason := r.closed(); code != 4403 {
			t.Errorf("revoked: closed with %d %s, want 4403", code, reason)
		}
	}

	soon := h.gateway.Now().Add(time.Hour).UTC().Format(time.RFC3339)
	c := h.subscribe(h.ok("POST", "/tokens", `{"name":"x","role":"viewer","expires_at":"`+soon+`"}`).text(t, "token"), "")
	h.clock.advance(2 * time.Hour)
	if code, reason := c.closed(); code != 4403 {
		t.Errorf("expired: closed with %d %s, want 4403", code, reason)
	}
	h.ok("PUT", "/networks/1", `{}`)
	other.until(h.seqNo())
	admin.until(h.seqNo())
	if metrics := string(h.ok("GET", "/metrics", "").body); !strings.Contains(metrics, `gateway_disconnects_total{code="4403"} 3`) {
		t.Error("metrics do not count three streams that ended with their token")
	}
}

func TestDrainTellsReadersWhenToComeBack(t *testing.T) {
	h := start(t)
	readers := []*reader{h.subscribe(adminToken, ""), h.subscribe(adminToken, "")}
	for _, r := range readers {
		r.until(h.seqNo())
	}
	done := make(chan error, 1)
	go func() { done <- h.server.Drain(t.Context(), time.Millisecond) }()
	for _, r := range readers {
		code, reason := r.closed()
		var ms int
		if _, err := fmt.Sscanf(reason, "retry in %d ms", &ms); code != websocket.StatusServiceRestart || err != nil || ms <= 0 {
			t.Errorf("closed with %d %q, want 1012 retry in N ms", code, reason)
		}
	}
	if err := <-done; err != nil {
		t.Errorf("drain: %v", err)
	}
	_, resp, err := h.dial("", http.Header{"Authorization": {"Bearer " + adminToken}})
	if err == nil || resp.StatusCode != http.StatusServiceUnavailable || resp.Header.Get("Retry-After") == "" {
		t.Errorf("a subscriber while draining: %v %v, want 503 with Retry-After", err, resp)
	}
}

// TestStalledReaderIsDroppedAndDelaysNobody has one reader that takes no byte
// beside one that reads, and writes until the first is gone.
func TestStalledReaderIsDroppedAndDelaysNobody(t *testing.T) {
	h := start(t, func(o *api.Options, _ *gateway.Options) { o.WriteTimeout = time.Second / 10 })
	stalled, err := net.Dial("tcp", strings.TrimPrefix(h.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer stalled.Close()
	_ = stalled.(*net.TCPConn).SetReadBuffer(4 << 10)
	fmt.Fprintf(stalled, "GET /subscribe HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n", adminToken)
	for h.gateway.SubCount() == 0 {
		h.ok("GET", "/healthz", "")
	}
	r := h.subscribe(adminToken, "")
	r.readAhead()
	tags := `"` + strings.Repeat("x", 128) + `"` + strings.Repeat(`,"`+strings.Repeat("x", 128)+`"`, 63)
	var ops []string
	for node := 1; node <= 40; node++ {
		ops = append(ops, fmt.Sprintf(`{"type":"node.put","data":{"node_id":%d,"hostname":"%%[1]d","tags":[%s]}}`, node, tags))
	}
	batch := `{"ops":[` + strings.Join(ops, ",") + `]}`
	for i := 0; h.gateway.SubCount() > 1; i++ {
		h.ok("POST", "/batch", fmt.Sprintf(batch, i))
		r.until(h.seqNo())
	}
	h.ok("PUT", "/networks/1", `{}`)
	r.until(h.seqNo())
}

// TestOpenedStreamsAreCounted, and nothing else is, for the collector.
func TestOpenedStreamsAreCounted(t *testing.T) {
	h := start(t)
	h.ok("GET", "/nodes", "")
	h.call("", "GET", "/subscribe", "")
	for _, r := range []*raw{h.rawSubscribe(), rawRequest(t, h.dialTCP(), "GET /subscribe HTTP/1.1",
		"Host: gateway", "Authorization: Bearer "+adminToken, "Accept: text/event-stream")} {
		if _, err := r.in.Peek(1); err != nil { // its first frame, which is sent when it has begun
			t.Fatal(err)
		}
	}
	if got := h.server.Leaving(); got != 2 {
		t.Errorf("%d, want the WebSocket and the stream of events", got)
	}
}
