package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	stdlog "log"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"time"

	"github.com/replication-gateway/gateway/bench/internal/grouping"
	"github.com/replication-gateway/gateway/bench/internal/logs"
	"github.com/replication-gateway/gateway/bench/internal/server"
)

// asPeer, as the first argument, lets this program be a peer of the gateway instead.
const asPeer = "peer"

// fixedAnswer is what the peers answer, as long as a gateway's answer to a put.
const fixedAnswer = `{"node_id":1000001,"hostname":"host-1000001-0000000001.corp.example","external_id":"person-1000001@corp.example","tags":["linux","rack-01"],"created_at":"2026-01-01T00:00:00.000Z","seq_no":1000001,"epoch":"AAAAAAAAAAAAAAAAAAAAAAAAAA"}`

// peer is a server that the gateway is compared with.
type peer struct {
	durable string // folder to make bodies durable in; empty for one that forgets them
	record  int    // bytes of a record there
	bare    bool   // speaks no HTTP
}

// startPeer starts a peer as a process of its own.
func startPeer(ctx context.Context, p peer) (*server.Server, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, self, asPeer, "-durable", p.durable, "-record", strconv.Itoa(p.record), "-bare="+strconv.FormatBool(p.bare))
	s, err := server.Start(cmd)
	if err != nil {
		return nil, err
	}
	if _, err := s.Await(ctx, "ready", 1); err != nil {
		s.Kill()
		return nil, err
	}
	return s, nil
}

// runPeer is that process. It serves until it is killed.
func runPeer(args []string) error {
	var p peer
	f := flag.NewFlagSet(asPeer, flag.ContinueOnError)
	f.StringVar(&p.durable, "durable", "", "`folder` to make bodies durable in")
	f.IntVar(&p.record, "record", 1, "`bytes` of a record")
	f.BoolVar(&p.bare, "bare", false, "speak no HTTP")
	if err := f.Parse(args); err != nil {
		return err
	}
	keep, err := p.keeper()
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, `{"addr":%q,"message":"listening"}`+"\n"+`{"message":"ready"}`+"\n", listener.Addr())
	if p.bare {
		return serveBare(listener, keep)
	}
	return serveHTTP(listener, keep)
}

// keeper returns what makes a body durable.
func (p *peer) keeper() (keep func(body []byte) error, err error) {
	if p.durable == "" {
		return func([]byte) error { return nil }, nil
	}
	l, err := logs.Writers()[0].Open(p.durable)
	if err != nil {
		return nil, err
	}
	w := grouping.NewWriter(l)
	w.Start()
	return func(body []byte) error {
		record := make([]byte, p.record)
		copy(record, body)
		return w.Commit(grouping.NewProposal(record))
	}, nil
}

// serveHTTP serves with net/http, set up as the gateway sets it up.
func serveHTTP(l net.Listener, keep func([]byte) error) error {
	s := &http.Server{
		Handler:           http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { answerFixed(w, r, keep) }),
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		ErrorLog:          stdlog.New(io.Discard, "", 0),
	}
	if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

func answerFixed(w http.ResponseWriter, r *http.Request, keep func([]byte) error) {
	body, err := io.ReadAll(r.Body)
	if err == nil {
		err = keep(body)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(fixedAnswer)))
	_, _ = io.WriteString(w, fixedAnswer) // a driver that is gone needs no answer
}

// serveBare takes what comes with one read for a request, which it does not look at, and answers with one write of bytes
// made beforehand. No server on TCP can do with less.
func serveBare(l net.Listener, keep func([]byte) error) error {
	answer := fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(fixedAnswer), fixedAnswer)
	for {
		c, err := l.Accept()
		if err != nil {
			return err
		}
		go func() {
			defer c.Close()
			b := make([]byte, 4<<10)
			for {
				n, err := c.Read(b)
				if err == nil {
					err = keep(b[:n])
				}
				if err == nil {
					_, err = c.Write(answer)
				}
				if err != nil {
					return // the driver sees it
				}
			}
		}()
	}
}
