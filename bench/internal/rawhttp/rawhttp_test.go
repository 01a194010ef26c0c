package rawhttp

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"testing"
)

// TestDoUnderstandsNetHTTP has net/http judge the requests and make the answers.
func TestDoUnderstandsNetHTTP(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || r.Method != "PUT" || r.Header.Get("Authorization") != "Bearer secret" ||
			r.Header.Get("Content-Type") != "application/json" {
			w.WriteHeader(http.StatusTeapot)
			return
		}
		size, err := strconv.Atoi(r.URL.Query().Get("size"))
		if err != nil {
			t.Error(err)
		}
		if !r.URL.Query().Has("chunks") {
			w.Header().Set("Content-Length", strconv.Itoa(size))
		}
		w.WriteHeader(http.StatusCreated)
		w.(http.Flusher).Flush() // so that what has no length comes in chunks, however short
		for piece := range slices.Chunk(bytes.Repeat(body, size)[:size], 60_000) {
			w.Write(piece)
		}
	}))
	defer s.Close()
	c, err := Dial(s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for _, size := range []int{0, 1, 168, 4 << 10, 5 << 20, 7} {
		for _, how := range []string{"", "&chunks"} {
			a, err := c.Do(Request("PUT", "/x?size="+strconv.Itoa(size)+how, "secret", []byte("abc")))
			if err != nil {
				t.Fatalf("%d bytes%s: %v", size, how, err)
			}
			if want := bytes.Repeat([]byte("abc"), size)[:size]; a.Status != http.StatusCreated || !bytes.Equal(a.Body, want) {
				t.Errorf("%d bytes%s: status %d and %d bytes", size, how, a.Status, len(a.Body))
			}
		}
	}
}

// TestDoInPieces sends an answer byte by byte, so that every cut there can be is met.
func TestDoInPieces(t *testing.T) {
	for _, answer := range []string{
		"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n",
	} {
		ours, theirs := net.Pipe()
		go func() {
			defer theirs.Close()
			if _, err := io.ReadFull(theirs, make([]byte, 4)); err != nil {
				return
			}
			for i := range len(answer) {
				if _, err := io.WriteString(theirs, answer[i:i+1]); err != nil {
					return
				}
			}
		}()
		c := &Conn{conn: ours, buf: make([]byte, 4)}
		a, err := c.Do([]byte("PING"))
		if err != nil || a.Status != 200 || string(a.Body) != "hello" {
			t.Errorf("%d, %q and %v", a.Status, a.Body, err)
		}
	}
}

func TestDoRefusesWhatItCannotRead(t *testing.T) {
	for name, answer := range map[string]string{
		"no length":       "HTTP/1.1 200 OK\r\n\r\n",
		"a broken chunk":  "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n\r\n",
		"after the chunk": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nHTTP/1.1 200 OK\r\n",
		"another one":     "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nxHTTP/1.1 200 OK\r\n",
		"no HTTP":         "SSH-2.0-x long enough\r\n\r\n",
		"a broken length": "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
		"a broken status": "HTTP/1.1 2x0 OK\r\nContent-Length: 0\r\n\r\n",
	} {
		ours, theirs := net.Pipe()
		go func() {
			defer theirs.Close()
			if _, err := io.ReadFull(theirs, make([]byte, 4)); err == nil {
				io.WriteString(theirs, answer)
			}
		}()
		c := New(ours)
		if a, err := c.Do([]byte("PING")); !errors.Is(err, ErrAnswer) {
			t.Errorf("%s: %+v and %v", name, a, err)
		}
	}
}
