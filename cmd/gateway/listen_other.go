//go:build !linux

package main

import (
	"context"
	"net"
)

// listen opens the address that is served.
func listen(ctx context.Context, address string) (net.Listener, error) {
	return new(net.ListenConfig).Listen(ctx, "tcp", address)
}

// descriptors is how many files the process may have open, 0 if that is not known.
func descriptors() int { return 0 }
