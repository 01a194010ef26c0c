package main

import (
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/coder/websocket"
)

func TestWrongUsageEndsWithStatus2(t *testing.T) {
	for name, tt := range map[string]struct {
		env  []string
		args []string
		want string
	}{
		"unknown flag":                {nil, []string{"serve", "--frobnicate"}, "--frobnicate"},
		"unknown command":             {nil, []string{"frobnicate"}, "frobnicate"},
		"unknown flag, bare":          {nil, []string{"--frobnicate"}, "--frobnicate"},
		"no duration":                 {nil, []string{"serve", "--heartbeat", "soon"}, "heartbeat"},
		"zero heartbeat":              {nil, []string{"serve", "--heartbeat", "0s"}, "--heartbeat"},
		"negative drain":              {nil, []string{"serve", "--drain=-1s"}, "--drain"},
		"no address":                  {nil, []string{"serve", "--listen", "8080"}, "--listen"},
		"port too large":              {nil, []string{"serve", "--listen", "127.0.0.1:70000"}, "--listen"},
		"no size":                     {nil, []string{"serve", "--max-body", "large"}, "large"},
		"percent over 100":            {nil, []string{"serve", "--removal-percent", "101"}, "--removal-percent"},
		"no level":                    {nil, []string{"serve", "--log-level", "loud"}, "--log-level"},
		"no logging at all":           {nil, []string{"serve", "--log-level", "disabled"}, "--log-level"},
		"level of a number":           {nil, []string{"serve", "--log-level", "42"}, "--log-level"},
		"no format":                   {nil, []string{"serve", "--log-format", "xml"}, "--log-format"},
		"no origin":                   {nil, []string{"serve", "--allowed-origin", "ops.example"}, "--allowed-origin"},
		"from the environment":        {[]string{"GATEWAY_HEARTBEAT=soon"}, []string{"serve"}, "heartbeat"},
		"health of no URL":            {nil, []string{"health", "--url", "127.0.0.1:8080"}, "--url"},
		"a URL with a port too large": {nil, []string{"serve", "--follow", "http://127.0.0.1:70000", "--follow-token", "x"}, "70000"},
		"a URL of port 0":             {nil, []string{"status", "--url", "http://127.0.0.1:0"}, "no port 0"},
		"a URL without a host":        {nil, []string{"status", "--url", "http://:80"}, "--url"},
		"a URL with a query":          {nil, []string{"status", "--url", "http://h?"}, "--url"},
		"a URL with a user":           {nil, []string{"serve", "--follow", "http://bob:secret@h", "--follow-token", "x"}, "without a user"},
		"token with a space":          {[]string{"GATEWAY_ADMIN_TOKEN=a b"}, []string{"serve"}, "--admin-token"},
	} {
		t.Run(name, func(t *testing.T) {
			status, out, stderr := runToEnd(t, tt.env, tt.args...)
			if status != 2 || out != "" {
				t.Errorf("status %d, stdout %q, want 2 and nothing", status, out)
			}
			if strings.Contains(stderr, "secret") {
				t.Errorf("stderr shows a password: %q", stderr)
			}
			if lines := strings.Split(strings.TrimSpace(stderr), "\n"); len(lines) != 1 || !strings.Contains(lines[0], tt.want) {
				t.Errorf("stderr %q, want one line that names %q", stderr, tt.want)
			}
		})
	}
}

func TestVersion(t *testing.T) {
	status, out, _ := runToEnd(t, nil, "version")
	if status != 0 || !regexp.MustCompile(`^gateway \S+ commit \S+ go1\.\S+`).MatchString(out) {
		t.Errorf("status %d, %q", status, out)
	}
}

func TestHealth(t *testing.T) {
	p := start(t, t.TempDir())
	for _, url := range []string{"http://" + p.addr, "http://" + p.addr + "/"} {
		if status, _, stderr := runToEnd(t, []string{"GATEWAY_URL=" + url}, "health"); status != 0 {
			t.Errorf("%s: status %d, %s", url, status, stderr)
		}
	}
	p.kill()
	if status, _, _ := runToEnd(t, nil, "health", "--url", "http://"+p.addr); status != 1 {
		t.Errorf("of a gateway that is gone: status %d, want 1", status)
	}
}

func TestHelpIsNoFailure(t *testing.T) {
	if status, out, _ := runToEnd(t, nil, "serve", "--help"); status != 0 || !strings.Contains(out, "--removal-percent") {
		t.Errorf("status %d, %q", status, out)
	}
}

func TestListenAddresses(t *testing.T) {
	for addr, good := range map[string]bool{
		":0": true, "127.0.0.1:0": true, "localhost:8080": true, "[::1]:8080": true, "127.0.0.1": false, "127.0.0.1:http": false,
	} {
		var c cli
		_, err := parse(&c, []string{"serve", "--listen", addr})
		if (err == nil) != good {
			t.Errorf("--listen %s: %v, want it taken: %v", addr, err, good)
		}
	}
}

func TestBrowsableAddress(t *testing.T) {
	for addr, want := range map[string]string{
		"0.0.0.0:80": "127.0.0.1:80", "[::]:80": "127.0.0.1:80", "127.0.0.1:80": "127.0.0.1:80", "[::1]:80": "[::1]:80",
	} {
		tcp, err := net.ResolveTCPAddr("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		if got := browsable(tcp); got != want {
			t.Errorf("%s: %s, want %s", addr, got, want)
		}
	}
}

func TestFolderIsLocked(t *testing.T) {
	dir := t.TempDir()
	start(t, dir)
	status, _, stderr := runToEnd(t, nil, "serve", "--listen", "127.0.0.1:0", "--data", dir)
	if status != 1 || !strings.Contains(stderr, "in use by another gateway") {
		t.Errorf("a second gateway on the folder: status %d, %s", status, stderr)
	}
}

func TestGivenAdminTokenIsWrittenNowhere(t *testing.T) {
	dir := t.TempDir()
	p := start(t, dir)
	p.must("PUT", "/nodes/1", map[string]any{"hostname": "n1"})
	if status := p.stop(); status != 0 {
		t.Errorf("status %d after SIGTERM, want 0", status)
	}
	if strings.Contains(p.log(), testToken) {
		t.Error("the token is in the log")
	}
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if b, err := os.ReadFile(filepath.Join(dir, f.Name())); err != nil || strings.Contains(string(b), testToken) {
			t.Errorf("%s holds the token (%v)", f.Name(), err)
		}
	}
}

func TestAdminTokenIsMadeOnce(t *testing.T) {
	dir := t.TempDir()
	first, err := adminToken(dir)
	if err != nil {
		t.Fatal(err)
	}
	second, err := adminToken(dir)
	if err != nil || first != second || len(first) < 32 {
		t.Errorf("made %q, then read %q, %v", first, second, err)
	}
	info, err := os.Stat(filepath.Join(dir, adminTokenFile))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v, want 0600", info.Mode(), err)
	}
}

// What is left of an admin token is not taken for one, since it is soon guessed.
func TestADamagedAdminTokenIsRefused(t *testing.T) {
	for _, content := range []string{"", "\n", "x", "0123456789abcde\n", "0123456789abcdef\x00\x00\n", "0123456789abcdef\xff\n"} {
		dir := t.TempDir()
		path := filepath.Join(dir, adminTokenFile)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if token, err := adminToken(dir); err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "delete it") {
			t.Errorf("a file that holds %q is taken for the token %q, %v", content, token, err)
		}
	}
}

func TestStopSaysWhenToComeBack(t *testing.T) {
	p := start(t, t.TempDir(), "--drain", "200ms")
	conn := p.subscribe(t.Context(), "")
	defer conn.CloseNow()
	if _, _, err := conn.Read(t.Context()); err != nil {
		t.Fatal(err)
	}
	status := make(chan int)
	go func() { status <- p.stop() }()
	var err error
	for err == nil {
		_, _, err = conn.Read(t.Context())
	}
	if websocket.CloseStatus(err) != 1012 || !regexp.MustCompile(`retry in \d+ ms`).MatchString(err.Error()) {
		t.Errorf("the stream ended with %v, want 1012 and a hint", err)
	}
	if s := <-status; s != 0 {
		t.Errorf("exit status %d, want 0\n%s", s, p.log())
	}
}

func TestDemoFillsAnEmptyFolder(t *testing.T) {
	dir := t.TempDir()
	p := start(t, dir, "--demo")
	var list struct {
		Items []struct {
			NetworkID  uint16 `json:"network_id"`
			Enterprise bool   `json:"enterprise"`
		} `json:"items"`
		Next *uint32 `json:"next"`
	}
	for len(list.Items) < 3 { // the fleet is made beside the first requests
		if err := json.Unmarshal(p.must("GET", "/networks", nil), &list); err != nil {
			t.Fatal(err)
		}
	}
	enterprise := 0
	for _, n := range list.Items {
		if n.Enterprise {
			enterprise++
		}
	}
	var nodes struct{ Items []any }
	if err := json.Unmarshal(p.must("GET", "/nodes", nil), &nodes); err != nil {
		t.Fatal(err)
	}
	if len(list.Items) != 3 || enterprise != 2 || len(nodes.Items) != 40 {
		t.Errorf("%d networks, %d of them enterprise, %d nodes; want 3, 2, 40", len(list.Items), enterprise, len(nodes.Items))
	}
}

// The demo goes on where standbys are waited for and there are none.
func TestDemoWithoutItsStandbys(t *testing.T) {
	t.Parallel()
	dir, args := t.TempDir(), []string{"--demo", "--sync-standbys", "1", "--ack-timeout", "20ms"}
	p := start(t, dir, args...)
	p.awaitLog("demo fleet made")
	p.kill()
	p = start(t, dir, args...)
	p.awaitLog("demo change refused")
	if strings.Contains(p.log(), "demo fleet made") {
		t.Error("after the restart the fleet was made once more")
	}
}

// What the demo did not make it leaves alone.
func TestDemoLeavesOtherDataAlone(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := start(t, dir)
	p.must("PUT", "/networks/1", map[string]any{"name": "Platform of ours"})
	p.kill()
	p = start(t, dir, "--demo")
	p.awaitLog("stays as it is")
	var list struct{ Items []any }
	if err := json.Unmarshal(p.must("GET", "/nodes", nil), &list); err != nil || len(list.Items) != 0 {
		t.Errorf("%d nodes, %v, want none", len(list.Items), err)
	}
}
