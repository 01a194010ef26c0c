package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// patience bounds what a test waits for in the browser.
const patience = time.Minute

// browser opens a tab in a real Chromium. Exceptions of the page fail the test.
func browser(t *testing.T) context.Context {
	t.Helper()
	path := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if found, err := exec.LookPath(name); err == nil {
			path = found
			break
		}
	}
	if path == "" {
		t.Fatal("no Chromium: make test installs it on Debian and its kin")
	}
	opts := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.UserDataDir(t.TempDir()), chromedp.WindowSize(1440, 900))
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewExecAllocator(ctx, opts...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	if err := chromedp.Do(ctx, chromedp.Navigate("about:blank")); err != nil {
		t.Fatalf("start %s: %v", path, err)
	}
	var mu sync.Mutex
	var exceptions []string
	err := chromedp.Listen(ctx, func(ev any) {
		if e, ok := ev.(*runtime.EventExceptionThrown); ok {
			mu.Lock()
			defer mu.Unlock()
			exceptions = append(exceptions, fmt.Sprint(e.ExceptionDetails.Text, " ", e.ExceptionDetails.Exception))
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		mu.Lock()
		defer mu.Unlock()
		if len(exceptions) > 0 {
			t.Errorf("the page threw: %s", strings.Join(exceptions, "\n"))
		}
	})
	return ctx
}

// element returns the JavaScript that finds an element by its test id.
func element(id string) string {
	return fmt.Sprintf(`document.querySelector('[data-testid="%s"]')`, id)
}

// waitFor waits until a JavaScript expression holds in the page.
func waitFor(t *testing.T, ctx context.Context, expression string) {
	t.Helper()
	script := fmt.Sprintf(`new Promise((done, fail) => {
		const end = performance.now() + %d;
		const look = () => {
			if (%s) done(true);
			else if (performance.now() > end) fail(new Error("waited in vain"));
			else setTimeout(look, 20);
		};
		look();
	})`, patience.Milliseconds(), expression)
	if _, err := chromedp.Run(ctx, chromedp.Evaluate[bool](script, chromedp.EvalAwaitPromise)); err != nil {
		text, _ := chromedp.Run(ctx, chromedp.Evaluate[string](`document.body.innerText`))
		t.Fatalf("waiting for %s: %v\nthe page says:\n%s", expression, err, text)
	}
}

func TestDashboardShowsASyncAsItHappens(t *testing.T) {
	p := start(t, t.TempDir(), "--heartbeat", "500ms")
	p.must("POST", "/batch", map[string]any{"ops": []any{
		op("network.put", map[string]any{"network_id": 7, "name": "Platform", "enterprise": true,
			"role_mappings": []any{map[string]any{"group": "Leads", "role": "owner"}}}),
		op("node.put", map[string]any{"node_id": 41, "hostname": "alice-laptop", "external_id": "alice@corp.example"}),
		op("node.put", map[string]any{"node_id": 42, "hostname": "bob-laptop", "external_id": "bob@corp.example"}),
		op("member.put", map[string]any{"network_id": 7, "node_id": 41, "role": "owner"}),
		op("member.put", map[string]any{"network_id": 7, "node_id": 42}),
	}})
	ctx := browser(t)
	if err := chromedp.Do(ctx, chromedp.Navigate("http://"+p.addr+"/#token="+testToken)); err != nil {
		t.Fatal(err)
	}
	waitFor(t, ctx, element("connection")+`.dataset.status === "live"`)
	waitFor(t, ctx, element("count-networks")+`.textContent.trim() === "1"`)
	waitFor(t, ctx, element("count-nodes")+`.textContent.trim() === "2"`)
	waitFor(t, ctx, element("network-card-7")+`.textContent.includes("Platform")`)
	waitFor(t, ctx, element("member-7-42")+`.dataset.role === "member"`)
	waitFor(t, ctx, `!location.href.includes("token")`)

	answer := p.must("POST", "/directory-sync", map[string]any{"network_id": 7, "entries": []any{
		map[string]any{"external_id": "bob@corp.example", "display_name": "Bob <b>Builder</b>", "groups": []string{"Leads"}},
	}})
	var result struct {
		SeqNo   uint64 `json:"seq_no"`
		Updated int    `json:"updated"`
	}
	if err := json.Unmarshal(answer, &result); err != nil || result.Updated != 1 {
		t.Fatalf("sync: %s, %v", answer, err)
	}
	waitFor(t, ctx, element("member-7-42")+`.dataset.role === "owner"`)
	waitFor(t, ctx, element("member-7-42")+`.textContent.includes("Bob <b>Builder</b>")`)
	waitFor(t, ctx, fmt.Sprintf(`%s.querySelector('[data-seq="%d"]') !== null`, element("feed"), result.SeqNo))
	waitFor(t, ctx, element("position")+fmt.Sprintf(`.textContent.includes("%d")`, result.SeqNo))
}

func TestDashboardComesBackAfterAKill(t *testing.T) {
	dir := t.TempDir()
	p := start(t, dir, "--heartbeat", "500ms")
	p.must("PUT", "/networks/1", map[string]any{"name": "One"})
	ctx := browser(t)
	if err := chromedp.Do(ctx, chromedp.Navigate("http://"+p.addr+"/#token="+testToken)); err != nil {
		t.Fatal(err)
	}
	waitFor(t, ctx, element("connection")+`.dataset.status === "live"`)
	p.kill()
	waitFor(t, ctx, element("connection")+`.dataset.status !== "live"`)
	p = start(t, dir, "--heartbeat", "500ms", "--listen", p.addr)
	p.must("PUT", "/networks/2", map[string]any{"name": "Two"})
	waitFor(t, ctx, element("connection")+`.dataset.status === "live"`)
	waitFor(t, ctx, element("count-networks")+`.textContent.trim() === "2"`)
}

func op(kind string, data map[string]any) map[string]any {
	return map[string]any{"type": kind, "data": data}
}

// Chromium offers compression, and reads the frames that were compressed once for
// all: snapshots in parts, and deltas.
func TestBrowserTakesCompressedFrames(t *testing.T) {
	p := start(t, t.TempDir(), "--heartbeat", "200ms")
	var ops []any
	for id := range 3000 { // a snapshot in several parts
		ops = append(ops, op("node.put", map[string]any{"node_id": id + 1, "hostname": fmt.Sprint("host-", id), "tags": []string{"some", "more", "tags"}}))
	}
	p.must("POST", "/batch", map[string]any{"ops": ops})
	ctx := browser(t)
	if err := chromedp.Do(ctx, chromedp.Navigate("http://"+p.addr+"/")); err != nil {
		t.Fatal(err)
	}
	script := fmt.Sprintf(`{
		const seen = window.seen = {nodes: 0, bytes: 0, parts: 0, delta: "", extensions: ""};
		const token = btoa(%q).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
		const socket = new WebSocket("ws://" + location.host + "/subscribe", ["gateway.v1", "gateway.token." + token]);
		socket.onopen = () => { seen.extensions = socket.extensions; };
		socket.onmessage = (event) => {
			const frame = JSON.parse(event.data);
			seen.bytes += event.data.length;
			if (frame.type === "snapshot") { seen.parts++; seen.nodes += frame.snapshot.nodes.length; }
			if (frame.type === "delta") { seen.delta = frame.entries.map((e) => e.data.hostname).join(); }
		};
		true
	}`, testToken)
	if _, err := chromedp.Run(ctx, chromedp.Evaluate[bool](script)); err != nil {
		t.Fatal(err)
	}
	waitFor(t, ctx, `seen.extensions.includes("permessage-deflate")`)
	waitFor(t, ctx, `seen.nodes === 3000 && seen.parts > 1`)
	p.must("PUT", "/nodes/1", map[string]any{"hostname": strings.Repeat("renamed", 30)})
	waitFor(t, ctx, fmt.Sprintf(`seen.delta === %q`, strings.Repeat("renamed", 30)))
}
