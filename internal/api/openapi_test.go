package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"

	"github.com/replication-gateway/gateway/internal/api"
)

// spec is openapi.yaml.
type spec struct {
	raw    []byte
	doc    *openapi3.T
	router routers.Router
	err    error
}

var loadSpec = sync.OnceValue(func() (s spec) {
	for _, kind := range []string{"text/html", "text/javascript", "text/css", "image/svg+xml"} {
		openapi3filter.RegisterBodyDecoder(kind, openapi3filter.PlainBodyDecoder)
	}
	if s.raw, s.err = os.ReadFile("../../openapi.yaml"); s.err != nil {
		return s
	}
	if s.doc, s.err = openapi3.NewLoader().LoadFromData(s.raw); s.err != nil {
		return s
	}
	if s.err = s.doc.Validate(context.Background()); s.err != nil {
		return s
	}
	s.router, s.err = gorillamux.NewRouter(s.doc)
	return s
})

func description(t *testing.T) spec {
	t.Helper()
	s := loadSpec()
	if s.err != nil {
		t.Fatalf("openapi.yaml: %v", s.err)
	}
	return s
}

// matches fails the test unless b is a JSON value of a schema of the components.
func (s spec) matches(t *testing.T, schema string, b []byte) {
	t.Helper()
	var v any
	if err := json.Unmarshal(b, &v); err != nil {
		t.Errorf("no JSON: %v: %s", err, b)
		return
	}
	if err := s.doc.Components.Schemas[schema].Value.VisitJSON(v, openapi3.MultiErrors()); err != nil {
		t.Errorf("no %s: %v\n%s", schema, err, b)
	}
}

// checkedTransport holds what passes against openapi.yaml: every answer, and
// every request that was granted.
type checkedTransport struct {
	t    *testing.T
	next http.RoundTripper
}

func (c *checkedTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	var sent []byte
	if req.Body != nil {
		var err error
		if sent, err = io.ReadAll(req.Body); err != nil {
			return nil, err
		}
		req.Body = io.NopCloser(bytes.NewReader(sent))
	}
	resp, err := c.next.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	got, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	if err != nil {
		return nil, err
	}
	resp.Body = io.NopCloser(bytes.NewReader(got))
	c.check(req, sent, resp, got)
	return resp, nil
}

func (c *checkedTransport) check(req *http.Request, sent []byte, resp *http.Response, got []byte) {
	c.t.Helper()
	s := description(c.t)
	if resp.StatusCode >= 400 && req.Method != http.MethodHead {
		s.matches(c.t, "Problem", got)
		if kind := resp.Header.Get("Content-Type"); kind != "application/problem+json" {
			c.t.Errorf("%s %s: %d as %q", req.Method, req.URL, resp.StatusCode, kind)
		}
	}
	described := req.Clone(req.Context())
	described.Method = strings.Replace(req.Method, http.MethodHead, http.MethodGet, 1)
	route, params, err := s.router.FindRoute(described)
	if err != nil {
		if resp.StatusCode != 404 && resp.StatusCode != 405 && req.Method != http.MethodOptions {
			c.t.Errorf("%s %s: answered with %d and not described: %v", req.Method, req.URL, resp.StatusCode, err)
		}
		return
	}
	described.Body = io.NopCloser(bytes.NewReader(sent))
	in := &openapi3filter.RequestValidationInput{Request: described, PathParams: params, Route: route,
		Options: &openapi3filter.Options{AuthenticationFunc: openapi3filter.NoopAuthenticationFunc, MultiError: true, SkipSettingDefaults: true}}
	if resp.StatusCode < 400 {
		if err := openapi3filter.ValidateRequest(req.Context(), in); err != nil {
			c.t.Errorf("%s %s: granted and not as described: %v\n%s", req.Method, req.URL, err, sent)
		}
	}
	in.Request = req // with its own method: to HEAD there is no body
	out := &openapi3filter.ResponseValidationInput{RequestValidationInput: in, Status: resp.StatusCode, Header: resp.Header,
		Options: &openapi3filter.Options{IncludeResponseStatus: true, MultiError: true}}
	out.SetBodyBytes(got)
	if err := openapi3filter.ValidateResponse(req.Context(), out); err != nil {
		c.t.Errorf("%s %s: answer not as described: %v\n%s", req.Method, req.URL, err, got)
	}
}

func TestRoutesAndDescriptionAgree(t *testing.T) {
	doc := description(t).doc
	described := map[string]*openapi3.Operation{}
	queries := map[string][]string{}
	for path, item := range doc.Paths.Map() {
		for method, op := range item.Operations() {
			name := method + " " + path
			described[name] = op
			for _, p := range append(slices.Clone(item.Parameters), op.Parameters...) {
				if p.Value.In == "query" {
					queries[name] = append(queries[name], p.Value.Name)
				}
			}
		}
	}
	for _, r := range api.RouteTable() {
		name := r.Method + " " + r.Pattern
		op := described[name]
		if op == nil {
			t.Errorf("%s is served and not described", name)
			continue
		}
		delete(described, name)
		if open := op.Security != nil && len(*op.Security) == 0; open != (r.Roles == nil) {
			t.Errorf("%s: described as open: %v, served to %v", name, open, r.Roles)
		}
		slices.Sort(r.Query)
		slices.Sort(queries[name])
		if !slices.Equal(r.Query, queries[name]) {
			t.Errorf("%s: takes the query parameters %v, described are %v", name, r.Query, queries[name])
		}
		for _, role := range r.Roles {
			if !strings.Contains(op.Description, "`"+string(role)+"`") {
				t.Errorf("%s: the description does not say that %s may", name, role)
			}
		}
	}
	for name := range described {
		t.Errorf("%s is described and not served", name)
	}
}
