package api

import (
	"crypto/sha256"
	"io/fs"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"github.com/replication-gateway/gateway/internal/directory"
	"github.com/replication-gateway/gateway/internal/gateway"
)

// Options sets up a Server. All fields but AllowedOrigins and TokenStreams must be
// set, and a zero Threshold turns the removal threshold off.
type Options struct {
	Gateway        *gateway.Gateway // need not be open yet
	Logger         zerolog.Logger
	Requests       zerolog.Logger       // of the line that each request gets
	Registry       *prometheus.Registry // served at /metrics, and given the metrics of this package
	Version        Version
	AllowedOrigins []string            // such as https://ops.example, beside the host itself
	MaxBody        int64               // bytes of a directory sync
	MaxEntries     int                 // entries of a directory sync
	Threshold      directory.Threshold // of a directory sync
	WriteTimeout   time.Duration       // after which a reader that takes no byte is dropped
	Compression    bool                // permessage-deflate for the WebSockets that offer it
	TokenStreams   int                 // open at a time with one token: 0 for DefaultTokenStreams, no limit below
	Assets         fs.FS               // index.html, client.js and the folder assets
	OpenAPI        []byte              // openapi.yaml
}

// Version says which program is running.
type Version struct {
	Version string `json:"version"`
	Commit  string `json:"commit"`
	Go      string `json:"go"`
}

// Server answers HTTP requests. It holds no goroutine of its own while no
// stream is open.
type Server struct {
	options Options
	metrics *metrics
	assets  map[string]*asset // by path

	opened    chan struct{}      // closed by Open
	adminHash *[sha256.Size]byte // nil without an admin token; set by Open
	origins   map[string]bool    // in lower case

	forwarding atomic.Int64 // requests that are being passed on

	draining  atomic.Bool // readers are sent away
	dismissed atomic.Bool // standbys are, too
	streams   streams
	writers   *writers
	watch     *tokenWatch
	leftovers *leftovers
}

// New returns a Server. It panics when the assets cannot be read, which are
// part of the program, or when the registry has its metrics already.
func New(o Options) *Server {
	s := &Server{
		options: o,
		assets:  mustLoadAssets(o.Assets, o.OpenAPI),
		opened:  make(chan struct{}),
		origins: make(map[string]bool),
	}
	s.metrics = newMetrics(o.Registry, &s.streams, o.Gateway)
	for _, origin := range o.AllowedOrigins {
		s.origins[strings.ToLower(origin)] = true
	}
	s.leftovers = newLeftovers()
	s.writers = newWriters(s)
	s.watch = newTokenWatch(o.Gateway, o.TokenStreams)
	return s
}

// Handler returns the handler of all routes.
func (s *Server) Handler() http.Handler {
	return s.observed(paced(s.secured(s.crossOrigin(s.router()))))
}
