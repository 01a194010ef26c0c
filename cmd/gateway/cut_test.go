package main

import (
	"bytes"
	"flag"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
)

var cutRounds = flag.Int("cut-rounds", 2, "times that TestNetworkCut and TestTakeoverInACutNetwork cut the network")

// The cable is the network between a primary and its standbys: they reach it at one
// address, and it answers them at another; nothing else uses either.
const (
	toPrimary  = "127.0.0.2"
	toStandbys = "127.0.0.3"
)

// cuts are the ways in which the cable breaks.
var cuts = []struct {
	name      string
	addresses []string
}{
	{"nothing passes", []string{toPrimary, toStandbys}},
	{"nothing reaches the primary", []string{toPrimary}},
	{"nothing reaches the standbys", []string{toStandbys}},
}

// The kernel drops every packet between a standby and the primary that waits for
// it, or those of one direction: nothing is acknowledged meanwhile, both find out by
// themselves, and when packets pass again all is as it should be.
func TestNetworkCut(t *testing.T) {
	if !inNetworkOfItsOwn(t) {
		return
	}
	inFleets(t, *cutRounds, cutNetwork)
}

// cutNetwork cuts the network of one fleet so many times.
func cutNetwork(t *testing.T, random *rand.Rand, rounds int) {
	primary, addr := newPrimaryAtCable(t)
	standby := primary.newStandby(t, addr)

	var nodes atomic.Uint32
	order := random.Perm(len(cuts))
	for round := range rounds {
		var writing fleetLoad
		writing.begin(primary.process, &nodes)
		writing.await(20)
		cut := cuts[order[round%len(order)]]
		t.Log(cut.name)
		mark := standby.mark()
		sever(t, cut.addresses)
		standby.awaitLogAfter(mark, "out of reach")
		if status := put(primary.process, nodes.Add(1)); status != http.StatusGatewayTimeout {
			t.Errorf("a write while the standby is cut off: %d, want 504", status)
		}
		standby.refuses("PUT", "/nodes/1", "primary-unreachable")
		mend(t, cut.addresses)
		writing.await(20)
		writing.end()
		standby.reach(primary.position())
		alike(t, primary.process, standby.process)
		writing.check(primary.process)
		writing.check(standby.process)
	}
	if strings.Count(standby.log(), "snapshot taken over") > 1 {
		t.Error("a standby that was cut off took a snapshot where commits would have done")
	}
}

// The network parts a primary from both its standbys, one of which is promoted on
// their side, while clients go on writing on either. The old primary acknowledges
// none of that, neither meanwhile nor when packets pass again, until it follows; then
// it has all that was acknowledged on the other side, and keeps its own aside.
func TestTakeoverInACutNetwork(t *testing.T) {
	if !inNetworkOfItsOwn(t) {
		return
	}
	inFleets(t, *cutRounds, takeOverInACutNetwork)
}

// takeOverInACutNetwork has so many fleets parted.
func takeOverInACutNetwork(t *testing.T, random *rand.Rand, rounds int) {
	var nodes atomic.Uint32
	aside := 0
	order := random.Perm(len(cuts))
	for round := range rounds {
		old, addr := newPrimaryAtCable(t)
		heir, other := old.newStandby(t, addr), old.newStandby(t, addr)
		var before, after fleetLoad
		before.begin(old.process, &nodes)
		before.await(20 + random.IntN(60))
		cut := cuts[order[round%len(order)]]
		t.Log(cut.name)
		marks := []int{heir.mark(), other.mark()}
		sever(t, cut.addresses)
		heir.awaitLogAfter(marks[0], "out of reach")
		other.awaitLogAfter(marks[1], "out of reach")
		if other.onDisk() > heir.onDisk() {
			heir, other = other, heir
		}
		heir.promote()
		fork := heir.onDisk()
		other.follow(t, heir)
		other.awaitLog(`,"message":"following`)
		late := before.soFar()
		after.begin(heir.process, &nodes)
		after.await(20)
		mend(t, cut.addresses)
		after.await(20)
		if status := put(old.process, nodes.Add(1)); status != http.StatusGatewayTimeout {
			t.Errorf("a write at a primary that all have left: %d, want 504", status)
		}
		before.end()
		if more := missing(before.acked, nodeSet(late)); len(more) > 0 {
			t.Errorf("the old primary acknowledged %v after its standbys had left it", more)
		}
		returned := comeback{fork: fork}
		old.comeBack(t, &returned, heir, false)
		after.await(20)
		after.end()
		for _, m := range []*member{other, old} {
			m.reach(heir.position())
			alike(t, heir.process, m.process)
		}
		heir.holds(slices.Concat(before.acked, after.acked))
		aside += len(old.checkAside(returned))
		for _, m := range []*member{old, heir, other} {
			m.kill()
		}
	}
	t.Logf("%d commits kept aside", aside)
}

// newPrimaryAtCable starts a primary and returns the address at which its standbys
// reach it by the cable.
func newPrimaryAtCable(t *testing.T) (m *member, addr string) {
	t.Helper()
	m = newMember(t, "", "--heartbeat", "100ms", "--sync-standbys", "1", "--ack-timeout", "500ms")
	m.launch(t, append([]string{"--listen", "0.0.0.0:0"}, m.common...))
	m.awaitLog(`"message":"ready"`)
	_, port, _ := strings.Cut(strings.TrimPrefix(m.addr, "[::]"), ":")
	m.addr = "127.0.0.1:" + port
	m.token = m.replicaToken()
	return m, toPrimary + ":" + port
}

// sever has the kernel drop what is sent to addresses.
func sever(t *testing.T, addresses []string) {
	t.Helper()
	for _, a := range addresses {
		ip(t, "route", "add", "table", "local", "blackhole", a)
	}
}

// mend lets packets pass again.
func mend(t *testing.T, addresses []string) {
	t.Helper()
	for _, a := range addresses {
		ip(t, "route", "del", "table", "local", "blackhole", a)
	}
}

// insideNamespace is set for the test that runs in a network of its own.
const insideNamespace = "GATEWAY_TEST_INSIDE_NAMESPACE"

// inNetworkOfItsOwn runs the test a second time, in a network of its own that has the
// cable, and says which of the two runs this is.
func inNetworkOfItsOwn(t *testing.T) bool {
	t.Helper()
	if os.Getenv(insideNamespace) != "" {
		t.Setenv("PATH", os.Getenv("PATH")+":/usr/sbin:/sbin")
		ip(t, "link", "set", "lo", "up")
		ip(t, "route", "add", "table", "local", "local", toPrimary, "dev", "lo", "src", toStandbys, "metric", "1")
		return true
	}
	t.Parallel()
	again := exec.CommandContext(t.Context(), os.Args[0], "-test.v", "-test.run=^"+t.Name()+"$")
	flag.Visit(func(f *flag.Flag) {
		if !strings.HasPrefix(f.Name, "test.") {
			again.Args = append(again.Args, "-"+f.Name+"="+f.Value.String())
		}
	})
	again.Env = append(os.Environ(), insideNamespace+"=1")
	again.SysProcAttr = namespace()
	out, err := again.CombinedOutput()
	if err != nil || !bytes.Contains(out, []byte("--- PASS: "+t.Name())) {
		t.Fatalf("in a network namespace, which takes root or user namespaces: %v\n%s", err, out)
	}
	t.Logf("%s", out)
	return false
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
