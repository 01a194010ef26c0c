package api_test

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/replication-gateway/gateway/internal/directory"
	"github.com/replication-gateway/gateway/internal/gateway"
)

// raw is a subscriber that is left to its test: it shows what travels, and sends
// what no library would.
type raw struct {
	t    *testing.T
	conn net.Conn
	in   *bufio.Reader
	resp *http.Response // to the request
}

// rawRequest sends a request and reads the head of its answer.
func rawRequest(t *testing.T, conn net.Conn, request string, headers ...string) *raw {
	t.Helper()
	if _, err := fmt.Fprintf(conn, "%s\r\n%s\r\n\r\n", request, strings.Join(headers, "\r\n")); err != nil {
		t.Fatal(err)
	}
	return readHead(t, conn, strings.Fields(request)[0])
}

// readHead reads the head of the answer to a request.
func readHead(t *testing.T, conn net.Conn, method string) *raw {
	t.Helper()
	t.Cleanup(func() { _ = conn.Close() })
	r := &raw{t: t, conn: conn, in: bufio.NewReader(conn)}
	var err error
	if r.resp, err = http.ReadResponse(r.in, &http.Request{Method: method}); err != nil {
		t.Fatal(err)
	}
	return r
}

func handshakeOf(token string, headers ...string) []string {
	return append([]string{"Host: gateway", "Authorization: Bearer " + token, "Connection: Upgrade", "Upgrade: websocket",
		"Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=="}, headers...)
}

// rawSubscribe opens a WebSocket, as the admin, and reads nothing of it.
func (h *harness) rawSubscribe(headers ...string) *raw {
	h.t.Helper()
	r := rawRequest(h.t, h.dialTCP(), "GET /subscribe HTTP/1.1", handshakeOf(adminToken, headers...)...)
	if r.resp.StatusCode != http.StatusSwitchingProtocols {
		h.t.Fatalf("subscribe: %s", r.resp.Status)
	}
	return r
}

func (h *harness) dialTCP() *net.TCPConn {
	h.t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(h.url, "http://"))
	if err != nil {
		h.t.Fatal(err)
	}
	return conn.(*net.TCPConn)
}

// Opcodes, and what is set in the first byte of a frame beside them.
const (
	rawText  = 0x1
	rawClose = 0x8
	rawPing  = 0x9
	rawPong  = 0xa
	rawFinal = 0x80
	rawRSV1  = 0x40
)

// frame reads the next frame. The error is io.EOF when the gateway has closed the
// connection between two frames.
func (r *raw) frame() (first byte, payload []byte, err error) {
	r.t.Helper()
	var head [10]byte
	if _, err := io.ReadFull(r.in, head[:2]); err != nil {
		return 0, nil, err
	}
	n := uint64(head[1])
	switch n {
	case 126:
		_, err = io.ReadFull(r.in, head[2:4])
		n = uint64(binary.BigEndian.Uint16(head[2:]))
	case 127:
		_, err = io.ReadFull(r.in, head[2:10])
		n = binary.BigEndian.Uint64(head[2:])
	}
	if err == nil && n < 1<<24 { // a mask would make it large
		payload = make([]byte, n)
		_, err = io.ReadFull(r.in, payload)
	}
	if err != nil || n >= 1<<24 {
		r.t.Fatalf("a frame is not whole: %x, %d bytes, %v", head[:2], n, err)
	}
	return head[0], payload, nil
}

// send sends a frame, masked.
func (r *raw) send(first byte, payload []byte) {
	r.t.Helper()
	if _, err := r.conn.Write(masked(first, payload)); err != nil {
		r.t.Error(err)
	}
}

func masked(first byte, payload []byte) []byte {
	mask := []byte{1, 2, 3, 4}
	b := []byte{first}
	switch n := len(payload); {
	case n < 126:
		b = append(b, 0x80|byte(n))
	case n < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, 0x80|126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, 0x80|127), uint64(n))
	}
	b = append(b, mask...)
	for i, c := range payload {
		b = append(b, c^mask[i%4])
	}
	return b
}

// closed reads up to the gateway's close and returns its code and reason.
func (r *raw) closed() (code int, reason string) {
	r.t.Helper()
	for {
		first, payload, err := r.frame()
		if err != nil {
			r.t.Fatalf("the connection ended without a close: %v", err)
		}
		if first == rawFinal|rawClose {
			return int(binary.BigEndian.Uint16(payload)), string(payload[2:])
		}
	}
}

// commit puts nodes 1 to n, of about so many bytes each, in one commit. They differ
// with the mark. It goes past HTTP, whose checks take longer than what is tested.
func (h *harness) commit(n, bytes, mark int) {
	h.t.Helper()
	var ops []directory.Op
	for i := range n {
		node := directory.Node{NodeID: uint32(i + 1), Hostname: fmt.Sprint(mark), Tags: []string{}}
		for left := bytes; left > 0; left -= 128 {
			node.Tags = append(node.Tags, strings.Repeat("x", min(left, 128)))
		}
		ops = append(ops, directory.OpOf(directory.PutNode{Node: node}))
	}
	if _, _, err := gateway.Do(h.t.Context(), h.gateway, "token:admin", directory.Batch{Ops: ops}); err != nil {
		h.t.Error(err)
	}
}

// TestRefusalsDoNotWaitForTheBody that is held back until the request is taken, or
// is far too long to be read for nothing.
func TestRefusalsDoNotWaitForTheBody(t *testing.T) {
	h := start(t)
	for name, tt := range map[string]struct {
		token, length string
		expect        string
		status        int
	}{
		"held back":              {"nobody", "100", "Expect: 100-continue", http.StatusUnauthorized},
		"long, to nobody":        {"nobody", "1000000", "X-Any: thing", http.StatusUnauthorized},
		"too long":               {adminToken, "2000000", "X-Any: thing", http.StatusRequestEntityTooLarge},
		"too long and held back": {adminToken, "2000000", "Expect: 100-continue", http.StatusRequestEntityTooLarge},
	} {
		r := rawRequest(t, h.dialTCP(), "POST /directory-sync HTTP/1.1", "Host: gateway", "Authorization: Bearer "+tt.token,
			"Content-Type: application/json", "Content-Length: "+tt.length, tt.expect)
		if r.resp.StatusCode != tt.status {
			t.Errorf("%s: got %d, want %d", name, r.resp.StatusCode, tt.status)
		}
	}
}
