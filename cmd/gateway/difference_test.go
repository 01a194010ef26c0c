package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/replication-gateway/gateway/internal/directory"
	"github.com/replication-gateway/gateway/internal/gateway"
)

// A standby whose state differs from its primary's at the same commit is found
// out by the digest of a heartbeat, takes a fresh snapshot, and counts it. The
// difference is made in its data folder while it is stopped: the next commit, as
// the primary never made it.
func TestADifferenceIsFoundAndHealed(t *testing.T) {
	const beat = "100ms"
	primary := start(t, t.TempDir(), "--heartbeat", beat)
	token := primary.replicaToken()
	primary.put(1, 5)
	dir := t.TempDir()
	standby := startStandby(t, dir, primary, token, "--heartbeat", beat)
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
		err = g.Replicate(at.SeqNo+1, [][]byte{record}, at.SeqNo+1)
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := g.Close(); err != nil {
		t.Fatal(err)
	}

	standby = launch(t, dir, "--follow", "http://"+primary.addr, "--follow-token", token, "--heartbeat", beat)
	standby.awaitLog("differs from the primary's")
	standby.awaitLog("snapshot taken over")
	alike(t, primary, standby)
	if found := string(standby.must("GET", "/metrics", nil)); !strings.Contains(found, "\ngateway_digest_differences_total 1\n") {
		t.Error("the difference was not counted, once")
	}
	mark := standby.mark()
	primary.put(7, 9)
	standby.reach(primary.position())
	alike(t, primary, standby)
	if later := standby.log()[mark:]; strings.Contains(later, "differs") || strings.Contains(later, "snapshot taken over") {
		t.Error(fmt.Sprint("healed, it differs still:\n", later))
	}
}
