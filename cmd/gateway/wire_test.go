package main

import (
	"io"
	"net"
	"sync"
	"testing"
)

// wire is a connection between two gateways that can be cut, or go dead.
type wire struct {
	t        *testing.T
	listener net.Listener
	to       string

	mu   sync.Mutex
	dead bool
	ends []net.Conn
}

func newWire(t *testing.T, to string) *wire {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{t: t, listener: l, to: to}
	t.Cleanup(func() { l.Close(); w.cut() })
	go func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			go w.carry(in)
		}
	}()
	return w
}

func (w *wire) addr() string { return w.listener.Addr().String() }

// carry passes bytes on until the wire is cut. While it is dead it takes none,
// and tells neither side.
func (w *wire) carry(in net.Conn) {
	out, err := net.Dial("tcp", w.to)
	if err != nil {
		in.Close()
		return
	}
	w.mu.Lock()
	w.ends = append(w.ends, in, out)
	w.mu.Unlock()
	pass := func(to io.WriteCloser, from net.Conn) {
		defer to.Close()
		b := make([]byte, 4<<10)
		for {
			n, err := from.Read(b)
			if err != nil {
				return
			}
			w.mu.Lock()
			dead := w.dead
			w.mu.Unlock()
			if dead {
				continue // into the void
			}
			if _, err := to.Write(b[:n]); err != nil {
				return
			}
		}
	}
	go pass(out, in)
	pass(in, out)
}

func (w *wire) block() { w.set(true) }

// unblock lets new connections live; those that lost bytes are cut.
func (w *wire) unblock() {
	w.set(false)
	w.cut()
}

func (w *wire) set(dead bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.dead = dead
}

func (w *wire) cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, end := range w.ends {
		end.Close()
	}
	w.ends = nil
}
