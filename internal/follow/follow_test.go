package follow_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"github.com/replication-gateway/gateway/internal/api"
	"github.com/replication-gateway/gateway/internal/directory"
	"github.com/replication-gateway/gateway/internal/follow"
	"github.com/replication-gateway/gateway/internal/gateway"
)

// site is a gateway that serves.
type site struct {
	*gateway.Gateway
	t   *testing.T
	dir string
	url string
}

// open opens a gateway and has it answer.
func open(t *testing.T, o gateway.Options) *site {
	t.Helper()
	s := &site{t: t, dir: t.TempDir()}
	o.Dir, o.Logger, o.AckTimeout, o.Heartbeat = s.dir, zerolog.Nop(), time.Minute, 50*time.Millisecond
	s.Gateway = gateway.New(o)
	if err := s.Open(); err != nil {
		t.Fatal(err)
	}
	server := api.New(api.Options{Gateway: s.Gateway, Logger: zerolog.Nop(), Registry: prometheus.NewRegistry(), MaxBody: 1 << 20,
		MaxEntries: 1000, WriteTimeout: 10 * time.Second, Assets: os.DirFS(s.dir), Compression: true})
	server.Open("admin")
	listener := httptest.NewServer(server.Handler())
	s.url = listener.URL
	t.Cleanup(func() {
		_ = server.Drain(context.Background(), 0)
		listener.Close()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// token makes a token to follow the gateway with.
func (s *site) token() string {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), "POST", s.url+"/tokens", strings.NewReader(`{"name":"standby","role":"replica"}`))
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header = http.Header{"Authorization": {"Bearer admin"}, "Content-Type": {"application/json"}}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	var made struct{ Token string }
	if err := json.NewDecoder(resp.Body).Decode(&made); err != nil || made.Token == "" {
		s.t.Fatalf("make a token: %s, %v", resp.Status, err)
	}
	return made.Token
}

// follow has the gateway follow another until the end of the test, or until stop.
func (s *site) follow(other *site, token string) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- follow.Run(ctx, follow.Options{Gateway: s.Gateway, Dir: s.dir, URL: other.url, Token: token, Logger: zerolog.Nop()})
	}()
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-done; err != nil {
			s.t.Error(err)
		}
	}
	s.t.Cleanup(stop)
	return stop
}

func (s *site) put(from, to uint32) {
	s.t.Helper()
	for id := from; id <= to; id++ {
		if _, _, err := gateway.Do(s.t.Context(), s.Gateway, "token:admin", directory.PutNode{Node: directory.Node{NodeID: id, Tags: []string{}}}); err != nil {
			s.t.Fatal(err)
		}
	}
}

// equals waits until the gateway stands where another does and fails the test
// unless both hold the same then.
func (s *site) equals(other *site) {
	s.t.Helper()
	want, at := other.State()
	s.until(func() bool { _, p := s.State(); return p == at })
	if got, _ := s.State(); got.Digest() != want.Digest() {
		s.t.Errorf("two gateways differ at %v", at)
	}
}

// until waits for something that must come; the test's own limit is the last.
func (s *site) until(holds func() bool) {
	for !holds() {
		runtime.Gosched()
	}
}

func TestFollowingIsDurableAndAcknowledged(t *testing.T) {
	primary, standby := open(t, gateway.Options{SyncStandbys: 0}), open(t, gateway.Options{Standby: true})
	primary.put(1, 10)
	token := primary.token()
	stop := standby.follow(primary, token)
	standby.equals(primary)
	_, at := primary.State()
	primary.until(func() bool { return primary.Acks(at.SeqNo) == 1 })
	if _, durable := standby.Durable(); durable != at {
		t.Errorf("acknowledged at %v, on disk up to %v", at, durable)
	}
	stop()
	primary.put(11, 20)
	if _, p := standby.State(); p != at {
		t.Errorf("at %v, after it stopped following at %v", p, at)
	}
	standby.follow(primary, token)
	standby.equals(primary)
}

// A gateway that was promoted does not follow one of the epoch before; once the
// history there goes on past its own, it does, and keeps aside what it alone has.
func TestWhomAPromotedGatewayFollows(t *testing.T) {
	first, second := open(t, gateway.Options{}), open(t, gateway.Options{Standby: true})
	first.put(1, 5)
	token := first.token()
	stop := second.follow(first, token)
	second.equals(first)
	if err := second.Promote("second"); err != nil {
		t.Fatal(err)
	}
	stop()
	third := open(t, gateway.Options{Standby: true})
	stopThird := third.follow(second, token)
	third.equals(second)
	stopThird()
	second.put(6, 8) // which the third has not got

	second.follow(first, token)
	first.put(6, 6)
	if _, p := second.State(); p.Epoch != "second" || second.Role() != gateway.Primary {
		t.Errorf("a promoted gateway is %s at %v", second.Role(), p)
	}
	if err := third.Promote("third"); err != nil {
		t.Fatal(err)
	}
	third.put(9, 9)

	again := open(t, gateway.Options{Standby: true})
	again.follow(third, token)
	again.equals(third)
	if again.Lineage().Current() != "third" || len(again.Lineage()) != 3 {
		t.Errorf("the lineage is %v, want three epochs", again.Lineage())
	}
}

// What a standby alone has is kept aside, commit by commit, before the history
// that it follows takes its place.
func TestWhatAStandbyAloneHasIsKeptAside(t *testing.T) {
	primary, ahead, behind := open(t, gateway.Options{}), open(t, gateway.Options{Standby: true}), open(t, gateway.Options{Standby: true})
	primary.put(1, 5)
	token := primary.token()
	stopAhead, stopBehind := ahead.follow(primary, token), behind.follow(primary, token)
	ahead.equals(primary)
	behind.equals(primary)
	stopBehind()
	primary.put(101, 103)
	ahead.equals(primary)
	stopAhead()
	if err := behind.Promote("later"); err != nil {
		t.Fatal(err)
	}
	behind.put(6, 20)
	ahead.follow(behind, token)
	ahead.equals(behind)

	files, err := filepath.Glob(filepath.Join(ahead.dir, "aside-*.jsonl"))
	if err != nil || len(files) != 1 {
		t.Fatalf("kept aside: %q, %v", files, err)
	}
	text, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	if len(lines) != 3 {
		t.Fatalf("%d commits are kept aside, want 3:\n%s", len(lines), text)
	}
	for i, want := range []string{`"node_id":101,`, `"node_id":102,`, `"node_id":103,`} {
		if !strings.Contains(lines[i], want) {
			t.Errorf("commit %d: %s, want %s in it", i, lines[i], want)
		}
	}
}

// A standby that once held another history keeps all of it aside.
func TestAStrangersStateIsKeptWhole(t *testing.T) {
	mine, theirs := open(t, gateway.Options{}), open(t, gateway.Options{})
	mine.put(1, 3)
	theirs.put(1, 30)
	mine.Demote()
	mine.follow(theirs, theirs.token())
	mine.equals(theirs)
	if files, err := filepath.Glob(filepath.Join(mine.dir, "aside-*.snapshot")); err != nil || len(files) != 1 {
		t.Errorf("kept aside: %q, %v", files, err)
	}
}

// A token that may not follow is said to be the trouble, and is tried again.
func TestATokenThatMayNotFollow(t *testing.T) {
	primary, standby := open(t, gateway.Options{}), open(t, gateway.Options{Standby: true})
	standby.follow(primary, "admin")
	standby.until(func() bool { return standby.Upstream().Trouble != nil })
	if err := standby.Ready(); err == nil {
		t.Error("a standby that cannot follow says that it is ready")
	}
}
