package api

import (
	"crypto/rand"
	"fmt"
	"net/http"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"
)

// observed is the outermost middleware: it makes the call, and whatever becomes
// of it there is one line in the log and one observation in the metrics.
func (s *Server) observed(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := &call{Request: r, start: time.Now(), id: requestID(r)}
		c.w = &recorder{ResponseWriter: w, call: c, patience: answerPatience * s.options.WriteTimeout}
		c.header().Set("X-Request-Id", c.id)
		defer s.finish(c)
		next.ServeHTTP(c.w, r)
	})
}

// finish ends a call, also one whose handler panicked.
func (s *Server) finish(c *call) {
	aborted := false
	switch r := recover(); r {
	case nil:
	case http.ErrAbortHandler:
		aborted = true
	default:
		aborted = c.w.status != 0
		s.refuse(c, fmt.Errorf("handler panicked: %v\n%s", r, debug.Stack()))
	}
	if c.ProtoMajor > 1 && !c.reported {
		c.w.extend() // for what net/http still holds of it
	}
	s.report(c)
	if aborted {
		panic(http.ErrAbortHandler) // what was sent is not whole: break the connection off
	}
}

// maxMethod is how much of a method is logged: clients make up their own.
const maxMethod = 32

// report logs and measures a call, once. A stream that goes on inside its call
// is reported when it is open.
func (s *Server) report(c *call) {
	if c.reported {
		return
	}
	c.reported = true
	took := time.Since(c.start)
	s.measure(c, took)
	s.options.Requests.Info().Str("method", c.Method[:min(len(c.Method), maxMethod)]).Str("route", c.route).Int("status", c.w.code()).Int64("bytes", c.w.bytes).
		Float64("duration_ms", float64(took.Microseconds())/1000).Str("request_id", c.id).
		Str("actor", c.who.actor).Str("remote", c.RemoteAddr).Msg("request")
}

func (s *Server) measure(c *call, took time.Duration) {
	method, route := c.Method, c.route
	if !slices.Contains([]string{"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"}, method) {
		method = "other" // clients choose it, and a label must not grow
	}
	if route == "" {
		route = "none"
	}
	s.metrics.requests.WithLabelValues(route, method, strconv.Itoa(c.w.code())).Observe(took.Seconds())
}

// maxRequestID is the length of the longest X-Request-Id that is taken over.
const maxRequestID = 128

func requestID(r *http.Request) string {
	id := r.Header.Get("X-Request-Id")
	sane := id != "" && len(id) <= maxRequestID &&
		!strings.ContainsFunc(id, func(r rune) bool { return r <= ' ' || r >= 0x7f })
	if sane {
		return id
	}
	return strings.ToLower(rand.Text())
}

// answerPatience is how many write timeouts each piece of an answer has: more than a
// frame, since of its reader nothing is seen but that the kernel makes room, which it
// does when much is free.
const answerPatience = 6

// answerPiece is about how many bytes of a long answer are encoded at a time, and are
// written under one deadline.
const answerPiece = 64 << 10

// recorder notes what becomes of the answer to a call, and gives its reader some time
// for each piece of it. The deadline of the last one counts until all is sent; net/http
// lifts it before the next request of the connection.
type recorder struct {
	http.ResponseWriter
	call     *call
	patience time.Duration
	until    time.Time  // the deadline, zero for none
	body     *pacedBody // of the request, nil for none
	status   int        // 0 before the header
	bytes    int64
}

// WriteHeader implements http.ResponseWriter.
func (r *recorder) WriteHeader(status int) {
	if r.status == 0 {
		r.status = status
	}
	r.extend() // also for what has no body
	r.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (r *recorder) Write(b []byte) (n int, err error) {
	if r.status == 0 {
		r.status = http.StatusOK
	}
	for first := true; first || len(b) > 0; first = false {
		r.extend()
		m, err := r.ResponseWriter.Write(b[:min(len(b), answerPiece)])
		if r.call.ProtoMajor > 1 {
			r.setDeadline(time.Time{}) // which would end the stream also between two pieces
		}
		n, b = n+m, b[m:]
		r.bytes += int64(m)
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

// deadline is when what is written now must be sent.
func (r *recorder) deadline() time.Time {
	t := time.Now().Add(r.patience)
	if r.body != nil && !r.body.over.Load() {
		t = t.Add(bodyUnread)
	}
	return t
}

// extend gives the reader its time from now on, unless it was given it a moment ago:
// the header and a short body are one piece.
func (r *recorder) extend() {
	if until := r.deadline(); until.Sub(r.until) > r.patience/100 {
		r.setDeadline(until)
	}
}

// setDeadline does nothing where nobody can stall, as in a test's recorder.
func (r *recorder) setDeadline(t time.Time) {
	r.until = t
	_ = http.NewResponseController(r.ResponseWriter).SetWriteDeadline(t)
}

// Unwrap gives http.ResponseController what is beneath.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// code is the status that the client sees.
func (r *recorder) code() int {
	if r.status == 0 {
		return http.StatusOK
	}
	return r.status
}
