package client_test

import (
	"context"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"github.com/replication-gateway/gateway/client"
	"github.com/replication-gateway/gateway/internal/api"
	"github.com/replication-gateway/gateway/internal/directory"
	"github.com/replication-gateway/gateway/internal/gateway"
)

// exampleGateway is a gateway that an example follows.
type exampleGateway struct {
	gateway    *gateway.Gateway
	api        *api.Server
	http       *httptest.Server
	dir        string
	url, token string
}

func openGateway() *exampleGateway {
	dir, err := os.MkdirTemp("", "gateway")
	if err != nil {
		log.Fatal(err)
	}
	g := &exampleGateway{dir: dir, token: adminToken}
	g.gateway = gateway.New(gateway.Options{Dir: dir, Heartbeat: 15 * time.Second, Logger: zerolog.Nop()})
	if err := g.gateway.Open(); err != nil {
		log.Fatal(err)
	}
	g.api = api.New(api.Options{Gateway: g.gateway, Logger: zerolog.Nop(), Registry: prometheus.NewRegistry(),
		WriteTimeout: 10 * time.Second, Assets: os.DirFS("../web")})
	g.api.Open(g.token)
	g.http = httptest.NewServer(g.api.Handler())
	g.url = g.http.URL
	return g
}

// write carries out a command and returns the position that it is answered with.
func write[R any](g *exampleGateway, c directory.Command[R]) client.Position {
	_, outcome, err := gateway.Do(context.Background(), g.gateway, "token:admin", c)
	if err != nil {
		log.Fatal(err)
	}
	return outcome.Position
}

func (g *exampleGateway) close() {
	_ = g.api.Drain(context.Background(), 0)
	_ = g.api.DismissStandbys(context.Background(), 0)
	g.http.Close()
	_ = g.gateway.Close()
	_ = os.RemoveAll(g.dir)
	http.DefaultClient.CloseIdleConnections()
}
