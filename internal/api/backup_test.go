package api_test

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/replication-gateway/gateway/internal/api"
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

// TestDownloadsThatStallEnd: a state is not kept for a reader who takes no byte of it.
func TestDownloadsThatStallEnd(t *testing.T) {
	h := start(t, func(o *api.Options, _ *gateway.Options) { o.WriteTimeout, o.MaxBody = 200*time.Millisecond, 8<<20 })
	const batches, nodes = 6, 10_000 // some megabytes, however well they are compressed: more than sockets hold
	for b := range batches {
		ops := make([]string, nodes)
		for i := range ops {
			ops[i] = fmt.Sprintf(`{"type":"node.put","data":{"node_id":%d,"hostname":%q}}`, 1+b*nodes+i, rand.Text()+rand.Text()+rand.Text()+rand.Text()+rand.Text()+rand.Text())
		}
		h.ok("POST", "/batch", `{"ops":[`+strings.Join(ops, ",")+`]}`)
	}
	for _, path := range []string{"/snapshot", "/backup"} {
		ended := make(chan struct{})
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			defer close(ended)
			h.server.Handler().ServeHTTP(w, r)
		}))
		defer s.Close()
		conn, err := net.Dial("tcp", s.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if err := conn.(*net.TCPConn).SetReadBuffer(4 << 10); err != nil {
			t.Fatal(err)
		}
		if _, err := fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: gateway\r\nAuthorization: Bearer %s\r\n\r\n", path, adminToken); err != nil {
			t.Fatal(err)
		}
		select {
		case <-ended:
		case <-time.After(30 * time.Second):
			t.Fatalf("%s goes on for a reader who takes nothing", path)
		}
	}
}
