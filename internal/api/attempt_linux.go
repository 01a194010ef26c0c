package api

import (
	"net"
	"unsafe"

	"golang.org/x/sys/unix"
)

// maxGather is how many frames share a write. The list of more would not fit on
// the stack.
const maxGather = 8

// maxUnsent is how much the kernel takes for a peer beyond what is on its way. It
// would take megabytes, and for a crowd of joiners those of each.
const maxUnsent = 64 << 10

// descriptor returns that of a connection that takes bytes as they are,
// noDescriptor for any other. It is good until the connection is closed, which is
// for the caller to know.
func descriptor(conn net.Conn) int {
	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		return noDescriptor
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return noDescriptor
	}
	number := noDescriptor
	err = raw.Control(func(fd uintptr) {
		number = int(fd)
		// Without it more memory is used, no more.
		_ = unix.SetsockoptInt(number, unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, maxUnsent)
	})
	if err != nil {
		return noDescriptor
	}
	return number
}

// writeNow writes frames to a descriptor that does not block. It returns 0 if the
// kernel takes nothing now.
func writeNow(fd int, frames [][]byte) (n int, err error) {
	for {
		if len(frames) == 1 {
			n, err = sendNow(fd, frames[0])
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

// sendNow is one send(2) of b. The scheduler is not told of it. It would look for
// something else to do meanwhile, again and again while a writer walks along its
// streams, and that takes longer than a call which waits for nothing.
func sendNow(fd int, b []byte) (int, error) {
	n, _, errno := unix.RawSyscall6(unix.SYS_SENDTO, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)),
		unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL, 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}

// untaken returns how many bytes written to the connection its peer has not
// acknowledged.
func untaken(fd int) int {
	n, err := unix.IoctlGetInt(fd, unix.SIOCOUTQ)
	if err != nil {
		return 0
	}
	return max(n, 0)
}
