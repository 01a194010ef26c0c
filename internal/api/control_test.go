package api_test

import (
	"encoding/binary"
	"errors"
	"io"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/replication-gateway/gateway/internal/hub/hubtest"
)

// TestControlFramesInHeavyTraffic has a peer ping all the time while large and small
// frames come. Every frame must be whole, every answer one of a ping, and the stream
// without a gap.
func TestControlFramesInHeavyTraffic(t *testing.T) {
	h := start(t)
	r := h.rawSubscribe()
	valid := hubtest.New(hubtest.Options{})
	const pings, commits = 2000, 8
	want := h.seqNo() + commits
	var busy sync.WaitGroup
	busy.Go(func() {
		for i := range pings {
			r.send(rawFinal|rawPing, append(binary.BigEndian.AppendUint16(nil, uint16(i)), make([]byte, i%100)...))
		}
	})
	busy.Go(func() {
		for i := range commits {
			h.commit(1+i%2*60, 8000, i) // one node, or enough for several frames
		}
	})
	answered := 0
	for at, _ := valid.Position(); at.SeqNo < want; at, _ = valid.Position() {
		first, payload, err := r.frame()
		switch {
		case err != nil:
			t.Fatal(err)
		case first == rawFinal|rawText:
			if err := valid.Frame(payload); err != nil {
				t.Fatal(err)
			}
		case first == rawFinal|rawPong:
			// Some may have been left out, while too much waited already.
			n := int(binary.BigEndian.Uint16(payload))
			if n < answered || len(payload) != 2+n%100 {
				t.Fatalf("an answer to ping %d of %d bytes, after that to %d", n, len(payload), answered)
			}
			answered = n
		case first != rawFinal|rawPing:
			t.Fatalf("a frame that begins with %x", first)
		}
	}
	busy.Wait()
	if answered == 0 {
		t.Error("no ping was answered")
	}
}

// TestPeerIsAnsweredByTheProtocol: what a peer sends, and how its stream ends.
func TestPeerIsAnsweredByTheProtocol(t *testing.T) {
	h := start(t)
	for name, c := range map[string]struct {
		sent []byte
		code int // 0 for a close without one
	}{
		"close":                    {masked(rawFinal|rawClose, []byte{0x03, 0xe8, 'b', 'y', 'e'}), 1000},
		"close of its own":         {masked(rawFinal|rawClose, []byte{0x0f, 0xa0}), 4000},
		"close without a code":     {masked(rawFinal|rawClose, nil), 0},
		"close with half a code":   {masked(rawFinal|rawClose, []byte{0x03}), 1002},
		"close with a secret code": {masked(rawFinal|rawClose, []byte{0x03, 0xee}), 1002},
		"close with bad UTF-8":     {masked(rawFinal|rawClose, []byte{0x03, 0xe8, 0xff}), 1002},
		"message":                  {masked(rawFinal|rawText, []byte("hello")), 1008},
		"piece of a message":       {masked(rawText, []byte("hel")), 1008},
		"large message":            {masked(rawFinal|rawText, make([]byte, 100_000)), 1008},
		"beginning of a message":   {[]byte{rawFinal | rawText, 0xff, 0, 0, 1, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6}, 1008},
		"not masked":               {[]byte{rawFinal | rawPing, 0}, 1002},
		"reserved bit":             {masked(rawFinal|rawPing|0x20, nil), 1002},
		"deflated ping":            {masked(rawFinal|rawPing|rawRSV1, nil), 1002},
		"piece of a ping":          {masked(rawPing, nil), 1002},
		"long ping":                {masked(rawFinal|rawPing, make([]byte, 126)), 1002},
		"unknown frame":            {masked(rawFinal|0x3, nil), 1002},
		"unknown control frame":    {masked(rawFinal|0xb, nil), 1002},
		"endless frame":            {[]byte{rawFinal | rawText, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4}, 1002},
	} {
		t.Run(name, func(t *testing.T) {
			r := h.rawSubscribe()
			r.t = t
			if _, err := r.conn.Write(c.sent); err != nil {
				t.Fatal(err)
			}
			for {
				first, payload, err := r.frame()
				if err != nil {
					t.Fatalf("no close came: %v", err)
				}
				if first != rawFinal|rawClose {
					continue
				}
				if code := int(binary.BigEndian.Uint16(append(payload, 0, 0))); code != c.code {
					t.Errorf("closed with %d, want %d", code, c.code)
				}
				break
			}
			if c.code == 1008 {
				r.send(rawFinal|rawClose, []byte{0x03, 0xf0})
			}
			if _, err := r.in.ReadByte(); err == nil {
				t.Error("something came after the close")
			}
		})
	}
}

// TestNothingIsAnsweredAfterTheClose: pings that come before the peer's own close
// get no answer, and its close ends the connection.
func TestNothingIsAnsweredAfterTheClose(t *testing.T) {
	h := start(t)
	r := h.rawSubscribe()
	done := make(chan error, 1)
	go func() { done <- h.server.Drain(t.Context(), 0) }()
	if code, reason := r.closed(); code != 1012 || !strings.HasPrefix(reason, "retry in ") {
		t.Errorf("closed with %d %s, want 1012", code, reason)
	}
	r.send(rawFinal|rawPing, []byte("still there?"))
	r.send(rawFinal|rawClose, []byte{0x03, 0xf4})
	if b, err := io.ReadAll(r.in); len(b) > 0 || err != nil && !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("after the close came %q, %v", b, err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// TestWhatComesWithTheHandshakeIsHeard: a peer need not wait for the answer.
func TestWhatComesWithTheHandshakeIsHeard(t *testing.T) {
	h := start(t)
	conn := h.dialTCP()
	early := "\r\n\r\n" + string(masked(rawFinal|rawPing, []byte("early")))
	request := strings.Join(append([]string{"GET /subscribe HTTP/1.1"}, handshakeOf(adminToken)...), "\r\n") + early
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
	r := readHead(t, conn, "GET")
	for {
		first, payload, err := r.frame()
		if err != nil {
			t.Fatal(err)
		}
		if first == rawFinal|rawPong {
			if string(payload) != "early" {
				t.Errorf("answered with %q", payload)
			}
			return
		}
	}
}
