package gateway

import (
	"context"
	"errors"
	"time"

	"github.com/replication-gateway/gateway/internal/directory"
)

// Bounds of the sleep of expireReceipts: the clock that it waits for may be
// moved, and what could not be done may be possible later.
const (
	expireAtLeastEvery = time.Hour
	expireAgainAfter   = time.Minute
)

// expireReceipts deletes stored answers as they expire, by a command like any
// other, until the gateway closes. A standby leaves that to its primary.
func (g *Gateway) expireReceipts() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		defer cancel() // closing does not wait for standbys
		<-g.closing
	}()
	sleep := g.untilExpiry()
	for {
		timer := time.NewTimer(sleep)
		select {
		case <-g.closing:
			timer.Stop()
			return
		case <-timer.C:
		}
		if sleep = g.untilExpiry(); sleep > 0 {
			continue
		}
		_, _, err := Do(ctx, g, gatewayActor, directory.ExpireReceipts{})
		if g.closes() || errors.Is(err, ErrClosed) || errors.Is(err, ErrStorageFailed) {
			return
		}
		if err != nil {
			sleep = expireAgainAfter
		}
	}
}

// gatewayActor stands in the entries of what the gateway does by itself.
const gatewayActor = "gateway"

// untilExpiry returns how long no stored answer expires, at most.
func (g *Gateway) untilExpiry() time.Duration {
	if g.standby.Load() {
		return expireAgainAfter // it may be promoted
	}
	state, _ := g.State()
	at, any := state.NextExpiry()
	if !any {
		return expireAtLeastEvery
	}
	return min(max(at.Std().Sub(g.Now()), 0), expireAtLeastEvery)
}
