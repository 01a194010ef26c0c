package api_test

import (
	"bytes"
	"compress/flate"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/coder/websocket"

	"github.com/replication-gateway/gateway/internal/api"
	"github.com/replication-gateway/gateway/internal/gateway"
	"github.com/replication-gateway/gateway/internal/hub/hubtest"
)

func compressed(o *api.Options, _ *gateway.Options) { o.Compression = true }

// TestCompressedStreams has readers with and without compression follow the same
// commits, small ones and such as take several frames.
func TestCompressedStreams(t *testing.T) {
	h := start(t, compressed)
	syncFleet(h)
	modes := []websocket.CompressionMode{websocket.CompressionDisabled, websocket.CompressionNoContextTakeover,
		websocket.CompressionContextTakeover}
	var readers []*reader
	for _, mode := range modes {
		conn, resp, err := websocket.Dial(t.Context(), h.url+"/subscribe", &websocket.DialOptions{
			HTTPHeader: http.Header{"Authorization": {"Bearer " + adminToken}}, CompressionMode: mode})
		if err != nil {
			t.Fatal(err)
		}
		conn.SetReadLimit(1 << 20)
		want := ""
		if mode != websocket.CompressionDisabled {
			want = "permessage-deflate; client_no_context_takeover; server_no_context_takeover"
		}
		if got := resp.Header.Get("Sec-WebSocket-Extensions"); got != want {
			t.Errorf("mode %v: negotiated %q, want %q", mode, got, want)
		}
		r := &reader{t: t, h: h, conn: conn, validator: hubtest.New(hubtest.Options{})}
		r.until(h.seqNo())
		readers = append(readers, r)
	}
	h.commit(1, 10, 1)
	h.commit(3, 4000, 2)
	h.commit(40, 8000, 3)
	for i, r := range readers {
		r.until(h.seqNo())
		if got, want := fmt.Sprintf("%s", r.validator.Entries()), fmt.Sprintf("%s", readers[0].validator.Entries()); i > 0 && got != want {
			t.Errorf("mode %v: %d bytes of entries, want %d", modes[i], len(got), len(want))
		}
		_ = r.conn.CloseNow()
	}
}

// TestWhatTravelsCompressed looks at the frames themselves: large ones are deflated,
// each for itself, and small ones are not.
func TestWhatTravelsCompressed(t *testing.T) {
	h := start(t, compressed)
	syncFleet(h)
	r := h.rawSubscribe("Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits")
	if got := r.resp.Header.Get("Sec-WebSocket-Extensions"); !strings.Contains(got, "server_no_context_takeover") {
		t.Fatalf("negotiated %q", got)
	}
	valid := hubtest.New(hubtest.Options{})
	var small, large int
	for at, ok := valid.Position(); !ok || at.SeqNo < h.seqNo(); at, ok = valid.Position() {
		first, payload, err := r.frame()
		if err != nil {
			t.Fatal(err)
		}
		switch first {
		case rawFinal | rawPing:
			continue
		case rawFinal | rawText:
			small++
		case rawFinal | rawRSV1 | rawText:
			large++
			tail := "\x00\x00\xff\xff\x01\x00\x00\xff\xff"
			if payload, err = io.ReadAll(flate.NewReader(io.MultiReader(bytes.NewReader(payload), strings.NewReader(tail)))); err != nil {
				t.Fatal(err)
			}
		default:
			t.Fatalf("a frame that begins with %x", first)
		}
		if err := valid.Frame(payload); err != nil {
			t.Fatal(err)
		}
	}
	if small != 1 || large != 1 {
		t.Errorf("%d frames as they are and %d deflated, want the heartbeat and the snapshot", small, large)
	}
}

// TestWhatIsAgreedOn: the first offer of compression that can be met is taken up, and
// none when compression is off.
func TestWhatIsAgreedOn(t *testing.T) {
	const agreed = "permessage-deflate; client_no_context_takeover; server_no_context_takeover"
	on, off := start(t, compressed), start(t)
	for offer, want := range map[string]string{
		"permessage-deflate": agreed,
		"permessage-deflate; server_no_context_takeover; client_no_context_takeover": agreed,
		"permessage-deflate; client_max_window_bits":                                 agreed,
		`permessage-deflate;client_max_window_bits="15"`:                             agreed,
		"x-other, permessage-deflate":                                                agreed,
		"permessage-deflate; server_max_window_bits=15":                              agreed + "; server_max_window_bits=15",
		"permessage-deflate; server_max_window_bits=14":                              agreed + "; server_max_window_bits=12",
		"permessage-deflate; server_max_window_bits=12; client_max_window_bits=12":   agreed + "; server_max_window_bits=12",
		"permessage-deflate; server_max_window_bits=10":                              "",
		"permessage-deflate; server_max_window_bits=10, permessage-deflate":          agreed,
		"permessage-deflate; server_max_window_bits":                                 "",
		"permessage-deflate; server_max_window_bits=012":                             "",
		"permessage-deflate; server_max_window_bits=16":                              "",
		"permessage-deflate; client_max_window_bits=7":                               "",
		"permessage-deflate; server_no_context_takeover=1":                           "",
		"permessage-deflate; server_no_context_takeover; server_no_context_takeover": "",
		"permessage-deflate; level=9":                                                "",
		"permessage-deflate;":                                                        "",
		"permessage-brotli":                                                          "",
	} {
		for h, want := range map[*harness]string{on: want, off: ""} {
			r := h.rawSubscribe("Sec-WebSocket-Extensions: " + offer)
			if got := r.resp.Header.Get("Sec-WebSocket-Extensions"); got != want {
				t.Errorf("%s: negotiated %q, want %q", offer, got, want)
			}
			_ = r.conn.Close()
		}
	}
}
