package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"testing"
)

// asServer lets this binary be the server that is started: its value says what it does.
const asServer = "BENCH_TEST_SERVER"

func TestMain(m *testing.M) {
	if does := os.Getenv(asServer); does != "" {
		serve(does)
	}
	os.Exit(m.Run())
}

// serve says where it listens and that it is ready, answers requests with a line for each, and ends at SIGTERM.
func serve(does string) {
	terminate := make(chan os.Signal, 1)
	signal.Notify(terminate, syscall.SIGTERM)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	fmt.Fprintf(os.Stderr, `{"addr":%q,"message":"listening"}`+"\n", l.Addr())
	if does == "panic" {
		panic("as it was told")
	}
	fmt.Fprintln(os.Stderr, `{"message":"ready"}`)
	go http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintln(os.Stderr, `{"message":"request"}`)
		fmt.Fprintf(os.Stderr, `{"path":%q,"message":"asked"}`+"\n", r.URL.Path)
		io.WriteString(w, "# HELP x\nx 1\ny_total{a=\"b c\"} 2.5e+06\n")
	}))
	<-terminate
	fmt.Fprintln(os.Stderr, `{"message":"stopped"}`)
	if does == "fail" {
		os.Exit(3)
	}
	os.Exit(0)
}

func start(t *testing.T, does string) *Server {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), asServer+"="+does)
	s, err := Start(cmd)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Kill)
	return s
}

func TestServerIsFollowed(t *testing.T) {
	s := start(t, "serve")
	if _, err := s.Await(t.Context(), "ready", 1); err != nil {
		t.Fatal(err)
	}
	m, err := s.Metrics(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if v, err := m.Value(`y_total{a="b c"}`); v != 2.5e6 || err != nil {
		t.Errorf("the metric is %v (%v)", v, err)
	}
	if _, err := m.Value("z"); err == nil {
		t.Error("a metric that is not there has a value")
	}
	if err := s.Get(t.Context(), "/second", func(io.Reader) error { return nil }); err != nil {
		t.Fatal(err)
	}
	second, err := s.Await(t.Context(), "asked", 2)
	if err != nil {
		t.Fatal(err)
	}
	var says struct{ Path string }
	if err := second.Decode(&says); err != nil || says.Path != "/second" {
		t.Errorf("the second line is %s (%v)", second.raw, err)
	}
	if lines := s.Said("request"); len(lines) > 0 {
		t.Errorf("%d lines of requests were kept", len(lines))
	}
	if u, err := s.Usage(); err != nil || u.Resident < 1<<20 {
		t.Errorf("the server uses %+v (%v)", u, err)
	}
	if err := s.Stop(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err := s.Await(t.Context(), "stopped", 1); err != nil {
		t.Errorf("its last line: %v", err)
	}
	if _, err := s.Usage(); !errors.Is(err, ErrEnded) {
		t.Errorf("the usage of one that is gone: %v", err)
	}
}

func TestServerThatEnds(t *testing.T) {
	s := start(t, "panic")
	if _, err := s.Await(t.Context(), "ready", 1); !errors.Is(err, ErrEnded) || !strings.Contains(err.Error(), "as it was told") {
		t.Errorf("awaiting what a dead server says: %v", err)
	}
	s = start(t, "fail")
	if _, err := s.Await(t.Context(), "ready", 1); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Await(ctx, "what it never says", 1); !errors.Is(err, context.Canceled) {
		t.Errorf("awaiting beyond the context: %v", err)
	}
	if err := s.Stop(t.Context()); !errors.Is(err, ErrEnded) {
		t.Errorf("stopping one that fails: %v", err)
	}
}

func TestServerIsSignalled(t *testing.T) {
	s := start(t, "serve")
	if _, err := s.Await(t.Context(), "ready", 1); err != nil {
		t.Fatal(err)
	}
	if err := s.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Await(t.Context(), "stopped", 1); err != nil {
		t.Error(err)
	}
	s.Kill()
	if err := s.Signal(syscall.SIGTERM); err == nil {
		t.Error("one that is gone was sent a signal")
	}
}

func TestServerThatCannotStart(t *testing.T) {
	if _, err := Start(exec.Command("/no/such/program")); err == nil {
		t.Error("it started")
	}
}
