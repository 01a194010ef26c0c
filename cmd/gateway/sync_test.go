package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// startSynced starts a gateway with network 7, whose members are so many nodes of
// p1, p2 and so on, and returns what a command needs to speak to it.
func startSynced(t *testing.T, members int) (*process, []string) {
	t.Helper()
	p := start(t, t.TempDir())
	p.must("PUT", "/networks/7", map[string]any{"enterprise": true, "role_mappings": []any{map[string]any{"group": "Ops", "role": "admin"}}})
	for n := 1; n <= members; n++ {
		p.must("PUT", fmt.Sprint("/nodes/", n), map[string]any{"external_id": fmt.Sprintf("p%d", n)})
		p.must("PUT", fmt.Sprint("/networks/7/members/", n), nil)
	}
	return p, []string{"GATEWAY_URL=http://" + p.addr, "GATEWAY_TOKEN=" + testToken}
}

// roles returns the members of network 7.
func (p *process) roles() string {
	p.t.Helper()
	var page struct {
		Items []struct {
			NodeID uint32 `json:"node_id"`
			Role   string `json:"role"`
		} `json:"items"`
	}
	if err := json.Unmarshal(p.must("GET", "/networks/7/members", nil), &page); err != nil {
		p.t.Fatal(err)
	}
	var roles []string
	for _, m := range page.Items {
		roles = append(roles, fmt.Sprintf("%d %s", m.NodeID, m.Role))
	}
	return strings.Join(roles, ", ")
}

func writeFile(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestSyncShowsAsksAndApplies(t *testing.T) {
	p, env := startSynced(t, 3)
	file := writeFile(t, "people.csv", "external_id,groups,role,disabled\np1,Ops; Other,,\np2,,owner,\np3,,,true\n")
	const plan = "role p1: member → admin (node 1)\nrole p2: member → owner (node 2)\nremove p3: disabled (node 3)\n" +
		"updated 2, disabled 1, mapped 3, unmapped 0\n"
	const before, after = "1 member, 2 member, 3 member", "1 admin, 2 owner"

	for name, tt := range map[string]struct {
		answer string
		args   []string
		status int
	}{
		"dry run":         {"y\n", []string{"--dry-run"}, 0},
		"no answer":       {"", nil, 1},
		"an empty answer": {"\n", nil, 1},
		"no":              {"n\n", nil, 1},
		"hardly a yes":    {"yep\n", nil, 1},
	} {
		status, out, stderr := runFed(t, tt.answer, env, append([]string{"sync", file, "--network", "7"}, tt.args...)...)
		if status != tt.status || out != plan || p.roles() != before {
			t.Errorf("%s: status %d, members %s, stdout:\n%s\nstderr:\n%s", name, status, p.roles(), out, stderr)
		}
	}

	status, out, stderr := runFed(t, "yes\n", env, "sync", file, "--network", "7")
	if done, is := strings.CutPrefix(out, plan+"done at "); status != 0 || !is || !strings.HasSuffix(done, ":8\n") {
		t.Errorf("yes: status %d, stdout:\n%s\nstderr:\n%s", status, out, stderr)
	}
	if !strings.Contains(stderr, "network 7") || p.roles() != after {
		t.Errorf("yes: asked %q, members %s, want %s", stderr, p.roles(), after)
	}

	status, out, stderr = runToEnd(t, env, "sync", file, "--network", "7", "--yes")
	if !strings.HasPrefix(out, "updated 0, disabled 0, mapped 2, unmapped 1\ndone at ") || status != 0 || stderr != "" {
		t.Errorf("once more: status %d, stdout:\n%s\nstderr:\n%s", status, out, stderr)
	}
}

func TestSyncTakesEveryForm(t *testing.T) {
	const entry, other = `{"external_id":"p1","role":"admin"}`, `{"external_id":"p2","role":"owner"}`
	for name, file := range map[string]string{
		"a list":                  "[" + entry + "," + other + "]",
		"a request":               `{"network_id":7,"entries":[` + entry + "," + other + `],"snapshot_at":"2024-05-01T12:00:00Z"}`,
		"a request of no network": "{\n\"entries\":[" + entry + "," + other + "]\n}",
		"NDJSON":                  entry + "\n" + other + "\n",
		"CSV":                     "role,external_id\nadmin,p1\nowner,p2\n",
		"CSV of a spreadsheet":    "\uFEFFExternal_ID,Role,Disabled\r\n\"p1\",admin,FALSE\r\np2,owner,\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			p, env := startSynced(t, 2)
			status, out, stderr := runFed(t, file, env, "sync", "-", "--network", "7", "--yes")
			if status != 0 || p.roles() != "1 admin, 2 owner" {
				t.Errorf("status %d, members %s\n%s%s", status, p.roles(), out, stderr)
			}
		})
	}
}

func TestSyncPastTheThreshold(t *testing.T) {
	p, env := startSynced(t, 8)
	file := writeFile(t, "people.json", `[{"external_id":"p1"},{"external_id":"p2"}]`)
	before := p.roles()
	args := []string{"sync", file, "--network", "7", "--remove-unlisted"}

	status, out, stderr := runFed(t, "y\n", env, append(args, "--yes")...)
	if status != 1 || !strings.Contains(stderr, "removal-threshold") || !strings.Contains(out, "remove p8: unlisted (node 8)\n") || p.roles() != before {
		t.Errorf("--yes: status %d, members %s\n%s%s", status, p.roles(), out, stderr)
	}
	status, out, stderr = runFed(t, "y\n", env, append(args, "--dry-run")...)
	if status != 1 || !strings.Contains(stderr, "removal-threshold") || !strings.Contains(out, "remove p8: unlisted (node 8)\n") {
		t.Errorf("--dry-run: status %d\n%s%s", status, out, stderr)
	}
	if status, out, stderr = runFed(t, "", env, args...); status != 1 || !strings.Contains(stderr, "6 of 8 members") || p.roles() != before {
		t.Errorf("no answer: status %d, members %s\n%s%s", status, p.roles(), out, stderr)
	}
	if status, out, stderr = runFed(t, "y\n", env, args...); status != 0 || p.roles() != "1 member, 2 member" {
		t.Errorf("yes: status %d, members %s\n%s%s", status, p.roles(), out, stderr)
	}
}

// A plan that is refused has a line for each removal, however many there are.
func TestSyncPastTheThresholdByThousands(t *testing.T) {
	const members = 4500
	p, env := startSynced(t, 1)
	id := func(n int) string { return fmt.Sprintf("p%0240d", n) }
	var ops []any
	for n := 2; n <= members; n++ {
		ops = append(ops, map[string]any{"type": "node.put", "data": map[string]any{"node_id": n, "external_id": id(n)}},
			map[string]any{"type": "member.put", "data": map[string]any{"network_id": 7, "node_id": n}})
	}
	p.must("POST", "/batch", map[string]any{"ops": ops})
	file := writeFile(t, "people.json", `[{"external_id":"p1"}]`)
	status, out, stderr := runFed(t, "y\n", env, "sync", file, "--network", "7", "--remove-unlisted")
	if status != 0 || len(out) < 1<<20 || !strings.Contains(out, fmt.Sprintf("remove %s: unlisted (node %d)\n", id(members), members)) || p.roles() != "1 member" {
		t.Errorf("status %d, %d bytes of a plan, members %s\n%s", status, len(out), p.roles(), stderr)
	}
}

func TestSyncUsage(t *testing.T) {
	p, env := startSynced(t, 1)
	good := writeFile(t, "good.csv", "external_id\np1\n")
	for name, tt := range map[string]struct {
		args   []string
		status int
		stderr string
	}{
		"no file":           {[]string{"--network", "7"}, 2, "file"},
		"no network":        {[]string{good}, 2, "--network"},
		"network 0":         {[]string{good, "--network", "0"}, 2, "--network"},
		"no such file":      {[]string{"missing.csv", "--network", "7", "--yes"}, 1, "gateway: sync: open missing.csv"},
		"no such network":   {[]string{good, "--network", "8"}, 1, "network-not-found"},
		"another network":   {[]string{writeFile(t, "f", `{"network_id":8,"entries":[{"external_id":"p1"}]}`), "--network", "7"}, 1, "network 8"},
		"a field too many":  {[]string{writeFile(t, "f", `[{"external_id":"p1","rôle":"owner"}]`), "--network", "7"}, 1, "/entries/0/rôle"},
		"a column too many": {[]string{writeFile(t, "f", "external_id,phone\np1,1\n"), "--network", "7"}, 1, `"phone"`},
		"wrong token":       {[]string{good, "--network", "7", "--token", "wrong"}, 1, "401"},
	} {
		t.Run(name, func(t *testing.T) {
			status, out, stderr := runFed(t, "y\n", env, append([]string{"sync"}, tt.args...)...)
			if status != tt.status || out != "" || !strings.Contains(stderr, tt.stderr) {
				t.Errorf("status %d, stdout %q, stderr %q; want %d and %q", status, out, stderr, tt.status, tt.stderr)
			}
		})
	}
	if got := p.roles(); got != "1 member" {
		t.Errorf("members %s", got)
	}
}
