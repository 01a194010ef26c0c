package crowd

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"fmt"
	"net/textproto"
	"strings"
)

// maxHandshake is the longest answer to a handshake, in bytes.
const maxHandshake = 16 << 10

// handshake is one opening of a WebSocket (RFC 6455, section 4), as far as the answer has come.
type handshake struct {
	key     string
	deflate bool // compression is offered, and to be taken up
	answer  []byte
}

func newHandshake(deflate bool) *handshake {
	nonce := make([]byte, 16)
	rand.Read(nonce)
	return &handshake{key: base64.StdEncoding.EncodeToString(nonce), deflate: deflate}
}

// request returns what is sent.
func (h *handshake) request(addr, path, token string) []byte {
	b := fmt.Appendf(nil, "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %s\r\n", path, addr, h.key)
	if token != "" {
		b = fmt.Appendf(b, "Authorization: Bearer %s\r\n", token)
	}
	if h.deflate {
		b = append(b, "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; client_no_context_takeover\r\n"...)
	}
	return append(b, "\r\n"...)
}

// feed reads the next piece of the answer. Once the WebSocket is open it returns what follows the answer, which are
// frames; the piece is not kept.
func (h *handshake) feed(b []byte) (rest []byte, open bool, err error) {
	before := len(h.answer)
	h.answer = append(h.answer, b...)
	end := bytes.Index(h.answer, []byte("\r\n\r\n"))
	if end < 0 {
		if len(h.answer) >= maxHandshake {
			return nil, false, errors.New("the answer to the handshake has no end")
		}
		return nil, false, nil
	}
	end += len("\r\n\r\n")
	if err := h.check(h.answer[:end]); err != nil {
		return nil, false, err
	}
	return b[end-before:], true, nil
}

// check reports whether the head of an answer opens the WebSocket.
func (h *handshake) check(head []byte) error {
	r := textproto.NewReader(bufio.NewReader(bytes.NewReader(head)))
	line, err := r.ReadLine()
	if err != nil {
		return err
	}
	if !strings.HasPrefix(line, "HTTP/1.1 101") {
		return fmt.Errorf("the handshake was answered with %q", line)
	}
	header, err := r.ReadMIMEHeader()
	if err != nil {
		return fmt.Errorf("answer to the handshake: %w", err)
	}
	if got := header.Get("Sec-Websocket-Accept"); got != acceptOf(h.key) {
		return fmt.Errorf("the handshake was accepted with %q, want %q", got, acceptOf(h.key))
	}
	extensions := header.Get("Sec-Websocket-Extensions")
	if taken := strings.HasPrefix(extensions, "permessage-deflate"); taken != h.deflate {
		return fmt.Errorf("compression was offered: %t, but the server chose the extensions %q", h.deflate, extensions)
	}
	return nil
}

// acceptOf returns what a server answers to a key.
func acceptOf(key string) string {
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return base64.StdEncoding.EncodeToString(sum[:])
}
