package api

import (
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// maxGather is how many frames share a write. The list of more would not fit on
// the stack.
const maxGather = 8

// maxUnsent is how much the kernel takes for a peer beyond what is on its way. It
// would take megabytes, and for a crowd of joiners those of each.
const maxUnsent = 64 << 10

// rawConn returns access to the descriptor of a connection that takes bytes as
// they are, nil for any other.
func rawConn(conn net.Conn) syscall.RawConn {
	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		return nil
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return nil
	}
	err = raw.Control(func(fd uintptr) {
		// Without it more memory is used, no more.
		_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, maxUnsent)
	})
	if err != nil {
		return nil
	}
	return raw
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
