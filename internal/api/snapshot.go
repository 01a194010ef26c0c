package api

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/replication-gateway/gateway/internal/directory"
)

func (s *Server) snapshot(c *call) error {
	filter := c.networkFilter()
	state, position, err := s.read(c, filter...)
	if err != nil {
		return err
	}
	view := c.view(filter...)
	etag := snapshotETag(position, view)
	c.header().Set("ETag", etag)
	c.header().Set("Cache-Control", "private, no-cache")
	if matchesETag(c.Header.Values("If-None-Match"), etag) {
		c.w.WriteHeader(http.StatusNotModified)
		return nil
	}
	c.header().Set("Content-Type", "application/json")
	if c.Method == http.MethodHead {
		c.w.WriteHeader(http.StatusOK)
		return nil
	}
	buffered := bufio.NewWriterSize(c.w, answerPiece)
	if err := writeSnapshot(jsontext.NewEncoder(buffered), state, position, view); err != nil {
		panic(http.ErrAbortHandler) // the reader must not take a torso for the whole
	}
	if err := buffered.Flush(); err != nil {
		panic(http.ErrAbortHandler)
	}
	return nil
}

// writeSnapshot writes a frozen state, as the view sees it, row by row.
func writeSnapshot(enc *jsontext.Encoder, s *directory.State, p directory.Position, v directory.View) error {
	w := tokenWriter{enc: enc}
	w.write(jsontext.BeginObject, jsontext.String("epoch"), jsontext.String(p.Epoch),
		jsontext.String("seq_no"), jsontext.Uint(p.SeqNo), jsontext.String("snapshot"), jsontext.BeginObject)
	next, open := directory.KindNetwork, false
	// list opens the lists up to that of kind; those without rows stay empty.
	list := func(kind directory.Kind) {
		for ; next <= kind; next++ {
			if !v.SeesKind(next) {
				continue
			}
			if open {
				w.write(jsontext.EndArray)
			}
			w.write(jsontext.String(next.Plural()), jsontext.BeginArray)
			open = true
		}
	}
	for kind, row := range v.Rows(s) {
		list(kind)
		if w.err == nil {
			w.err = json.MarshalEncode(enc, row)
		}
		if w.err != nil {
			return w.err
		}
	}
	list(directory.KindToken)
	w.write(jsontext.EndArray, jsontext.EndObject, jsontext.EndObject)
	return w.err
}

// tokenWriter keeps the first error, so that writing reads as what is written.
type tokenWriter struct {
	enc *jsontext.Encoder
	err error
}

func (w *tokenWriter) write(tokens ...jsontext.Token) {
	for _, t := range tokens {
		if w.err == nil {
			w.err = w.enc.WriteToken(t)
		}
	}
}

// snapshotETag names one state as one kind of reader sees it.
func snapshotETag(p directory.Position, v directory.View) string {
	view := sha256.Sum256([]byte(v.String()))
	return `"` + strings.Replace(p.String(), ":", "-", 1) + "-" + hex.EncodeToString(view[:8]) + `"`
}

// matchesETag reports whether If-None-Match names the tag, or stands for any with
// an asterisk alone. The tag has no comma in it, though others may.
func matchesETag(header []string, etag string) bool {
	for _, line := range header {
		if strings.TrimSpace(line) == "*" {
			return true
		}
		for given := range strings.SplitSeq(line, ",") {
			if strings.TrimPrefix(strings.TrimSpace(given), "W/") == etag {
				return true
			}
		}
	}
	return false
}
