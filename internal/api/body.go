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

// readBody returns the body of a request. The error is errUnsupported for one
// that is no JSON, errTooLarge for one over limit bytes and errTooSlow for one that
// came too slowly.
func (c *call) readBody(limit int64) ([]byte, error) {
	if err := c.jsonContent(); err != nil {
		return nil, err
	}
	if c.ContentLength > limit {
		return nil, fmt.Errorf("%w: a body of %d bytes, the limit is %d", errTooLarge, c.ContentLength, limit)
	}
	var b []byte
	var err error
	if c.ContentLength < 0 {
		b, err = io.ReadAll(http.MaxBytesReader(c.w, c.Body, limit))
	} else {
		b, err = readAnnounced(c.Body, c.ContentLength)
	}
	_, over := errors.AsType[*http.MaxBytesError](err)
	switch {
	case over:
		return nil, fmt.Errorf("%w: the limit for the body is %d bytes", errTooLarge, limit)
	case errors.Is(err, errTooSlow):
		return nil, err
	case err != nil:
		return nil, fmt.Errorf("%w: it broke off", errMalformed)
	}
	return b, nil
}

// trustedLength is how many bytes of a body get room before they have come.
const trustedLength = 1 << 20

// readAnnounced reads a body of so many bytes into one piece, a long one once its
// beginning has come: what grows bit by bit would take several times its size.
func readAnnounced(r io.Reader, announced int64) ([]byte, error) {
	b := make([]byte, min(announced, trustedLength))
	n, err := io.ReadFull(r, b)
	if err == nil && announced > trustedLength {
		b = append(make([]byte, 0, announced), b...)[:announced]
		_, err = io.ReadFull(r, b[n:])
	}
	if err != nil {
		return nil, err
	}
	return b, nil
}

func (c *call) jsonContent() error {
	if encoding := c.Header.Get("Content-Encoding"); encoding != "" && !strings.EqualFold(encoding, "identity") {
		return fmt.Errorf("%w, not compressed", errUnsupported)
	}
	given := c.Header.Get("Content-Type")
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

// body reads a body into v, a pointer to a struct, and gathers its faults. Of a
// list that is longer than maxList it takes no notice beyond that: the request
// is too large.
// It returns the bytes of the body.
func (c *call) body(v any, limit int64, maxList int) []byte {
	b, err := c.readBody(limit)
	if err == nil {
		err = decode(b, v, "", maxList, &c.faults)
	}
	c.hard = err
	return b
}

// optionalBody is body for routes that take an empty body for {}.
func (c *call) optionalBody(v any) {
	body := bufio.NewReader(c.Body)
	if _, err := body.Peek(1); err == io.EOF {
		return
	}
	c.Body = struct {
		io.Reader
		io.Closer
	}{body, c.Body}
	c.body(v, maxSmallBody, maxListed)
}
