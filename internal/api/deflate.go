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

// The windows that frames are deflated with, as powers of two in bytes: how far back
// a frame may refer to itself. The narrow one is for subscribers that keep no more.
const (
	wideWindow   = 15
	narrowWindow = 12
)

// deflatedFrames and narrowFrames frame JSON for those who negotiated
// permessage-deflate.
var (
	deflatedFrames = deflating(wideWindow)
	narrowFrames   = deflating(narrowWindow)
)

// deflating frames JSON with permessage-deflate without context takeover (RFC 7692):
// each frame stands for itself, and so is deflated once for all who are to have it.
// One that does not become smaller goes as it is.
func deflating(window int) *hub.Encoding {
	deflaters := &sync.Pool{New: func() any { return newDeflater(window) }}
	return &hub.Encoding{Room: maxHeader, Memory: drafts.get, Wrap: func(h hub.Header, b []byte) []byte {
		if len(b)-maxHeader >= minDeflated {
			d := deflaters.Get().(*deflater)
			defer deflaters.Put(d)
			if small := d.deflate(b[maxHeader:]); len(small) < len(b) {
				drafts.put(b)
				return withPing(h, frame(small, maxHeader, final|deflated|opText))
			}
		}
		return textFrames.Wrap(h, b)
	}}
}

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

func newDeflater(window int) *deflater {
	d := new(deflater)
	if window == wideWindow {
		d.w, _ = flate.NewWriter(&d.out, deflateLevel) // fails for a level that there is not
	} else {
		d.w, _ = flate.NewWriterWindow(&d.out, 1<<window) // or for such a window
	}
	return d
}

// flushed ends what Flush writes, and does not travel.
const flushed = "\x00\x00\xff\xff"

// deflate returns b deflated, with room for a header before it.
func (d *deflater) deflate(b []byte) []byte {
	d.out.Reset()
	d.w.Reset(&d.out)
	_, _ = d.w.Write(b) // into memory, which does not fail
	_ = d.w.Flush()
	compressed := bytes.TrimSuffix(d.out.Bytes(), []byte(flushed))
	return append(make([]byte, maxHeader, maxHeader+len(compressed)), compressed...)
}
