package peers

import (
	"encoding/binary"
	"net"
	"sync"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/replication-gateway/gateway/bench/fanout/internal/crowd"
)

var rawPeer = Peer{
	Name: "raw limit",
	About: "plain TCP, no handshake: one write(2) of ready, framed bytes to each socket, one after the other, in one goroutine; " +
		"nothing is kept of a subscriber but its descriptor; a long state goes to 16 joiners at a time, from one " +
		"buffer through small ones of the kernel, which is the fastest way. What the kernel costs, and nothing else",
	Dialect: crowd.Bare,
	start:   func(Options) (*fanout, error) { return startRaw(unix.Write) },
}

var pastSchedulerPeer = Peer{
	Name: "raw limit, past the scheduler",
	About: "the raw limit with a send(2) of which Go's scheduler is not told, as is the gateway's. To be told of a write costs a tenth " +
		"of it or more, and is what a program pays that writes as the libraries do",
	Dialect: crowd.Bare,
	start:   func(Options) (*fanout, error) { return startRaw(sendNow) },
}

// A long state is written to a few joiners at a time, through small buffers of the kernel: what lies in its buffers then
// stays in the processor's caches. Without either it takes twice as long, and several times for all at once.
const (
	rawAtOnce = 16
	rawBuffer = 64 << 10
)

// rawFanout writes ready bytes to sockets.
type rawFanout struct {
	listener net.Listener
	write    func(fd int, b []byte) (int, error) // does not wait
	state    atomic.Pointer[[]byte]              // a frame
	writing  chan struct{}                       // holds one for each joiner that is being written to

	mu    sync.Mutex
	conns []rawConn
}

// rawConn is a subscriber. The descriptor is used past the runtime, which would wait for a full socket.
type rawConn struct {
	net.Conn // keeps the descriptor open
	fd       int
}

func startRaw(write func(int, []byte) (int, error)) (*fanout, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	f := &rawFanout{listener: listener, write: write, writing: make(chan struct{}, rawAtOnce)}
	_ = f.setState([]byte(emptyState))
	go f.accept()
	return &fanout{addr: listener.Addr().String(), publish: f.publish, setState: f.setState, close: f.close}, nil
}

func (f *rawFanout) setState(b []byte) error {
	state := frameOf(b)
	f.state.Store(&state)
	return nil
}

// accept takes subscribers in until the listener is closed.
func (f *rawFanout) accept() {
	for {
		conn, err := f.listener.Accept()
		if err != nil {
			return
		}
		go f.join(conn)
	}
}

// join lets a subscriber in and gives it the state. Nothing is read from it. Nothing may be published at the same time,
// which would get into the state.
func (f *rawFanout) join(conn net.Conn) {
	raw, err := conn.(*net.TCPConn).SyscallConn()
	if err != nil {
		conn.Close()
		return
	}
	f.mu.Lock()
	_ = raw.Control(func(fd uintptr) { f.conns = append(f.conns, rawConn{conn, int(fd)}) }) // it is open
	f.mu.Unlock()
	f.writing <- struct{}{}
	defer func() { <-f.writing }()
	state := *f.state.Load()
	if len(state) > rawBuffer {
		_ = conn.(*net.TCPConn).SetWriteBuffer(rawBuffer) // it is faster with it, no more
	}
	_, _ = conn.Write(state) // who has gone is found out by the next delta
}

// publish drops a subscriber whose socket does not take the whole delta.
func (f *rawFanout) publish(delta []byte) error {
	framed := frameOf(delta)
	f.mu.Lock()
	defer f.mu.Unlock()
	kept := f.conns[:0]
	for _, c := range f.conns {
		if n, err := f.write(c.fd, framed); err != nil || n < len(framed) {
			c.Close()
			continue
		}
		kept = append(kept, c)
	}
	clear(f.conns[len(kept):])
	f.conns = kept
	return nil
}

// sendNow is one send(2) that waits for nothing.
func sendNow(fd int, b []byte) (int, error) {
	n, _, errno := unix.RawSyscall6(unix.SYS_SENDTO, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)),
		unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL, 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}

func (f *rawFanout) close() {
	_ = f.listener.Close()
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, c := range f.conns {
		_ = c.Close()
	}
	f.conns = nil
}

// frameOf makes a text frame of a server (RFC 6455, section 5.2).
func frameOf(payload []byte) []byte {
	b := []byte{0x81}
	switch n := len(payload); {
	case n <= 125:
		b = append(b, byte(n))
	case n < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, 126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, 127), uint64(n))
	}
	return append(b, payload...)
}
