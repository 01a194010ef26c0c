package main

import (
	"context"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/replication-gateway/gateway/internal/hub/hubtest"
)

// replicaToken makes a token that a standby follows with. It comes also where no
// standby is there yet to acknowledge it.
func (p *process) replicaToken() string {
	p.t.Helper()
	status, body := p.call("POST", "/tokens", map[string]any{"name": "standby", "role": "replica"})
	var made struct{ Token string }
	err := json.Unmarshal(body, &made)
	if status != http.StatusCreated && status != http.StatusGatewayTimeout || err != nil || made.Token == "" {
		p.t.Fatalf("make a token: %d %s", status, body)
	}
	return made.Token
}

// startStandby starts a standby of another gateway and waits until it holds
// what that one held.
func startStandby(t *testing.T, dir string, primary *process, token string, args ...string) *process {
	t.Helper()
	s := launch(t, dir, append([]string{"--follow", "http://" + primary.addr, "--follow-token", token}, args...)...)
	s.awaitLog(`"message":"ready"`)
	s.awaitLog(`,"message":"following`)
	s.reach(primary.position())
	return s
}

// position is where the gateway stands.
func (p *process) position() string {
	p.t.Helper()
	resp := p.request(p.t.Context(), "GET", "/networks", nil, "")
	if resp == nil {
		p.t.Fatal("no answer")
	}
	defer resp.Body.Close()
	return resp.Header.Get("Gateway-Position")
}

// reach waits until the gateway has reached a position.
func (p *process) reach(position string) {
	p.t.Helper()
	status := 0
	for range 200 {
		resp := p.request(p.t.Context(), "GET", "/networks", nil, position)
		if resp == nil {
			p.t.Fatalf("no answer\n%s", p.log())
		}
		resp.Body.Close()
		switch status = resp.StatusCode; status {
		case http.StatusOK:
			return
		case http.StatusServiceUnavailable: // it waits for a state
			<-time.After(100 * time.Millisecond)
		case http.StatusGatewayTimeout: // it has waited for long
			p.t.Fatalf("%s was not reached:\n%s", position, p.log())
		}
	}
	p.t.Fatalf("%s was never reached, %d:\n%s", position, status, p.log())
}

// alike fails the test unless both gateways hold the same at the same place.
func alike(t *testing.T, a, b *process) {
	t.Helper()
	if x, y := string(a.must("GET", "/snapshot", nil)), string(b.must("GET", "/snapshot", nil)); x != y {
		t.Errorf("two gateways differ:\n%.600s\n%.600s", x, y)
	}
}

func TestStandbyFollowsServesAndPassesWritesOn(t *testing.T) {
	primary := start(t, t.TempDir())
	primary.put(1, 20)
	dir := t.TempDir()
	token := primary.replicaToken()
	standby := startStandby(t, dir, primary, token)
	alike(t, primary, standby)

	primary.put(21, 25)
	standby.reach(primary.position())
	alike(t, primary, standby)

	standby.put(26, 30) // which its primary does
	standby.reach(primary.position())
	alike(t, primary, standby)
	if status, _ := standby.call("DELETE", "/nodes/999", nil); status != http.StatusNotFound {
		t.Errorf("a refusal of the primary came as %d", status)
	}

	// Killed, it goes on from its own disk, and from where it stood.
	standby.kill()
	primary.put(31, 40)
	standby = startStandby(t, dir, primary, token)
	alike(t, primary, standby)
	if strings.Contains(standby.log(), "snapshot taken over") {
		t.Error("a standby that was killed took a snapshot where commits would have done")
	}
	// A standby of a standby.
	third := startStandby(t, t.TempDir(), standby, token)
	third.put(41, 45)
	third.reach(primary.position())
	standby.reach(primary.position())
	alike(t, primary, third)
	alike(t, standby, third)

	// Without its primary it serves reads, and says that it cannot write.
	primary.kill()
	standby.awaitLog("the primary is out of reach")
	if status, body := standby.call("PUT", "/nodes/1", map[string]any{"hostname": "x"}); status != http.StatusServiceUnavailable || !strings.Contains(string(body), "primary-unreachable") {
		t.Errorf("a write without a primary: %d %s", status, body)
	}
	standby.must("GET", "/nodes/45", nil)
}

func TestPromotion(t *testing.T) {
	oldDir, newDir := t.TempDir(), t.TempDir()
	old := start(t, oldDir)
	token := old.replicaToken()
	old.put(1, 10)
	standby := startStandby(t, newDir, old, token)
	other := startStandby(t, t.TempDir(), standby, token)
	old.kill()
	standby.awaitLog("the primary is out of reach")

	env := []string{"GATEWAY_URL=http://" + standby.addr, "GATEWAY_TOKEN=" + testToken}
	fork := standby.position()
	status, out, stderr := runToEnd(t, env, "promote")
	before := standby.position()
	for _, want := range []string{"is primary at " + before, "goes on from     " + fork + ",", "OUT OF REACH", "MAY BE MISSING"} {
		if status != 0 || !strings.Contains(out, want) {
			t.Fatalf("promote: %d %s%s, want %q", status, out, stderr, want)
		}
	}
	if status, out, _ := runToEnd(t, env, "promote"); status != 0 || !strings.Contains(out, before) || !strings.Contains(out, "nothing was done") {
		t.Errorf("promote again: %d %s, want nothing done at %s", status, out, before)
	}
	standby.put(11, 15)
	other.reach(standby.position())
	alike(t, standby, other)
	if strings.Count(other.log(), "snapshot taken over") != 1 {
		t.Errorf("a standby that stood at the fork took another snapshot:\n%s", other.log())
	}

	// Restarted with its old --follow the new primary stays primary.
	standby.kill()
	follow := []string{"--follow", "http://" + old.addr, "--follow-token", token, "--listen", standby.addr}
	standby = start(t, newDir, follow...)
	standby.put(16, 18)

	// The old one wrote more before it died for good. It comes back as a standby.
	alone := start(t, oldDir)
	alone.put(101, 103)
	alone.kill()
	back := launch(t, oldDir, "--follow", "http://"+standby.addr, "--follow-token", token)
	back.awaitLog("snapshot taken over")
	back.reach(standby.position())
	alike(t, standby, back)
	files, err := filepath.Glob(filepath.Join(oldDir, "aside-*.jsonl"))
	if err != nil || len(files) != 1 {
		t.Fatalf("kept aside: %q, %v", files, err)
	}
	kept, err := os.ReadFile(files[0])
	if err != nil || strings.Count(string(kept), "\n") != 3 || !strings.Contains(string(kept), `"n103"`) {
		t.Errorf("kept aside: %s, %v, want the three commits of the old primary alone", kept, err)
	}
	back.put(19, 20)
	back.reach(standby.position())
	alike(t, standby, back)
}

// With --sync-standbys 1 no acknowledged write is lost with the primary.
func TestNoAcknowledgedWriteIsLostWithThePrimary(t *testing.T) {
	primary := start(t, t.TempDir(), "--sync-standbys", "1", "--ack-timeout", "2s")
	standby := launch(t, t.TempDir(), "--follow", "http://"+primary.addr, "--follow-token", primary.replicaToken())
	standby.awaitLog(`,"message":"following`)
	primary.put(1, 1)

	const writers = 8
	var wg sync.WaitGroup
	acknowledged := make([]int, writers)
	for w := range writers {
		wg.Go(func() {
			for n := 0; ; n++ {
				status, _ := primary.call("PUT", "/nodes/"+strconv.Itoa(1000*(w+1)+n), map[string]any{"hostname": "n"})
				if status != http.StatusOK {
					return
				}
				acknowledged[w] = n + 1
				if w == 0 && n == 50 {
					go primary.kill()
				}
			}
		})
	}
	wg.Wait()
	env := []string{"GATEWAY_URL=http://" + standby.addr, "GATEWAY_TOKEN=" + testToken}
	if status, _, stderr := runToEnd(t, env, "promote"); status != 0 {
		t.Fatalf("promote: %d %s", status, stderr)
	}
	for w, n := range acknowledged {
		for i := range n {
			standby.must("GET", "/nodes/"+strconv.Itoa(1000*(w+1)+i), nil)
		}
	}
}

// A write that is on its way to a primary when that stands still is given up once the
// primary has not been heard of for some time.
func TestAPrimaryThatHangsKeepsNoWrite(t *testing.T) {
	t.Parallel()
	fleet := newFleet(t, 1)
	primary, standby := fleet[0], fleet[1]
	primary.put(1, 2)
	standby.reach(primary.position())
	primary.signal(syscall.SIGSTOP)
	status, answer := standby.call("PUT", "/nodes/9", map[string]any{})
	if status != http.StatusServiceUnavailable || !strings.Contains(string(answer), "primary-unreachable") {
		t.Errorf("a write by way of the standby: %d %s, want 503 primary-unreachable", status, answer)
	}
}

// The token that a standby needs is printed where no standby is there yet.
func TestTokenOfAGatewayThatWaitsForStandbys(t *testing.T) {
	p := start(t, t.TempDir(), "--sync-standbys", "1", "--ack-timeout", "2s")
	env := []string{"GATEWAY_URL=http://" + p.addr, "GATEWAY_TOKEN=" + testToken}
	status, out, stderr := runToEnd(t, env, "token", "create", "--name", "standby", "--role", "replica")
	if status != 0 || !strings.HasPrefix(out, "gw_") {
		t.Fatalf("%d %s%s", status, out, stderr)
	}
	standby := launch(t, t.TempDir(), "--follow", "http://"+p.addr, "--follow-token", strings.TrimSpace(out))
	standby.awaitLog(`,"message":"following`)
	p.put(1, 1)
}

// A primary that is stopped, not lost, has sent its standby all that it acknowledged,
// until its last moment and without waiting for any standby.
func TestAPlannedStopLosesNothing(t *testing.T) {
	t.Parallel()
	fleet := newFleet(t, 1, "--drain", "500ms")
	primary, standby := fleet[0], fleet[1]
	standby.reach(primary.position())
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var readers, writers sync.WaitGroup
	for range 5 {
		readers.Go(func() { keepReading(ctx, t, primary.addr, hubtest.New(hubtest.Options{})) })
	}
	acknowledged, last := 0, 0
	writers.Go(func() {
		for n := 1; ; n++ {
			status, _ := primary.call("PUT", "/nodes/"+strconv.Itoa(n), map[string]any{"hostname": "n"})
			if status != http.StatusOK {
				last = status
				return
			}
			if acknowledged = n; n == 50 {
				go primary.signal(syscall.SIGTERM)
			}
		}
	})
	writers.Wait()
	cancel()
	readers.Wait()
	<-primary.read
	standby.promote()
	for n := range acknowledged {
		standby.must("GET", "/nodes/"+strconv.Itoa(n+1), nil)
	}
	if last != 0 {
		t.Errorf("the last write was answered %d, want those before the end granted", last)
	}
}
