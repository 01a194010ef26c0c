package api_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
)

func TestWhatWasReadCanBePutBack(t *testing.T) {
	h := start(t)
	h.ok("PUT", "/networks/7", `{"name":"Platform","enterprise":true,"role_mappings":[{"group":"SRE","role":"admin"}],"identify_by":"email"}`)
	h.ok("PUT", "/nodes/42", `{"hostname":"alice-laptop","external_id":"Alice@corp.example","tags":["laptop"]}`)
	h.ok("PUT", "/networks/7/members/42", `{"role":"owner"}`)
	for _, path := range []string{"/networks/7", "/nodes/42", "/networks/7/members/42"} {
		read := h.call(adminToken, "GET", path, "")
		if path == "/networks/7/members/42" {
			var list struct{ Items []json.RawMessage }
			h.ok("GET", "/networks/7/members", "").decode(t, &list)
			read.body = list.Items[0]
		}
		before := h.ok("GET", "/networks", "").position()
		put := h.ok("PUT", path, string(read.body))
		if got := put.position(); got != before {
			t.Errorf("%s put back as it was: position %s, want still %s", path, got, before)
		}
		if want := strings.TrimSuffix(string(read.body), "}") + ","; !strings.HasPrefix(string(put.body), want) {
			t.Errorf("%s put back: answered %s, want %s and the position", path, put.body, read.body)
		}
	}
}

func TestWritesAnswerWithTheRecordAndItsPosition(t *testing.T) {
	h := start(t)
	var epoch string
	for i, step := range []struct{ method, path, body, want string }{
		{"PUT", "/networks/7", `{}`, `"network_id":7,"name":"","enterprise":false,"role_mappings":[],"identify_by":"id"`},
		{"PUT", "/nodes/1", `{"hostname":"a","tags":null,"external_id":""}`, `"node_id":1,"hostname":"a","external_id":"","tags":[]`},
		{"PUT", "/networks/7/members/1", ``, `"network_id":7,"node_id":1,"role":"member"`},
		{"PUT", "/networks/7/members/1", `{"role":"admin"}`, `"network_id":7,"node_id":1,"role":"admin"`},
		{"DELETE", "/networks/7/members/1", ``, `"network_id":7,"node_id":1,"role":"admin"`},
		{"DELETE", "/nodes/1", ``, `"node_id":1,"hostname":"a"`},
		{"DELETE", "/networks/7", ``, `"network_id":7,"name":""`},
	} {
		a := h.ok(step.method, step.path, step.body)
		if !strings.Contains(string(a.body), step.want) {
			t.Errorf("%s %s: got %s, want it to say %s", step.method, step.path, a.body, step.want)
		}
		var p struct {
			Epoch string
			SeqNo uint64 `json:"seq_no"`
		}
		a.decode(t, &p)
		if epoch == "" {
			epoch = p.Epoch
		}
		if want := fmt.Sprintf("%s:%d", epoch, i+1); a.position() != want || fmt.Sprintf("%s:%d", p.Epoch, p.SeqNo) != want {
			t.Errorf("%s %s: at %s and %s:%d, want %s", step.method, step.path, a.position(), p.Epoch, p.SeqNo, want)
		}
	}
}

func TestMemberWithoutRoleKeepsItsOwn(t *testing.T) {
	h := start(t)
	h.ok("PUT", "/networks/1", `{}`)
	h.ok("PUT", "/nodes/1", `{}`)
	h.ok("PUT", "/networks/1/members/1", `{"role":"owner"}`)
	if got := h.ok("PUT", "/networks/1/members/1", `{"role":null}`).text(t, "role"); got != "owner" {
		t.Errorf("role: got %q, want owner", got)
	}
}

func TestListsComeInPages(t *testing.T) {
	h := start(t)
	h.ok("PUT", "/networks/9", `{}`)
	var ops, want []string
	for i := 1; i <= 7; i++ {
		ops = append(ops, fmt.Sprintf(`{"type":"node.put","data":{"node_id":%d,"external_id":"%s"}}`, i*10, []string{"a", "B"}[i%2]),
			fmt.Sprintf(`{"type":"member.put","data":{"network_id":9,"node_id":%d}}`, i*10),
			fmt.Sprintf(`{"type":"network.put","data":{"network_id":%d}}`, i*100))
		want = append(want, fmt.Sprint(i*10))
	}
	h.ok("POST", "/batch", `{"ops":[`+strings.Join(ops, ",")+`]}`)
	networks := []string{"9", "100", "200", "300", "400", "500", "600", "700"}
	for _, c := range []struct {
		path, key string
		want      []string
	}{
		{"/nodes?", "node_id", want},
		{"/nodes?external_id=b&", "node_id", []string{"10", "30", "50", "70"}},
		{"/nodes?external_id=nobody&", "node_id", nil},
		{"/networks/9/members?", "node_id", want},
		{"/networks?", "network_id", networks},
	} {
		for limit := 1; limit <= len(c.want)+1; limit++ {
			if got := readAll(t, h, c.path, c.key, limit); !slices.Equal(got, c.want) {
				t.Errorf("%s in pages of %d: got %v, want %v", c.path, limit, got, c.want)
			}
		}
	}
}

// readAll follows a list to its end.
func readAll(t *testing.T, h *harness, path, key string, limit int) (keys []string) {
	t.Helper()
	after := "0"
	if key == "token_id" {
		after = ""
	}
	for {
		var p struct {
			Items []map[string]any
			Next  any
		}
		h.ok("GET", fmt.Sprintf("%slimit=%d&after=%s", path, limit, after), "").decode(t, &p)
		if len(p.Items) > limit || p.Next != nil && len(p.Items) < limit {
			t.Errorf("%s: a page of %d, limit %d, next %v", path, len(p.Items), limit, p.Next)
		}
		for _, item := range p.Items {
			keys = append(keys, fmt.Sprint(item[key]))
		}
		if p.Next == nil {
			return keys
		}
		after = fmt.Sprint(p.Next)
	}
}

func TestReadsWaitForAPosition(t *testing.T) {
	h := start(t)
	at := h.ok("PUT", "/networks/1", `{}`).position()
	for _, path := range []string{"/networks", "/networks/1", "/networks/1/members", "/networks/1/directory-status", "/nodes", "/snapshot", "/tokens"} {
		if got := h.ok("GET", path, "", "Gateway-Min-Position: "+at).position(); got != at {
			t.Errorf("GET %s: at %q, want %q", path, got, at)
		}
		h.call(adminToken, "GET", path, "", "Gateway-Min-Position: another:1").refused(t, 504, "position-not-reached")
		a := h.call(adminToken, "GET", path, "", "Gateway-Min-Position: 17")
		a.refused(t, 422, "validation")
		if want := []string{"/Gateway-Min-Position position"}; !slices.Equal(a.faults(t), want) {
			t.Errorf("GET %s: faults %v, want %v", path, a.faults(t), want)
		}
	}
}

func TestViewerSeesItsNetworksOnly(t *testing.T) {
	h := start(t)
	for id := 1; id <= 2; id++ {
		h.ok("PUT", fmt.Sprintf("/networks/%d", id), `{}`)
		h.ok("PUT", fmt.Sprintf("/nodes/%d", id), `{"external_id":"someone"}`)
		h.ok("PUT", fmt.Sprintf("/networks/%d/members/%d", id, id), ``)
	}
	h.ok("PUT", "/nodes/3", `{"external_id":"someone"}`) // of no network
	viewer, _ := h.token("viewer", 2, 5)

	for _, c := range []struct {
		path, key string
		want      []string
	}{
		{"/networks?", "network_id", []string{"2"}},
		{"/nodes?", "node_id", []string{"2"}},
		{"/nodes?external_id=someone&", "node_id", []string{"2"}},
	} {
		var p struct{ Items []map[string]any }
		h.call(viewer, "GET", strings.TrimSuffix(c.path, "&"), "").decode(t, &p)
		var got []string
		for _, item := range p.Items {
			got = append(got, fmt.Sprint(item[c.key]))
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("GET %s: got %v, want %v", c.path, got, c.want)
		}
	}
	for path, want := range map[string]string{
		"/networks/2":                  "200 ",
		"/networks/2/members":          "200 ",
		"/networks/2/directory-status": "200 ",
		"/nodes/2":                     "200 ",
		"/networks/1":                  "403 forbidden",
		"/networks/1/members":          "403 forbidden",
		"/networks/1/directory-status": "403 forbidden",
		"/networks/4":                  "403 forbidden",
		"/networks/5":                  "404 network-not-found",
		"/networks/5/members":          "404 network-not-found",
		"/nodes/1":                     "404 node-not-found",
		"/nodes/3":                     "404 node-not-found",
		"/nodes/4":                     "404 node-not-found",
		"/snapshot?network_id=1":       "403 forbidden",
	} {
		a := h.call(viewer, "GET", path, "")
		if got := fmt.Sprintf("%d %s", a.status, a.text(t, "code")); got != want {
			t.Errorf("GET %s: got %s, want %s", path, got, want)
		}
	}
	var snapshot struct{ Snapshot map[string][]map[string]any }
	h.call(viewer, "GET", "/snapshot", "").decode(t, &snapshot)
	if s := snapshot.Snapshot; len(s["networks"]) != 1 || len(s["nodes"]) != 1 || len(s["members"]) != 1 || s["users"] != nil || s["tokens"] != nil {
		t.Errorf("snapshot: got %v, want one network, one node, one member, nothing of users and tokens", s)
	}
}

func TestRecordRefusals(t *testing.T) {
	h := start(t)
	h.ok("PUT", "/networks/1", `{}`)
	h.ok("PUT", "/nodes/1", `{}`)
	long := strings.Repeat("x", 300)
	for _, c := range []struct {
		method, path, body string
		status             int
		code               string
		faults             []string
	}{
		{"GET", "/networks/2", "", 404, "network-not-found", nil},
		{"GET", "/networks/2/members", "", 404, "network-not-found", nil},
		{"GET", "/networks/2/directory-status", "", 404, "network-not-found", nil},
		{"GET", "/nodes/2", "", 404, "node-not-found", nil},
		{"DELETE", "/networks/2", "", 404, "network-not-found", nil},
		{"DELETE", "/nodes/2", "", 404, "node-not-found", nil},
		{"DELETE", "/networks/1/members/1", "", 404, "member-not-found", nil},
		{"DELETE", "/networks/2/members/1", "", 404, "network-not-found", nil},
		{"PUT", "/networks/2/members/1", "{}", 404, "network-not-found", nil},
		{"PUT", "/networks/1/members/2", "{}", 404, "node-not-found", nil},
		{"DELETE", "/tokens/none", "", 404, "not-found", nil},

		{"GET", "/networks/0", "", 422, "validation", []string{"/network_id min"}},
		{"GET", "/networks/65536", "", 422, "validation", []string{"/network_id type"}},
		{"GET", "/networks/x", "", 422, "validation", []string{"/network_id type"}},
		{"GET", "/nodes/4294967296", "", 422, "validation", []string{"/node_id type"}},
		{"GET", "/nodes/-1", "", 422, "validation", []string{"/node_id type"}},
		{"DELETE", "/networks/0/members/0", "", 422, "validation", []string{"/network_id min", "/node_id min"}},
		{"GET", "/nodes?limit=0", "", 422, "validation", []string{"/limit min"}},
		{"GET", "/nodes?limit=1001", "", 422, "validation", []string{"/limit type"}},
		{"GET", "/nodes?limit=1&limit=2", "", 422, "validation", []string{"/limit once"}},
		{"GET", "/nodes?after=x", "", 422, "validation", []string{"/after type"}},
		{"GET", "/networks?after=65536", "", 422, "validation", []string{"/after type"}},
		{"GET", "/nodes?external_id=", "", 422, "validation", []string{"/external_id external_id"}},
		{"GET", "/nodes?hostname=a", "", 422, "validation", []string{"/hostname unknown"}},
		{"GET", "/nodes?%ff=1", "", 422, "validation", []string{"/\uFFFD unknown"}},
		{"GET", "/nodes?limit=%zz", "", 422, "validation", []string{" query"}},
		{"PUT", "/nodes/1?dry_run=true", "{}", 422, "validation", []string{"/dry_run unknown"}},
		{"GET", "/snapshot?network_id=0&network_id=x", "", 422, "validation", []string{"/network_id min", "/network_id type"}},

		{"PUT", "/networks/1", "", 415, "unsupported-media-type", nil},
		{"PUT", "/networks/1", `{"name":1,"enterprise":"yes","identify_by":"","role_mappings":[{"group":"","role":"boss"},null,{}]}`, 422, "validation", []string{
			"/name type", "/enterprise type", "/role_mappings/1 type", "/role_mappings/0/group required", "/role_mappings/0/role oneof",
			"/role_mappings/2/group required", "/role_mappings/2/role required", "/identify_by oneof"}},
		{"PUT", "/networks/1", `{"network_id":2,"name":"a\u0007"}`, 422, "validation", []string{"/name plain", "/network_id mismatch"}},
		{"PUT", "/networks/1", `{"name":"` + long + `"}`, 422, "validation", []string{"/name max"}},
		{"PUT", "/networks/1", `{"created_at":"yesterday"}`, 422, "validation", []string{"/created_at format"}},
		{"PUT", "/networks/1", `{"created_at":"9999-12-31T23:59:59-23:59"}`, 422, "validation", []string{"/created_at format"}},
		{"PUT", "/networks/1", `{"nom":"x","role_mappings":[{"group":"a","role":"admin","rang":1}]}`, 422, "unknown-field", []string{"/nom unknown-field", "/role_mappings/0/rang unknown-field"}},
		{"PUT", "/nodes/1", `{"node_id":0,"hostname":"` + long + `","external_id":" a","tags":["` + long + `",7]}`, 422, "validation", []string{
			"/tags/1 type", "/node_id min", "/hostname max", "/external_id external_id", "/tags/0 max", "/node_id mismatch"}},
		{"PUT", "/networks/1/members/1", `{"role":""}`, 422, "validation", []string{"/role oneof"}},
		{"PUT", "/networks/1/members/1", `{"role":"Owner","network_id":9,"node_id":9}`, 422, "validation", []string{"/role oneof", "/network_id mismatch", "/node_id mismatch"}},
		{"PUT", "/networks/1/members/1", `[]`, 422, "validation", []string{" type"}},
		{"PUT", "/networks/1/members/1", `null`, 422, "validation", []string{" type"}},
		{"PUT", "/nodes/1", `{"tags":["` + strings.Repeat(long, 4000) + `"]}`, 413, "too-large", nil},
	} {
		a := h.call(adminToken, c.method, c.path, c.body)
		if got := a.faults(t); a.status != c.status || a.text(t, "code") != c.code || !slices.Equal(got, c.faults) {
			t.Errorf("%s %s %.80s:\ngot  %d %s %q\nwant %d %s %q", c.method, c.path, c.body,
				a.status, a.text(t, "code"), got, c.status, c.code, c.faults)
		}
	}
}

// TestHeadersThatStandTwice: none of the two is taken for the one that counts.
func TestHeadersThatStandTwice(t *testing.T) {
	h := start(t)
	at := h.ok("PUT", "/networks/1", `{}`).position()
	for _, tt := range []struct {
		method, name string
		values       []string
		status       int
	}{
		{"GET", "Gateway-Min-Position", []string{at, at + "0"}, 422},
		{"PUT", "Content-Type", []string{"application/json", "text/plain"}, 415},
		{"PUT", "Content-Encoding", []string{"identity", "gzip"}, 415},
	} {
		req, err := http.NewRequestWithContext(t.Context(), tt.method, h.url+"/networks/1", strings.NewReader(`{}`))
		if err != nil {
			t.Fatal(err)
		}
		req.Header = http.Header{"Authorization": {"Bearer " + adminToken}, "Content-Type": {"application/json"}}
		req.Header[tt.name] = tt.values
		resp, err := http.DefaultTransport.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != tt.status {
			t.Errorf("%s %q: %d, want %d", tt.name, tt.values, resp.StatusCode, tt.status)
		}
	}
}
