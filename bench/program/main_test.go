package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/replication-gateway/gateway/bench/internal/command"
)

// TestMain lets this binary be a peer, as the program itself does, and removes the gateway that tests have built.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == asPeer {
		if err := runPeer(os.Args[2:]); err != nil {
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

func TestParse(t *testing.T) {
	o, err := parse([]string{"-rounds", "7", "-for", "2s", "-figures", "sync,fleet", "-nodes", "500", "-users", "50", "-connections", "3,5", "-heartbeats", "20ms,3s"})
	if err != nil {
		t.Fatal(err)
	}
	if o.Rounds != 7 || o.For != 2*time.Second || !slices.Equal(o.Figures, []string{"sync", "fleet"}) || o.Fleet != (fleet{500, 10, 50}) ||
		!slices.Equal(o.Connections, []int{3, 5}) || !slices.Equal(o.Heartbeats, []time.Duration{20 * time.Millisecond, 3 * time.Second}) {
		t.Errorf("got %+v", o)
	}
	o, err = parse([]string{"-quick", "-rounds", "3"})
	if err != nil || o.Rounds != 3 || o.Fleet.Nodes != 20_000 || o.For != 300*time.Millisecond {
		t.Errorf("-quick with three rounds: %+v (%v)", o, err)
	}
	for _, args := range [][]string{
		{"-rounds", "0"}, {"-for", "0s"}, {"-warm", "-1s"}, {"-figures", "speed"}, {"-entries", "100001"}, {"-nodes", "9"}, {"-users", "100001"},
		{"-nodes", "100", "-users", "11"}, {"-replay-rows", "250001"}, {"-rate", "0"}, {"-connections", "1,x"}, {"-connections", "0"}, {"-heartbeats", "5"}, {"-heartbeats", "0s"},
		{"-heartbeats", "2s,1s"}, {"-no-such"}, {"left over"},
	} {
		if _, err := parse(args); !errors.Is(err, command.ErrUsage) {
			t.Errorf("%q: %v, want wrong usage", args, err)
		}
	}
	if _, err := parse([]string{"-h"}); !errors.Is(err, flag.ErrHelp) {
		t.Errorf("-h: %v", err)
	}
}

// newBench returns a run as small as can be, on a gateway that is built once for all tests.
func newBench(t *testing.T) *bench {
	t.Helper()
	program, err := built()
	if err != nil {
		t.Fatal(err)
	}
	return &bench{dir: t.TempDir(), program: program, options: options{
		Rounds: 1, For: 100 * time.Millisecond, Warm: 10 * time.Millisecond, Connections: []int{2, goalConnections}, Rate: 2000, Fleet: fleet{Nodes: 3000, Networks: 3, Users: 20},
		Entries: 200, Replay: 300, Heartbeats: []time.Duration{200 * time.Millisecond},
	}}
}
