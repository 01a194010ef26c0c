package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

// bench runs gateway bench against p and returns its exit status and output.
func (p *process) bench(args ...string) (status int, stdout, stderr string) {
	p.t.Helper()
	args = append([]string{"bench", "--url", "http://" + p.addr, "--subscribers", "50", "--duration", "1s"}, args...)
	return runToEnd(p.t, []string{"GATEWAY_TOKEN=" + testToken}, args...)
}

// networks returns what GET /networks answers.
func (p *process) networks() string { return string(p.must("GET", "/networks", nil)) }

func TestBenchCountsEveryDelivery(t *testing.T) {
	p := start(t, t.TempDir())
	p.must("PUT", "/networks/65535", map[string]any{"name": "not the bench's"})
	before := p.networks()
	status, out, stderr := p.bench("--rate", "20", "--json")
	if status != 0 {
		t.Fatalf("status %d\n%s%s", status, out, stderr)
	}
	var f benchFigures
	if err := json.Unmarshal([]byte(out), &f); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if f.Subscribers != 50 || f.Writes != 20 || f.Expected != 1000 || f.Deliveries != 1000 || f.Uneven != 0 {
		t.Errorf("got %d subscribers, %d writes, %d deliveries of %d, %d uneven; want 50, 20, 1000 of 1000, 0",
			f.Subscribers, f.Writes, f.Deliveries, f.Expected, f.Uneven)
	}
	if f.Frames.Snapshot != 50 || f.Frames.Delta < 50 || f.Frames.Delta > 1000 {
		t.Errorf("got %+v, want a snapshot each and no more deltas than deliveries", f.Frames)
	}
	for name, q := range map[string]quantiles{"answered": f.DueToAnswered, "received": f.DueToReceived} {
		if q.P50 <= 0 || q.P99 < q.P50 || q.Max < q.P99 {
			t.Errorf("from due to %s: got %+v", name, q)
		}
	}
	if f.Server == nil || f.Server.PID != p.cmd.Process.Pid || f.Server.ResidentAlone < 1<<20 || f.Server.CPUPerDelivery < 0 {
		t.Errorf("the server: got %+v, %s, want process %d", f.Server, f.Unseen, p.cmd.Process.Pid)
	}
	if after := p.networks(); after != before {
		t.Errorf("the networks are %s, were %s", after, before)
	}
}

func TestBenchPrintsATable(t *testing.T) {
	p := start(t, t.TempDir())
	status, out, stderr := p.bench("--network", "7")
	for _, want := range []string{
		`(?m)^deliveries +500 of 500 in \d`,
		`(?m)^gateway CPU +[\d.]+ µs a delivery`,
		`(?m)^gateway memory +[\d.]+ MB alone`,
		`(?m)^write due → received +[\d.]+ +[\d.]+ +[\d.]+$`,
	} {
		if !regexp.MustCompile(want).MatchString(out) {
			t.Errorf("want %s in\n%s", want, out)
		}
	}
	if status != 0 || !strings.Contains(stderr, "making a network") {
		t.Errorf("status %d, progress %q", status, stderr)
	}
}

func TestBenchRefusals(t *testing.T) {
	p := start(t, t.TempDir())
	p.must("PUT", "/networks/7", map[string]any{"name": "somebody's"})
	var viewer struct{ Token string }
	answer := p.must("POST", "/tokens", map[string]any{"name": "v", "role": "viewer"})
	if err := json.Unmarshal(answer, &viewer); err != nil {
		t.Fatal(err)
	}
	before := p.networks()
	for name, c := range map[string]struct {
		args   []string
		status int
		want   string
	}{
		"the network of somebody else": {[]string{"--network", "7"}, 1, "network 7 is there already"},
		"a wrong token":                {[]string{"--token", "wrong"}, 1, "401 unauthorized"},
		"a token that may not write":   {[]string{"--token", viewer.Token}, 1, "403 forbidden"},
		"no such process":              {[]string{"--pid", "1073741824"}, 1, "no process"},
		"nobody there":                 {[]string{"--url", "http://127.0.0.1:1"}, 1, "refused"},
		"https":                        {[]string{"--url", "https://" + p.addr}, 2, "plain http"},
		"no URL":                       {[]string{"--url", "here"}, 2, "--url"},
		"no subscribers":               {[]string{"--subscribers", "0"}, 2, "--subscribers"},
		"no rate":                      {[]string{"--rate", "0"}, 2, "--rate"},
		"no write at all":              {[]string{"--rate", "1", "--duration", "999ms"}, 2, "--rate times --duration"},
		"no network":                   {[]string{"--network", "65536"}, 2, "network"},
	} {
		status, out, stderr := p.bench(c.args...)
		if status != c.status || out != "" || !strings.Contains(stderr, c.want) {
			t.Errorf("%s: status %d, stdout %q, stderr %q; want %d and %q", name, status, out, stderr, c.status, c.want)
		}
	}
	if after := p.networks(); after != before {
		t.Errorf("the networks are %s, were %s", after, before)
	}
}

// benchInBackground starts a long bench and waits until all have joined.
func (p *process) benchInBackground() (cmd *exec.Cmd, stderr *bytes.Buffer) {
	p.t.Helper()
	cmd = exec.Command(os.Args[0], "bench", "--url", "http://"+p.addr, "--subscribers", "5", "--duration", "1h")
	cmd.Env = append(os.Environ(), asGateway+"=1", "GATEWAY_TOKEN="+testToken)
	stderr = &bytes.Buffer{}
	cmd.Stderr = stderr
	if err := cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { _ = cmd.Process.Kill() })
	for r := (replication{}); r.SubscriberCount < 5; {
		if err := json.Unmarshal(p.must("GET", "/replication", nil), &r); err != nil {
			p.t.Fatal(err)
		}
	}
	return cmd, stderr
}

func TestInterruptedBenchCleansUp(t *testing.T) {
	p := start(t, t.TempDir())
	before := p.networks()
	cmd, stderr := p.benchInBackground()
	if during := p.networks(); during == before {
		t.Errorf("no network while the bench runs: %s", during)
	}
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	if got := cmd.ProcessState.ExitCode(); got != 1 {
		t.Errorf("status %d, want 1\n%s", got, stderr)
	}
	if after := p.networks(); after != before {
		t.Errorf("the networks are %s, were %s\n%s", after, before, stderr)
	}
}

// A network whose making nobody acknowledged in time was made all the same.
func TestBenchWithoutStandbysCleansUp(t *testing.T) {
	dir := t.TempDir()
	p := start(t, dir, "--sync-standbys", "1", "--ack-timeout", "20ms")
	status, _, stderr := p.bench("--duration", "1s")
	if status != 1 || !strings.Contains(stderr, "not-replicated") || strings.Contains(stderr, "left behind") {
		t.Errorf("status %d, stderr %q, want 1 and not-replicated", status, stderr)
	}
	p.kill()
	p = start(t, dir) // who waits for nobody shows all
	if got := p.networks(); strings.Contains(got, "bench") {
		t.Errorf("the networks are %s", got)
	}
}

func TestBenchEndsWithItsGateway(t *testing.T) {
	p := start(t, t.TempDir())
	cmd, stderr := p.benchInBackground()
	p.kill()
	_ = cmd.Wait()
	if got := cmd.ProcessState.ExitCode(); got != 1 || !strings.Contains(stderr.String(), "is left behind") {
		t.Errorf("status %d, want 1 and a word on the network\n%s", got, stderr)
	}
}
