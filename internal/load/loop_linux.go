package load

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"
)

// Bounds of the loop.
const (
	atOnce     = 64        // subscribers being opened at the same time
	readBuffer = 256 << 10 // bytes, shared by all subscribers
	maxEvents  = 512       // of one wait
)

// subscriber is one connection on its way from connecting through its handshake
// to its stream.
type subscriber struct {
	fd         int
	connecting bool
	opening    *handshake // nil once the stream is open
	joined     bool
	deliveries int
	scanner    scanner
}

// loop reads the subscribers of a swarm. Only run and what it calls touch the
// subscribers, and close when run has returned.
type loop struct {
	swarm   *Swarm
	epoll   int
	wake    int // an eventfd, readable when the loop is to end
	family  int
	address unix.Sockaddr
	subs    []*subscriber
	waiting int // subscribers that have not joined yet, of those that were opened
	buffer  []byte
	found   found
}

// woken stands for the eventfd where events name a subscriber by its number.
const woken = -1

// open finds out where the gateway is, and makes what the loop needs.
func (l *loop) open(s *Swarm) error {
	conn, err := net.DialTimeout("tcp", s.options.Target.Addr, 10*time.Second)
	if err != nil {
		return err
	}
	addr := conn.RemoteAddr().(*net.TCPAddr).AddrPort()
	if err := conn.Close(); err != nil {
		return err
	}
	l.swarm, l.buffer = s, make([]byte, readBuffer)
	l.family, l.address = socketAddress(addr)
	if l.epoll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return fmt.Errorf("epoll: %w", err)
	}
	if l.wake, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK); err != nil {
		unix.Close(l.epoll)
		return fmt.Errorf("eventfd: %w", err)
	}
	if err := l.watch(unix.EPOLL_CTL_ADD, l.wake, woken, unix.EPOLLIN); err != nil {
		l.close(0)
		return err
	}
	return nil
}

func socketAddress(a netip.AddrPort) (family int, address unix.Sockaddr) {
	if ip := a.Addr().Unmap(); ip.Is4() {
		return unix.AF_INET, &unix.SockaddrInet4{Port: int(a.Port()), Addr: ip.As4()}
	}
	return unix.AF_INET6, &unix.SockaddrInet6{Port: int(a.Port()), Addr: a.Addr().As16()}
}

func (l *loop) watch(op, fd, number int, events uint32) error {
	if err := unix.EpollCtl(l.epoll, op, fd, &unix.EpollEvent{Events: events, Fd: int32(number)}); err != nil {
		return fmt.Errorf("epoll: %w", err)
	}
	return nil
}

// run opens the subscribers and reads them until stop, or until one is lost.
func (l *loop) run() error {
	events := make([]unix.EpollEvent, maxEvents)
	for {
		for l.waiting < atOnce && len(l.subs) < l.swarm.options.Subscribers {
			if err := l.connect(); err != nil {
				return fmt.Errorf("subscriber %d: %w", len(l.subs)+1, err)
			}
		}
		n, err := unix.EpollWait(l.epoll, events, -1)
		if err != nil && err != unix.EINTR {
			return fmt.Errorf("epoll: %w", err)
		}
		for _, event := range events[:max(0, n)] {
			if event.Fd == woken {
				return nil
			}
			if err := l.serve(int(event.Fd)); err != nil {
				return fmt.Errorf("subscriber %d: %w", event.Fd+1, err)
			}
		}
	}
}

// connect begins to open one more subscriber.
func (l *loop) connect() error {
	fd, err := unix.Socket(l.family, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return explained(err)
	}
	number := len(l.subs)
	l.subs = append(l.subs, &subscriber{fd: fd, connecting: true, opening: newHandshake()})
	l.waiting++
	if err := unix.Connect(fd, l.address); err != nil && err != unix.EINPROGRESS {
		return explained(err)
	}
	return l.watch(unix.EPOLL_CTL_ADD, fd, number, unix.EPOLLOUT)
}

// explained says what to do about limits of this machine.
func explained(err error) error {
	switch {
	case errors.Is(err, unix.EMFILE), errors.Is(err, unix.ENFILE):
		return fmt.Errorf("%w: each subscriber is one; raise ulimit -n", err)
	case errors.Is(err, unix.EADDRNOTAVAIL):
		return fmt.Errorf("%w: no local port is left; widen net.ipv4.ip_local_port_range", err)
	}
	return err
}

// serve does what the connection of a subscriber is ready for.
func (l *loop) serve(number int) error {
	sub := l.subs[number]
	if sub.connecting {
		return l.request(sub, number)
	}
	n, err := unix.Read(sub.fd, l.buffer)
	if err == unix.EAGAIN || err == unix.EINTR {
		return nil
	}
	if err != nil {
		return err
	}
	if n == 0 {
		return errors.New("the gateway ended the connection")
	}
	return l.receive(sub, l.buffer[:n])
}

// request sends the handshake over a connection that is there now, or says why
// it is not.
func (l *loop) request(sub *subscriber, number int) error {
	failed, err := unix.GetsockoptInt(sub.fd, unix.SOL_SOCKET, unix.SO_ERROR)
	if err != nil {
		return err
	}
	if failed != 0 {
		return explained(unix.Errno(failed))
	}
	sub.connecting = false
	if err := sub.send(sub.opening.request(l.swarm.options.Target)); err != nil {
		return err
	}
	return l.watch(unix.EPOLL_CTL_MOD, sub.fd, number, unix.EPOLLIN)
}

// send writes what is short enough for any connection that is read.
func (sub *subscriber) send(b []byte) error {
	n, err := unix.Write(sub.fd, b)
	if err != nil {
		return err
	}
	if n < len(b) {
		return fmt.Errorf("the connection took %d bytes of %d", n, len(b))
	}
	return nil
}

// receive reads what has come for a subscriber.
func (l *loop) receive(sub *subscriber, b []byte) error {
	now, size := time.Now(), len(b)
	if sub.opening != nil {
		rest, open, err := sub.opening.feed(b)
		if err != nil {
			return err
		}
		if open {
			sub.opening = nil
		}
		b = rest
	}
	l.found.reset()
	if err := sub.scanner.feed(b, l.swarm.options.Mark, &l.found); err != nil {
		return err
	}
	l.account(sub, size, now)
	for _, ping := range l.found.pings {
		if err := sub.send(appendControl(nil, opPong, ping)); err != nil {
			return err
		}
	}
	if l.found.closed != nil {
		return l.found.closed
	}
	return nil
}

// account adds what was found to the figures.
func (l *loop) account(sub *subscriber, size int, now time.Time) {
	s := l.swarm
	s.mu.Lock()
	defer s.mu.Unlock()
	sub.deliveries += s.count(&l.found, size, now)
	if !sub.joined && l.found.snapshots > 0 {
		sub.joined = true
		l.waiting--
		if s.figures.Joined++; s.figures.Joined == s.options.Subscribers {
			close(s.joined)
		}
	}
	s.look()
}

// stop makes run return.
func (l *loop) stop() {
	_, _ = unix.Write(l.wake, []byte{1, 0, 0, 0, 0, 0, 0, 0}) // fails only when it has been woken to the brim
}

// close says goodbye and closes everything, when run has returned. It returns
// how many subscribers did not get exactly so many deliveries.
func (l *loop) close(deliveries int) (uneven int) {
	goodbye := appendControl(nil, opClose, []byte{1000 >> 8, 1000 & 0xff})
	for _, sub := range l.subs {
		if sub.deliveries != deliveries {
			uneven++
		}
		if sub.opening == nil {
			_ = sub.send(goodbye) // nothing is lost when it does not arrive
		}
		unix.Close(sub.fd)
	}
	unix.Close(l.wake)
	unix.Close(l.epoll)
	return uneven
}
