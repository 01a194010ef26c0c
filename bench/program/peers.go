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

// startPeer starts a peer: one that makes what it takes durable in a folder, as records of some bytes, or with no
// folder one that forgets it.
func startPeer(ctx context.Context, dir string, recordSize int) (*server.Server, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, self, asPeer, "-durable", dir, "-record", strconv.Itoa(recordSize))
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

// runPeer serves until it is killed: net/http set up as the gateway sets it up, and a handler that reads the body, has
// it made durable if it was told where, and gives a fixed answer.
func runPeer(args []string) error {
	f := flag.NewFlagSet(asPeer, flag.ContinueOnError)
	dir := f.String("durable", "", "`folder` to make bodies durable in")
	size := f.Int("record", 1, "`bytes` of a record")
	if err := f.Parse(args); err != nil {
		return err
	}
	keep := func([]byte) error { return nil }
	if *dir != "" {
		l, err := logs.Writers()[0].Open(*dir)
		if err != nil {
			return err
		}
		w := grouping.NewWriter(l)
		w.Start()
		keep = func(body []byte) error {
			record := make([]byte, *size)
			copy(record, body)
			return w.Commit(grouping.NewProposal(record))
		}
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	s := &http.Server{
		Handler:           http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { answerFixed(w, r, keep) }),
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		ErrorLog:          stdlog.New(io.Discard, "", 0),
	}
	fmt.Fprintf(os.Stderr, `{"addr":%q,"message":"listening"}`+"\n"+`{"message":"ready"}`+"\n", listener.Addr())
	if err := s.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
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
