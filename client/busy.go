package client

import "time"

// A gateway that hears nothing for two intervals, not even the answers to its
// pings, takes a subscriber for gone. The answers are given by who reads, so a
// handler that is long about a frame, such as one that takes a large state over,
// would be given up. Meanwhile the gateway is pinged instead.

// busy begins a time in which nobody reads, until idle.
func (c *Conn) busy() {
	pause := c.silence / 4 // half an interval
	c.pause.Store(int64(pause))
	c.signs.Reset(pause)
}

func (c *Conn) idle() {
	c.pause.Store(0)
	c.signs.Stop()
}

// sign gives a sign of life, and again after a pause.
func (c *Conn) sign() {
	pause := time.Duration(c.pause.Load())
	if pause == 0 {
		return
	}
	go func() { _ = c.ws.Ping(c.reading) }() // until somebody reads the pong, or the stream has ended
	c.signs.Reset(pause)
}
