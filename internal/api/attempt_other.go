//go:build !linux

package api

import (
	"errors"
	"net"
)

const maxGather = 1

// descriptor returns noDescriptor: here every write is made by a goroutine that may
// wait.
func descriptor(net.Conn) int { return noDescriptor }

func writeNow(int, [][]byte) (int, error) { return 0, errors.ErrUnsupported }

func untaken(int) int { return 0 }
