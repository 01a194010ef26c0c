package api

import (
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestPeerThatMakesRoomSlowlyIsKept: the kernel tells of room when much of it is free,
// and a slow peer takes longer for that than the timeout. Once it takes nothing it is
// dropped.
func TestPeerThatMakesRoomSlowlyIsKept(t *testing.T) {
	t.Parallel()
	const timeout, reads = time.Second, 50
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	narrow := net.Dialer{Control: func(_, _ string, c syscall.RawConn) (err error) {
		return errors.Join(c.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF, 4<<10) }), err)
	}}
	near, far := connectedWith(t, l, &narrow)
	written := make(chan struct{}, 1)
	s := newSocket(near, nil, timeout, func() { written <- struct{}{} })
	defer s.close()
	if all, err := s.send([][]byte{make([]byte, 1<<20)}); all || err != nil {
		t.Fatalf("a megabyte into a small buffer: %v, %v", all, err)
	}
	pace := time.NewTicker(timeout / reads)
	defer pace.Stop()
	b := make([]byte, 400)
	for range 3 * reads {
		<-pace.C
		if _, err := io.ReadFull(far, b); err != nil {
			t.Fatalf("read: %v", err)
		}
	}
	if !s.busy() {
		t.Error("dropped while it read")
	}
	<-written
	if !errors.Is(s.err, os.ErrDeadlineExceeded) {
		t.Errorf("a peer that has stopped reading: %v, want os.ErrDeadlineExceeded", s.err)
	}
}
