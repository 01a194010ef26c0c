package main

import (
	"math"
	"strings"
	"testing"
)

func TestPlot(t *testing.T) {
	svg := plot("a <caption> & more", []panel{
		{title: "first", unit: "µs", bars: []bar{{rawName, 8, 7, 9}, {gatewayName, 9, 9, 9}, {"a peer", 18, 10, 36}}},
		{title: "second", unit: "KB", more: true, bars: []bar{{rawName, 0, 0, 0}, {gatewayName, 8.5, 8, 9}, {"a peer", math.NaN(), math.NaN(), math.NaN()}}},
	})
	wellFormed(t, svg)
	s := string(svg)
	for part, times := range map[string]int{
		"a &lt;caption&gt; &amp; more": 1, ">gateway</text>": 1, ">a peer</text>": 1, "first": 1, "shorter is better": 1, "longer is better": 1,
		`fill="#1f6feb"`:           2, // the gateway's bars
		`stroke-dasharray`:         2, // the limit's lines
		`fill="#d0d7de"`:           1, // the peer's, where it has a value
		`width="69.0" height="15"`: 1, // half of the room for bars: 18 where the longest spread ends at 36
		">18.0</text>":             1,
	} {
		if n := strings.Count(s, part); n != times {
			t.Errorf("%q comes %d times, want %d:\n%s", part, n, times, s)
		}
	}
	if strings.Contains(s, "NaN") {
		t.Errorf("a value that there is not is drawn:\n%s", s)
	}
}
