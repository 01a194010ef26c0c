package main

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
)

// A standby whose disk stands still acknowledges nothing, and is waited for no
// longer than --ack-timeout; its primary goes on deciding, and what it decided is
// shown as soon as that disk goes on.
func TestTheDiskOfTheStandbyStandsStill(t *testing.T) {
	fleet := newFleet(t, 1, "--heartbeat", "100ms", "--sync-standbys", "1", "--ack-timeout", "500ms")
	primary, standby := fleet[0], fleet[1]
	primary.put(1, 5)

	standby.disk.hold()
	if status := put(primary.process, 6); status != http.StatusGatewayTimeout {
		t.Errorf("a write that no standby has on disk: %d, want 504", status)
	}
	if status, _ := primary.call("GET", "/nodes/6", nil); status != http.StatusNotFound {
		t.Errorf("a write that no standby has on disk is shown: %d", status)
	}
	standby.disk.release()
	primary.put(7, 7)
	primary.must("GET", "/nodes/6", nil)
	standby.reach(primary.position())
	alike(t, primary.process, standby.process)
}

// A primary whose disk breaks under load acknowledges nothing any more, and says
// so. Its standby takes over, and no acknowledged write is lost, though not every
// one of them was shown; what the broken disk holds in the end is kept aside.
func TestTheDiskOfThePrimaryBreaks(t *testing.T) {
	fleet := newFleet(t, 1, "--heartbeat", "100ms")
	primary, standby := fleet[0], fleet[1]
	var nodes atomic.Uint32
	var writing fleetLoad
	writing.begin(primary.process, &nodes)
	writing.await(20)
	primary.disk.breakDown()
	primary.awaitLog("storage")
	writing.end()
	if status, body := primary.call("PUT", "/nodes/1", map[string]any{"hostname": "x"}); status != http.StatusServiceUnavailable || !strings.Contains(string(body), "storage-failed") {
		t.Errorf("a write on a broken disk: %d %s", status, body)
	}
	if status, _ := primary.call("GET", "/readyz", nil); status != http.StatusServiceUnavailable {
		t.Errorf("readyz on a broken disk: %d", status)
	}
	t.Log(primary.log())
	t.Log(standby.log())
}
