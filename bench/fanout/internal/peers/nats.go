package peers

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/replication-gateway/gateway/bench/fanout/internal/crowd"
)

var natsPeer = Peer{
	Name:   "nats-server",
	Module: "github.com/nats-io/nats-server/v2",
	About: "its WebSocket listener, without TLS and compression; writes enter over a connection inside the process; no pings " +
		"during a run. It has no state to give, so nobody who joins gets any",
	Dialect: crowd.NATS,
	start:   startNATS,
}

const natsSubject = "deltas"

// natsWriter is the connection by which deltas enter the server.
type natsWriter struct {
	mu   sync.Mutex
	conn net.Conn
	in   *bufio.Reader
}

func startNATS(Options) (*fanout, error) {
	s, err := server.NewServer(&server.Options{
		DontListen: true,
		NoLog:      true,
		NoSigs:     true,
		Websocket:  server.WebsocketOpts{Host: "127.0.0.1", Port: -1, NoTLS: true, PingInterval: time.Hour},
	})
	if err != nil {
		return nil, err
	}
	go s.Start()
	w, err := newNATSWriter(s)
	if err != nil {
		s.Shutdown()
		return nil, err
	}
	at, err := url.Parse(s.WebsocketURL())
	if err != nil {
		return nil, err
	}
	return &fanout{addr: at.Host, publish: w.publish, close: s.Shutdown}, nil
}

func newNATSWriter(s *server.Server) (*natsWriter, error) {
	if !s.ReadyForConnections(10 * time.Second) {
		return nil, errors.New("the NATS server did not become ready")
	}
	conn, err := s.InProcessConn()
	if err != nil {
		return nil, err
	}
	w := &natsWriter{conn: conn, in: bufio.NewReader(conn)}
	if _, err := w.in.ReadString('\n'); err != nil { // INFO
		return nil, err
	}
	_, err = fmt.Fprint(conn, "CONNECT {\"verbose\":false,\"pedantic\":false}\r\n")
	return w, errors.Join(err, w.flush())
}

// publish returns when the server has queued or written the delta for all subscribers.
func (w *natsWriter) publish(delta []byte) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	_, err := fmt.Fprintf(w.conn, "PUB %s %d\r\n%s\r\n", natsSubject, len(delta), delta)
	return errors.Join(err, w.flush())
}

// flush waits until the server has taken in all that came before.
func (w *natsWriter) flush() error {
	if _, err := fmt.Fprint(w.conn, "PING\r\n"); err != nil {
		return err
	}
	for {
		line, err := w.in.ReadString('\n')
		switch {
		case err != nil:
			return err
		case line == "PONG\r\n":
			return nil
		case line == "PING\r\n":
			if _, err := fmt.Fprint(w.conn, "PONG\r\n"); err != nil {
				return err
			}
		case strings.HasPrefix(line, "-ERR"):
			return fmt.Errorf("the NATS server said %q", line)
		}
	}
}
