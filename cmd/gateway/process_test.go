package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// TestMain lets this binary stand in for the gateway: started with asGateway
// set, it is the real program, with the race detector in it.
func TestMain(m *testing.M) {
	if os.Getenv(asGateway) != "" {
		if socket, err := strconv.Atoi(os.Getenv(handsOverSyncs)); err == nil {
			if err := handOverSyncs(socket); err != nil {
				log.Fatal("hand over the syncs: ", err)
			}
		}
		main()
	}
	os.Exit(m.Run())
}

const asGateway = "GATEWAY_TEST_RUN_AS_PROGRAM"

// testToken is the admin token of the gateways that tests start.
const testToken = "test-admin-token"

// process is a running gateway.
type process struct {
	t      *testing.T
	cmd    *exec.Cmd
	addr   string
	read   chan struct{} // closed when stderr is at its end
	mu     sync.Mutex
	said   sync.Cond // of mu: signalled with each line
	ended  bool      // stderr is at its end
	stderr bytes.Buffer
}

// start starts a gateway on the folder and waits until it is ready. It is
// killed at the end of the test, if it still runs then.
func start(t *testing.T, dir string, args ...string) *process {
	t.Helper()
	p := launch(t, dir, args...)
	p.awaitLog(`"message":"ready"`)
	if status, body := p.call("GET", "/readyz", nil); status != http.StatusOK {
		t.Fatalf("readyz: %d %s", status, body)
	}
	return p
}

// launch starts a gateway on the folder and waits until it listens.
func launch(t *testing.T, dir string, args ...string) *process {
	t.Helper()
	return launchOn(t, nil, dir, args...)
}

// launchOn is launch on a disk that the test rules, unless it is nil.
func launchOn(t *testing.T, d *disk, dir string, args ...string) *process {
	t.Helper()
	listen := []string{"--listen", "127.0.0.1:0"}
	if slices.Contains(args, "--listen") {
		listen = nil
	}
	args = append(append([]string{"serve", "--data", dir, "--log-format", "json"}, listen...), args...)
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), asGateway+"=1", "GATEWAY_ADMIN_TOKEN="+testToken)
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	started := func() {}
	if d != nil {
		started = d.carry(cmd)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	started()
	p := &process{t: t, cmd: cmd, read: make(chan struct{})}
	p.said.L = &p.mu
	t.Cleanup(p.kill)
	lines := bufio.NewReader(stderr)
	first, err := lines.ReadBytes('\n')
	var line struct {
		Addr string `json:"addr"`
	}
	if json.Unmarshal(first, &line) != nil || line.Addr == "" {
		rest, _ := io.ReadAll(lines)
		t.Fatalf("the first log line names no addr: %s%s (%v)", first, rest, err)
	}
	p.addr = line.Addr
	go p.follow(lines)
	return p
}

// awaitLog waits until the gateway has logged a line with the text.
func (p *process) awaitLog(text string) {
	p.t.Helper()
	p.awaitLogAfter(0, text)
}

// awaitLogAfter is awaitLog for what comes after a mark.
func (p *process) awaitLogAfter(mark int, text string) {
	p.t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	for !strings.Contains(p.stderr.String()[mark:], text) {
		if p.ended {
			p.t.Fatalf("the gateway ended and never logged %s:\n%s", text, p.stderr.String())
		}
		p.said.Wait()
	}
}

func (p *process) follow(r io.Reader) {
	defer close(p.read)
	for scanner := bufio.NewScanner(r); scanner.Scan(); {
		p.mu.Lock()
		p.stderr.Write(append(scanner.Bytes(), '\n'))
		p.said.Broadcast()
		p.mu.Unlock()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ended = true
	p.said.Broadcast()
}

// log returns what the gateway wrote to stderr after its first line.
func (p *process) log() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.stderr.String()
}

// kill ends the gateway with SIGKILL.
func (p *process) kill() {
	if p.cmd.ProcessState == nil {
		_ = p.cmd.Process.Kill()
		<-p.read
		_ = p.cmd.Wait()
	}
}

// stop ends the gateway with SIGTERM and returns its exit status.
func (p *process) stop() int {
	p.t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		p.t.Fatal(err)
	}
	<-p.read
	_ = p.cmd.Wait()
	return p.cmd.ProcessState.ExitCode()
}

// call sends one request as admin and returns status and body; 0 when there
// was no answer.
func (p *process) call(method, path string, body any) (int, []byte) {
	return p.callContext(p.t.Context(), method, path, body)
}

func (p *process) callContext(ctx context.Context, method, path string, body any) (int, []byte) {
	resp := p.request(ctx, method, path, body, "")
	if resp == nil {
		return 0, nil
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, nil
	}
	return resp.StatusCode, b
}

// request sends one request as admin, which waits for a position if one is
// given, and returns the response, nil when there was none.
func (p *process) request(ctx context.Context, method, path string, body any, position string) *http.Response {
	var content io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			p.t.Error(err)
			return nil
		}
		content = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://"+p.addr+path, content)
	if err != nil {
		p.t.Error(err)
		return nil
	}
	req.Header.Set("Authorization", "Bearer "+testToken)
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if position != "" {
		req.Header.Set("Gateway-Min-Position", position)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil
	}
	return resp
}

// must sends a request that has to be granted.
func (p *process) must(method, path string, body any) []byte {
	p.t.Helper()
	status, answer := p.call(method, path, body)
	if status/100 != 2 {
		p.t.Fatalf("%s %s: %d %s\n%s", method, path, status, strings.TrimSpace(string(answer)), p.log())
	}
	return answer
}

// runToEnd runs the program with args and returns its exit status and output.
func runToEnd(t *testing.T, env []string, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	return runFed(t, "", env, args...)
}

// runFed is runToEnd with something to read.
func runFed(t *testing.T, stdin string, env []string, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	cmd := exec.Command(os.Args[0], args...)
	cmd.Stdin = strings.NewReader(stdin)
	cmd.Env = append(append(os.Environ(), asGateway+"=1"), env...)
	cmd.Dir = t.TempDir()
	var out, err bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &err
	_ = cmd.Run()
	return cmd.ProcessState.ExitCode(), out.String(), err.String()
}
