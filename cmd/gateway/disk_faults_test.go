package main

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
)

// A standby whose disk stands still acknowledges nothing, and is waited for no
// longer than --ack-timeout; nobody sees what it has not on disk. When that disk
// goes on, all of it is shown.
func TestTheDiskOfAStandbyStandsStill(t *testing.T) {
	t.Parallel()
	fleet := newFleet(t, 1, "--heartbeat", "100ms", "--sync-standbys", "1", "--ack-timeout", "500ms")
	primary, standby := fleet[0], fleet[1]
	primary.put(1, 5)

	standby.disk.hold()
	if status := put(primary.process, 6); status != http.StatusGatewayTimeout {
		t.Errorf("a write that no standby has on disk: %d, want 504", status)
	}
	for _, m := range fleet {
		if status, _ := m.call("GET", "/nodes/6", nil); status != http.StatusNotFound {
			t.Errorf("a write that no standby has on disk is shown: %d", status)
		}
	}
	standby.disk.release()
	primary.put(7, 7)
	primary.must("GET", "/nodes/6", nil)
	standby.reach(primary.position())
	alike(t, primary.process, standby.process)
}

// A primary whose disk breaks under load acknowledges nothing any more and says so,
// and so does a standby, which is not promoted then. Repaired and started again each
// is what it was before, and holds all that was acknowledged.
func TestADiskBreaks(t *testing.T) {
	t.Parallel()
	fleet := newFleet(t, 1, "--heartbeat", "100ms")
	primary, standby := fleet[0], fleet[1]
	var nodes atomic.Uint32
	var writing fleetLoad
	writing.begin(primary.process, &nodes)
	writing.await(20)
	standby.disk.breakDown()
	standby.awaitLog("storage failed")
	standby.refuses("POST", "/replication/promote", "storage-failed")
	standby.disk.repair() // a disk that forgot writes is not believed again before a restart
	standby.refuses("POST", "/replication/promote", "storage-failed")
	standby.restart(t)
	if role := standby.replication().Role; role != "standby" {
		t.Errorf("a standby whose disk broke came back as %s", role)
	}

	writing.await(20)
	primary.disk.breakDown()
	primary.awaitLog("storage failed")
	primary.disk.repair()
	writing.end()
	primary.refuses("PUT", "/nodes/1", "storage-failed")
	if status, _ := primary.call("GET", "/readyz", nil); status != http.StatusServiceUnavailable {
		t.Errorf("readyz on a broken disk: %d", status)
	}
	primary.restart(t)
	writing.check(primary.process)
	primary.put(1001, 1002)
	standby.reach(primary.position())
	alike(t, primary.process, standby.process)
}

// The disk breaks at one sync of a promotion after the other. Killed and started
// again, the standby is wholly the one thing or the other: primary of an epoch of its
// own, which it must be once it has said so, or a standby that follows, and may be
// promoted.
func TestADiskBreaksDuringAPromotion(t *testing.T) {
	t.Parallel()
	primary := newPrimary(t, "--heartbeat", "100ms")
	primary.put(1, 5)
	syncs, promoted := 0, false
	for ; !promoted; syncs++ {
		standby := primary.newStandby(t, primary.addr)
		standby.reach(primary.position())
		standby.disk.breakAfter(syncs)
		status, body := standby.call("POST", "/replication/promote", nil)
		promoted = status == http.StatusOK
		if !promoted && (status != http.StatusServiceUnavailable || !strings.Contains(string(body), "storage-failed")) {
			t.Errorf("sync %d fails: %d %s, want storage-failed", syncs, status, body)
		}
		standby.disk.repair()
		standby.restart(t)
		was := standby.replication()
		t.Logf("sync %d fails: answer %d, then %s of %s", syncs, status, was.Role, was.Epoch)
		if promoted && was.Role != "primary" {
			t.Error("it said that it was promoted")
		}
		if ownEpoch := was.Epoch != primary.replication().Epoch; ownEpoch != (was.Role == "primary") {
			t.Errorf("a %s of epoch %s, of a primary of epoch %s", was.Role, was.Epoch, primary.replication().Epoch)
		}
		if was.Role == "standby" {
			primary.put(100+syncs, 100+syncs)
			standby.reach(primary.position())
			alike(t, primary.process, standby.process)
		}
		standby.promote()
		standby.put(1001, 1002)
		standby.kill()
	}
	if syncs < 2 {
		t.Errorf("a promotion took %d syncs", syncs-1)
	}
}

// refuses fails the test unless a request is answered 503 with the code.
func (p *process) refuses(method, path, code string) {
	p.t.Helper()
	status, body := p.call(method, path, map[string]any{})
	if status != http.StatusServiceUnavailable || !strings.Contains(string(body), code) {
		p.t.Errorf("%s %s: %d %s, want %s", method, path, status, body, code)
	}
}
