package api_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"github.com/replication-gateway/gateway/internal/api"
	"github.com/replication-gateway/gateway/internal/gateway"
)

// Until the data is read the open routes answer, readyz says what it waits for,
// and what needs the state waits for a while.
func TestRequestsWhileStarting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := gateway.New(gateway.Options{Dir: t.TempDir(), Heartbeat: time.Hour, Logger: zerolog.Nop()})
		defer g.Close()
		s := api.New(api.Options{Gateway: g, Logger: zerolog.Nop(), Registry: prometheus.NewRegistry(), Assets: os.DirFS("../../web")})
		get := func(path string) (int, string) {
			r := httptest.NewRequest("GET", path, nil)
			r.Header.Set("Authorization", "Bearer "+adminToken)
			w := httptest.NewRecorder()
			s.Handler().ServeHTTP(w, r)
			body, _ := io.ReadAll(w.Body)
			return w.Code, string(body)
		}
		if status, body := get("/healthz"); status != http.StatusOK {
			t.Errorf("healthz: %d %s", status, body)
		}
		if status, body := get("/readyz"); status != http.StatusServiceUnavailable || !strings.Contains(body, "opening the data folder") {
			t.Errorf("readyz: %d %s", status, body)
		}
		begun := time.Now()
		if status, body := get("/snapshot"); status != http.StatusServiceUnavailable || !strings.Contains(body, `"not-ready"`) || time.Since(begun) != 5*time.Second {
			t.Errorf("snapshot: %d %s after %v, want not-ready after 5 s", status, body, time.Since(begun))
		}
		answered := make(chan string, 1)
		go func() {
			status, body := get("/snapshot")
			answered <- http.StatusText(status) + body
		}()
		synctest.Wait()
		if err := g.Open(); err != nil {
			t.Fatal(err)
		}
		s.Open(adminToken)
		if got := <-answered; !strings.Contains(got, `OK{"epoch"`) {
			t.Errorf("a request that waited got %s", got)
		}
		if status, body := get("/readyz"); status != http.StatusOK {
			t.Errorf("readyz when open: %d %s", status, body)
		}
	})
}
