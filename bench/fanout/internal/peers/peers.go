package peers

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/replication-gateway/gateway/bench/fanout/internal/crowd"
)

// Peer is a server that can be started.
type Peer struct {
	Name   string
	Module string // where it comes from, empty for what is written here
	About  string
	// Dialect is what its subscribers speak, at the path /subscribe.
	Dialect *crowd.Dialect
	start   func(Options) (*fanout, error)
}

// All lists the peers, the limit first.
func All() []Peer {
	return []Peer{rawPeer, pastSchedulerPeer, centrifugePeer, gatheringPeer, gorillaPeer, natsPeer, textbookPeer, serialPeer}
}

// Options sets up a peer.
type Options struct {
	// Queue is how many deltas a subscriber may be behind before it is dropped, for those who keep a queue for each.
	Queue int
}

// fanout is what each peer brings.
type fanout struct {
	addr      string       // where subscribers connect; empty for subscribe, behind the same address as writes
	subscribe http.Handler // may be nil with addr
	publish   func(delta []byte) error
	setState  func(state []byte) error // what joiners are given from now on, a snapshot as the gateway sends it; may be nil
	close     func()                   // may be nil
}

// Server is a peer that runs.
type Server struct {
	Subscribers string // HOST:PORT
	Writes      string // HOST:PORT, for POST /publish and POST /state
	http        http.Server
	served      sync.WaitGroup
	close       func()
}

// maxBody is the largest delta or state that is taken, in bytes.
const maxBody = 64 << 20

// Start starts a peer at ports of its own on this machine.
func Start(name string, o Options) (*Server, error) {
	all := All()
	i := slices.IndexFunc(all, func(p Peer) bool { return p.Name == name })
	if i < 0 {
		return nil, fmt.Errorf("there is no peer %q", name)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	f, err := all[i].start(o)
	if err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	s := &Server{Subscribers: f.addr, Writes: listener.Addr().String(), close: f.close}
	mux := http.NewServeMux()
	mux.Handle("POST /publish", taker(f.publish))
	if f.setState != nil {
		mux.Handle("POST /state", taker(f.setState))
	}
	if f.addr == "" {
		s.Subscribers = s.Writes
		mux.Handle("GET /subscribe", f.subscribe)
	}
	s.http = http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	s.served.Go(func() { _ = s.http.Serve(listener) }) // returns when it is closed
	return s, nil
}

// Close ends the server. Connections that it has handed to subscribers are cut.
func (s *Server) Close() error {
	err := s.http.Close()
	s.served.Wait()
	if s.close != nil {
		s.close()
	}
	return err
}

// Serve runs a peer for another process, until ctx ends. It tells out the addresses of the Server, as the gateway tells
// its own: in the first of its lines of JSON.
func Serve(ctx context.Context, name string, o Options, out io.Writer) error {
	s, err := Start(name, o)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, `{"addr":%q,"subscribers":%q,"message":"listening"}`+"\n"+`{"message":"ready"}`+"\n", s.Writes, s.Subscribers)
	if err != nil {
		return errors.Join(err, s.Close())
	}
	<-ctx.Done()
	return s.Close()
}

// taker hands over the bodies of requests.
func taker(take func([]byte) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
		if err == nil {
			err = take(body)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		_, _ = io.WriteString(w, "{}") // a driver that is gone needs no answer
	})
}

// emptyState is what joiners are given before there is anything else.
const emptyState = `{"type":"snapshot","epoch":"none","seq_no":0,"snapshot":{}}`
