package api_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// syncFleet makes network 7 with the nodes of nine people, the first an owner,
// and network 8, which takes no syncs.
func syncFleet(h *harness) {
	h.ok("PUT", "/networks/7", `{"enterprise":true,"role_mappings":[{"group":"Platform","role":"admin"}]}`)
	h.ok("PUT", "/networks/8", `{}`)
	var ops []string
	for i := range 9 {
		ops = append(ops, fmt.Sprintf(`{"type":"node.put","data":{"node_id":%d,"external_id":"p%d"}},{"type":"member.put","data":{"network_id":7,"node_id":%d}}`, i+1, i, i+1))
	}
	ops = append(ops, `{"type":"member.put","data":{"network_id":7,"node_id":1,"role":"owner"}}`)
	h.ok("POST", "/batch", `{"ops":[`+strings.Join(ops, ",")+`]}`)
}

// request writes a sync of network 7.
func request(entries string, more ...string) string {
	return `{"network_id":7,"entries":[` + entries + `]` + strings.Join(append([]string{""}, more...), ",") + `}`
}

func TestDirectorySync(t *testing.T) {
	h := start(t)
	syncFleet(h)
	token, id := h.token("sync", 7)
	body := request(`{"external_id":"P1","display_name":"P. One","email":"p1@corp.example","groups":["Platform"],"disabled":false},
		{"external_id":"new@corp.example","role":"member"}, {"external_id":"p2","disabled":true}`)
	before := h.ok("GET", "/networks", "").position()

	dry := h.call(token, "POST", "/directory-sync", strings.TrimSuffix(body, "}")+`,"dry_run":true}`)
	if dry.status != 200 || dry.position() != before || dry.text(t, "dry_run") != "true" {
		t.Errorf("dry run: got %d %s at %s, want 200 at %s", dry.status, dry.body, dry.position(), before)
	}
	made := h.call(token, "POST", "/directory-sync", body)
	want := `{"updated":1,"disabled":1,"mapped":2,"unmapped":1,` +
		`"actions":["assign new@corp.example: member","role P1: member → admin (node 2)","remove p2: disabled (node 3)"],` +
		`"items":[{"index":0,"external_id":"P1","outcome":"updated","node_ids":[2],"role_from":"member","role_to":"admin"},` +
		`{"index":1,"external_id":"new@corp.example","outcome":"assigned","node_ids":[],"role_to":"member"},` +
		`{"index":2,"external_id":"p2","outcome":"removed","node_ids":[3],"role_from":"member"}],"warnings":[],"skipped_no_external_id":0,` +
		`"plan_digest":"` + dry.text(t, "plan_digest") + `","dry_run":false,`
	if made.status != 200 || !strings.HasPrefix(string(made.body), want) {
		t.Errorf("sync:\ngot  %d %s\nwant %s", made.status, made.body, want)
	}
	if made.position() == before || made.position() != made.text(t, "epoch")+":"+made.text(t, "seq_no") {
		t.Errorf("sync: at %s, said %s", made.position(), made.body)
	}
	again := h.call(token, "POST", "/directory-sync", body)
	if again.position() != made.position() {
		t.Errorf("the same again: at %s, want still %s", again.position(), made.position())
	}

	for _, reader := range []string{token, adminToken} {
		a := h.call(reader, "GET", "/networks/7/directory-status", "")
		want := `{"network_id":7,"total":8,"mapped":1,"unmapped":7,"pre_assignments":1,"enterprise":true,"last_sync":{"network_id":7,"at":`
		if !strings.HasPrefix(string(a.body), want) || !strings.Contains(string(a.body), `"actor":"token:`+id+`"`) {
			t.Errorf("status: got %s, want %s…", a.body, want)
		}
	}
	h.ok("PUT", "/networks/7/members/3", ``) // of p2, who is disabled
	if got := h.ok("GET", "/networks/7/directory-status", ""); got.text(t, "total") != "9" || got.text(t, "mapped") != "1" {
		t.Errorf("status with a disabled member: got %s, want a total of 9, still 1 mapped", got.body)
	}
	never := h.ok("GET", "/networks/8/directory-status", "")
	if want := `{"network_id":8,"total":0,"mapped":0,"unmapped":0,"pre_assignments":0,"enterprise":false,"last_sync":null}`; string(never.body) != want {
		t.Errorf("status: got %s, want %s", never.body, want)
	}
	metrics := string(h.ok("GET", "/metrics", "").body)
	for outcome, n := range map[string]int{"applied": 1, "unchanged": 1, "dry-run": 1} {
		if want := fmt.Sprintf("gateway_directory_syncs_total{outcome=%q} %d\n", outcome, n); !strings.Contains(metrics, want) {
			t.Errorf("metrics lack %s", want)
		}
	}
}

// TestDirectorySyncRefusals goes through what a sync can be refused for. Each
// case is refused although nothing else is wrong with it.
func TestDirectorySyncRefusals(t *testing.T) {
	h := start(t)
	syncFleet(h)
	seven, _ := h.token("sync", 7)
	viewer, _ := h.token("viewer", 7)
	h.ok("POST", "/directory-sync", request(`{"external_id":"p1"}`, `"snapshot_at":"2026-01-02T00:00:00Z"`))
	before := h.ok("GET", "/snapshot", "")
	long := strings.Repeat("g", 257)
	groups := strings.TrimSuffix(strings.Repeat(`"g",`, 257), ",")
	ahead := h.gateway.Now().Add(6 * time.Minute).UTC().Format(time.RFC3339)
	entry := func(members string) string { return request(`{"external_id":"p1",` + members + `}`) }
	named := func(id string) string { return request(`{"external_id":"` + id + `"}`) }
	people := func(ids string) string {
		var list []string
		for _, id := range strings.Split(ids, " ") {
			list = append(list, `{"external_id":"`+id+`"}`)
		}
		return request(strings.Join(list, ","), `"remove_unlisted":true`)
	}
	for _, c := range []struct {
		name, token, body string
		headers           []string
		status            int
		code              string
		faults            []string
	}{
		{"no credential", "", named("p1"), nil, 401, "unauthorized", nil},
		{"a viewer", viewer, named("p1"), nil, 403, "forbidden", nil},
		{"another network", seven, `{"network_id":8,"entries":[{"external_id":"p1"}]}`, nil, 403, "forbidden", nil},
		{"a network that is not there and not in reach", seven, `{"network_id":9,"entries":[{"external_id":"p1"}]}`, nil, 403, "forbidden", nil},

		{"plain text", seven, named("p1"), []string{"Content-Type: text/plain"}, 415, "unsupported-media-type", nil},
		{"no content type", seven, named("p1"), []string{"Content-Type: "}, 415, "unsupported-media-type", nil},
		{"a charset", seven, named("p1"), []string{"Content-Type: application/json; charset=latin1"}, 415, "unsupported-media-type", nil},
		{"compressed", seven, named("p1"), []string{"Content-Encoding: gzip"}, 415, "unsupported-media-type", nil},

		{"not JSON", seven, `{"network_id":7,`, nil, 400, "malformed-json", nil},
		{"a comma too many", seven, `{"network_id":7,"entries":[{"external_id":"p1"},]}`, nil, 400, "malformed-json", nil},
		{"white space only", seven, ` `, nil, 400, "malformed-json", nil},
		{"data after it", seven, named("p1") + `{}`, nil, 400, "malformed-json", nil},
		{"invalid UTF-8", seven, named("p\xff1"), nil, 400, "malformed-json", nil},
		{"half a surrogate", seven, named(`p\ud800`), nil, 400, "malformed-json", nil},
		{"a key twice", seven, request(`{"external_id":"p1"}`, `"dry_run":true,"dry_run":false`), nil, 400, "malformed-json", nil},
		{"a key twice, within", seven, entry(`"role":"admin","role":"member"`), nil, 400, "malformed-json", nil},
		{"a key twice, within what is not known", seven, entry(`"x":{"a":1,"a":1}`), nil, 400, "malformed-json", nil},

		{"an array", seven, `[]`, nil, 422, "validation", []string{" type"}},
		{"unknown fields", seven, request(`{"external_id":"p1","Role":"admin"}`, `"network":7`), nil, 422, "unknown-field", []string{"/entries/0/Role unknown-field", "/network unknown-field"}},
		{"unknown and invalid", seven, request(`{"external_id":"","x":1}`), nil, 422, "unknown-field", []string{"/entries/0/x unknown-field", "/entries/0/external_id required"}},
		{"network_id missing", seven, `{"entries":[{"external_id":"p1"}]}`, nil, 422, "validation", []string{"/network_id required"}},
		{"network_id null", seven, `{"network_id":null,"entries":[{"external_id":"p1"}]}`, nil, 422, "validation", []string{"/network_id required"}},
		{"network_id 0", seven, `{"network_id":0,"entries":[{"external_id":"p1"}]}`, nil, 422, "validation", []string{"/network_id required"}},
		{"network_id 65536", seven, `{"network_id":65536,"entries":[{"external_id":"p1"}]}`, nil, 422, "validation", []string{"/network_id type"}},
		{"network_id negative", seven, `{"network_id":-7,"entries":[{"external_id":"p1"}]}`, nil, 422, "validation", []string{"/network_id type"}},
		{"network_id with a fraction", seven, `{"network_id":7.0,"entries":[{"external_id":"p1"}]}`, nil, 422, "validation", []string{"/network_id type"}},
		{"network_id a string", seven, `{"network_id":"7","entries":[{"external_id":"p1"}]}`, nil, 422, "validation", []string{"/network_id type"}},
		{"entries missing", seven, `{"network_id":7}`, nil, 422, "validation", []string{"/entries required"}},
		{"entries null", seven, `{"network_id":7,"entries":null}`, nil, 422, "validation", []string{"/entries required"}},
		{"entries empty", seven, `{"network_id":7,"entries":[]}`, nil, 422, "validation", []string{"/entries min"}},
		{"entries of other kinds", seven, request(`"p1",null,[]`), nil, 422, "validation", []string{"/entries/0 type", "/entries/1 type", "/entries/2 type"}},
		{"external_id missing", seven, request(`{}`), nil, 422, "validation", []string{"/entries/0/external_id required"}},
		{"external_id null", seven, request(`{"external_id":null}`), nil, 422, "validation", []string{"/entries/0/external_id required"}},
		{"external_id blank", seven, named(`  `), nil, 422, "validation", []string{"/entries/0/external_id external_id"}},
		{"external_id long", seven, named(long), nil, 422, "validation", []string{"/entries/0/external_id external_id"}},
		{"external_id with space around", seven, named(`p1\u00a0`), nil, 422, "validation", []string{"/entries/0/external_id external_id"}},
		{"external_id with a control character", seven, named(`p\u00001`), nil, 422, "validation", []string{"/entries/0/external_id external_id"}},
		{"external_id with a format character", seven, named(`p\u200d1`), nil, 422, "validation", []string{"/entries/0/external_id external_id"}},
		{"external_id not NFC", seven, named(`e\u0301`), nil, 422, "validation", []string{"/entries/0/external_id external_id"}},
		{"external_id with the Kelvin sign", seven, named(`\u212a`), nil, 422, "validation", []string{"/entries/0/external_id external_id"}},
		{"external_id with a dotted I", seven, named(`\u0130`), nil, 422, "validation", []string{"/entries/0/external_id external_id"}},
		{"a role in capitals", seven, entry(`"role":"Admin"`), nil, 422, "validation", []string{"/entries/0/role oneof"}},
		{"an empty role", seven, entry(`"role":""`), nil, 422, "validation", []string{"/entries/0/role oneof"}},
		{"no address", seven, entry(`"email":"p1"`), nil, 422, "validation", []string{"/entries/0/email address"}},
		{"an empty address", seven, entry(`"email":""`), nil, 422, "validation", []string{"/entries/0/email address"}},
		{"an address with a name", seven, entry(`"email":"P <p@corp.example>"`), nil, 422, "validation", []string{"/entries/0/email address"}},
		{"too many groups", seven, entry(`"groups":[` + groups + `]`), nil, 422, "validation", []string{"/entries/0/groups max"}},
		{"more groups than a sync may have entries", seven, entry(`"groups":[` + strings.Repeat(`"g",`, 1000) + `"g"]`), nil, 422, "validation", []string{"/entries/0/groups max"}},
		{"no groups", seven, entry(`"groups":["",null,1,"ok"]`), nil, 422, "validation", []string{"/entries/0/groups/1 type", "/entries/0/groups/2 type", "/entries/0/groups/0 required"}},
		{"disabled a string", seven, entry(`"disabled":"false"`), nil, 422, "validation", []string{"/entries/0/disabled type"}},
		{"every fault", seven, request(`{"external_id":"a"},{"external_id":" b","role":"x","email":"y","display_name":1}`, `"dry_run":1,"snapshot_at":"now"`), nil, 422, "validation", []string{
			"/entries/1/display_name type", "/dry_run type", "/snapshot_at format", "/entries/1/external_id external_id", "/entries/1/email address", "/entries/1/role oneof"}},
		{"conflicting entries", seven, request(`{"external_id":"P1","role":"admin"},{"external_id":"x"},{"external_id":"p1","role":"member"}`), nil, 422, "conflicting-entries", []string{"/entries/2 conflicting-entries"}},
		{"a picture of the future", seven, request(`{"external_id":"p1"}`, `"snapshot_at":"`+ahead+`"`), nil, 422, "validation", []string{"/snapshot_at future"}},

		{"too many entries", seven, request(strings.Repeat(`{},`, 1000) + `{}`), nil, 413, "too-large", nil},
		{"too large a body", seven, named(strings.Repeat("x", 1<<20)), nil, 413, "too-large", nil},

		{"no such network", adminToken, `{"network_id":9,"entries":[{"external_id":"p1"}]}`, nil, 404, "network-not-found", nil},
		{"a network without directory", adminToken, `{"network_id":8,"entries":[{"external_id":"p1"}]}`, nil, 409, "network-not-enterprise", nil},
		{"an old picture", seven, request(`{"external_id":"p1"}`, `"snapshot_at":"2026-01-01T00:00:00Z"`), nil, 409, "stale-snapshot", nil},
		{"the last owner", seven, request(`{"external_id":"p0","role":"member"}`), nil, 409, "last-owner", nil},
		{"too many removals", seven, people("p0 p1 p2"), nil, 409, "removal-threshold", nil},
		{"another plan", seven, request(`{"external_id":"p1"}`, `"confirm_plan":"x"`), nil, 409, "plan-changed", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := h.call(c.token, "POST", "/directory-sync", c.body, c.headers...)
			if got := a.faults(t); a.status != c.status || a.text(t, "code") != c.code || !slices.Equal(got, c.faults) {
				t.Errorf("%.200s:\ngot  %d %s %q\nwant %d %s %q", c.body, a.status, a.text(t, "code"), got, c.status, c.code, c.faults)
			}
		})
	}
	if after := h.ok("GET", "/snapshot", ""); string(after.body) != string(before.body) {
		t.Errorf("refused syncs changed the state:\n%s\n%s", before.body, after.body)
	}
}

// TestTheFirstRefusalCounts strings up a request that everything is wrong with
// and mends one thing after the other.
func TestTheFirstRefusalCounts(t *testing.T) {
	h := start(t)
	h.ok("PUT", "/networks/8", `{}`)
	viewer, _ := h.token("viewer")
	seven, _ := h.token("sync", 7)
	eight, _ := h.token("sync", 8)
	many := strings.Repeat(`{},`, 1000)
	for _, c := range []struct {
		token, contentType, body string
		status                   int
		code                     string
	}{
		{"wrong", "text/plain", many, 401, "unauthorized"},
		{viewer, "text/plain", many, 403, "forbidden"},
		{seven, "text/plain", many, 415, "unsupported-media-type"},
		{seven, "application/json", `{"network_id":8,"x":1,"entries":[` + many + `{}`, 413, "too-large"},
		{seven, "application/json", `{"network_id":8,"x":1,"entries":[{"role":"x"}`, 400, "malformed-json"},
		{seven, "application/json", `{"network_id":8,"x":1,"entries":[{"role":"x"}]}`, 422, "unknown-field"},
		{seven, "application/json", `{"network_id":8,"entries":[{"role":"x"}]}`, 422, "validation"},
		{seven, "application/json", `{"network_id":8,"entries":[{"external_id":"a"},{"external_id":"A","disabled":true}]}`, 422, "conflicting-entries"},
		{seven, "application/json", `{"network_id":8,"entries":[{"external_id":"a"}]}`, 403, "forbidden"},
		{eight, "application/json; charset=UTF-8", `{"network_id":8,"entries":[{"external_id":"a"}]}`, 409, "network-not-enterprise"},
	} {
		h.call(c.token, "POST", "/directory-sync", c.body, "Content-Type: "+c.contentType).refused(t, c.status, c.code)
	}
}

func TestRemovalsWantAConfirmation(t *testing.T) {
	h := start(t)
	syncFleet(h)
	list := request(`{"external_id":"p0"},{"external_id":"p1","role":"admin"},{"external_id":"x"}`, `"remove_unlisted":true`)
	confirmed := func(plan string) string { return strings.TrimSuffix(list, "}") + `,"confirm_plan":"` + plan + `"}` }

	refused := h.call(adminToken, "POST", "/directory-sync", list)
	var plan struct {
		PlanDigest string `json:"plan_digest"`
		Actions    []string
		Removed, Members, Updated, Disabled, Mapped,
		Unmapped int
	}
	refused.decode(t, &plan)
	if refused.status != 409 || plan.PlanDigest == "" || len(plan.Actions) != 8 || plan.Removed != 7 || plan.Members != 9 ||
		plan.Updated != 1 || plan.Disabled != 7 || plan.Mapped != 2 || plan.Unmapped != 1 {
		t.Errorf("got %d %s, want the plan with 7 of 9 removed", refused.status, refused.body)
	}
	h.ok("PUT", "/networks/7/members/3", `{"role":"admin"}`) // leaves the plan as it is: it says who goes, not what they were
	h.ok("PUT", "/networks/7/members/2", `{"role":"owner"}`) // changes it
	changed := h.call(adminToken, "POST", "/directory-sync", confirmed(plan.PlanDigest))
	if changed.status != 409 || changed.text(t, "plan_digest") == plan.PlanDigest || changed.text(t, "actions") == "" {
		t.Errorf("another plan confirmed: got %d %s, want 409 with the new plan", changed.status, changed.body)
	}
	done := h.ok("POST", "/directory-sync", confirmed(changed.text(t, "plan_digest")))
	if got := done.text(t, "disabled"); got != "7" {
		t.Errorf("confirmed: got %s, want 7 removed", done.body)
	}
}

func TestStorageFailure(t *testing.T) {
	h := start(t)
	syncFleet(h)
	before := h.ok("GET", "/snapshot", "")
	h.disk.fail(errors.New("the disk is gone: /dev/secret"))
	for _, call := range [][3]string{
		{"POST", "/directory-sync", request(`{"external_id":"new"}`)},
		{"PUT", "/networks/9", `{}`},
		{"DELETE", "/nodes/1", ``},
	} {
		a := h.call(adminToken, call[0], call[1], call[2])
		a.refused(t, 503, "storage-failed")
		if strings.Contains(string(a.body), "secret") {
			t.Errorf("the answer tells of the inside: %s", a.body)
		}
	}
	h.call("", "GET", "/readyz", "").refused(t, 503, "not-ready")
	if a := h.call("", "GET", "/healthz", ""); a.status != 200 {
		t.Errorf("healthz: got %d, want 200", a.status)
	}
	if after := h.ok("GET", "/snapshot", ""); string(after.body) != string(before.body) {
		t.Errorf("reads after the failure: got %s, want %s", after.body, before.body)
	}
}
