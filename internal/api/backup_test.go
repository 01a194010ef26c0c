package api_test

import (
	"bytes"
	"testing"

	"github.com/replication-gateway/gateway/internal/gateway"
)

func TestBackup(t *testing.T) {
	h := start(t)
	syncFleet(h)
	at := h.ok("GET", "/networks", "").position()
	state, _ := h.gateway.State()
	a := h.ok("GET", "/backup", "")
	backup, err := gateway.CheckBackup(bytes.NewReader(a.body), func(uint64, uint64) {})
	if err != nil || backup.Position.String() != at || a.position() != at || backup.Rows != state.RowCount() {
		t.Errorf("the backup is of %+v (%v), the answer at %s; want %s with %d rows", backup, err, a.position(), at, state.RowCount())
	}
	if head := h.ok("HEAD", "/backup", ""); len(head.body) != 0 || head.position() != at {
		t.Errorf("HEAD: %d bytes at %s", len(head.body), head.position())
	}
}
