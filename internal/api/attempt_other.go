//go:build !linux

package api

import (
	"errors"
	"net"
	"syscall"
)

const maxGather = 1

// rawConn returns nil: here every write is made by a goroutine that may wait.
func rawConn(net.Conn) syscall.RawConn { return nil }

func writeNow(int, [][]byte) (int, error) { return 0, errors.ErrUnsupported }

func untaken(syscall.RawConn) int { return 0 }
