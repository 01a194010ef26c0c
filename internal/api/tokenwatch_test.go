package api_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/replication-gateway/gateway/internal/api"
	"github.com/replication-gateway/gateway/internal/gateway"
)

// TestStreamsOfATokenAreLimited: those of one, of any kind. Others, and the admin,
// have what room there is.
func TestStreamsOfATokenAreLimited(t *testing.T) {
	h := start(t, func(o *api.Options, _ *gateway.Options) { o.TokenStreams = 2 })
	one, _ := h.token("viewer")
	two, _ := h.token("viewer")
	first := h.subscribe(one, "")
	h.events("", "Authorization: Bearer "+one)
	for _, accept := range []string{"*/*", "text/event-stream"} {
		a := h.call(one, "GET", "/subscribe", "", "Accept: "+accept)
		a.refused(t, http.StatusServiceUnavailable, "too-many-subscribers")
		if a.header.Get("Retry-After") == "" || !strings.Contains(a.text(t, "detail"), "token") {
			t.Errorf("no Retry-After, or not said why: %v %s", a.header, a.body)
		}
	}
	if _, resp, err := h.dial("", http.Header{"Authorization": {"Bearer " + one}}); err == nil || resp.StatusCode != 503 {
		t.Errorf("a third WebSocket: %v", err)
	}
	h.subscribe(two, "")
	for range 3 {
		h.subscribe(adminToken, "")
	}
	streams := h.gateway.SubCount()
	_ = first.conn.CloseNow()
	for h.gateway.SubCount() == streams { // until the gateway has heard of it
		h.ok("GET", "/healthz", "")
	}
	// A plain GET, refused for another reason, takes no place.
	for range 5 {
		h.call(one, "GET", "/subscribe", "").refused(t, http.StatusUpgradeRequired, "upgrade-required")
	}
	h.subscribe(one, "")
	if a := h.call(one, "GET", "/subscribe", ""); a.status != 503 {
		t.Errorf("a third after another has gone: %d", a.status)
	}
}
