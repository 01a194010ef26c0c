package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/replication-gateway/gateway/bench/internal/command"
	"github.com/replication-gateway/gateway/bench/internal/report"
)

// options is what a run is asked to do.
type options struct {
	Rounds      int           `json:"rounds"`
	For         time.Duration `json:"for_ns"`
	Warm        time.Duration `json:"warm_ns"`
	Settle      time.Duration `json:"settle_ns"`
	Subscribers int           `json:"subscribers"`
	Rate        int           `json:"rate"`
	Window      int           `json:"window"`

	Readers     int           `json:"readers"`
	Stalled     []int         `json:"stalled"`
	StalledRate int           `json:"stalled_rate"`
	StalledFor  time.Duration `json:"stalled_for_ns"`

	Joiners int `json:"joiners"`
	Nodes   int `json:"nodes"`

	ChurnSubscribers int           `json:"churn_subscribers"`
	ChurnRate        int           `json:"churn_rate"`
	ChurnFor         time.Duration `json:"churn_for_ns"`

	Seed       uint64   `json:"seed"`
	Figures    []string `json:"figures"`
	Candidates []string `json:"candidates"`

	gateway, disk, out string
	again              string // the command that measures the same again
}

// figure is one thing that is measured, and the sections that it brings.
type figure struct {
	name     string
	measure  func(*bench, context.Context) error
	sections func(*bench) []report.Section
}

var all = []figure{
	{"steady", (*bench).steady, (*bench).steadySections},
	{"saturation", (*bench).saturation, (*bench).saturationSections},
	{"stalled", (*bench).stalled, (*bench).stalledSections},
	{"joiners", (*bench).joiners, (*bench).joinersSections},
	{"reconnects", (*bench).reconnects, (*bench).reconnectsSections},
}

// quick is what -quick sets, as far as it is not set otherwise.
var quick = map[string]string{
	"rounds": "1", "for": "1s", "warm": "300ms", "settle": "300ms", "subscribers": "500", "readers": "100", "stalled-for": "3s",
	"stalled-rate": "100", "joiners": "50", "nodes": "3000", "churn-subscribers": "100", "churn-rate": "500", "churn-for": "2s",
}

func parse(args []string) (options, error) {
	o := options{Stalled: []int{0, 1, 100}}
	f := flag.NewFlagSet("fanout", flag.ContinueOnError)
	f.IntVar(&o.Rounds, "rounds", 5, "`times` that each candidate has its turn")
	f.DurationVar(&o.For, "for", 6*time.Second, "how long a candidate is measured in its turn, steady and at saturation")
	f.DurationVar(&o.Warm, "warm", time.Second, "how long it runs before that")
	f.DurationVar(&o.Settle, "settle", 3*time.Second, "how long subscribers are idle before memory is looked at")
	f.IntVar(&o.Subscribers, "subscribers", 10_000, "`subscribers`, steady and at saturation")
	f.IntVar(&o.Rate, "rate", 5, "`commits` a second, steady")
	f.IntVar(&o.Window, "window", 128, "`commits` that may be under way at saturation before some have reached everybody")
	f.IntVar(&o.Readers, "readers", 1000, "`subscribers` that read while others are stalled")
	f.IntVar(&o.StalledRate, "stalled-rate", 50, "`commits` a second while some are stalled")
	f.DurationVar(&o.StalledFor, "stalled-for", 10*time.Second, "how long they are")
	f.IntVar(&o.Joiners, "joiners", 1000, "`subscribers` that join at once")
	f.IntVar(&o.Nodes, "nodes", 29_000, "`nodes` of the state that they are given, of 172 bytes each")
	f.IntVar(&o.ChurnSubscribers, "churn-subscribers", 2000, "`subscribers` of which one in a hundred reconnects each second")
	f.IntVar(&o.ChurnRate, "churn-rate", 2000, "`commits` a second meanwhile")
	f.DurationVar(&o.ChurnFor, "churn-for", 10*time.Second, "how long that goes on")
	f.Uint64Var(&o.Seed, "seed", 1, "`number` that all random choices come from")
	f.StringVar(&o.gateway, "gateway", "", "gateway `program` to measure; without one it is built from this source")
	f.StringVar(&o.disk, "dir", os.TempDir(), "`folder` on the disk for the gateway's data; what is made there is removed again")
	f.StringVar(&o.out, "out", ".", "`folder` for the report")
	short := f.Bool("quick", false, "few subscribers and short turns, to see that all runs; the figures mean little")
	var figures, servers []string
	for _, x := range all {
		figures = append(figures, x.name)
	}
	for _, c := range candidates() {
		servers = append(servers, c.name)
	}
	chosen := f.String("figures", strings.Join(figures, ","), "what to measure, `names` apart by commas")
	measured := f.String("candidates", strings.Join(servers, ","), "whom to measure, `names` apart by commas; ratios need the limit")
	if err := command.Parse(f, args); err != nil {
		return o, err
	}
	if *short {
		if err := command.SetOthers(f, quick); err != nil {
			return o, err
		}
	}
	var err error
	if o.Figures, err = command.Choose("figure", *chosen, figures); err != nil {
		return o, err
	}
	if o.Candidates, err = command.Choose("candidate", *measured, servers); err != nil {
		return o, err
	}
	if f.NArg() > 0 || !o.valid() {
		return o, fmt.Errorf("%w: see -h", command.ErrUsage)
	}
	o.again = command.Again(f)
	return o, nil
}

// maxSubscribers is what one address and port has local ports for, and some in reserve.
const maxSubscribers = 25_000

func (o options) valid() bool {
	for _, n := range []int{o.Subscribers, o.Readers, o.Joiners, o.ChurnSubscribers} {
		if n < 1 || n > maxSubscribers {
			return false
		}
	}
	for _, n := range []int{o.Rounds, o.Rate, o.Window, o.StalledRate, o.Nodes, o.ChurnRate} {
		if n < 1 || n > 1_000_000 {
			return false
		}
	}
	for _, d := range []time.Duration{o.For, o.StalledFor, o.ChurnFor} {
		if d <= 0 || d > time.Hour {
			return false
		}
	}
	return o.Warm > 0 && o.Settle >= 0
}
