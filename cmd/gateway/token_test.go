package main

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"
)

func TestTokensAreMadeListedAndRevoked(t *testing.T) {
	p := start(t, t.TempDir())
	env := []string{"GATEWAY_URL=http://" + p.addr, "GATEWAY_TOKEN=" + testToken}
	done := func(args ...string) (stdout, stderr string) {
		t.Helper()
		status, stdout, stderr := runToEnd(t, env, append([]string{"token"}, args...)...)
		if status != 0 {
			t.Fatalf("token %q: status %d: %s", args, status, stderr)
		}
		return stdout, stderr
	}

	out, stderr := done("create", "--name", "wall display", "--role", "viewer", "--network", "7", "--network", "8", "--expires", "720h")
	token := strings.TrimSuffix(out, "\n")
	said := regexp.MustCompile(`^token (\w+), role viewer, networks 7,8, expires (\S+); it is shown this once:\n$`).FindStringSubmatch(stderr)
	if said == nil || !strings.HasPrefix(token, "gw_"+said[1]+"_") || strings.Contains(token, "\n") {
		t.Fatalf("stdout %q, stderr %q", out, stderr)
	}
	expires, err := time.Parse(time.RFC3339, said[2])
	if in := time.Until(expires); err != nil || in > 720*time.Hour || in < 719*time.Hour {
		t.Errorf("expires in %v (%v)", in, err)
	}
	if status, _, stderr := runToEnd(t, env, "status", "--token", token); status != 0 {
		t.Errorf("the token is no good: %s", stderr)
	}

	out, stderr = done("create", "--name", "sync", "--role", "sync", "--expires", "2999-01-02T03:04:05Z", "--json")
	var made tokenRecord
	if err := json.Unmarshal([]byte(out), &made); err != nil || made.Token == "" || made.until() != "2999-01-02T03:04:05Z" || stderr != "" {
		t.Errorf("%v: stdout %q, stderr %q", err, out, stderr)
	}
	done("create", "--name", "all", "--role", "replica")

	out, _ = done("list")
	for _, want := range []string{
		`(?m)^ID +NAME +ROLE +NETWORKS +EXPIRES +CREATED$`,
		`(?m)^` + said[1] + ` +wall display +viewer +7,8 +` + said[2] + ` +\d{4}-\S+Z$`,
		`(?m)^` + made.TokenID + ` +sync +sync +all +2999-01-02T03:04:05Z +\d{4}-\S+Z$`,
		`(?m)^\w+ +all +replica +all +never +\d{4}-\S+Z$`,
	} {
		if !regexp.MustCompile(want).MatchString(out) {
			t.Errorf("want %s in\n%s", want, out)
		}
	}
	if strings.Contains(out, "gw_") {
		t.Errorf("a secret is listed:\n%s", out)
	}

	if out, _ = done("revoke", said[1]); out != "revoked "+said[1]+" (wall display)\n" {
		t.Errorf("got %q", out)
	}
	if status, _, stderr := runToEnd(t, env, "status", "--token", token); status != 1 || !strings.Contains(stderr, "401") {
		t.Errorf("a revoked token: status %d, %s", status, stderr)
	}
	if status, _, stderr := runToEnd(t, env, "token", "revoke", said[1]); status != 1 || !strings.Contains(stderr, "404") {
		t.Errorf("revoked twice: status %d, %s", status, stderr)
	}
}

func TestTokenListHasAllPages(t *testing.T) {
	p := start(t, t.TempDir())
	const tokens = 1003 // more than a page holds
	for i := range tokens {
		p.must("POST", "/tokens", map[string]any{"name": fmt.Sprint("number ", i), "role": "viewer"})
	}
	env := []string{"GATEWAY_URL=http://" + p.addr, "GATEWAY_TOKEN=" + testToken}
	names := map[string]bool{}
	_, out, _ := runToEnd(t, env, "token", "list", "--json")
	for line := range strings.Lines(out) {
		var r tokenRecord
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		names[r.Name] = true
	}
	if len(names) != tokens {
		t.Errorf("%d tokens, want %d", len(names), tokens)
	}
	if _, out, _ := runToEnd(t, env, "token", "list"); strings.Count(out, "\n") != tokens+1 {
		t.Errorf("%d lines, want %d", strings.Count(out, "\n"), tokens+1)
	}
}

func TestTokenUsage(t *testing.T) {
	p := start(t, t.TempDir())
	env := []string{"GATEWAY_URL=http://" + p.addr, "GATEWAY_TOKEN=" + testToken}
	for name, tt := range map[string]struct {
		args   []string
		status int
		stderr string
	}{
		"no command":     {nil, 2, "create"},
		"no name":        {[]string{"create", "--role", "admin"}, 2, "--name"},
		"no role":        {[]string{"create", "--name", "x"}, 2, "--role"},
		"another role":   {[]string{"create", "--name", "x", "--role", "owner"}, 2, "--role"},
		"network 0":      {[]string{"create", "--name", "x", "--role", "viewer", "--network", "0"}, 2, "--network"},
		"no time":        {[]string{"create", "--name", "x", "--role", "viewer", "--expires", "tomorrow"}, 2, "--expires"},
		"no time at all": {[]string{"create", "--name", "x", "--role", "viewer", "--expires", "0s"}, 2, "--expires"},
		"long ago":       {[]string{"create", "--name", "x", "--role", "viewer", "--expires", "2001-01-01T00:00:00Z"}, 1, "/expires_at"},
		"admin, limited": {[]string{"create", "--name", "x", "--role", "admin", "--network", "7"}, 1, "/networks"},
		"wrong token":    {[]string{"list", "--token", "wrong"}, 1, "401"},
		"revoke what":    {[]string{"revoke"}, 2, "id"},
	} {
		t.Run(name, func(t *testing.T) {
			status, out, stderr := runToEnd(t, env, append([]string{"token"}, tt.args...)...)
			if status != tt.status || out != "" || !strings.Contains(stderr, tt.stderr) {
				t.Errorf("status %d, stdout %q, stderr %q; want %d and %q", status, out, stderr, tt.status, tt.stderr)
			}
		})
	}
}
