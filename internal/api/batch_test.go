package api_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestBatchIsOneCommit(t *testing.T) {
	h := start(t)
	a := h.ok("POST", "/batch", `{"ops":[
		{"data":{"network_id":1,"name":"one"},"type":"network.put"},
		{"type":"network.put","data":{"network_id":2}},
		{"type":"node.put","data":{"node_id":5,"external_id":"Eve"}},
		{"type":"assignment.put","data":{"network_id":1,"external_id":"eve","role":"owner"}},
		{"type":"assignment.put","data":{"network_id":1,"external_id":"adam","role":"admin"}},
		{"type":"assignment.delete","data":{"network_id":1,"external_id":"ADAM"}},
		{"type":"member.put","data":{"network_id":1,"node_id":5}},
		{"type":"member.put","data":{"network_id":2,"node_id":5,"role":"admin","joined_at":null}},
		{"type":"member.delete","data":{"network_id":2,"node_id":5}},
		{"type":"network.delete","data":{"network_id":2}}]}`)
	if !strings.HasPrefix(string(a.body), `{"ops":10,"entries":11,"seq_no":1,"epoch":"`) {
		t.Errorf("got %s, want 10 ops and 11 entries in commit 1", a.body)
	}
	var members struct{ Items []struct{ Role string } }
	h.ok("GET", "/networks/1/members", "").decode(t, &members)
	if len(members.Items) != 1 || members.Items[0].Role != "owner" {
		t.Errorf("members: got %v, want one owner, by the assignment", members.Items)
	}
	again := h.ok("POST", "/batch", `{"ops":[{"type":"node.put","data":{"node_id":5,"external_id":"Eve"}}]}`)
	if !strings.HasPrefix(string(again.body), `{"ops":1,"entries":0,"seq_no":1,`) {
		t.Errorf("nothing to change: got %s, want no entries, still at 1", again.body)
	}
	h.ok("POST", "/batch", `{"ops":[{"type":"node.delete","data":{"node_id":5}}]}`)
}

func TestBatchRefusals(t *testing.T) {
	h := start(t)
	h.ok("PUT", "/networks/1", `{}`)
	before := h.ok("GET", "/snapshot", "")
	for _, c := range []struct {
		body   string
		status int
		code   string
		faults []string
	}{
		{`{}`, 422, "validation", []string{"/ops required"}},
		{`{"ops":null}`, 422, "validation", []string{"/ops required"}},
		{`{"ops":[]}`, 422, "validation", []string{"/ops min"}},
		{`{"ops":{}}`, 422, "validation", []string{"/ops type"}},
		{`{"ops":[7,null]}`, 422, "validation", []string{"/ops/0 type", "/ops/1 type"}},
		{`{"ops":[{"type":"user.put","data":{}},{"type":"token.delete","data":{}}]}`, 422, "validation", []string{"/ops/0/type oneof", "/ops/1/type oneof"}},
		{`{"ops":[{"type":"node.put"},{"type":"node.put","data":null},{"data":{}}]}`, 422, "validation", []string{
			"/ops/2/type required", "/ops/0/data required", "/ops/1/data required"}},
		{`{"ops":[{"type":"node.put","data":[]},{"type":"node.put","data":{}},{"type":"member.put","data":{"role":"x"}}]}`, 422, "validation", []string{
			"/ops/0/data type", "/ops/1/data/node_id required",
			"/ops/2/data/role oneof", "/ops/2/data/network_id required", "/ops/2/data/node_id required"}},
		{`{"ops":[{"type":"node.put","data":{"node_id":1,"tags":[1,"a","` + strings.Repeat("b", 129) + `"]}}]}`, 422, "validation", []string{
			"/ops/0/data/tags/0 type", "/ops/0/data/tags/2 max"}},
		{`{"ops":[{"type":"assignment.put","data":{}}]}`, 422, "validation", []string{
			"/ops/0/data/network_id required", "/ops/0/data/external_id required", "/ops/0/data/role required"}},
		{`{"ops":[{"type":"node.delete","data":{"node_id":1,"hostname":""}}],"dry_run":true}`, 422, "unknown-field", []string{
			"/dry_run unknown-field", "/ops/0/data/hostname unknown-field"}},
		{`{"ops":[{"type":"node.delete","data":{"node_id":1,"node_id":2}}]}`, 400, "malformed-json", nil},
		{`{"ops":[` + strings.Repeat(`{},`, 10_000) + `{}]}`, 413, "too-large", nil},
		{`{"ops":[{"type":"node.put","data":{"node_id":1}},{"type":"member.put","data":{"network_id":1,"node_id":2}}]}`, 404, "node-not-found", []string{"/ops/1 node-not-found"}},
		{`{"ops":[{"type":"network.delete","data":{"network_id":1}},{"type":"network.delete","data":{"network_id":1}}]}`, 404, "network-not-found", []string{"/ops/1 network-not-found"}},
		{`{"ops":[{"type":"assignment.delete","data":{"network_id":1,"external_id":"x"}}]}`, 404, "not-found", []string{"/ops/0 not-found"}},
	} {
		a := h.call(adminToken, "POST", "/batch", c.body)
		if got := a.faults(t); a.status != c.status || a.text(t, "code") != c.code || !slices.Equal(got, c.faults) {
			t.Errorf("%.200s:\ngot  %d %s %q\nwant %d %s %q", c.body, a.status, a.text(t, "code"), got, c.status, c.code, c.faults)
		}
	}
	if after := h.ok("GET", "/snapshot", ""); string(after.body) != string(before.body) {
		t.Errorf("refused batches changed the state:\n%s\n%s", before.body, after.body)
	}
}

func TestAtMostAHundredFaults(t *testing.T) {
	h := start(t)
	var ops []string
	for i := range 300 {
		ops = append(ops, fmt.Sprintf(`{"type":"node.put","data":{"node_id":"%d"}}`, i))
	}
	body := `{"ops":[` + strings.Join(ops, ",")
	if got := h.call(adminToken, "POST", "/batch", body+`]}`).faults(t); len(got) != 100 || got[0] != "/ops/0/data/node_id type" {
		t.Errorf("got %d faults, the first %v, want 100 from the first on", len(got), got[:1])
	}
	a := h.call(adminToken, "POST", "/batch", body+`,{"type":"node.delete","data":{"no":1}}]}`)
	a.refused(t, 422, "unknown-field")
	if got := a.faults(t); len(got) != 100 || !slices.Contains(got, "/ops/300/data/no unknown-field") {
		t.Errorf("got %d faults, want 100 with the unknown field that the refusal is named after", len(got))
	}
}
