package api

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/replication-gateway/gateway/internal/gateway"
)

var errPrimaryUnreachable = errors.New("the primary is out of reach")

// hops counts the gateways that a request was passed on by. Standbys may follow
// standbys, and must not follow each other.
const (
	hops    = "Gateway-Hops"
	maxHops = 8
)

// forwarder passes requests on. It takes what the primary answers as it is:
// redirects are not followed.
var forwarder = &http.Client{
	Transport: &http.Transport{
		DialContext:         (&net.Dialer{Timeout: lostAfter}).DialContext,
		MaxIdleConnsPerHost: 64,
		IdleConnTimeout:     time.Minute,
	},
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// lostAfter is how long a request that was passed on waits for a primary that is not
// heard of any more. As long as it is, it may take its time to answer.
const lostAfter = 5 * time.Second

// whileHeard returns a context that ends with errPrimaryUnreachable, too, when the
// primary has been out of reach for some time.
func (s *Server) whileHeard(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	go func() {
		look := time.NewTicker(lostAfter / 5)
		defer look.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-look.C:
			}
			if u := s.options.Gateway.Upstream(); !u.Up && !u.Answers && time.Since(u.Since) > lostAfter {
				cancel(errPrimaryUnreachable)
			}
		}
	}()
	return ctx, func() { cancel(nil) }
}

// What of a request and of its answer is passed on.
var (
	forwardedHeaders = []string{"Authorization", "Content-Type", "Content-Encoding", idempotencyKey, minPosition}
	answeredHeaders  = []string{"Content-Type", "Content-Length", "Gateway-Position", "Retry-After", "WWW-Authenticate", "Allow", "Location"}
)

// forwarded reports whether a standby leaves the request to its primary: it
// judges no write.
func (s *Server) forwarded(rt route) bool {
	return rt.method != http.MethodGet && rt.pattern != "/replication/promote" && s.options.Gateway.Role() == gateway.Standby
}

// forward passes a request on to the primary with the caller's own credential,
// and returns the primary's answer.
func (s *Server) forward(c *call) error {
	upstream := s.options.Gateway.Upstream()
	if !upstream.Up && !upstream.Answers {
		return errPrimaryUnreachable
	}
	passed, _ := strconv.Atoi(c.Header.Get(hops))
	if passed < 0 || passed >= maxHops {
		return fmt.Errorf("%w: standbys follow each other in a circle", errPrimaryUnreachable)
	}
	url := strings.TrimSuffix(upstream.URL, "/") + c.URL.RequestURI()
	ctx, cancel := s.whileHeard(c.Context())
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, c.Method, url, c.Body)
	if err != nil {
		return fmt.Errorf("%w: %w", errPrimaryUnreachable, err)
	}
	req.ContentLength = c.ContentLength
	for _, name := range forwardedHeaders {
		if values := c.Header.Values(name); len(values) > 0 {
			req.Header[http.CanonicalHeaderKey(name)] = values
		}
	}
	req.Header.Set("X-Request-Id", c.id)
	req.Header.Set(hops, strconv.Itoa(passed+1))
	s.forwarding.Add(1)
	defer s.forwarding.Add(-1)
	resp, err := forwarder.Do(req)
	if errors.Is(err, errTooSlow) {
		return err
	}
	if err != nil {
		s.options.Logger.Warn().Err(err).Str("request_id", c.id).Msg("a write could not be passed on")
		return errPrimaryUnreachable
	}
	defer resp.Body.Close()
	for _, name := range answeredHeaders {
		if values := resp.Header.Values(name); len(values) > 0 {
			c.header()[http.CanonicalHeaderKey(name)] = values
		}
	}
	c.w.WriteHeader(resp.StatusCode)
	if _, err := io.Copy(c.w, resp.Body); err != nil {
		panic(http.ErrAbortHandler) // what was passed on is not whole
	}
	return nil
}
