package api

import (
	"fmt"
	"net/http"

	"github.com/prometheus/client_golang/prometheus/promhttp"
)

type probe struct {
	Status string `json:"status"`
}

// healthz says that the process answers.
func (s *Server) healthz(c *call) error { return c.answer(http.StatusOK, probe{"ok"}) }

// readyz says that the gateway wants requests.
func (s *Server) readyz(c *call) error {
	if s.draining.Load() {
		return errDraining
	}
	if !s.isOpen() {
		return s.starting()
	}
	if err := s.options.Gateway.Ready(); err != nil {
		return fmt.Errorf("%w: %w", errNotReady, err)
	}
	return c.answer(http.StatusOK, probe{"ready"})
}

func (s *Server) version(c *call) error { return c.answer(http.StatusOK, s.options.Version) }

func (s *Server) serveMetrics(c *call) error {
	promhttp.HandlerFor(s.options.Registry, promhttp.HandlerOpts{}).ServeHTTP(c.w, c.Request)
	return nil
}
