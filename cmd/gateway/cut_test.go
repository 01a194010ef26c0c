package main

import (
	"bytes"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
)

var cutRounds = flag.Int("cut-rounds", 2, "times that TestNetworkCut cuts the network")

// insideNamespace is set for the test that runs in a network of its own.
const insideNamespace = "GATEWAY_TEST_INSIDE_NAMESPACE"

// The kernel drops every packet between a standby and the primary that waits for
// it: nothing is acknowledged meanwhile, both find out by themselves, and when
// packets pass again all is as it should be. It takes a network of its own, in
// which the standby reaches its primary at an address that nobody else uses.
func TestNetworkCut(t *testing.T) {
	if os.Getenv(insideNamespace) == "" {
		again := exec.CommandContext(t.Context(), os.Args[0], "-test.v", "-test.run=^TestNetworkCut$", fmt.Sprint("-cut-rounds=", *cutRounds))
		again.Env = append(os.Environ(), insideNamespace+"=1")
		again.SysProcAttr = namespace()
		out, err := again.CombinedOutput()
		if err != nil || !bytes.Contains(out, []byte("--- PASS: TestNetworkCut")) {
			t.Fatalf("in a network namespace, which takes root or user namespaces: %v\n%s", err, out)
		}
		return
	}
	const cable = "127.0.0.2"
	t.Setenv("PATH", os.Getenv("PATH")+":/usr/sbin:/sbin")
	ip(t, "link", "set", "lo", "up")
	common := []string{"--heartbeat", "100ms", "--sync-standbys", "1", "--ack-timeout", "500ms"}
	primary := start(t, t.TempDir(), append(common, "--listen", "0.0.0.0:0")...)
	_, port, _ := strings.Cut(strings.TrimPrefix(primary.addr, "[::]"), ":")
	primary.addr = "127.0.0.1:" + port
	standby := launch(t, t.TempDir(), append(common, "--follow", "http://"+cable+":"+port, "--follow-token", primary.replicaToken())...)
	standby.awaitLog(`,"message":"following`)

	var nodes atomic.Uint32
	for range *cutRounds {
		var writing fleetLoad
		writing.begin(primary, &nodes)
		writing.await(20)
		mark := standby.mark()
		ip(t, "route", "add", "table", "local", "blackhole", cable)
		standby.awaitLogAfter(mark, "out of reach")
		if status := put(primary, nodes.Add(1)); status != http.StatusGatewayTimeout {
			t.Errorf("a write while the standby is cut off: %d, want 504", status)
		}
		if status, body := standby.call("DELETE", "/nodes/1", nil); status != http.StatusServiceUnavailable || !bytes.Contains(body, []byte("primary-unreachable")) {
			t.Errorf("a write at a standby that is cut off: %d %s", status, body)
		}
		ip(t, "route", "del", "table", "local", "blackhole", cable)
		writing.await(20)
		writing.end()
		standby.reach(primary.position())
		alike(t, primary, standby)
		writing.check(primary)
		writing.check(standby)
	}
	if strings.Count(standby.log(), "snapshot taken over") > 1 {
		t.Error("a standby that was cut off took a snapshot where commits would have done")
	}
}

// namespace puts a process into a network of its own; where it takes the rights
// for that, into one where it is root.
func namespace() *syscall.SysProcAttr {
	a := &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	if uid := os.Getuid(); uid != 0 {
		a.Cloneflags |= syscall.CLONE_NEWUSER
		a.UidMappings = []syscall.SysProcIDMap{{HostID: uid, Size: 1}}
		a.GidMappings = []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}}
	}
	return a
}

// ip runs ip(8), of iproute2.
func ip(t *testing.T, args ...string) {
	t.Helper()
	if out, err := exec.CommandContext(t.Context(), "ip", args...).CombinedOutput(); err != nil {
		t.Fatalf("ip %q: %v %s", args, err, out)
	}
}
