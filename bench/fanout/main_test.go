package main

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/replication-gateway/gateway/bench/internal/command"
	"github.com/replication-gateway/gateway/bench/internal/rawhttp"
	"github.com/replication-gateway/gateway/bench/internal/server"
)

// TestMain lets this binary be a peer, as the program itself does, and removes the gateway that tests have built.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == asPeer {
		if err := runPeer(context.Background(), os.Args[2:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	status := m.Run()
	if buildDir != "" {
		os.RemoveAll(buildDir)
	}
	os.Exit(status)
}

var buildDir string

// built builds the gateway, once for all tests.
var built = sync.OnceValues(func() (string, error) {
	var err error
	if buildDir, err = os.MkdirTemp("", "fanout-test-"); err != nil {
		return "", err
	}
	return server.Build(context.Background(), buildDir)
})

func TestParse(t *testing.T) {
	o, err := parse([]string{"-rounds", "7", "-for", "2s", "-figures", "steady,joiners", "-candidates", "gateway,raw limit"})
	if err != nil {
		t.Fatal(err)
	}
	if o.Rounds != 7 || o.For != 2*time.Second || !slices.Equal(o.Figures, []string{"steady", "joiners"}) ||
		!slices.Equal(o.Candidates, []string{"gateway", "raw limit"}) {
		t.Errorf("got %+v", o)
	}
	o, err = parse([]string{"-quick", "-rounds", "3"})
	if err != nil || o.Rounds != 3 || o.Subscribers != 500 || o.For != time.Second {
		t.Errorf("-quick with three rounds: %+v (%v)", o, err)
	}
	for _, args := range [][]string{
		{"-rounds", "0"}, {"-for", "0s"}, {"-warm", "0s"}, {"-settle", "-1s"}, {"-figures", "speed"}, {"-candidates", "nobody"},
		{"-subscribers", "0"}, {"-subscribers", "40000"}, {"-rate", "0"}, {"-window", "0"}, {"-nodes", "0"}, {"-no-such"}, {"left over"},
	} {
		if _, err := parse(args); !errors.Is(err, command.ErrUsage) {
			t.Errorf("%q: %v, want wrong usage", args, err)
		}
	}
	if _, err := parse([]string{"-h"}); !errors.Is(err, flag.ErrHelp) {
		t.Errorf("-h: %v", err)
	}
}

// TestRun takes all figures of some candidates, in small, and looks at what comes of it.
func TestRun(t *testing.T) {
	program, err := built()
	if err != nil {
		t.Fatal(err)
	}
	out := t.TempDir()
	err = run(t.Context(), []string{"-gateway", program, "-dir", t.TempDir(), "-out", out,
		"-candidates", "raw limit,gateway,centrifuge,textbook hub", "-rounds", "1", "-for", "200ms", "-warm", "100ms", "-settle", "0s",
		"-subscribers", "20", "-rate", "50", "-readers", "10", "-stalled-for", "200ms", "-joiners", "5", "-nodes", "300",
		"-churn-subscribers", "100", "-churn-rate", "200", "-churn-for", "2s"})
	if err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(filepath.Join(out, reportName+".json"))
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Samples struct {
			Samples []struct {
				Figure, Candidate string
				Values            map[string]float64
			}
			Failures []failure
		}
	}
	if err := json.Unmarshal(raw, &got); err != nil {
		t.Fatal(err)
	}
	for _, f := range got.Samples.Failures {
		t.Errorf("%s failed in %s: %s", f.Candidate, f.Figure, f.Error)
	}
	if n := len(got.Samples.Samples); n != 5+5+3*4+4+1 {
		t.Errorf("there are %d samples", n)
	}
	for _, s := range got.Samples.Samples {
		v := s.Values
		switch s.Figure {
		case steadyFigure:
			if v["deliveries"] != 20*10 || v["exact_streams"] != 20 {
				t.Errorf("%s: %v", s.Candidate, v)
			}
		case saturationFigure:
			if v["per_second"] <= 0 || v["per_message"] < 0.9 {
				t.Errorf("%s at saturation: %v", s.Candidate, v)
			}
		case joinersFigure:
			if each := v["mb_each"]; each < 0.04 != (s.Candidate == deflatedName) || each == 0 {
				t.Errorf("%s gave each joiner %v MB", s.Candidate, each)
			}
		case reconnectsFigure:
			if v["exact"] != 100 || v["alike"] != 100 || v["resumes"] < 1 || v["refused"]+v["resyncs"]+v["gaps"]+v["missing"]+v["surplus"] > 0 {
				t.Errorf("reconnects: %v", v)
			}
		}
	}
	page, err := os.ReadFile(filepath.Join(out, reportName+".md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{"## What was aimed at", "## At 20 subscribers", "## At saturation", "## Others that do not read", "## 5 join at once",
		"## 200 commits a second", "## Candidates", reportName + ".svg"} {
		if !strings.Contains(string(page), part) {
			t.Errorf("the page lacks %q", part)
		}
	}
	picture, err := os.ReadFile(filepath.Join(out, reportName+".svg"))
	if err != nil {
		t.Fatal(err)
	}
	wellFormed(t, picture)
}

func wellFormed(t *testing.T, svg []byte) {
	t.Helper()
	for d := xml.NewDecoder(bytes.NewReader(svg)); ; {
		if _, err := d.Token(); err == io.EOF {
			return
		} else if err != nil {
			t.Fatalf("the picture is no XML: %v\n%s", err, svg)
		}
	}
}

// TestPeersPushWhatTheGatewayPushes compares the delta that peers are given with the gateway's own.
func TestPeersPushWhatTheGatewayPushes(t *testing.T) {
	program, err := built()
	if err != nil {
		t.Fatal(err)
	}
	s, err := server.Gateway(t.Context(), program, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Kill()
	conn, _, err := websocket.Dial(t.Context(), "ws://"+s.Addr+"/subscribe", &websocket.DialOptions{
		HTTPHeader: http.Header{"Authorization": {"Bearer " + server.Token}},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.CloseNow()
	w, err := rawhttp.Dial(s.Addr)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if a, err := w.Do(putNode(0)); err != nil || a.Status != http.StatusOK {
		t.Fatalf("the write was answered with %d %s (%v)", a.Status, a.Body, err)
	}
	var delta []byte
	for !bytes.HasPrefix(delta, []byte(`{"type":"delta"`)) {
		if _, delta, err = conn.Read(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	differs := regexp.MustCompile(`"(epoch|at|created_at)":"[^"]*"`)
	got, want := differs.ReplaceAll(delta, []byte("$1")), differs.ReplaceAll(deltaOf(0), []byte("$1"))
	if !bytes.Equal(got, want) || len(delta) != len(deltaOf(0)) {
		t.Errorf("the gateway's delta of %d bytes is\n%s\nthat of the peers, of %d,\n%s", len(delta), delta, len(deltaOf(0)), deltaOf(0))
	}
}
