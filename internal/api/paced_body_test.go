package api_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/replication-gateway/gateway/internal/api"
)

// bodySilence is how long a body may be silent.
const bodySilence = 30 * time.Second

// taken is a request whose body is read to its end, and that is 404 then: it leaves
// no commit.
const taken = "PUT /networks/7/members/1"

// slowBody is a body of spaces in braces that comes piece by piece.
type slowBody struct {
	length int           // bytes
	piece  int           // bytes that come at a time
	pace   time.Duration // from piece to piece
	breaks int           // pieces, after which no more comes; 0 for all
}

func (s slowBody) send(conn net.Conn) {
	body := "{" + strings.Repeat(" ", s.length-2) + "}"
	for i := 0; body != "" && (i < s.breaks || s.breaks == 0); i++ {
		n := min(s.piece, len(body))
		if _, err := io.WriteString(conn, body[:n]); err != nil {
			return // the gateway has had enough
		}
		body = body[n:]
		<-time.After(s.pace) // of the bubble's clock
	}
}

// request sends a request with a body, and returns the connection, and a reader of
// what comes back on it.
func (s slowBody) request(b *bubble, sending *sync.WaitGroup, line, token string, headers ...string) (net.Conn, *bufio.Reader) {
	b.t.Helper()
	conn, err := b.listener.dial(b.t.Context(), "", "")
	if err != nil {
		b.t.Fatal(err)
	}
	headers = append(headers, "Host: gateway", "Authorization: Bearer "+token, "Content-Type: application/json", fmt.Sprint("Content-Length: ", s.length))
	sending.Go(func() {
		fmt.Fprintf(conn, "%s HTTP/1.1\r\n%s\r\n\r\n", line, strings.Join(headers, "\r\n"))
		s.send(conn)
	})
	return conn, bufio.NewReader(conn)
}

// TestBodiesHaveToGoOn: one that comes too slowly ends its connection, read by
// somebody or not; a slow one that goes on is taken, however long it takes.
func TestBodiesHaveToGoOn(t *testing.T) {
	for name, tt := range map[string]struct {
		body   slowBody
		token  string
		status int // 0 for none
		after  time.Duration
	}{
		"at once":                   {slowBody{1 << 20, 1 << 20, 0, 0}, adminToken, http.StatusNotFound, 0},
		"slowly, for four minutes":  {slowBody{1 << 20, 40 << 10, 10 * time.Second, 0}, adminToken, http.StatusNotFound, 250 * time.Second},
		"byte by byte":              {slowBody{100, 1, 20 * time.Second, 0}, adminToken, 0, 30 * time.Second},
		"not at all":                {slowBody{100, 1, time.Hour, 1}, adminToken, 0, 30 * time.Second},
		"no more after a part":      {slowBody{1 << 20, 500 << 10, 5 * time.Second, 1}, adminToken, 0, 30 * time.Second},
		"too slowly on the whole":   {slowBody{1 << 20, 1 << 10, 1700 * time.Millisecond, 0}, adminToken, 0, 35 * time.Second},
		"byte by byte, to nobody":   {slowBody{100, 1, 20 * time.Second, 0}, "nobody", http.StatusUnauthorized, 30 * time.Second},
		"in pieces, to nobody else": {slowBody{100, 50, 20 * time.Second, 0}, "nobody", http.StatusUnauthorized, 20 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBubble(t, heartbeat)
				defer b.stop()
				var sending sync.WaitGroup
				defer sending.Wait()
				start := time.Now()
				conn, in := tt.body.request(b, &sending, taken, tt.token)
				defer conn.Close()
				status := 0
				resp, err := http.ReadResponse(in, nil)
				if err == nil {
					status = resp.StatusCode
				} else if !errors.Is(err, io.ErrUnexpectedEOF) {
					t.Errorf("the connection ended with %v", err)
				}
				if after := time.Since(start).Truncate(time.Second); status != tt.status || after != tt.after {
					t.Errorf("status %d after %v, want %d after %v", status, after, tt.status, tt.after)
				}
			})
		})
	}
}

// TestWhatFollowsABodyHasItsTime: the next request of the connection, and a stream
// that was asked for with a body.
func TestWhatFollowsABodyHasItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, heartbeat)
		defer b.stop()
		var sending sync.WaitGroup
		defer sending.Wait()
		whole := slowBody{length: 2, piece: 2}
		conn, in := whole.request(b, &sending, taken, adminToken)
		defer conn.Close()
		status := http.StatusNotFound
		for range 3 {
			resp, err := http.ReadResponse(in, nil)
			if err != nil || resp.StatusCode != status {
				t.Fatalf("got %v, %v, want %d", resp, err, status)
			}
			status = http.StatusOK // of healthz
			if _, err := io.Copy(io.Discard, resp.Body); err != nil {
				t.Fatal(err)
			}
			<-time.After(2 * bodySilence) // of the bubble's clock
			fmt.Fprintf(conn, "GET /healthz HTTP/1.1\r\nHost: gateway\r\n\r\n")
		}

		stream, in := whole.request(b, &sending, "GET /subscribe", adminToken, "Accept: text/event-stream")
		defer stream.Close()
		for start := time.Now(); time.Since(start) < 4*bodySilence; {
			if _, err := in.ReadString('\n'); err != nil {
				t.Fatalf("a stream ended after %v: %v", time.Since(start), err)
			}
		}
	})
}

// TestWhoHasReadABodyHasTime: the deadline of a body ends with it, and a handler that
// takes longer is not told that its client has gone.
func TestWhoHasReadABodyHasTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		listener := pipes{make(chan net.Conn), make(chan struct{})}
		server := &http.Server{Handler: api.Paced(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if _, err := io.Copy(w, r.Body); err != nil {
				t.Error(err)
			}
			select {
			case <-r.Context().Done():
				t.Error(r.Context().Err())
			case <-time.After(2 * bodySilence): // of the bubble's clock
			}
		}))}
		go func() { _ = server.Serve(listener) }()
		client := &http.Client{Transport: &http.Transport{DialContext: listener.dial}}
		resp, err := client.Post("http://gateway/", "text/plain", strings.NewReader("all of it"))
		if err != nil {
			t.Fatal(err)
		}
		if b, err := io.ReadAll(resp.Body); string(b) != "all of it" || err != nil {
			t.Errorf("got %q, %v", b, err)
		}
		client.CloseIdleConnections()
		_ = server.Close()
	})
}
