// Package rawhttp talks HTTP/1.1 for next to nothing: requests are bytes made beforehand, and of an answer only the status,
// the length and the body are looked at. A driver that uses it leaves the CPU to the server that it drives.
package rawhttp

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"
)

// ErrAnswer says that an answer is none that this package understands: it knows those with a Content-Length, and chunks as
// net/http writes them.
var ErrAnswer = errors.New("not an answer that can be read")

// Request makes the bytes of a request with a bearer token and a JSON body.
func Request(method, path, token string, body []byte) []byte {
	b := fmt.Appendf(nil, "%s %s HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n",
		method, path, token, len(body))
	return append(b, body...)
}

// Answer is what a server answered.
type Answer struct {
	Status int
	Body   []byte    // valid until the next Do
	First  time.Time // when its first bytes were there
}

// Conn is one connection. It is not safe for use by several goroutines.
type Conn struct {
	conn net.Conn
	buf  []byte
}

// Dial connects to HOST:PORT.
func Dial(addr string) (*Conn, error) {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	return New(c), nil
}

// New talks over a connection that is there.
func New(c net.Conn) *Conn { return &Conn{conn: c, buf: make([]byte, 4<<10)} }

// SetDeadline lets everything fail that is not through at a time.
func (c *Conn) SetDeadline(t time.Time) error { return c.conn.SetDeadline(t) }

// Close closes the connection.
func (c *Conn) Close() error { return c.conn.Close() }

// Do sends a request and reads the answer, whatever its status.
func (c *Conn) Do(request []byte) (Answer, error) {
	if _, err := c.conn.Write(request); err != nil {
		return Answer{}, err
	}
	n, err := c.conn.Read(c.buf)
	if err != nil {
		return Answer{}, err
	}
	a := Answer{First: time.Now()}
	head := -1
	for at := 0; ; {
		if head = bytes.Index(c.buf[at:n], []byte("\r\n\r\n")); head >= 0 {
			head += at
			break
		}
		at = max(n-3, 0)
		if n, err = c.more(n, n+1); err != nil {
			return Answer{}, err
		}
	}
	status, length, err := parseHead(c.buf[:head+2])
	if err != nil {
		return Answer{}, err
	}
	a.Status = status
	if length == chunked {
		a.Body, err = c.chunks(head+4, n)
		return a, err
	}
	end := head + 4 + length
	if n, err = c.reach(n, end); err != nil {
		return Answer{}, err
	}
	if n > end {
		return Answer{}, fmt.Errorf("%w: %d bytes after its end", ErrAnswer, n-end)
	}
	a.Body = c.buf[head+4 : end]
	return a, nil
}

// chunks reads a body in chunks that begins at a place of the buffer, of which n bytes are there, and puts them together.
// RFC 9112, section 7.1, without trailers.
func (c *Conn) chunks(at, n int) (body []byte, err error) {
	begin, end := at, at // of what has been put together
	for {
		line := -1
		for line < 0 {
			if line = bytes.Index(c.buf[at:n], []byte("\r\n")); line < 0 {
				if n, err = c.more(n, n+1); err != nil {
					return nil, err
				}
			}
		}
		size, err := strconv.ParseUint(string(c.buf[at:at+line]), 16, 31)
		if err != nil {
			return nil, fmt.Errorf("%w: a chunk of %q bytes", ErrAnswer, c.buf[at:at+line])
		}
		from := at + line + 2
		at = from + int(size) + 2
		if n, err = c.reach(n, at); err != nil {
			return nil, err
		}
		end += copy(c.buf[end:], c.buf[from:from+int(size)])
		if size == 0 {
			if n > at {
				return nil, fmt.Errorf("%w: %d bytes after its end", ErrAnswer, n-at)
			}
			return c.buf[begin:end], nil
		}
	}
}

// reach reads behind the n bytes that are there until there are as many as end.
func (c *Conn) reach(n, end int) (int, error) {
	for n < end {
		var err error
		if n, err = c.more(n, end); err != nil {
			return n, err
		}
	}
	return n, nil
}

// more reads behind the n bytes that are there, with room for up to least in all.
func (c *Conn) more(n, least int) (int, error) {
	if len(c.buf) < least {
		c.buf = append(c.buf[:n], make([]byte, max(least, 2*n)-n)...)
	}
	m, err := c.conn.Read(c.buf[n:])
	return n + m, err
}

// chunked is the length of a body that comes in chunks.
const chunked = -1

// parseHead finds status and length in a head, all of whose lines end with \r\n. Names are written as net/http does.
func parseHead(head []byte) (status, length int, err error) {
	if len(head) < len("HTTP/1.1 200") || !bytes.HasPrefix(head, []byte("HTTP/1.1 ")) {
		return 0, 0, fmt.Errorf("%w: it begins with %.20q", ErrAnswer, head)
	}
	if status, err = strconv.Atoi(string(head[9:12])); err != nil {
		return 0, 0, fmt.Errorf("%w: status %q", ErrAnswer, head[9:12])
	}
	if bytes.Contains(head, []byte("\r\nTransfer-Encoding: chunked\r\n")) {
		return status, chunked, nil
	}
	const name = "\r\nContent-Length: "
	_, rest, found := bytes.Cut(head, []byte(name))
	if !found {
		return 0, 0, fmt.Errorf("%w: status %d without a length", ErrAnswer, status)
	}
	digits, _, _ := bytes.Cut(rest, []byte("\r\n"))
	if length, err = strconv.Atoi(string(digits)); err != nil || length < 0 {
		return 0, 0, fmt.Errorf("%w: length %q", ErrAnswer, digits)
	}
	return status, length, nil
}
