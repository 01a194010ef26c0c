package api_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// chunked lets a body come without its length.
const chunked = "Transfer-Encoding: chunked"

// A body that is decoded while it comes is refused for what it is on the whole, not for the first thing that is wrong.
func TestLongBodies(t *testing.T) {
	h := start(t)
	syncFleet(h)
	blank := func(n int) string { return strings.Repeat(" ", n) }
	good := request(`{"external_id":"p1","role":"admin"}`)
	const max = 1 << 20
	for name, c := range map[string]struct {
		body   string
		status int
		code   string
	}{
		"good":                                 {blank(max-len(good)) + good, 200, ""},
		"too long by blanks behind it":         {good + blank(max+1-len(good)), 413, "too-large"},
		"malformed":                            {"{]" + blank(max-2), 400, "malformed-json"},
		"malformed and too long":               {"{]" + blank(max-1), 413, "too-large"},
		"malformed at the end":                 {good + blank(max-1-len(good)) + "x", 400, "malformed-json"},
		"ends too early":                       {good[:len(good)-1] + blank(max/2), 400, "malformed-json"},
		"too many entries, and malformed then": {request(strings.Repeat(`{},`, 1000)+`{}`) + "]" + blank(max/2), 413, "too-large"},
	} {
		for _, headers := range [][]string{nil, {chunked}} {
			if a := h.call(adminToken, "POST", "/directory-sync", c.body, headers...); a.status != c.status || a.text(t, "code") != c.code {
				t.Errorf("%s, %v: got %d %.200s, want %d %s", name, headers, a.status, a.body, c.status, c.code)
			}
		}
	}
}

func TestIdempotencyOfLongBodies(t *testing.T) {
	h := start(t)
	syncFleet(h)
	body := request(`{"external_id":"p1","role":"admin"}`) + strings.Repeat(" ", 200_000)
	send := func(body string, headers ...string) answer {
		t.Helper()
		return h.call(adminToken, "POST", "/directory-sync", body, append(headers, "Idempotency-Key: k")...)
	}
	first := send(body)
	if first.status != 200 {
		t.Fatalf("the first time: %d %s", first.status, first.body)
	}
	for _, headers := range [][]string{nil, {chunked}} {
		if again := send(body, headers...); again.position() != first.position() || string(again.body) != string(first.body) {
			t.Errorf("once more, %v: %d %s", headers, again.status, again.body)
		}
		send(body+" ", headers...).refused(t, 422, "idempotency-key-reused")
	}
}

// What one directory sync may take binds nothing else: a batch of two megabytes, and a
// network with all the mappings that it may have, written as long as can be.
func TestLimitsOfASyncBindNothingElse(t *testing.T) {
	h := start(t) // with a megabyte for a sync
	tags := strings.Repeat(`"`+strings.Repeat("x", 128)+`",`, 63) + `"x"`
	var ops []string
	for node := 1; node <= 250; node++ {
		ops = append(ops, fmt.Sprintf(`{"type":"node.put","data":{"node_id":%d,"tags":[%s]}}`, node, tags))
	}
	h.ok("POST", "/batch", `{"ops":[`+strings.Join(ops, ",")+`]}`)
	group := strings.Repeat(`\ud83d\ude00`, 1020)
	var mappings []string
	for n := range 1000 {
		mappings = append(mappings, fmt.Sprintf(`{"group":"%04d%s","role":"admin"}`, n, group))
	}
	a := h.call(adminToken, "PUT", "/networks/1", `{"role_mappings":[`+strings.Join(mappings, ",")+`]}`)
	if a.status != http.StatusOK {
		t.Errorf("a network with a thousand mappings: %d %.300s", a.status, a.body)
	}
}
