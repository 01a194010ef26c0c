package api_test

import (
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"strings"
	"testing"
	"time"

	"github.com/replication-gateway/gateway/internal/api"
	"github.com/replication-gateway/gateway/internal/directory"
)

// mayCall is who may call what: a for admin, v for viewer, s for sync, r for
// replica, * for all the world.
var mayCall = map[string]string{
	"POST /directory-sync":                            "as",
	"GET /networks/{network_id}/directory-status":     "avs",
	"GET /subscribe":                                  "avr",
	"GET /snapshot":                                   "av",
	"GET /networks":                                   "av",
	"GET /networks/{network_id}":                      "av",
	"PUT /networks/{network_id}":                      "a",
	"DELETE /networks/{network_id}":                   "a",
	"GET /nodes":                                      "av",
	"GET /nodes/{node_id}":                            "av",
	"PUT /nodes/{node_id}":                            "a",
	"DELETE /nodes/{node_id}":                         "a",
	"GET /networks/{network_id}/members":              "av",
	"PUT /networks/{network_id}/members/{node_id}":    "a",
	"DELETE /networks/{network_id}/members/{node_id}": "a",
	"POST /batch":                                     "a",
	"GET /backup":                                     "a",
	"POST /replication/promote":                       "a",
	"GET /replication":                                "avr",
	"GET /tokens":                                     "a",
	"POST /tokens":                                    "a",
	"DELETE /tokens/{token_id}":                       "a",
	"GET /healthz":                                    "*",
	"GET /readyz":                                     "*",
	"GET /metrics":                                    "*",
	"GET /version":                                    "*",
	"GET /openapi.yaml":                               "*",
	"GET /":                                           "*",
	"GET /assets/{path}":                              "*",
	"GET /client.js":                                  "*",
}

func TestEveryRouteAdmitsItsRolesOnly(t *testing.T) {
	h := start(t)
	tokens := map[string]string{"a": adminToken}
	for letter, role := range map[string]string{"v": "viewer", "s": "sync", "r": "replica"} {
		tokens[letter], _ = h.token(role)
	}
	path := strings.NewReplacer("{network_id}", "9", "{node_id}", "9", "{token_id}", "none", "{path}", "app.js")
	for _, r := range api.RouteTable() {
		name := r.Method + " " + r.Pattern
		may, listed := mayCall[name]
		if !listed {
			t.Errorf("%s: who may call it is not said here", name)
			continue
		}
		call := func(token string) answer { return h.call(token, r.Method, path.Replace(r.Pattern), "") }
		if may == "*" {
			for _, token := range []string{"", "wrong"} {
				if a := call(token); a.status != http.StatusOK {
					t.Errorf("%s with the token %q: got %d, want 200", name, token, a.status)
				}
			}
			continue
		}
		for _, token := range []string{"", "wrong", "gw_none_secret"} {
			a := call(token)
			a.refused(t, http.StatusUnauthorized, "unauthorized")
			if got := a.header.Get("WWW-Authenticate"); got != "Bearer" {
				t.Errorf("%s: WWW-Authenticate %q, want Bearer", name, got)
			}
		}
		for letter, token := range tokens {
			a := call(token)
			admitted := a.status != http.StatusUnauthorized && a.status != http.StatusForbidden
			if admitted != strings.Contains(may, letter) {
				t.Errorf("%s by %q: got %d, may: %s", name, letter, a.status, may)
			}
		}
	}
}

func TestCredentials(t *testing.T) {
	h := start(t)
	token, id := h.token("viewer")
	subprotocol := func(s string) string { return "gateway.token." + base64.RawURLEncoding.EncodeToString([]byte(s)) }
	for _, c := range []struct {
		name, path string
		headers    []string
		status     int
	}{
		{"scheme in lower case", "/nodes", []string{"Authorization: bearer " + token}, 200},
		{"no scheme", "/nodes", []string{"Authorization: " + token}, 401},
		{"other scheme", "/nodes", []string{"Authorization: Basic " + token}, 401},
		{"nothing after the scheme", "/nodes", []string{"Authorization: Bearer "}, 401},
		{"secret of another", "/nodes", []string{"Authorization: Bearer gw_" + id + "_AAAAAAAAAAAAAAAAAAAAAAAAAA"}, 401},
		{"half a secret", "/nodes", []string{"Authorization: Bearer " + token[:len(token)-1]}, 401},
		{"in the query", "/nodes?token=" + token, nil, 401},
		{"as subprotocol, for no stream", "/nodes", []string{"Sec-WebSocket-Protocol: gateway.v1, " + subprotocol(token)}, 401},
		{"as subprotocol", "/subscribe", []string{"Sec-WebSocket-Protocol: gateway.v1, " + subprotocol(token)}, 426},
		{"as subprotocol, wrong", "/subscribe", []string{"Sec-WebSocket-Protocol: gateway.v1, " + subprotocol("wrong")}, 401},
		{"as subprotocol, not base64url", "/subscribe", []string{"Sec-WebSocket-Protocol: gateway.token.%%%"}, 401},
		{"a header of another scheme outranks", "/subscribe", []string{"Authorization: Basic x", "Sec-WebSocket-Protocol: " + subprotocol(token)}, 401},
		{"a wrong header outranks", "/subscribe", []string{"Authorization: Bearer wrong", "Sec-WebSocket-Protocol: " + subprotocol(token)}, 401},
	} {
		t.Run(c.name, func(t *testing.T) {
			if a := h.call("", "GET", c.path, "", c.headers...); a.status != c.status {
				t.Errorf("got %d %s, want %d", a.status, a.body, c.status)
			}
		})
	}
}

func TestTokenLife(t *testing.T) {
	h := start(t)
	soon := h.gateway.Now().Add(time.Hour).UTC().Format(time.RFC3339)
	made := h.ok("POST", "/tokens", `{"name":"ops","role":"viewer","networks":[3,1,3],"expires_at":"`+soon+`"}`)
	token, id := made.text(t, "token"), made.text(t, "token_id")
	if made.status != http.StatusCreated || !strings.HasPrefix(token, "gw_"+id+"_") {
		t.Errorf("made: got %d %s, want 201 and a token that begins with gw_%s_", made.status, made.body, id)
	}
	if got := made.text(t, "networks"); got != "[1 3]" {
		t.Errorf("networks: got %s, want each once, sorted", got)
	}
	list := h.ok("GET", "/tokens", "")
	if s := string(list.body); !strings.Contains(s, id) || strings.Contains(s, token) || strings.Contains(s, "hash") {
		t.Errorf("list: got %s, want the id and neither the token nor its hash", s)
	}

	if a := h.call(token, "GET", "/nodes", ""); a.status != 200 {
		t.Errorf("a fresh token: got %d", a.status)
	}
	h.clock.advance(2 * time.Hour)
	h.call(token, "GET", "/nodes", "").refused(t, 401, "unauthorized")

	other, otherID := h.token("viewer")
	gone := h.ok("DELETE", "/tokens/"+otherID, "")
	if s := string(gone.body); !strings.Contains(s, otherID) || strings.Contains(s, other) || strings.Contains(s, "hash") {
		t.Errorf("revoked: got %s, want the record without token and hash", s)
	}
	h.call(other, "GET", "/nodes", "").refused(t, 401, "unauthorized")
	h.call(adminToken, "DELETE", "/tokens/"+otherID, "").refused(t, 404, "not-found")

	for range 4 {
		h.token("sync")
	}
	if got := readAll(t, h, "/tokens?", "token_id", 2); len(got) != 5 {
		t.Errorf("in pages of 2: %d tokens, want 5", len(got))
	}
	if log := h.log.String(); strings.Contains(log, token) || strings.Contains(log, other) || strings.Contains(log, adminToken) {
		t.Error("the log holds a token")
	}
}

func TestTokenRefusals(t *testing.T) {
	h := start(t)
	past := h.gateway.Now().Add(-time.Second).UTC().Format(time.RFC3339)
	for body, want := range map[string]string{
		`{"role":"viewer"}`:                                                "422 /name required",
		`{"name":"x"}`:                                                     "422 /role required",
		`{"name":"x","role":"owner"}`:                                      "422 /role oneof",
		`{"name":"x\n","role":"sync"}`:                                     "422 /name plain",
		`{"name":"x","role":"sync","networks":[0]}`:                        "422 /networks/0 min",
		`{"name":"x","role":"sync","networks":[7e1]}`:                      "422 /networks/0 type",
		`{"name":"x","role":"admin","networks":[1]}`:                       "422 /networks role",
		`{"name":"x","role":"replica","networks":[1]}`:                     "422 /networks role",
		`{"name":"x","role":"admin","networks":[]}`:                        "201 ",
		`{"name":"x","role":"replica","networks":null,"expires_at":null}`:  "201 ",
		`{"name":"x","role":"sync","expires_at":"` + past + `"}`:           "422 /expires_at future",
		`{"name":"x","role":"sync","expires_at":"1970-01-01T00:00:00Z"}`:   "422 /expires_at future",
		`{"name":"x","role":"sync","expires_at":"tomorrow"}`:               "422 /expires_at format",
		`{"name":"x","role":"sync","expires_at":1}`:                        "422 /expires_at type",
		`{"name":"x","role":"sync","token_id":"mine","hash":"0123456789"}`: "422 /token_id unknown-field /hash unknown-field",
	} {
		a := h.call(adminToken, "POST", "/tokens", body)
		if got := fmt.Sprintf("%d %s", a.status, strings.Join(a.faults(t), " ")); got != want {
			t.Errorf("%s: got %s, want %s", body, got, want)
		}
	}
}

func TestTokenAdminMayEverything(t *testing.T) {
	h := start(t)
	token, id := h.token("admin")
	if a := h.call(token, "PUT", "/networks/1", `{}`); a.status != 200 {
		t.Fatalf("got %d %s", a.status, a.body)
	}
	h.call(token, "POST", "/batch", `{"ops":[{"type":"network.put","data":{"network_id":1,"enterprise":true}}]}`)
	h.call(token, "POST", "/directory-sync", `{"network_id":1,"entries":[{"external_id":"a"}]}`)
	state, _ := h.gateway.State()
	if got := state.Sync(1); got == nil || got.Actor != "token:"+id {
		t.Errorf("the sync record: got %+v, want the actor token:%s", got, id)
	}
	if got := state.Token(id).Role; got != directory.AccessAdmin {
		t.Errorf("role: got %s", got)
	}
}

// A token that is revoked while its body is on the way changes nothing.
func TestARevokedTokenChangesNothing(t *testing.T) {
	for path, body := range map[string]string{"/tokens": `{"name":"again","role":"admin"}`, "/replication/promote": `{}`} {
		t.Run(path, func(t *testing.T) { revokeDuring(t, path, body) })
	}
}

func revokeDuring(t *testing.T, path, content string) {
	h := start(t)
	token, id := h.token("admin")
	body, rest := io.Pipe()
	req, err := http.NewRequestWithContext(t.Context(), "POST", h.url+path, body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header = http.Header{"Authorization": {"Bearer " + token}, "Content-Type": {"application/json"}, "Expect": {"100-continue"}}
	continued := make(chan struct{})
	req = req.WithContext(httptrace.WithClientTrace(req.Context(), &httptrace.ClientTrace{Got100Continue: func() { close(continued) }}))
	answered := make(chan *http.Response, 1)
	transport := &http.Transport{ExpectContinueTimeout: time.Minute}
	defer transport.CloseIdleConnections()
	go func() {
		resp, err := transport.RoundTrip(req)
		if err != nil {
			t.Error(err)
		}
		answered <- resp
	}()
	<-continued // it was good at the head of the request
	h.ok("DELETE", "/tokens/"+id, "")
	_, _ = io.WriteString(rest, content)
	_ = rest.Close()
	if resp := <-answered; resp != nil {
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusUnauthorized {
			t.Errorf("answered %d, want 401", resp.StatusCode)
		}
	}
	if a := h.ok("GET", "/tokens", ""); strings.Contains(string(a.body), "again") {
		t.Errorf("a token was made: %s", a.body)
	}
}
