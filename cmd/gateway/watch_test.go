package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/replication-gateway/gateway/internal/hub/hubtest"
)

// watching is a running gateway watch.
type watching struct {
	t         *testing.T
	cmd       *exec.Cmd
	lines     *bufio.Reader
	stderr    bytes.Buffer
	validator *hubtest.Validator
}

// watch starts the program. It is killed at the end of the test, if it still runs
// then.
func watch(t *testing.T, addr string, args ...string) *watching {
	t.Helper()
	w := &watching{t: t, validator: hubtest.New(hubtest.Options{})}
	w.cmd = exec.Command(os.Args[0], append([]string{"watch"}, args...)...)
	w.cmd.Env = append(os.Environ(), asGateway+"=1", "GATEWAY_URL=http://"+addr, "GATEWAY_TOKEN="+testToken)
	w.cmd.Stderr = &w.stderr
	stdout, err := w.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	w.lines = bufio.NewReader(stdout)
	if err := w.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if w.cmd.ProcessState == nil {
			_ = w.cmd.Process.Kill()
			_ = w.cmd.Wait()
		}
	})
	return w
}

// frame reads a line, which must be the frame that the stream goes on with.
func (w *watching) frame() hubtest.Frame {
	w.t.Helper()
	line, err := w.lines.ReadBytes('\n')
	if err != nil {
		w.t.Fatalf("no frame: %v", err)
	}
	line = bytes.TrimSuffix(line, []byte("\n"))
	f, err := hubtest.Parse(line)
	if err != nil {
		w.t.Fatalf("%v: %s", err, line)
	}
	if held, ok := w.validator.Position(); f.Resumed != nil && ok {
		w.validator.ConnectAt(held)
	}
	if err := w.validator.Frame(line); err != nil {
		w.t.Fatal(err)
	}
	return f
}

// until reads up to the commit.
func (w *watching) until(seqNo uint64) {
	w.t.Helper()
	for {
		w.frame()
		if held, ok := w.validator.Position(); ok && held.SeqNo >= seqNo {
			return
		}
	}
}

func (w *watching) end(signal os.Signal) (status int, stderr string) {
	w.t.Helper()
	if err := w.cmd.Process.Signal(signal); err != nil {
		w.t.Fatal(err)
	}
	_ = w.cmd.Wait()
	return w.cmd.ProcessState.ExitCode(), w.stderr.String()
}

func TestWatchGoesOnAfterARestart(t *testing.T) {
	dir := t.TempDir()
	p := start(t, dir)
	p.must("PUT", "/networks/7", map[string]any{"name": "seven"})
	w := watch(t, p.addr)
	w.until(1)
	p.must("PUT", "/nodes/1", map[string]any{"hostname": "one"})
	w.until(2)

	p.kill()
	p = start(t, dir, "--listen", p.addr)
	p.must("PUT", "/nodes/2", map[string]any{"hostname": "two"})
	var ops []map[string]any
	for i := range 300 { // a commit in several frames
		ops = append(ops, map[string]any{"type": "node.put", "data": map[string]any{"node_id": i + 10, "hostname": strings.Repeat("h", 250), "tags": slices.Repeat([]string{strings.Repeat("t", 60)}, 16)}})
	}
	p.must("POST", "/batch", map[string]any{"ops": ops})
	w.until(4)
	if n := len(w.validator.Entries()); n != 302 {
		t.Errorf("%d entries, want 302", n)
	}

	status, stderr := w.end(syscall.SIGTERM)
	for _, want := range []string{"connected, a snapshot follows\n", "; next try in ", "connected, resumed at "} {
		if !strings.Contains(stderr, want) {
			t.Errorf("stderr lacks %q:\n%s", want, stderr)
		}
	}
	if status != 0 {
		t.Errorf("status %d: %s", status, stderr)
	}
}

func TestWatchSinceAndNetworks(t *testing.T) {
	p := start(t, t.TempDir())
	p.must("PUT", "/networks/7", map[string]any{"name": "seven"})
	var made struct{ Epoch string }
	if err := json.Unmarshal(p.must("PUT", "/networks/8", map[string]any{"name": "eight"}), &made); err != nil {
		t.Fatal(err)
	}
	p.must("PUT", "/networks/9", map[string]any{"name": "nine"})
	p.must("PUT", "/networks/8", map[string]any{"name": "eighth"})

	w := watch(t, p.addr, "--since", made.Epoch+":2", "--network", "7", "--network", "8")
	w.validator.ConnectAt(hubtest.Position{Epoch: made.Epoch, SeqNo: 2})
	if f := w.frame(); f.Resumed == nil || !*f.Resumed || *f.SeqNo != 2 {
		t.Errorf("got %+v", f)
	}
	if f := w.frame(); f.Type != "delta" || len(f.Entries) != 1 || !strings.Contains(string(f.Entries[0]), "eighth") {
		t.Errorf("got %s %s", f.Type, f.Entries)
	}
	if status, stderr := w.end(os.Interrupt); status != 0 || stderr != fmt.Sprintf("connected, resumed at %s:2\n", made.Epoch) {
		t.Errorf("status %d: %s", status, stderr)
	}
}

func TestWatchRefused(t *testing.T) {
	p := start(t, t.TempDir())
	env := []string{"GATEWAY_URL=http://" + p.addr, "GATEWAY_TOKEN=" + testToken}
	for name, tt := range map[string]struct {
		args   []string
		status int
		stderr string
	}{
		"wrong token":    {[]string{"--token", "wrong"}, 1, "401 unauthorized"},
		"no position":    {[]string{"--since", "here"}, 2, "--since"},
		"no number":      {[]string{"--since", "e:x"}, 2, "--since"},
		"network 0":      {[]string{"--network", "0"}, 2, "--network"},
		"large network":  {[]string{"--network", "65536"}, 2, "network"},
		"no URL":         {[]string{"--url", "gateway"}, 2, "--url"},
		"unknown flag":   {[]string{"--colour"}, 2, "--colour"},
		"stray argument": {[]string{"7"}, 2, "7"},
	} {
		t.Run(name, func(t *testing.T) {
			status, out, stderr := runToEnd(t, env, append([]string{"watch"}, tt.args...)...)
			if status != tt.status || out != "" || !strings.Contains(stderr, tt.stderr) {
				t.Errorf("status %d, stdout %q, stderr %q; want %d and %q", status, out, stderr, tt.status, tt.stderr)
			}
		})
	}
}
