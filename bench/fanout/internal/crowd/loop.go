package crowd

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"
)

const (
	readBuffer = 256 << 10 // bytes, shared by all subscribers
	maxEvents  = 512       // of one wait

	narrowBuffer  = 4 << 10 // bytes that a narrow subscriber has room for, about
	narrowSegment = 536     // bytes of one TCP segment; what the sender may buffer grows with it
)

// woken stands for the eventfd where events name a subscriber by its number.
const woken = -1

// errStopped ends the loop without a fault.
var errStopped = errors.New("stopped")

// loop reads the subscribers of a crowd. Only run and what it calls touch the subscribers, and close when run has
// returned.
type loop struct {
	crowd   *Crowd
	epoll   int
	wake    int // an eventfd
	family  int
	address unix.Sockaddr
	subs    []*subscriber
	opened  int   // subscribers that a connection was begun for
	again   []int // subscribers that are to connect once more
	waiting int   // connections that were begun and are not in yet
	in      int   // subscribers that are in
	lost    int
	buffer  []byte
	marks   []int
	random  *rand.Rand
}

// init makes what the loop needs.
func (l *loop) init(c *Crowd) error {
	addr, err := netip.ParseAddrPort(c.options.Addr)
	if err != nil {
		return err
	}
	l.crowd, l.buffer = c, make([]byte, readBuffer)
	l.random = rand.New(rand.NewPCG(c.options.Seed, 0))
	l.subs = make([]*subscriber, c.options.Subscribers)
	for i := range l.subs {
		l.subs[i] = &subscriber{crowd: c, fd: -1}
	}
	if ip := addr.Addr().Unmap(); ip.Is4() {
		l.family, l.address = unix.AF_INET, &unix.SockaddrInet4{Port: int(addr.Port()), Addr: ip.As4()}
	} else {
		l.family, l.address = unix.AF_INET6, &unix.SockaddrInet6{Port: int(addr.Port()), Addr: ip.As16()}
	}
	if l.epoll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return fmt.Errorf("epoll: %w", err)
	}
	if l.wake, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK); err != nil {
		unix.Close(l.epoll)
		return fmt.Errorf("eventfd: %w", err)
	}
	return l.watch(unix.EPOLL_CTL_ADD, l.wake, woken, unix.EPOLLIN)
}

func (l *loop) watch(op, fd, number int, events uint32) error {
	if err := unix.EpollCtl(l.epoll, op, fd, &unix.EpollEvent{Events: events, Fd: int32(number)}); err != nil {
		return fmt.Errorf("epoll: %w", err)
	}
	return nil
}

// rouse makes the loop look for orders.
func (l *loop) rouse() {
	_, _ = unix.Write(l.wake, []byte{1, 0, 0, 0, 0, 0, 0, 0}) // fails only when it has been woken to the brim
}

// run opens the subscribers and reads them until it is ordered to stop, or until one is lost that must not be.
func (l *loop) run() error {
	events := make([]unix.EpollEvent, maxEvents)
	for {
		if err := l.connectMore(); err != nil {
			return err
		}
		n, err := unix.EpollWait(l.epoll, events, -1)
		if err != nil && err != unix.EINTR {
			return fmt.Errorf("epoll: %w", err)
		}
		for _, event := range events[:max(0, n)] {
			if event.Fd == woken {
				if err := l.obey(); err != nil {
					return ending(err)
				}
				continue
			}
			if err := l.serve(int(event.Fd)); err != nil {
				return fmt.Errorf("subscriber %d: %w", event.Fd+1, err)
			}
		}
		l.tell()
	}
}

func ending(err error) error {
	if errors.Is(err, errStopped) {
		return nil
	}
	return err
}

// obey carries out the orders that have come.
func (l *loop) obey() error {
	var counter [8]byte
	_, _ = unix.Read(l.wake, counter[:]) // whatever it counted, all orders are looked at
	l.crowd.mu.Lock()
	orders := l.crowd.orders
	l.crowd.orders = nil
	l.crowd.mu.Unlock()
	for _, do := range orders {
		if err := do(l); err != nil {
			return err
		}
	}
	return nil
}

// tell passes the figures on.
func (l *loop) tell() {
	c := l.crowd
	c.mu.Lock()
	defer c.mu.Unlock()
	before := c.figures.Joined
	c.figures = Figures{Joined: l.in, Lost: l.lost, Messages: c.messages, Bytes: c.bytes}
	if l.in == len(l.subs) && before < l.in {
		select {
		case <-c.joined:
		default:
			close(c.joined)
		}
	}
}

// connectMore begins as many connections as may be under way at a time.
func (l *loop) connectMore() error {
	for l.waiting < l.crowd.options.AtOnce {
		number := l.opened
		switch {
		case len(l.again) > 0:
			number, l.again = l.again[0], l.again[1:]
		case l.opened < len(l.subs):
			l.opened++
		default:
			return nil
		}
		if err := l.connect(number); err != nil {
			return fmt.Errorf("subscriber %d: %w", number+1, err)
		}
	}
	return nil
}

// connect begins to open a subscriber's connection.
func (l *loop) connect(number int) error {
	fd, err := unix.Socket(l.family, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return explained(err)
	}
	sub := l.subs[number]
	sub.fd, sub.connecting = fd, true
	l.waiting++
	if l.crowd.options.Narrow {
		// Before the connection is there: its windows are agreed on while it is opened.
		err = errors.Join(unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, narrowBuffer),
			unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_MAXSEG, narrowSegment))
		if err != nil {
			return err
		}
	}
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
	if sub.fd < 0 { // lost, or reconnecting, since the wait returned
		return nil
	}
	err := l.advance(sub, number)
	if err == nil {
		l.count(sub)
		return nil
	}
	if !l.crowd.options.Losable || sub.connecting || sub.opening != nil {
		return err
	}
	l.drop(sub)
	l.lost++
	return nil
}

func (l *loop) advance(sub *subscriber, number int) error {
	if sub.connecting {
		failed, err := unix.GetsockoptInt(sub.fd, unix.SOL_SOCKET, unix.SO_ERROR)
		if err != nil {
			return err
		}
		if failed != 0 {
			return explained(unix.Errno(failed))
		}
		if err := sub.opened(); err != nil {
			return err
		}
		sub.connecting = false
		return l.watch(unix.EPOLL_CTL_MOD, sub.fd, number, unix.EPOLLIN)
	}
	n, err := unix.Read(sub.fd, l.buffer)
	switch {
	case err == unix.EAGAIN, err == unix.EINTR:
		return nil
	case err != nil:
		return err
	case n == 0:
		return net.ErrClosed
	}
	l.crowd.bytes += uint64(n)
	l.marks, err = sub.receive(l.buffer[:n], time.Now(), l.marks)
	return err
}

// count counts a subscriber that has come in.
func (l *loop) count(sub *subscriber) {
	if sub.joined && !sub.counted {
		sub.counted = true
		l.waiting--
		l.in++
	}
}

// drop cuts a subscriber's connection.
func (l *loop) drop(sub *subscriber) {
	unix.Close(sub.fd) // which takes it out of epoll
	if sub.counted {
		l.in--
	} else {
		l.waiting--
	}
	sub.fd, sub.counted, sub.joined = -1, false, false
}

// stall lets all subscribers stop reading.
func (l *loop) stall() error {
	for number, sub := range l.subs {
		if sub.fd < 0 {
			continue
		}
		if err := l.watch(unix.EPOLL_CTL_DEL, sub.fd, number, 0); err != nil {
			return err
		}
	}
	return nil
}

// reconnect lets some subscribers come back to where they stood.
func (l *loop) reconnect(many int) error {
	for _, number := range pick(l.random, len(l.subs), many) {
		sub := l.subs[number]
		if !sub.counted {
			continue // on its way already
		}
		l.drop(sub)
		sub.scanner, sub.pending, sub.parts = scanner{}, nil, 0
		sub.resuming = true
		l.again = append(l.again, number)
	}
	return nil
}

// close closes everything, when run has returned.
func (l *loop) close() {
	for _, sub := range l.subs {
		if sub.fd >= 0 {
			_ = unix.SetsockoptLinger(sub.fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
			unix.Close(sub.fd)
		}
	}
	unix.Close(l.wake)
	unix.Close(l.epoll)
}
