package api

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
)

// maxSmallBody is the size in bytes of bodies that say one thing.
const maxSmallBody = 1 << 20

// bodyPiece is how many bytes of a body are read at a time.
const bodyPiece = 64 << 10

// body decodes a body into v, a pointer to a struct, while it comes, and gathers
// its faults. Of a list that is longer than maxList it takes no notice beyond
// that: the request is too large, as it is with a body over limit bytes.
func (c *call) body(v any, limit int64, maxList int) {
	c.hard = c.decodeBody(v, limit, maxList)
}

// decodeBody returns errUnsupported for a body that is no JSON, errTooLarge for one
// over limit bytes, errTooSlow for one that came too slowly, or what decode returns.
func (c *call) decodeBody(v any, limit int64, maxList int) error {
	if err := c.jsonContent(); err != nil {
		return err
	}
	if c.ContentLength > limit {
		return fmt.Errorf("%w: a body of %d bytes, the limit is %d", errTooLarge, c.ContentLength, limit)
	}
	body := io.Reader(c.Body)
	if c.ContentLength < 0 {
		body = http.MaxBytesReader(c.w, c.Body, limit)
	}
	err := c.decodeFrom(body, v, maxList)
	if err == nil {
		return nil
	}
	// Whoever still sends hears no answer, and what is left may be too much, or never come.
	_, broken := io.Copy(io.Discard, body)
	_, over := errors.AsType[*http.MaxBytesError](broken)
	switch {
	case over:
		return fmt.Errorf("%w: the limit for the body is %d bytes", errTooLarge, limit)
	case errors.Is(broken, errTooSlow):
		return broken
	case broken != nil:
		return fmt.Errorf("%w: it broke off", errMalformed)
	}
	return err
}

// decodeFrom decodes a short body from one piece of memory, where it is parsed in
// place, and a long one, or one that was not announced, piece by piece.
func (c *call) decodeFrom(body io.Reader, v any, maxList int) error {
	d := newDecoder(&c.faults)
	defer d.free()
	if c.ContentLength < 0 || c.ContentLength > bodyPiece {
		return d.decode(bufio.NewReaderSize(body, bodyPiece), c.ContentLength, v, "", maxList)
	}
	whole := make([]byte, c.ContentLength)
	if _, err := io.ReadFull(body, whole); err != nil {
		return err
	}
	return d.decodeBytes(whole, v, "", maxList)
}

func (c *call) jsonContent() error {
	if encoding := c.Header.Get("Content-Encoding"); encoding != "" && !strings.EqualFold(encoding, "identity") {
		return fmt.Errorf("%w, not compressed", errUnsupported)
	}
	given := c.Header.Get("Content-Type")
	if len(c.Header.Values("Content-Type")) > 1 || len(c.Header.Values("Content-Encoding")) > 1 {
		return fmt.Errorf("%w, named once", errUnsupported)
	}
	if given == "application/json" { // as nearly all say it
		return nil
	}
	kind, params, err := mime.ParseMediaType(given)
	if err != nil || kind != "application/json" {
		return errUnsupported
	}
	if charset, named := params["charset"]; named && !strings.EqualFold(charset, "utf-8") {
		return errUnsupported
	}
	return nil
}

// optionalBody is body for routes that take an empty body for {}.
func (c *call) optionalBody(v any) {
	body := bufio.NewReader(c.Body)
	if _, err := body.Peek(1); err == io.EOF {
		return
	}
	c.Body = readCloser{body, c.Body}
	c.body(v, maxSmallBody, maxListed)
}

// readCloser is a body that is read in another way.
type readCloser struct {
	io.Reader
	io.Closer
}
