package client_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/replication-gateway/gateway/client"
	"github.com/replication-gateway/gateway/internal/directory"
	"github.com/replication-gateway/gateway/internal/hub/hubtest"
)

// TestFramesOfAnySize: a frame is as large as its one row.
func TestFramesOfAnySize(t *testing.T) {
	h := start(t)
	large := strings.Repeat("very large ", 40_000)
	do(h, putNode(1, large))
	for _, compression := range []bool{false, true} {
		o := h.client(adminToken)
		o.Compression = compression
		c := dial(t, o)
		v := hubtest.New(hubtest.Options{})
		v.Connect()
		for held := false; !held; _, held = v.Position() {
			if err := v.Frame(next(t, c).Raw()); err != nil {
				t.Fatal(err)
			}
		}
		do(h, putNode(2, fmt.Sprint(compression, large)))
		d := next(t, c).(*client.Delta)
		entries, err := d.Commits[0].Decode()
		if err != nil || entries[0].Data.(*client.Node).Hostname != fmt.Sprint(compression, large) {
			t.Errorf("got %d bytes, %v", len(d.Raw()), err)
		}
	}
}

func TestRecordIsThatOfTheLog(t *testing.T) {
	h := start(t)
	replica, _ := h.token(directory.AccessReplica)
	_, since := h.gateway.State()
	o := h.client(replica)
	o.Since = &since
	c := dial(t, o)
	first := next(t, c).(*client.Heartbeat)
	if !*first.Resumed || first.Position != since || first.Lineage.Current() != since.Epoch || first.Digest == nil || *first.Committed != since.SeqNo {
		t.Errorf("got %+v", first)
	}
	do(h, putNetwork(7))
	do(h, batch(1, 400, 1000)) // in several frames
	do(h, putNode(1, `"quotes" \ and <html>`))
	last := do(h, directory.DeleteNode{NodeID: 1})
	for seqNo := since.SeqNo; seqNo < last.SeqNo; {
		d, ok := next(t, c).(*client.Delta)
		if !ok || d.More {
			continue
		}
		for _, commit := range d.Commits {
			entries, err := commit.Decode()
			if err != nil {
				t.Fatal(err)
			}
			_, record, err := directory.EncodeCommit(entries)
			if err != nil || string(commit.Record()) != string(bytes.Join(record, nil)) {
				t.Errorf("commit %d: %v\ngot  %.500s\nwant %.500s", commit.SeqNo, err, commit.Record(), bytes.Join(record, nil))
			}
			if seqNo++; commit.SeqNo != seqNo {
				t.Errorf("commit %d, want %d", commit.SeqNo, seqNo)
			}
		}
	}
}
