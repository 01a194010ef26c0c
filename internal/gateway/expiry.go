package gateway

import (
	"context"
	"time"

	"github.com/replication-gateway/gateway/internal/directory"
)

// expireAtLeastEvery is how long expireReceipts sleeps at most: the clock that
// it waits for may be moved.
const expireAtLeastEvery = time.Hour

// expireReceipts deletes stored answers as they expire, by a command like any
// other, until the gateway closes.
func (g *Gateway) expireReceipts() {
	for {
		timer := time.NewTimer(g.untilExpiry())
		select {
		case <-g.closing:
			timer.Stop()
			return
		case <-timer.C:
		}
		state, _ := g.State()
		if at, any := state.NextExpiry(); !any || at > directory.TimeOf(g.Now()) {
			continue
		}
		if _, _, err := Do(context.Background(), g, gatewayActor, directory.ExpireReceipts{}); err != nil {
			return // the gateway closes, or its log failed
		}
	}
}

// gatewayActor stands in the entries of what the gateway does by itself.
const gatewayActor = "gateway"

func (g *Gateway) untilExpiry() time.Duration {
	state, _ := g.State()
	at, any := state.NextExpiry()
	if !any {
		return expireAtLeastEvery
	}
	return min(max(at.Std().Sub(g.Now()), 0), expireAtLeastEvery)
}
