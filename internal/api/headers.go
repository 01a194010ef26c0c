package api

import (
	"maps"
	"net/http"
	"net/url"
	"strings"
)

// Content security policies. Answers of the API are nothing that a browser
// should show; the dashboard loads and reaches what comes from here alone.
const (
	dataPolicy = "default-src 'none'; frame-ancestors 'none'"
	pagePolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
		"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

// always are the headers that every answer has. All answers share the values, so
// nobody may write to them: Set and Add put others in their place.
var always = http.Header{
	"X-Content-Type-Options":  {"nosniff"},
	"X-Frame-Options":         {"DENY"},
	"Referrer-Policy":         {"no-referrer"},
	"Content-Security-Policy": {dataPolicy},
	"Cache-Control":           {"no-store"},
}

// secured sets the headers that every answer has. Handlers may replace
// Cache-Control and the policy.
func (s *Server) secured(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		maps.Copy(w.Header(), always)
		next.ServeHTTP(w, r)
	})
}

// What pages of allowed origins may send and see.
const (
	corsMethods = "GET, HEAD, POST, PUT, DELETE"
	corsHeaders = "Authorization, Content-Type, Gateway-Min-Position, Idempotency-Key, If-None-Match, Last-Event-ID, X-Request-Id"
	corsExposed = "ETag, Gateway-Position, Retry-After, X-Request-Id"
)

// crossOrigin lets pages of the allowed origins read answers, and answers their
// preflights. To all others the browser denies it.
func (s *Server) crossOrigin(next http.Handler) http.Handler {
	if len(s.origins) == 0 {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Add("Vary", "Origin")
		origin := r.Header.Get("Origin")
		if !s.listed(origin) {
			next.ServeHTTP(w, r)
			return
		}
		h.Set("Access-Control-Allow-Origin", origin)
		h.Set("Access-Control-Expose-Headers", corsExposed)
		if r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Method") != "" {
			h.Set("Access-Control-Allow-Methods", corsMethods)
			h.Set("Access-Control-Allow-Headers", corsHeaders)
			h.Set("Access-Control-Max-Age", "600")
			w.WriteHeader(http.StatusNoContent)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// listed reports whether an origin is one of the allowed ones. Scheme and host, of
// which it is made, know no case, and browsers write them in lower case.
func (s *Server) listed(origin string) bool { return s.origins[strings.ToLower(origin)] }

// originAllowed reports whether a page of the request's origin may open a
// stream: one from the host itself or from an allowed origin. Programs send no
// origin.
func (s *Server) originAllowed(r *http.Request) bool {
	origin := r.Header.Get("Origin")
	if origin == "" || s.listed(origin) {
		return true
	}
	u, err := url.Parse(origin)
	return err == nil && u.Host != "" && strings.EqualFold(u.Host, r.Host)
}
