package api

import (
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// maxGather is how many frames share a write. The list of more would not fit on
// the stack.
const maxGather = 8

// rawConn returns access to the descriptor of a connection that takes bytes as
// they are, nil for any other.
func rawConn(conn net.Conn) syscall.RawConn {
	if tcp, ok := conn.(*net.TCPConn); ok {
		if raw, err := tcp.SyscallConn(); err == nil {
			return raw
		}
	}
	return nil
}

// writeNow writes frames to a descriptor that does not block. It returns 0 if the
// kernel takes nothing now.
func writeNow(fd int, frames [][]byte) (n int, err error) {
	for {
		if len(frames) == 1 {
			n, err = unix.Write(fd, frames[0])
		} else {
			n, err = unix.Writev(fd, frames)
		}
		switch err {
		case nil:
			return n, nil
		case unix.EINTR:
		case unix.EAGAIN:
			return 0, nil
		default:
			return 0, err
		}
	}
}

// untaken returns how many bytes written to the connection its peer has not
// acknowledged.
func untaken(raw syscall.RawConn) (n int) {
	err := raw.Control(func(fd uintptr) { n, _ = unix.IoctlGetInt(int(fd), unix.SIOCOUTQ) })
	if err != nil {
		return 0
	}
	return max(n, 0)
}
