package follow_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
	"go.uber.org/goleak"

	"github.com/replication-gateway/gateway/internal/api"
	"github.com/replication-gateway/gateway/internal/directory"
	"github.com/replication-gateway/gateway/internal/follow"
	"github.com/replication-gateway/gateway/internal/gateway"
	"github.com/replication-gateway/gateway/internal/hub"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// site is a gateway that serves on a port of its own.
type site struct {
	*gateway.Gateway
	t       *testing.T
	dir     string
	url     string
	log     *logbook
	streams atomic.Int64 // ever opened here
	close   func()       // at the latest at the end of the test
}

// option changes how a site is opened.
type option func(*gateway.Options)

func asStandby(o *gateway.Options) { o.Standby = true }

// beating has the site send heartbeats often. A loaded machine may take it for
// silent at times, and come back.
func beating(o *gateway.Options) { o.Heartbeat = 100 * time.Millisecond }

// in has the site use a data folder.
func in(dir string) option { return func(o *gateway.Options) { o.Dir = dir } }

// open opens a gateway, in a new folder if not told otherwise, and has it answer.
func open(t *testing.T, options ...option) *site {
	t.Helper()
	s := &site{t: t, log: &logbook{}}
	registry := prometheus.NewRegistry()
	o := gateway.Options{Logger: zerolog.New(s.log), Registry: registry, AckTimeout: time.Minute, Heartbeat: time.Minute}
	o.Log.SegmentSize = 1 << 20
	for _, option := range options {
		option(&o)
	}
	if o.Dir == "" {
		o.Dir = t.TempDir()
	}
	s.dir, s.Gateway = o.Dir, gateway.New(o)
	if err := s.Open(); err != nil {
		t.Fatal(err)
	}
	server := api.New(api.Options{Gateway: s.Gateway, Logger: zerolog.Nop(), Registry: registry, MaxBody: 1 << 20,
		MaxEntries: 1000, WriteTimeout: 10 * time.Second, Assets: os.DirFS("../../web"), Compression: true})
	server.Open("admin")
	handler := server.Handler()
	listener := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		handler.ServeHTTP(w, r)
		if r.URL.Path == "/subscribe" {
			s.streams.Add(1)
		}
	}))
	s.url = listener.URL
	s.close = sync.OnceFunc(func() {
		_ = server.Drain(context.Background(), 0)
		_ = server.DismissStandbys(context.Background(), 0)
		listener.Close()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(s.close)
	return s
}

// call sends a request as admin and returns the answer.
func (s *site) call(method, path, body string) []byte {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), method, s.url+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header = http.Header{"Authorization": {"Bearer admin"}, "Content-Type": {"application/json"}}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode/100 != 2 {
		s.t.Fatalf("%s %s: %s %s, %v", method, path, resp.Status, answer, err)
	}
	return answer
}

// token makes a token to follow the gateway with.
func (s *site) token() string {
	s.t.Helper()
	var made struct{ Token string }
	if err := json.Unmarshal(s.call("POST", "/tokens", `{"name":"standby","role":"replica"}`), &made); err != nil {
		s.t.Fatal(err)
	}
	return made.Token
}

// problem is why the gateway cannot follow, as its status says it.
func (s *site) problem() string {
	s.t.Helper()
	var status struct{ Upstream struct{ Problem string } }
	if err := json.Unmarshal(s.call("GET", "/replication", ""), &status); err != nil {
		s.t.Fatal(err)
	}
	return status.Upstream.Problem
}

// follow has the gateway follow the one at a URL until the end of the test, or
// until stop.
func (s *site) follow(url, token string) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- follow.Run(ctx, follow.Options{Gateway: s.Gateway, Dir: s.dir, URL: url, Token: token, Logger: zerolog.New(s.log)})
	}()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			s.t.Error(err)
		}
	})
	s.t.Cleanup(stop)
	return stop
}

// catchUp has the gateway follow another until it has all of it, and no longer.
func (s *site) catchUp(other *site, token string) {
	s.t.Helper()
	stop := s.follow(other.url, token)
	s.equals(other)
	stop()
}

// put writes nodes, each in a commit of its own.
func (s *site) put(from, to uint32) {
	s.t.Helper()
	for id := from; id <= to; id++ {
		do(s, directory.PutNode{Node: directory.Node{NodeID: id, Tags: []string{}}})
	}
}

// fill writes a state whose snapshot comes in several parts, also when compressed.
func (s *site) fill() {
	s.t.Helper()
	for batch := range uint32(4) {
		var ops []directory.Op
		for i := range uint32(1000) {
			hostname := rand.Text() + rand.Text() + rand.Text() + rand.Text() // hard to compress
			ops = append(ops, directory.OpOf(directory.PutNode{Node: directory.Node{NodeID: 1000*batch + i + 1, Hostname: hostname, Tags: []string{}}}))
		}
		do(s, directory.Batch{Ops: ops})
	}
}

func do[R any](s *site, c directory.Command[R]) {
	s.t.Helper()
	if _, _, err := gateway.Do(s.t.Context(), s.Gateway, "token:admin", c); err != nil {
		s.t.Fatal(err)
	}
}

// subscribe opens a stream of an admin who stands somewhere, or nowhere.
func (s *site) subscribe(at *directory.Position) *hub.Sub {
	s.t.Helper()
	sub, err := s.Subscribe(gateway.SubscribeOptions{View: directory.NewView(directory.AccessAdmin), Resume: at})
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { s.Unsubscribe(sub) })
	return sub
}

// at returns where readers of the gateway stand.
func (s *site) at() directory.Position {
	_, at := s.State()
	return at
}

// equals waits until the gateway stands where another does, and fails the test
// unless both hold the same then.
func (s *site) equals(other *site) {
	s.t.Helper()
	want, at := other.State()
	until(func() bool { return s.at() == at })
	if got, _ := s.State(); got.Digest() != want.Digest() {
		s.t.Errorf("two gateways differ at %v", at)
	}
}

// records returns the log after a commit, a record a line.
func (s *site) records(after uint64) string {
	s.t.Helper()
	var lines strings.Builder
	err := s.Records(after, func(record []byte) error {
		lines.Write(record)
		return lines.WriteByte('\n')
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return lines.String()
}

// until waits for what must come, and leaves the processors to those that bring it.
func until(holds func() bool) {
	for !holds() {
		<-time.After(time.Millisecond)
	}
}

// logbook keeps what is logged.
type logbook struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logbook) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

// count returns how often a text has been logged.
func (l *logbook) count(text string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.text.String(), text)
}

// await waits until a text has been logged.
func (l *logbook) await(text string) { until(func() bool { return l.count(text) > 0 }) }
