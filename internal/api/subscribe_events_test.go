package api_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/replication-gateway/gateway/internal/api"
	"github.com/replication-gateway/gateway/internal/gateway"
	"github.com/replication-gateway/gateway/internal/hub/hubtest"
)

// event is a server-sent event, or what stands between two.
type event struct {
	name, id, data  string
	hasID           bool
	comments, retry []string
}

// eventReader is a subscriber that reads server-sent events. Everything that it
// receives must keep the promises of a stream, and its ids must be as the frames are.
type eventReader struct {
	t         *testing.T
	resp      *http.Response
	in        *bufio.Reader
	validator *hubtest.Validator
	lastID    string
}

// events opens a stream of events for the admin.
func (h *harness) events(query string, headers ...string) *eventReader {
	h.t.Helper()
	return h.eventsOf(http.DefaultClient, h.url, query, headers...)
}

// eventsOf opens a stream of events for the admin over a client of the test's own.
func (h *harness) eventsOf(client *http.Client, url, query string, headers ...string) *eventReader {
	h.t.Helper()
	r, err := h.dialEvents(client, url+"/subscribe"+query, headers...)
	if err != nil {
		h.t.Fatal(err)
	}
	return r
}

func (h *harness) dialEvents(client *http.Client, url string, headers ...string) (*eventReader, error) {
	req, err := http.NewRequestWithContext(h.t.Context(), http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+adminToken)
	req.Header.Set("Accept", "text/event-stream")
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ": ")
		req.Header.Set(name, value)
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	h.t.Cleanup(func() { _ = resp.Body.Close() })
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s", url, resp.Status)
	}
	return &eventReader{t: h.t, resp: resp, in: bufio.NewReader(resp.Body), validator: hubtest.New(hubtest.Options{})}, nil
}

// event reads up to the next empty line, as the HTML standard says.
func (r *eventReader) event() (e event, err error) {
	r.t.Helper()
	for {
		line, err := r.in.ReadString('\n')
		if err != nil {
			return e, err
		}
		line = strings.TrimSuffix(line, "\n")
		field, value, _ := strings.Cut(line, ":")
		value = strings.TrimPrefix(value, " ")
		switch field {
		case "event":
			e.name = value
		case "id":
			e.id, e.hasID = value, true
		case "data":
			e.data += value
		case "retry":
			e.retry = append(e.retry, value)
		case "":
			if line == "" {
				return e, nil
			}
			e.comments = append(e.comments, value)
		default:
			r.t.Fatalf("a line %q", line)
		}
	}
}

// frame reads the next frame.
func (r *eventReader) frame() (hubtest.Frame, error) {
	r.t.Helper()
	e, err := r.event()
	if err != nil {
		return hubtest.Frame{}, err
	}
	if e.data == "" {
		return r.frame()
	}
	f, err := hubtest.Parse([]byte(e.data))
	if err == nil {
		err = r.validator.Frame([]byte(e.data))
	}
	if err != nil {
		r.t.Fatal(err)
	}
	opening := f.Resumed != nil && !*f.Resumed
	if e.name != f.Type || e.hasID != (!f.More && !opening) || e.hasID && e.id != fmt.Sprintf("%s:%d", f.Epoch, *f.SeqNo) {
		r.t.Fatalf("event %q with id %q for a %s of %d, more %v", e.name, e.id, f.Type, *f.SeqNo, f.More)
	}
	if e.hasID {
		r.lastID = e.id
	}
	return f, nil
}

// until reads until the reader stands at seqNo with nothing begun.
func (r *eventReader) until(seqNo uint64) {
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

// last reads to the end and returns what stood between the last events.
func (r *eventReader) last() (e event) {
	r.t.Helper()
	for {
		next, err := r.event()
		if errors.Is(err, io.EOF) {
			return e
		}
		if err != nil {
			r.t.Fatal(err)
		}
		e = next
	}
}

func TestEvents(t *testing.T) {
	h := start(t)
	syncFleet(h)
	r := h.events("")
	for name, want := range map[string]string{"Content-Type": "text/event-stream", "Cache-Control": "no-store",
		"X-Accel-Buffering": "no", "X-Content-Type-Options": "nosniff", "Content-Encoding": ""} {
		if got := r.resp.Header.Get(name); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	if r.resp.Header.Get("X-Request-Id") == "" || r.resp.Header.Get("Date") == "" {
		t.Errorf("headers %v", r.resp.Header)
	}
	h.ok("PUT", "/nodes/50", `{}`)
	r.until(h.seqNo())
	_ = r.resp.Body.Close()
	h.ok("DELETE", "/nodes/50", ``)

	// The header outranks the query, which a reader repeats as it was.
	at, _ := r.validator.Position()
	again := h.events(fmt.Sprintf("?epoch=%s&since=0", at.Epoch), "Last-Event-ID: "+r.lastID)
	again.validator.ConnectAt(at)
	again.until(h.seqNo())
	if got := len(again.validator.Entries()); !again.validator.Resumed() || got != 1 {
		t.Errorf("resumed %v with %d entries, want one", again.validator.Resumed(), got)
	}
	fresh := h.events("", "Last-Event-ID: another:7")
	if _, err := fresh.event(); err != nil {
		t.Fatal(err)
	}
}

func TestEventRefusals(t *testing.T) {
	h := start(t)
	for accept, status := range map[string]int{
		"text/event-stream;q=0": 426, "text/*": 426, "*/*": 426, "application/json": 426, "text/event-stream/": 426,
	} {
		h.call(adminToken, "GET", "/subscribe", "", "Accept: "+accept).refused(t, status, "upgrade-required")
	}
	a := h.call(adminToken, "GET", "/subscribe", "", "Accept: text/event-stream", "Last-Event-ID: 7")
	if got := a.faults(t); a.status != 422 || len(got) != 1 || got[0] != "/Last-Event-ID position" {
		t.Errorf("got %d %q", a.status, got)
	}
	h.call("wrong", "GET", "/subscribe", "", "Accept: text/event-stream").refused(t, 401, "unauthorized")
	h.call(adminToken, "GET", "/subscribe", "", "Accept: text/event-stream", "Origin: https://evil.example").refused(t, 403, "forbidden")
	r := h.events("", "Accept: application/json, text/event-stream ; q=0.5")
	r.until(0)

	// HEAD learns the same, and opens nothing.
	streams := h.gateway.SubCount()
	req, _ := http.NewRequestWithContext(t.Context(), http.MethodHead, h.url+"/subscribe", nil)
	req.Header = http.Header{"Authorization": {"Bearer " + adminToken}, "Accept": {"text/event-stream"}}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != 200 || resp.Header.Get("Content-Type") != "text/event-stream" || h.gateway.SubCount() != streams {
		t.Errorf("HEAD: %s, %v, %d streams", resp.Status, resp.Header, h.gateway.SubCount()-streams)
	}
}

// TestEventsInParts: what comes in several frames can only be resumed when all of it
// has come.
func TestEventsInParts(t *testing.T) {
	h := start(t)
	h.commit(100, 8000, 1)
	r := h.events("")
	r.until(h.seqNo())
	h.commit(100, 8000, 2)
	for parts := 0; ; parts++ {
		f, err := r.frame()
		if err != nil {
			t.Fatal(err)
		}
		if !f.More {
			if parts == 0 {
				t.Error("the commit came in one part")
			}
			break
		}
	}
	if n := len(r.validator.Snapshot()["nodes"]); n != 100 {
		t.Errorf("%d nodes", n)
	}
}

// TestEventsEnd: the reader is told why, and when to come back.
func TestEventsEnd(t *testing.T) {
	h := start(t)
	token, id := h.token("viewer")
	revoked := h.events("", "Authorization: Bearer "+token)
	revoked.until(h.seqNo())
	h.ok("DELETE", "/tokens/"+id, "")
	if e := revoked.last(); len(e.comments) != 1 || e.comments[0] != "4403 token revoked or expired" || e.retry != nil {
		t.Errorf("revoked: %q, retry %q", e.comments, e.retry)
	}
	r := h.events("")
	r.until(h.seqNo())
	if err := h.server.Drain(t.Context(), 0); err != nil {
		t.Errorf("drain: %v", err)
	}
	e := r.last()
	if len(e.comments) != 1 || !regexp.MustCompile(`^1012 retry in \d+ ms$`).MatchString(e.comments[0]) || len(e.retry) != 1 ||
		!strings.Contains(e.comments[0], " "+e.retry[0]+" ") {
		t.Errorf("drained: %q, retry %q", e.comments, e.retry)
	}
	a := h.call(adminToken, "GET", "/subscribe", "", "Accept: text/event-stream")
	a.refused(t, 503, "draining")
}

// TestEventsOverHTTP10: the body ends with the connection, which HTTP/1.0 knows too.
func TestEventsOverHTTP10(t *testing.T) {
	h := start(t)
	r := rawRequest(t, h.dialTCP(), "GET /subscribe HTTP/1.0", "Authorization: Bearer "+adminToken, "Accept: text/event-stream")
	if r.resp.StatusCode != 200 || r.resp.ProtoMinor != 0 || len(r.resp.TransferEncoding) > 0 || !r.resp.Close {
		t.Errorf("%s %s, transfer encoding %v", r.resp.Proto, r.resp.Status, r.resp.TransferEncoding)
	}
	e := &eventReader{t: t, in: r.in, validator: hubtest.New(hubtest.Options{})}
	e.until(0)
	for e.validator.Partial() {
		if _, err := e.frame(); err != nil {
			t.Fatal(err)
		}
	}
}

// encrypted serves the harness's gateway over TLS, with HTTP/2 for those who want it.
func (h *harness) encrypted() *httptest.Server {
	s := httptest.NewUnstartedServer(h.server.Handler())
	s.EnableHTTP2 = true
	s.StartTLS()
	h.t.Cleanup(func() {
		if err := h.server.Drain(context.Background(), 0); err != nil {
			h.t.Error(err)
		}
		s.Close()
	})
	return s
}

// TestStreamsOverTLS: WebSockets and events over HTTP/1.1, events over HTTP/2 too,
// where many share a connection.
func TestStreamsOverTLS(t *testing.T) {
	h := start(t, compressed)
	syncFleet(h)
	s := h.encrypted()
	conn, _, err := websocket.Dial(t.Context(), s.URL+"/subscribe", &websocket.DialOptions{
		HTTPClient: &http.Client{Transport: http1(s)}, HTTPHeader: http.Header{"Authorization": {"Bearer " + adminToken}},
		CompressionMode: websocket.CompressionNoContextTakeover})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.CloseNow()
	conn.SetReadLimit(1 << 20)
	socket := &reader{t: t, h: h, conn: conn, validator: hubtest.New(hubtest.Options{})}
	first, second := h.eventsOf(&http.Client{Transport: http1(s)}, s.URL, ""), h.eventsOf(s.Client(), s.URL, "")
	if first.resp.ProtoMajor != 1 || second.resp.ProtoMajor != 2 {
		t.Fatalf("over %s and %s", first.resp.Proto, second.resp.Proto)
	}
	for i := range 20 {
		h.ok("PUT", "/nodes/60", fmt.Sprintf(`{"hostname":"%d"}`, i))
		if i%5 == 0 {
			socket.until(h.seqNo())
			first.until(h.seqNo())
			second.until(h.seqNo())
		}
	}
	socket.until(h.seqNo())
	first.until(h.seqNo())
	second.until(h.seqNo())

	gone := h.gateway.SubCount()
	_ = second.resp.Body.Close()
	for h.gateway.SubCount() == gone {
		h.ok("GET", "/healthz", "")
	}
	go func() { _ = h.server.Drain(t.Context(), 0) }()
	if e := first.last(); len(e.comments) != 1 || !strings.HasPrefix(e.comments[0], "1012 ") {
		t.Errorf("events ended with %q", e.comments)
	}
	if code, _ := socket.closed(); code != websocket.StatusServiceRestart {
		t.Errorf("the WebSocket ended with %d", code)
	}
}

func http1(s *httptest.Server) http.RoundTripper {
	t := s.Client().Transport.(*http.Transport).Clone()
	t.ForceAttemptHTTP2 = false
	t.TLSClientConfig.NextProtos = []string{"http/1.1"}
	t.DisableKeepAlives = true
	return t
}

// TestStalledEventsAreDropped over HTTP/2 as well, where the reader takes nothing of
// this stream but goes on with the connection.
func TestStalledEventsAreDropped(t *testing.T) {
	h := start(t, func(o *api.Options, _ *gateway.Options) { o.WriteTimeout = time.Second / 10 })
	s := h.encrypted()
	stalled := h.eventsOf(s.Client(), s.URL, "")
	if stalled.resp.ProtoMajor != 2 {
		t.Fatal(stalled.resp.Proto)
	}
	for i := 0; h.gateway.SubCount() > 0; i++ {
		h.commit(60, 8000, i)
	}
	resp, err := s.Client().Get(s.URL + "/healthz")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
}
