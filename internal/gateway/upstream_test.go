package gateway_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/replication-gateway/gateway/internal/gateway"
)

func TestUpstreamSaysSinceWhen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, start := gateway.New(gateway.Options{}), time.Now()
		for i, step := range []struct {
			up           bool
			since, heard int // minutes after the start; -1 for never
		}{
			{false, 0, -1}, {false, 0, -1}, {true, 2, 2}, {true, 2, 3}, {false, 4, 3}, {false, 4, 3}, {true, 6, 6},
		} {
			g.SetUpstream(gateway.Upstream{URL: "there", Up: step.up})
			<-time.After(time.Minute)
			want := gateway.Upstream{URL: "there", Up: step.up, Since: start.Add(time.Duration(step.since) * time.Minute)}
			if step.heard >= 0 {
				want.Heard = start.Add(time.Duration(step.heard) * time.Minute)
			}
			if got := g.Upstream(); got != want {
				t.Errorf("minute %d: got %+v, want %+v", i, got, want)
			}
		}
	})
}
