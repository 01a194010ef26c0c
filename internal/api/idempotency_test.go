package api_test

import (
	"strings"
	"testing"
	"time"
)

func TestIdempotencyKey(t *testing.T) {
	h := start(t)
	syncFleet(h)
	token, _ := h.token("sync", 7)
	other, _ := h.token("sync", 7)
	body := request(`{"external_id":"p1","role":"admin"}`)
	send := func(token, key, body string) answer {
		t.Helper()
		return h.call(token, "POST", "/directory-sync", body, "Idempotency-Key: "+key)
	}

	first := send(token, "k1", body)
	if first.status != 200 || first.text(t, "updated") != "1" || first.position() == "" {
		t.Fatalf("the first time: %d %s", first.status, first.body)
	}
	send(token, "k2", request(`{"external_id":"p1","role":"owner"}`)) // the world moves on
	before := h.ok("GET", "/networks", "").position()
	again := send(token, "k1", body)
	if string(again.body) != string(first.body) || again.position() != first.position() {
		t.Errorf("the second time:\ngot  %s at %s\nwant %s at %s", again.body, again.position(), first.body, first.position())
	}
	if after := h.ok("GET", "/networks", "").position(); after != before {
		t.Errorf("the repetition moved the state from %s to %s", before, after)
	}

	send(token, "k1", request(`{"external_id":"p1","role":"member"}`)).refused(t, 422, "idempotency-key-reused")
	if a := send(other, "k1", body); a.status != 200 || a.position() == first.position() {
		t.Errorf("the same key of another token: %d %s at %s", a.status, a.body, a.position())
	}
}

func TestIdempotencyKeyFaults(t *testing.T) {
	h := start(t)
	syncFleet(h)
	token, _ := h.token("sync", 7)
	body := request(`{"external_id":"p1","role":"admin"}`)
	for name, key := range map[string]string{"too long": strings.Repeat("k", 256), "empty": ""} {
		a := h.call(token, "POST", "/directory-sync", body, "Idempotency-Key: "+key)
		a.refused(t, 422, "validation")
		if got := strings.Join(a.faults(t), ","); got != "/Idempotency-Key key" {
			t.Errorf("%s: faults %q", name, got)
		}
	}
}

func TestIdempotencyKeyIsForWhatWasCarriedOut(t *testing.T) {
	h := start(t)
	syncFleet(h)
	token, _ := h.token("sync", 7)
	send := func(body string) answer {
		t.Helper()
		return h.call(token, "POST", "/directory-sync", body, "Idempotency-Key: k")
	}
	entries := `{"external_id":"p1","role":"admin"}`
	send(request(entries, `"dry_run":true`))
	last := `{"external_id":"p0","disabled":true}`
	send(request(last)).refused(t, 409, "last-owner")
	made := send(request(entries))
	if made.status != 200 || made.text(t, "updated") != "1" {
		t.Fatalf("after a dry run and a refusal under the same key: %d %s", made.status, made.body)
	}
	// A dry run is not answered from the store either.
	if a := send(request(entries, `"dry_run":true`)); a.text(t, "dry_run") != "true" || a.text(t, "updated") != "0" {
		t.Errorf("a dry run with a used key: %d %s", a.status, a.body)
	}
	// Nothing to change is carried out as well.
	idle := h.call(token, "POST", "/directory-sync", request(entries), "Idempotency-Key: idle")
	again := h.call(token, "POST", "/directory-sync", request(entries), "Idempotency-Key: idle")
	if idle.position() == made.position() || string(again.body) != string(idle.body) {
		t.Errorf("a sync that changes nothing is at %s, its repetition %s, the one before at %s", idle.position(), again.position(), made.position())
	}
	// The key outranks what the state would say, and is outranked by the network's reach.
	h.ok("DELETE", "/networks/7", "")
	if a := send(request(entries)); string(a.body) != string(made.body) {
		t.Errorf("after the network is gone: %d %s", a.status, a.body)
	}
	foreign, _ := h.token("sync", 8)
	h.call(foreign, "POST", "/directory-sync", request(entries), "Idempotency-Key: k").refused(t, 403, "forbidden")

	h.clock.advance(7*24*time.Hour + time.Minute)
	send(request(entries)).refused(t, 404, "network-not-found")
}
