package api

import (
	"errors"
	"io"
	"net/http"
	"os"
	"sync/atomic"
	"time"
)

// A body has to go on, whatever its length: no silence may last longer than
// bodySilence, and beyond the first bodySilence it must come, on the whole, with
// bodyRate bytes a second. A large sync over a slow line has hours, and one byte at
// a time keeps a connection for half a minute.
const (
	bodySilence = 30 * time.Second
	bodyRate    = 4 << 10
)

// bodyUnread is how long net/http may read on in a body that nobody has read, of 256
// KiB at most, before it sends the answer.
const bodyUnread = bodySilence + (256<<10)/bodyRate*time.Second

// errTooSlow ends the connection without an answer.
var errTooSlow = errors.New("the body comes too slowly")

// paced lets no body keep its connection by coming too slowly, also where nobody
// reads it: then net/http reads a short one, before it answers. It finds a long one,
// or one that its sender holds back, by the body that it made; so that stays in
// place, and the handler gets a request of its own. Streams have no body.
func paced(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Body != http.NoBody {
			b := &pacedBody{ReadCloser: r.Body, conn: http.NewResponseController(w), begun: time.Now()}
			b.goOn(b.begun)
			if rec, ok := w.(*recorder); ok {
				rec.body = b
			}
			r = r.WithContext(r.Context())
			r.Body = b
		}
		next.ServeHTTP(w, r)
	})
}

// pacedBody is a body that keeps the read deadline of its connection, as long as more
// is to come: at the end net/http takes the deadline away, and reads on to see
// whether the client goes.
type pacedBody struct {
	io.ReadCloser
	conn  *http.ResponseController
	begun time.Time
	bytes int64
	over  atomic.Bool // has been read to its end; whom it is passed on to may read it meanwhile
}

func (b *pacedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.bytes += int64(n)
	if err != nil {
		b.over.Store(true)
	}
	switch {
	case err == nil:
		b.goOn(time.Now())
	case errors.Is(err, os.ErrDeadlineExceeded):
		err = errTooSlow
	}
	return n, err
}

// goOn gives the rest of the body its time.
func (b *pacedBody) goOn(now time.Time) {
	until := b.begun.Add(bodySilence + time.Duration(b.bytes/bodyRate)*time.Second)
	if silent := now.Add(bodySilence); silent.Before(until) {
		until = silent
	}
	_ = b.conn.SetReadDeadline(until) // one without deadlines is the caller's own
}
