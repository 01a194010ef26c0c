package api_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"github.com/replication-gateway/gateway/internal/api"
	"github.com/replication-gateway/gateway/internal/gateway"
)

func TestPathsAndMethodsThatAreNotThere(t *testing.T) {
	h := start(t)
	for _, path := range []string{"/nothing", "/networks/", "/networks/1/nodes", "/assets/nothing.js", "/assets/", "/index.html", "/sources", "/audit"} {
		h.call("", "GET", path, "").refused(t, 404, "not-found")
	}
	for call, allow := range map[string]string{
		"POST /networks":            "GET, HEAD",
		"PATCH /networks/1":         "DELETE, GET, HEAD, PUT",
		"GET /networks/1/members/1": "DELETE, PUT",
		"GET /directory-sync":       "POST",
		"BREW /tokens":              "GET, HEAD, POST",
		"OPTIONS /nodes":            "GET, HEAD",
	} {
		method, path, _ := strings.Cut(call, " ")
		a := h.call(adminToken, method, path, "")
		a.refused(t, 405, "method-not-allowed")
		if got := a.header.Values("Allow"); !slices.Equal(got, []string{allow}) {
			t.Errorf("%s: Allow %q, want %q in one line", call, got, allow)
		}
	}
}

func TestEscapedPaths(t *testing.T) {
	h := start(t)
	h.ok("PUT", "/networks/1", `{}`)
	h.ok("PUT", "/nodes/12", `{}`)
	h.client = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}} // one that does not look such paths up
	h.ok("PUT", "/%6eetworks/%31/members/1%32", "")
	for path, status := range map[string]int{
		"/networks/%31": 200, "/%6Eodes/%31%32": 200, "/client%2Ejs": 200, "/networks/%32": 404, "/networks/%61": 422,
		"/networks%2F1": 404, "/networks/1%2fmembers": 422, "/networks/%31%2Fmembers": 422,
	} {
		if a := h.call(adminToken, "GET", path, ""); a.status != status {
			t.Errorf("GET %s: got %d %s, want %d", path, a.status, a.body, status)
		}
	}
	a := h.call(adminToken, "PATCH", "/networks/%31", "")
	if a.refused(t, 405, "method-not-allowed"); a.header.Get("Allow") != "DELETE, GET, HEAD, PUT" {
		t.Errorf("Allow %q", a.header.Get("Allow"))
	}
}

func TestHeadAnswersLikeGetWithoutABody(t *testing.T) {
	h := start(t)
	h.ok("PUT", "/networks/1", `{}`)
	for _, path := range []string{"/networks/1", "/snapshot", "/healthz", "/", "/openapi.yaml"} {
		get, head := h.ok("GET", path, ""), h.ok("HEAD", path, "")
		if len(head.body) != 0 {
			t.Errorf("HEAD %s: a body of %d bytes", path, len(head.body))
		}
		for _, name := range []string{"Content-Type", "Gateway-Position", "Etag"} {
			if get.header.Get(name) != head.header.Get(name) {
				t.Errorf("HEAD %s: %s %q, GET has %q", path, name, head.header.Get(name), get.header.Get(name))
			}
		}
	}
}

func TestEveryAnswerIsSecured(t *testing.T) {
	h := start(t)
	for path, policy := range map[string]string{"/": "script-src 'self'", "/nodes": "default-src 'none'", "/nothing": "default-src 'none'", "/client.js": "default-src 'none'"} {
		a := h.call(adminToken, "GET", path, "")
		for name, want := range map[string]string{"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Referrer-Policy": "no-referrer"} {
			if got := a.header.Get(name); got != want {
				t.Errorf("GET %s: %s %q, want %q", path, name, got, want)
			}
		}
		if got := a.header.Get("Content-Security-Policy"); !strings.Contains(got, policy) || strings.Contains(got, "unsafe") || !strings.Contains(got, "frame-ancestors 'none'") {
			t.Errorf("GET %s: policy %q, want it to hold %s", path, got, policy)
		}
	}
	if got := h.ok("GET", "/tokens", "").header.Get("Cache-Control"); got != "no-store" {
		t.Errorf("Cache-Control of the API: %q, want no-store", got)
	}
}

func TestRequestIDs(t *testing.T) {
	h := start(t)
	for given, kept := range map[string]bool{
		"abc-1": true, strings.Repeat("x", 128): true, strings.Repeat("x", 129): false, "a b": false, "h\u00e9": false, "": false,
	} {
		a := h.call("", "GET", "/nodes", "", "X-Request-Id: "+given)
		id := a.header.Get("X-Request-Id")
		if id == "" || (id == given) != kept {
			t.Errorf("given %q: got %q, kept: want %v", given, id, kept)
		}
		if got := a.text(t, "request_id"); got != id {
			t.Errorf("the problem says %q, the header %q", got, id)
		}
		if !strings.Contains(h.log.String(), `"request_id":"`+id+`"`) {
			t.Errorf("the log lacks %q", id)
		}
	}
}

func TestAccessLog(t *testing.T) {
	h := start(t)
	h.ok("GET", "/networks?limit=5", "")
	h.call("secret-guess", "GET", "/nodes/5", "")
	var lines []map[string]any
	for line := range strings.Lines(h.log.String()) {
		var m map[string]any
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		if m["message"] == "request" {
			lines = append(lines, m)
		}
	}
	for i, want := range []string{"info GET /networks 200 token:admin", "info GET /nodes/{node_id} 401 "} {
		l := lines[i]
		if got := fmt.Sprint(l["level"], " ", l["method"], " ", l["route"], " ", l["status"], " ", l["actor"]); got != want {
			t.Errorf("line %d: got %s, want %s", i, got, want)
		}
		if l["duration_ms"] == nil || l["bytes"].(float64) <= 0 || !strings.HasPrefix(l["remote"].(string), "127.0.0.1:") {
			t.Errorf("line %d lacks duration, bytes or remote: %v", i, l)
		}
	}
	if strings.Contains(h.log.String(), "secret-guess") {
		t.Error("the log holds a credential")
	}
}

func TestMetricsOfRequests(t *testing.T) {
	h := start(t)
	h.ok("PUT", "/networks/1", `{}`)
	h.call("", "BREW", "/nothing/at/all", "")
	metrics := string(h.ok("GET", "/metrics", "").body)
	for _, want := range []string{
		`gateway_http_request_seconds_count{method="PUT",route="/networks/{network_id}",status="200"} 1`,
		`gateway_http_request_seconds_count{method="other",route="none",status="404"} 1`,
		`gateway_commits_total 1`,
		`gateway_entries_total{type="node.delete"} 0`,
		`gateway_frames_sent_total{type="delta"} 0`,
		`gateway_resyncs_total{reason="state-replaced"} 0`,
		`gateway_disconnects_total{code="4403"} 0`,
		`gateway_directory_syncs_total{outcome="applied"} 0`,
	} {
		if !strings.Contains(metrics, want+"\n") {
			t.Errorf("metrics lack %s", want)
		}
	}
}

func TestCrossOrigin(t *testing.T) {
	h := start(t)
	allowed := h.call(adminToken, "GET", "/nodes", "", "Origin: https://ops.example")
	if got := allowed.header.Get("Access-Control-Allow-Origin"); got != "https://ops.example" {
		t.Errorf("allowed origin: got %q", got)
	}
	if got := allowed.header.Get("Access-Control-Expose-Headers"); !strings.Contains(got, "Gateway-Position") {
		t.Errorf("exposed headers: got %q", got)
	}
	pre := h.call("", "OPTIONS", "/networks/1", "", "Origin: https://ops.example", "Access-Control-Request-Method: PUT")
	if pre.status != http.StatusNoContent || !strings.Contains(pre.header.Get("Access-Control-Allow-Methods"), "PUT") ||
		!strings.Contains(pre.header.Get("Access-Control-Allow-Headers"), "Authorization") {
		t.Errorf("preflight: got %d %v", pre.status, pre.header)
	}
	for _, origin := range []string{"https://evil.example", "null", "https://ops.example.evil.example"} {
		a := h.call(adminToken, "GET", "/nodes", "", "Origin: "+origin)
		pre := h.call("", "OPTIONS", "/networks/1", "", "Origin: "+origin, "Access-Control-Request-Method: PUT")
		if a.header.Get("Access-Control-Allow-Origin") != "" || pre.header.Get("Access-Control-Allow-Origin") != "" || pre.status != 405 {
			t.Errorf("origin %s: let in", origin)
		}
		if !slices.Contains(a.header.Values("Vary"), "Origin") {
			t.Errorf("origin %s: a cache is not told that the answer varies", origin)
		}
	}
}

func TestOriginsKnowNoCase(t *testing.T) {
	h := start(t, func(o *api.Options, _ *gateway.Options) { o.AllowedOrigins = []string{"https://Ops.Example:8443"} })
	for _, origin := range []string{"https://ops.example:8443", "https://Ops.Example:8443"} {
		if got := h.call(adminToken, "GET", "/nodes", "", "Origin: "+origin).header.Get("Access-Control-Allow-Origin"); got != origin {
			t.Errorf("origin %s: allowed %q", origin, got)
		}
		h.call(adminToken, "GET", "/subscribe", "", "Origin: "+origin).refused(t, 426, "upgrade-required")
	}
}

func TestFiles(t *testing.T) {
	h := start(t)
	for path, kind := range map[string]string{
		"/": "text/html; charset=utf-8", "/client.js": "text/javascript; charset=utf-8", "/assets/app.js": "text/javascript; charset=utf-8",
		"/assets/theme.css": "text/css; charset=utf-8", "/assets/favicon.svg": "image/svg+xml", "/openapi.yaml": "application/yaml",
	} {
		a := h.call("", "GET", path, "")
		if got := a.header.Get("Content-Type"); a.status != 200 || got != kind || len(a.body) == 0 {
			t.Errorf("GET %s: got %d %s, %d bytes, want %s", path, a.status, got, len(a.body), kind)
		}
		if got := a.header.Get("Cache-Control"); got != "no-cache" {
			t.Errorf("GET %s: Cache-Control %q, want no-cache", path, got)
		}
		if part := h.call("", "GET", path, "", "Range: bytes=99999999-", "If-Match: \"x\""); part.status != 200 || !bytes.Equal(part.body, a.body) {
			t.Errorf("a part of GET %s: got %d with %d bytes, want all of it", path, part.status, len(part.body))
		}
		again := h.call("", "GET", path, "", "If-None-Match: "+a.header.Get("ETag"))
		if again.status != http.StatusNotModified || len(again.body) != 0 {
			t.Errorf("GET %s again: got %d with %d bytes, want 304 without", path, again.status, len(again.body))
		}
	}
	if got := h.ok("GET", "/client.js", "").header.Get("Access-Control-Allow-Origin"); got != "*" {
		t.Errorf("client.js: any page may import it, but Access-Control-Allow-Origin is %q", got)
	}
	if got := h.call("", "GET", "/openapi.yaml", "").body; !bytes.Equal(got, description(t).raw) {
		t.Error("openapi.yaml is served as something else")
	}
}

func TestFilesOutsideTheRootsAreNotServed(t *testing.T) {
	files := fstest.MapFS{"index.html": {Data: []byte("x")}, "secret.txt": {Data: []byte("x")}, "assets/a.js": {Data: []byte("x")}}
	h := start(t, func(o *api.Options, _ *gateway.Options) { o.Assets = files })
	for path, status := range map[string]int{"/": 200, "/assets/a.js": 200, "/secret.txt": 404, "/assets/../secret.txt": 404, "/assets/..%2fsecret.txt": 404} {
		// Without a client in between, which would clean the path.
		w := httptest.NewRecorder()
		h.server.Handler().ServeHTTP(w, httptest.NewRequest("GET", "http://gateway"+path, nil))
		if w.Code != status {
			t.Errorf("GET %s: got %d, want %d", path, w.Code, status)
		}
	}
}

func TestPanicIsAnInternalError(t *testing.T) {
	h := start(t)
	r := httptest.NewRequest("PUT", "/networks/1", panicBody{})
	r.Header.Set("Authorization", "Bearer "+adminToken)
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	h.server.Handler().ServeHTTP(w, r)
	description(t).matches(t, "Problem", w.Body.Bytes())
	if w.Code != 500 || !strings.Contains(w.Body.String(), `"code":"internal"`) || strings.Contains(w.Body.String(), "kaboom") {
		t.Errorf("got %d %s, want 500 internal and no more", w.Code, w.Body)
	}
	if !strings.Contains(h.log.String(), "kaboom") {
		t.Error("the log does not say why")
	}
}

type panicBody struct{}

func (panicBody) Read([]byte) (int, error) { panic("kaboom") }

func TestProbes(t *testing.T) {
	h := start(t)
	for path, want := range map[string]string{
		"/healthz": `{"status":"ok"}`, "/readyz": `{"status":"ready"}`, "/version": `{"version":"1.2.3","commit":"abc","go":"go"}`,
	} {
		if got := h.call("", "GET", path, ""); string(got.body) != want {
			t.Errorf("GET %s: got %s, want %s", path, got.body, want)
		}
	}
	if err := h.server.Drain(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	a := h.call("", "GET", "/readyz", "")
	a.refused(t, 503, "draining")
	if a.header.Get("Retry-After") == "" {
		t.Error("draining: no Retry-After")
	}
	h.ok("PUT", "/networks/1", `{}`) // requests are served to the end
}

func TestSnapshot(t *testing.T) {
	h := start(t)
	empty := h.ok("GET", "/snapshot", "")
	if want := `"seq_no":0,"snapshot":{"networks":[],"nodes":[],"members":[],"assignments":[],"users":[],"syncs":[]}}`; !strings.Contains(string(empty.body), want) {
		t.Errorf("empty: got %s, want %s", empty.body, want)
	}
	syncFleet(h)
	h.ok("POST", "/directory-sync", request(`{"external_id":"p1"},{"external_id":"x","role":"admin"}`))
	h.token("sync")
	viewer, _ := h.token("viewer", 7)

	var all struct {
		Epoch    string
		SeqNo    uint64 `json:"seq_no"`
		Snapshot map[string][]json.RawMessage
	}
	full := h.ok("GET", "/snapshot", "")
	full.decode(t, &all)
	for kind, n := range map[string]int{"networks": 2, "nodes": 9, "members": 9, "assignments": 1, "users": 2, "syncs": 1} {
		if got := len(all.Snapshot[kind]); got != n {
			t.Errorf("%s: got %d, want %d", kind, got, n)
		}
	}
	if at := fmt.Sprintf("%s:%d", all.Epoch, all.SeqNo); at != full.position() || len(all.Snapshot) != 6 {
		t.Errorf("at %s, header %s, kinds %d, want 6", at, full.position(), len(all.Snapshot))
	}
	narrow := h.ok("GET", "/snapshot?network_id=8&network_id=9", "")
	if want := `"snapshot":{"networks":[{"network_id":8,`; !strings.Contains(string(narrow.body), want) || !strings.Contains(string(narrow.body), `"nodes":[]`) {
		t.Errorf("narrowed: got %s", narrow.body)
	}

	tags := map[string]bool{full.header.Get("ETag"): true, narrow.header.Get("ETag"): true, h.call(viewer, "GET", "/snapshot", "").header.Get("ETag"): true}
	if len(tags) != 3 {
		t.Errorf("three views have the ETags %v", tags)
	}
	tag := full.header.Get("ETag")
	for match, status := range map[string]int{tag: 304, `"x", W/` + tag: 304, "*": 304, `"x"`: 200, `"x,*,y"`: 200} {
		if a := h.ok304("/snapshot", match); a.status != status {
			t.Errorf("If-None-Match %s: got %d, want %d", match, a.status, status)
		}
	}
	h.ok("PUT", "/nodes/1", `{}`)
	if a := h.ok304("/snapshot", tag); a.status != 200 {
		t.Errorf("after a change: got %d, want 200", a.status)
	}
}

func (h *harness) ok304(path, match string) answer {
	h.t.Helper()
	return h.call(adminToken, "GET", path, "", "If-None-Match: "+match)
}

// TestReadersOfAnswersHaveSomeTime: who asks and does not read loses the connection.
func TestReadersOfAnswersHaveSomeTime(t *testing.T) {
	for _, request := range []string{"GET /healthz", "HEAD /client.js"} {
		synctest.Test(t, func(t *testing.T) {
			b := newBubble(t, time.Hour)
			defer b.stop()
			conn, err := b.listener.dial(t.Context(), "", "")
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if _, err := io.WriteString(conn, request+" HTTP/1.1\r\nHost: gateway\r\n\r\n"); err != nil {
				t.Fatal(err)
			}
			time.Sleep(6*writeTimeout + time.Second) // of the bubble's clock
			if n, err := conn.Read(make([]byte, 1)); n > 0 || err == nil {
				t.Errorf("read %d bytes, %v", n, err)
			}
		})
	}
}
