package peers

import (
	"context"
	"net/http"
	"time"

	"github.com/centrifugal/centrifuge"

	"github.com/replication-gateway/gateway/bench/fanout/internal/crowd"
)

var centrifugePeer = Peer{
	Name:   "centrifuge",
	Module: "github.com/centrifugal/centrifuge",
	About: "its WebSocket handler, JSON, one channel that everybody is subscribed to by the server; a pool of write buffers, small " +
		"read buffers, commands off the read loop, no pings; all that waits for a subscriber leaves in one frame",
	Dialect: crowd.Centrifuge,
	start:   func(Options) (*fanout, error) { return startCentrifuge(0) },
}

// gatheringPeer trades latency for calls of the kernel, as centrifuge advises for high rates.
var gatheringPeer = Peer{
	Name:    "centrifuge, gathering",
	Module:  "github.com/centrifugal/centrifuge",
	About:   "the same with a write delay of 50 ms, by timers, in which what leaves together gathers; for saturation only",
	Dialect: crowd.Centrifuge,
	start:   func(Options) (*fanout, error) { return startCentrifuge(50 * time.Millisecond) },
}

const centrifugeChannel = "deltas"

func startCentrifuge(delay time.Duration) (*fanout, error) {
	node, err := centrifuge.New(centrifuge.Config{})
	if err != nil {
		return nil, err
	}
	node.OnConnecting(func(context.Context, centrifuge.ConnectEvent) (centrifuge.ConnectReply, error) {
		return centrifuge.ConnectReply{
			Credentials:        &centrifuge.Credentials{},
			Subscriptions:      map[string]centrifuge.SubscribeOptions{centrifugeChannel: {}},
			MaxMessagesInFrame: -1,
			WriteDelay:         delay,
			WriteWithTimer:     delay > 0,
		}, nil
	})
	if err := node.Run(); err != nil {
		return nil, err
	}
	handler := centrifuge.NewWebsocketHandler(node, centrifuge.WebsocketConfig{
		CheckOrigin:                func(*http.Request) bool { return true },
		ReadBufferSize:             512,
		UseWriteBufferPool:         true,
		WriteTimeout:               writeTime,
		ProcessCommandsOffReadLoop: true,
		PingPongConfig:             centrifuge.PingPongConfig{PingInterval: -1, PongTimeout: -1},
	})
	return &fanout{
		subscribe: handler,
		publish: func(delta []byte) error {
			_, err := node.Publish(centrifugeChannel, delta)
			return err
		},
		close: func() { _ = node.Shutdown(context.Background()) },
	}, nil
}
