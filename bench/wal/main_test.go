package main

import (
	"errors"
	"flag"
	"slices"
	"testing"
	"time"

	"github.com/replication-gateway/gateway/bench/internal/command"
)

func TestParse(t *testing.T) {
	o, err := parse([]string{"-rounds", "7", "-for", "2s", "-figures", "latency,flips"})
	if err != nil {
		t.Fatal(err)
	}
	if o.Rounds != 7 || o.For != 2*time.Second || !slices.Equal(o.Figures, []string{"latency", "flips"}) {
		t.Errorf("got %+v", o)
	}
	for _, args := range [][]string{
		{"-rounds", "0"}, {"-for", "0s"}, {"-figures", "speed"}, {"-flips", "0"}, {"-replay-records", "0"}, {"-no-such"}, {"left over"},
	} {
		if _, err := parse(args); !errors.Is(err, command.ErrUsage) {
			t.Errorf("%q: %v, want wrong usage", args, err)
		}
	}
	if _, err := parse([]string{"-h"}); !errors.Is(err, flag.ErrHelp) {
		t.Errorf("-h: %v", err)
	}
}
