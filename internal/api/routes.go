package api

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/go-chi/chi/v5"

	"github.com/replication-gateway/gateway/internal/directory"
	"github.com/replication-gateway/gateway/internal/gateway"
)

// access says who may call a route: nobody in particular, or the bearers of
// tokens with one of these roles.
type access []directory.AccessRole

// The kinds of access.
var (
	open        = access(nil)
	admins      = access{directory.AccessAdmin}
	readers     = access{directory.AccessAdmin, directory.AccessViewer}
	syncers     = access{directory.AccessAdmin, directory.AccessSync}
	watchers    = access{directory.AccessAdmin, directory.AccessViewer, directory.AccessSync}
	subscribers = access{directory.AccessAdmin, directory.AccessViewer, directory.AccessReplica}
)

func (a access) admits(role directory.AccessRole) bool { return slices.Contains(a, role) }

// route is one line of the table. A query parameter that is not named is
// refused, except on open routes, which take no notice of any.
type route struct {
	method  string
	pattern string
	access  access
	query   []string
	handle  func(*Server, *call) error
}

// routes is every route there is. HEAD is answered wherever GET is.
var routes = []route{
	{"POST", "/directory-sync", syncers, nil, (*Server).directorySync},
	{"GET", "/networks/{network_id}/directory-status", watchers, nil, (*Server).directoryStatus},
	{"GET", "/subscribe", subscribers, []string{"epoch", "since", "network_id", "standby"}, (*Server).subscribe},
	{"GET", "/snapshot", readers, []string{"network_id"}, (*Server).snapshot},

	{"GET", "/networks", readers, []string{"limit", "after"}, (*Server).listNetworks},
	{"GET", "/networks/{network_id}", readers, nil, (*Server).getNetwork},
	{"PUT", "/networks/{network_id}", admins, nil, (*Server).putNetwork},
	{"DELETE", "/networks/{network_id}", admins, nil, (*Server).deleteNetwork},
	{"GET", "/nodes", readers, []string{"limit", "after", "external_id"}, (*Server).listNodes},
	{"GET", "/nodes/{node_id}", readers, nil, (*Server).getNode},
	{"PUT", "/nodes/{node_id}", admins, nil, (*Server).putNode},
	{"DELETE", "/nodes/{node_id}", admins, nil, (*Server).deleteNode},
	{"GET", "/networks/{network_id}/members", readers, []string{"limit", "after"}, (*Server).listMembers},
	{"PUT", "/networks/{network_id}/members/{node_id}", admins, nil, (*Server).putMember},
	{"DELETE", "/networks/{network_id}/members/{node_id}", admins, nil, (*Server).deleteMember},
	{"POST", "/batch", admins, nil, (*Server).batch},
	{"GET", "/backup", admins, nil, (*Server).backup},

	{"GET", "/replication", subscribers, nil, (*Server).replication},

	{"POST", "/replication/promote", admins, nil, (*Server).promote},

	{"GET", "/tokens", admins, []string{"limit", "after"}, (*Server).listTokens},
	{"POST", "/tokens", admins, nil, (*Server).createToken},
	{"DELETE", "/tokens/{token_id}", admins, nil, (*Server).revokeToken},

	{"GET", "/healthz", open, nil, (*Server).healthz},
	{"GET", "/readyz", open, nil, (*Server).readyz},
	{"GET", "/metrics", open, nil, (*Server).serveMetrics},
	{"GET", "/version", open, nil, (*Server).version},
	{"GET", "/openapi.yaml", open, nil, (*Server).serveAsset},
	{"GET", "/", open, nil, (*Server).serveAsset},
	{"GET", "/assets/{path}", open, nil, (*Server).serveAsset},
	{"GET", "/client.js", open, nil, (*Server).serveAsset},
}

// router returns the table as a handler.
func (s *Server) router() http.Handler {
	mux := chi.NewRouter()
	for _, r := range routes {
		mux.Method(r.method, r.pattern, s.serve(r))
		if r.method == http.MethodGet {
			mux.Method(http.MethodHead, r.pattern, s.serve(r))
		}
	}
	mux.NotFound(func(w http.ResponseWriter, _ *http.Request) {
		s.refuse(callOf(w), errNotFound)
	})
	mux.MethodNotAllowed(func(w http.ResponseWriter, r *http.Request) {
		c := callOf(w)
		var allowed []string
		for _, method := range []string{"DELETE", "GET", "HEAD", "POST", "PUT"} {
			if mux.Match(chi.NewRouteContext(), method, r.URL.Path) {
				allowed = append(allowed, method)
			}
		}
		if len(allowed) == 0 { // a method that nobody has, and no such path either
			s.refuse(c, errNotFound)
			return
		}
		c.header().Set("Allow", strings.Join(allowed, ", ")) // one line: many clients read no more
		s.refuse(c, errMethodNotAllowed)
	})
	return plainPaths(mux)
}

// plainPaths has paths routed by what they mean, however they are escaped: %31 is 1.
// One with an escaped slash, which parts nothing, stays as it came.
func plainPaths(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if raw := r.URL.RawPath; raw != "" && !strings.Contains(strings.ToLower(raw), "%2f") {
			r.URL.RawPath = "" // which chi prefers
		}
		next.ServeHTTP(w, r)
	})
}

// serve runs one route: who asks, which query, then the handler.
func (s *Server) serve(rt route) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		c := callOf(w)
		c.Request = r // with chi's parameters
		c.route = rt.pattern
		err := s.run(rt, c)
		if errors.Is(err, errTooSlow) {
			c.w.status = http.StatusRequestTimeout // for log and metrics, nothing of it is sent
			panic(http.ErrAbortHandler)
		}
		if err != nil {
			s.refuse(c, err)
		}
	}
}

func (s *Server) run(rt route, c *call) error {
	if rt.access == nil {
		return rt.handle(s, c)
	}
	if err := s.started(c.Context()); err != nil {
		return err
	}
	if s.forwarded(rt) {
		return s.forward(c)
	}
	if !s.options.Gateway.HasState() && !strings.HasPrefix(rt.pattern, "/replication") {
		return gateway.ErrNoState
	}
	who, err := s.authenticate(c.Request, rt.pattern == "/subscribe")
	if err != nil {
		return err
	}
	c.who = who
	if !rt.access.admits(who.role) {
		return fmt.Errorf("%w: the token has the role %s", errForbidden, who.role)
	}
	c.readQuery(rt.query)
	return rt.handle(s, c)
}
