package api_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/coder/websocket"

	"github.com/replication-gateway/gateway/internal/hub/hubtest"
)

// reader is a subscriber. Everything that it receives must be as openapi.yaml
// says and keep the promises of a stream.
type reader struct {
	t         *testing.T
	h         *harness
	conn      *websocket.Conn
	validator *hubtest.Validator
	ahead     chan []byte // frames that readAhead has taken, nil without
}

// subscribe opens a stream with a token in the Authorization header.
func (h *harness) subscribe(token, query string) *reader {
	h.t.Helper()
	r := &reader{t: h.t, h: h, validator: hubtest.New(hubtest.Options{})}
	r.connect(token, query)
	return r
}

func (r *reader) connect(token, query string) {
	r.t.Helper()
	conn, resp, err := r.h.dial(query, http.Header{"Authorization": {"Bearer " + token}})
	if err != nil {
		r.t.Fatalf("subscribe %s: %v", query, err)
	}
	if resp.StatusCode != http.StatusSwitchingProtocols {
		r.t.Fatalf("subscribe %s: %s", query, resp.Status)
	}
	r.conn = conn
}

func (h *harness) dial(query string, header http.Header, subprotocols ...string) (*websocket.Conn, *http.Response, error) {
	conn, resp, err := websocket.Dial(h.t.Context(), h.url+"/subscribe"+query, &websocket.DialOptions{
		HTTPHeader: header, Subprotocols: subprotocols, CompressionMode: websocket.CompressionContextTakeover})
	if err == nil {
		conn.SetReadLimit(1 << 20)
		h.t.Cleanup(func() { _ = conn.CloseNow() })
	}
	return conn, resp, err
}

// frame reads one frame, or returns how the stream ended.
func (r *reader) frame() (hubtest.Frame, error) {
	r.t.Helper()
	b, err := r.read()
	if err != nil {
		return hubtest.Frame{}, err
	}
	f, err := hubtest.Parse(b)
	if err != nil {
		r.t.Fatal(err)
	}
	description(r.t).matches(r.t, strings.ToUpper(f.Type[:1])+f.Type[1:]+"Frame", b)
	if err := r.validator.Frame(b); err != nil {
		r.t.Fatal(err)
	}
	return f, nil
}

func (r *reader) read() ([]byte, error) {
	if r.ahead != nil {
		b, more := <-r.ahead
		if !more {
			return nil, io.ErrUnexpectedEOF
		}
		return b, nil
	}
	kind, b, err := r.conn.Read(r.t.Context())
	if err == nil && kind != websocket.MessageText {
		err = fmt.Errorf("a frame of kind %v", kind)
	}
	return b, err
}

// readAhead takes frames off the socket as they come from now on, so that the
// reader does not stall while its test does other things.
func (r *reader) readAhead() {
	r.ahead = make(chan []byte, 10_000)
	go func() {
		defer close(r.ahead)
		for {
			_, b, err := r.conn.Read(r.t.Context())
			if err != nil {
				return
			}
			r.ahead <- b
		}
	}()
}

// until reads until the reader stands at seqNo with nothing begun.
func (r *reader) until(seqNo uint64) {
	r.t.Helper()
	for {
		if at, ok := r.validator.Position(); ok && at.SeqNo >= seqNo && !r.validator.Partial() {
			return
		}
		if _, err := r.frame(); err != nil {
			r.t.Fatalf("waiting for %d: %v", seqNo, err)
		}
	}
}

// closed reads to the end and returns the close code and its reason.
func (r *reader) closed() (websocket.StatusCode, string) {
	r.t.Helper()
	for {
		_, err := r.frame()
		if err == nil {
			continue
		}
		if e, ok := errors.AsType[websocket.CloseError](err); ok {
			return e.Code, e.Reason
		}
		r.t.Fatalf("the stream ended with %v", err)
	}
}

// changes returns the entries since the snapshot as TYPE KEY.
func (r *reader) changes() (list []string) {
	for _, raw := range r.validator.Entries() {
		var e struct {
			Type      string
			NetworkID int `json:"network_id"`
			NodeID    int `json:"node_id"`
		}
		if err := json.Unmarshal(raw, &e); err != nil {
			r.t.Fatal(err)
		}
		list = append(list, strings.TrimSpace(e.Type+key(e.NetworkID, e.NodeID)))
	}
	return list
}

func key(network, node int) string {
	b, _ := json.Marshal([]int{network, node})
	return " " + string(b)
}

func (r *reader) expect(what string, want ...string) {
	r.t.Helper()
	if got := r.changes(); !slices.Equal(got, want) {
		r.t.Errorf("%s:\ngot  %q\nwant %q", what, got, want)
	}
}

func (h *harness) seqNo() uint64 {
	_, p := h.gateway.State()
	return p.SeqNo
}

func tokenSubprotocol(token string) string {
	return "gateway.token." + base64.RawURLEncoding.EncodeToString([]byte(token))
}
