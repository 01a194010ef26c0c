package main

import (
	"context"
	"math"
	"net"
	"syscall"
)

// requestWait is how many seconds a connection may be open before it is accepted
// without a request.
const requestWait = 1

// listen opens the address that is served. The kernel hands over a connection when
// its request is there, so that of a crowd at the door each takes memory no sooner
// than it can be answered.
func listen(ctx context.Context, address string) (net.Listener, error) {
	config := net.ListenConfig{Control: func(_, _ string, conn syscall.RawConn) error {
		return conn.Control(func(fd uintptr) {
			// A kernel that cannot do it hands over all connections at once.
			_ = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, syscall.TCP_DEFER_ACCEPT, requestWait)
		})
	}}
	return config.Listen(ctx, "tcp", address)
}

// descriptors is how many files the process may have open, 0 if that is not known.
func descriptors() int {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return 0
	}
	return int(min(limit.Cur, math.MaxInt32))
}
