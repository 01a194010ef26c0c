package load

import (
	"bufio"
	"net/http"
	"strings"
	"testing"
)

func TestHandshakeRequest(t *testing.T) {
	h := newHandshake()
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(string(h.request(
		Target{Addr: "127.0.0.1:8080", Path: "/subscribe?network_id=7", Token: "secret"})))))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"Authorization": "Bearer secret", "Upgrade": "websocket", "Connection": "Upgrade",
		"Sec-Websocket-Version": "13", "Sec-Websocket-Key": h.key, "Sec-Websocket-Protocol": "gateway.v1",
	} {
		if got := r.Header.Get(name); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	if r.Method != "GET" || r.Host != "127.0.0.1:8080" || r.URL.RequestURI() != "/subscribe?network_id=7" {
		t.Errorf("got %s %s at %s", r.Method, r.URL, r.Host)
	}
	if other := newHandshake(); other.key == h.key {
		t.Error("two handshakes with one key")
	}
}

// The key and the answer of RFC 6455, section 1.3.
const (
	rfcKey    = "dGhlIHNhbXBsZSBub25jZQ=="
	rfcAccept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
)

const accepted = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
	"sec-websocket-accept: " + rfcAccept + "\r\nSec-WebSocket-Protocol: gateway.v1\r\n\r\n"

// answerWith feeds an answer in pieces that end at the given offsets and returns what
// was left for the stream.
func (h *handshake) answerWith(s string, cuts ...int) (rest string, open bool, err error) {
	from := 0
	for _, to := range append(cuts, len(s)) {
		if open {
			rest += s[from:to]
		} else {
			var b []byte
			if b, open, err = h.feed([]byte(s[from:to])); err != nil {
				return "", false, err
			}
			rest += string(b)
		}
		from = to
	}
	return rest, open, nil
}

func TestHandshakeIsAcceptedWhereverItIsCut(t *testing.T) {
	const frames = "\x81\x01x and more"
	whole := accepted + frames
	for i := range whole {
		rest, open, err := (&handshake{key: rfcKey}).answerWith(whole, i)
		if err != nil || !open || rest != frames {
			t.Fatalf("cut at %d: got %q, %v, %v, want %q", i, rest, open, err, frames)
		}
	}
	for end := range accepted {
		if rest, open, err := (&handshake{key: rfcKey}).answerWith(accepted[:end]); open || rest != "" || err != nil {
			t.Fatalf("the first %d bytes: got %q, %v, %v, want nothing yet", end, rest, open, err)
		}
	}
}

func TestHandshakeRefusals(t *testing.T) {
	for name, c := range map[string]struct{ answer, want string }{
		"refused":        {"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\n{}", "403 Forbidden"},
		"no HTTP":        {"SSH-2.0-OpenSSH\r\n\r\n", "SSH-2.0"},
		"another key":    {strings.Replace(accepted, rfcAccept, "AAAA", 1), "AAAA"},
		"no accept":      {"HTTP/1.1 101 Switching Protocols\r\n\r\n", `with ""`},
		"an extension":   {strings.Replace(accepted, "\r\n\r\n", "\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n", 1), "permessage-deflate"},
		"no header":      {"HTTP/1.1 101 Switching Protocols\r\nnonsense\r\n\r\n", "nonsense"},
		"without an end": {"HTTP/1.1 101 " + strings.Repeat("x", maxHandshake), "no end"},
	} {
		_, _, err := (&handshake{key: rfcKey}).answerWith(c.answer)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want an error that says %q", name, err, c.want)
		}
	}
}
