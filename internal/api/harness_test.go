package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
	"go.uber.org/goleak"

	"github.com/replication-gateway/gateway/internal/api"
	"github.com/replication-gateway/gateway/internal/directory"
	"github.com/replication-gateway/gateway/internal/gateway"
	"github.com/replication-gateway/gateway/internal/wal"
)

const adminToken = "the-admin-token"

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// harness is an open gateway behind a real HTTP server. Every answer that its
// client gets is held against openapi.yaml, and so is every request that was
// granted.
type harness struct {
	t        *testing.T
	gateway  *gateway.Gateway
	server   *api.Server
	registry *prometheus.Registry
	clock    *clock
	disk     *faultyFS
	log      *logBuffer
	url      string
	client   *http.Client
}

// start opens a gateway in a new folder; options change how.
func start(t *testing.T, options ...func(*api.Options, *gateway.Options)) *harness {
	t.Helper()
	h := &harness{t: t, registry: prometheus.NewRegistry(), clock: &clock{}, disk: &faultyFS{FS: wal.OSFS}, log: &logBuffer{}}
	logger := zerolog.New(h.log)
	dir := t.TempDir()
	g := gateway.Options{Dir: dir, Log: wal.Options{SegmentSize: 1 << 20, FS: h.disk}, Heartbeat: time.Hour,
		MaxSubscribers: 100, Logger: logger, Registry: h.registry, Clock: h.clock.now}
	o := api.Options{Logger: logger, Requests: logger, Registry: h.registry,
		Version: api.Version{Version: "1.2.3", Commit: "abc", Go: "go"}, AllowedOrigins: []string{"https://ops.example"},
		MaxBody: 1 << 20, MaxEntries: 1000, Threshold: directory.Threshold{Count: 5, Percent: 20},
		WriteTimeout: 10 * time.Second, Assets: os.DirFS("../../web"), OpenAPI: description(t).raw}
	for _, option := range options {
		option(&o, &g)
	}
	h.gateway = gateway.New(g)
	if err := h.gateway.Open(); err != nil {
		t.Fatalf("open: %v", err)
	}
	o.Gateway = h.gateway
	h.server = api.New(o)
	h.server.Open(adminToken)
	s := httptest.NewServer(h.server.Handler())
	h.url = s.URL
	h.client = &http.Client{Transport: &checkedTransport{t: t, next: s.Client().Transport}}
	t.Cleanup(func() {
		if err := errors.Join(h.server.Drain(context.Background(), 0), h.server.DismissStandbys(context.Background(), 0)); err != nil {
			t.Errorf("drain: %v", err)
		}
		s.Close()
		if err := h.gateway.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return h
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// call sends a request with a token, if any, and a JSON body, if any. Headers
// are given as NAME: VALUE and replace what call sets; Transfer-Encoding makes
// net/http announce no length.
func (h *harness) call(token, method, path, body string, headers ...string) answer {
	h.t.Helper()
	var content io.Reader
	if body != "" {
		content = strings.NewReader(body)
	}
	req, err := http.NewRequestWithContext(h.t.Context(), method, h.url+path, content)
	if err != nil {
		h.t.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ": ")
		req.Header.Set(name, value)
		if name == "Transfer-Encoding" {
			req.ContentLength = -1
		}
	}
	resp, err := h.client.Do(req)
	if err != nil {
		h.t.Fatalf("%s %s: %v", method, path, err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		h.t.Fatalf("%s %s: %v", method, path, err)
	}
	return answer{resp.StatusCode, resp.Header, b}
}

// ok is call for the admin and a request that must be granted.
func (h *harness) ok(method, path, body string, headers ...string) answer {
	h.t.Helper()
	a := h.call(adminToken, method, path, body, headers...)
	if a.status/100 != 2 {
		h.t.Fatalf("%s %s %s: got %d %s", method, path, body, a.status, a.body)
	}
	return a
}

// token makes a token and returns it with its id.
func (h *harness) token(role string, networks ...int) (token, id string) {
	h.t.Helper()
	list, _ := json.Marshal(append([]int{}, networks...))
	a := h.ok("POST", "/tokens", fmt.Sprintf(`{"name":%q,"role":%q,"networks":%s}`, role, role, list))
	return a.text(h.t, "token"), a.text(h.t, "token_id")
}

func (a answer) decode(t *testing.T, v any) {
	t.Helper()
	if err := json.Unmarshal(a.body, v); err != nil {
		t.Fatalf("decode %s: %v", a.body, err)
	}
}

// text returns a member of the answer, empty when it is not there.
func (a answer) text(t *testing.T, member string) string {
	t.Helper()
	var m map[string]any
	a.decode(t, &m)
	if m[member] == nil {
		return ""
	}
	return fmt.Sprint(m[member])
}

func (a answer) position() string { return a.header.Get("Gateway-Position") }

// faults returns the errors of a problem as POINTER CODE.
func (a answer) faults(t *testing.T) []string {
	t.Helper()
	var p struct {
		Errors []struct{ Pointer, Code string }
	}
	a.decode(t, &p)
	var list []string
	for _, e := range p.Errors {
		list = append(list, e.Pointer+" "+e.Code)
	}
	return list
}

// refused fails the test unless the answer is a problem of that status and code.
func (a answer) refused(t *testing.T, status int, code string) {
	t.Helper()
	if a.status != status || a.text(t, "code") != code {
		t.Errorf("got %d %s, want %d %s", a.status, a.body, status, code)
	}
}

// clock runs with the real one, and can be moved on.
type clock struct {
	mu     sync.Mutex
	offset time.Duration
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.offset)
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.offset += d
}

// faultyFS is the real file system until its disk is said to be gone.
type faultyFS struct {
	wal.FS
	mu   sync.Mutex
	gone error
}

func (f *faultyFS) fail(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.gone = err
}

func (f *faultyFS) Open(path string, flag int) (wal.Handle, error) {
	handle, err := f.FS.Open(path, flag)
	return faultyHandle{handle, f}, err
}

type faultyHandle struct {
	wal.Handle
	fs *faultyFS
}

func (h faultyHandle) Sync() error {
	h.fs.mu.Lock()
	gone := h.fs.gone
	h.fs.mu.Unlock()
	if gone != nil {
		return gone
	}
	return h.Handle.Sync()
}

// logBuffer keeps what was logged.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
