package api

import (
	"bytes"
	"sync"

	"github.com/klauspost/compress/flate"

	"github.com/replication-gateway/gateway/internal/hub"
)

// minDeflated is the frame, in bytes, below which deflating saves too little.
const minDeflated = 512

// deflateLevel is where more effort stops to pay.
const deflateLevel = 3

// deflatedFrames frames JSON for those who negotiated permessage-deflate without
// context takeover (RFC 7692): each frame stands for itself, and so is deflated
// once for all of them. One that does not become smaller goes as it is.
var deflatedFrames = &hub.Encoding{Room: maxHeader, Memory: drafts.get, Wrap: func(h hub.Header, b []byte) []byte {
	if len(b)-maxHeader >= minDeflated {
		if d := deflate(b[maxHeader:]); len(d) < len(b) {
			drafts.put(b)
			return withPing(h, frame(d, maxHeader, final|deflated|opText))
		}
	}
	return textFrames.Wrap(h, b)
}}

// drafts is the memory of large frames that have been deflated, for the next ones:
// else a snapshot would leave as much garbage as it is long.
var drafts draftPool

type draftPool struct{ pool sync.Pool }

// minDraft and maxDraft bound what is kept, in bytes.
const (
	minDraft = 64 << 10
	maxDraft = 1 << 20
)

// get returns empty memory for size bytes.
func (d *draftPool) get(size int) []byte {
	if size >= minDraft && size <= maxDraft {
		if b, _ := d.pool.Get().(*[]byte); b != nil && cap(*b) >= size {
			return (*b)[:0]
		}
	}
	return make([]byte, 0, size)
}

// put takes memory that nobody uses any more.
func (d *draftPool) put(b []byte) {
	if cap(b) >= minDraft && cap(b) <= maxDraft {
		d.pool.Put(&b)
	}
}

// deflater is kept between frames: a new one costs more than most frames.
type deflater struct {
	w   *flate.Writer
	out bytes.Buffer
}

var deflaters = sync.Pool{New: func() any {
	d := new(deflater)
	d.w, _ = flate.NewWriter(&d.out, deflateLevel) // fails for a level that there is not
	return d
}}

// flushed ends what Flush writes, and does not travel.
const flushed = "\x00\x00\xff\xff"

// deflate returns b deflated, with room for a header before it.
func deflate(b []byte) []byte {
	d := deflaters.Get().(*deflater)
	defer deflaters.Put(d)
	d.out.Reset()
	d.w.Reset(&d.out)
	_, _ = d.w.Write(b) // into memory, which does not fail
	_ = d.w.Flush()
	compressed := bytes.TrimSuffix(d.out.Bytes(), []byte(flushed))
	return append(make([]byte, maxHeader, maxHeader+len(compressed)), compressed...)
}
