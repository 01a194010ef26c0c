package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/replication-gateway/gateway/internal/directory"
	"github.com/replication-gateway/gateway/internal/gateway"
)

// A standby whose state differs from its primary's at the same commit is found
// out by the first heartbeat that has the digest of that commit, takes a fresh
// snapshot, and counts it. The difference is made in its data folder while it is
// stopped: the next commit, as the primary never made it.
func TestADifferenceIsFoundAndHealed(t *testing.T) {
	t.Parallel()
	const beat = "1h" // there is only the heartbeat at the beginning of a stream
	primary := start(t, t.TempDir(), "--heartbeat", beat)
	token := primary.replicaToken()
	primary.put(1, 5)
	dir := t.TempDir()
	standby := &member{dir: dir, args: []string{"--follow", "http://" + primary.addr, "--follow-token", token, "--heartbeat", beat}}
	standby.process = startStandby(t, dir, primary, token, "--heartbeat", beat)
	if status := standby.stop(); status != 0 {
		t.Fatalf("stop: status %d", status)
	}
	primary.put(6, 6)

	g := gateway.New(gateway.Options{Dir: dir, Standby: true, Heartbeat: time.Minute, Logger: zerolog.Nop()})
	if err := g.Open(); err != nil {
		t.Fatal(err)
	}
	_, at := g.Durable()
	node := &directory.Node{NodeID: 6, Hostname: "another", Tags: []string{}, CreatedAt: 1}
	_, record, err := directory.EncodeCommit([]directory.DeltaEntry{{SeqNo: at.SeqNo + 1, Type: directory.EntryType{Kind: directory.KindNode},
		NodeID: 6, At: 1, Actor: "token:admin", Data: node}})
	if err == nil {
		err = g.Replicate(at.SeqNo+1, [][]byte{bytes.Join(record, nil)}, at.SeqNo+1)
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := g.Close(); err != nil {
		t.Fatal(err)
	}

	standby.process = launch(t, dir, standby.args...)
	standby.awaitLog("differs from the primary's")
	standby.awaitLog("snapshot taken over")
	alike(t, primary, standby.process)
	if found := string(standby.must("GET", "/metrics", nil)); !strings.Contains(found, "\ngateway_digest_differences_total 1\n") {
		t.Error("the difference was not counted, once")
	}
	primary.put(7, 9)
	standby.reach(primary.position())
	standby.restart(t) // whose stream begins with a heartbeat once more
	standby.awaitLog(`,"message":"following`)
	primary.put(10, 10)
	standby.reach(primary.position())
	alike(t, primary, standby.process)
	if later := standby.log(); strings.Contains(later, "differs") || strings.Contains(later, "snapshot taken over") {
		t.Errorf("healed, it differs still:\n%s", later)
	}
}
