package api

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// pipe is a socket over a pipe, which has no descriptor and no buffer, and its peer.
func pipe(timeout time.Duration) (*socket, net.Conn, chan struct{}) {
	near, far := net.Pipe()
	written := make(chan struct{}, 10)
	return newSocket(near, nil, timeout, func() { written <- struct{}{} }), far, written
}

// take reads from a peer byte by byte, one each pace, until the end.
func take(far net.Conn, pace time.Duration) (taken int) {
	var b [1]byte
	for range time.Tick(pace) {
		if _, err := io.ReadFull(far, b[:]); err != nil {
			return taken
		}
		taken++
	}
	return taken
}

func TestSlowPeerIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, far, written := pipe(10 * time.Second)
		var reading sync.WaitGroup
		reading.Go(func() {
			if got := take(far, 9*time.Second); got != 20 {
				t.Errorf("the peer took %d bytes, want all 20", got)
			}
		})
		start := time.Now()
		if all, err := s.send([][]byte{make([]byte, 12), make([]byte, 8)}); all || err != nil {
			t.Errorf("written without a peer: %v, %v", all, err)
		}
		<-written
		if after := time.Since(start); after != 180*time.Second || s.busy() {
			t.Errorf("written after %v, want 180s", after)
		}
		s.close()
		reading.Wait()
	})
}

func TestPeerThatTakesNoByteIsDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, far, written := pipe(10 * time.Second)
		defer far.Close()
		start := time.Now()
		_, _ = s.send([][]byte{make([]byte, 20)})
		<-written
		_, err := s.Read(make([]byte, 1))
		if after := time.Since(start); !errors.Is(s.err, os.ErrDeadlineExceeded) || after != 10*time.Second || err == nil {
			t.Errorf("after %v: %v, and the reader %v, want the end of both after 10s", after, s.err, err)
		}
		if _, err := s.send([][]byte{[]byte{1}}); err == nil {
			t.Error("a later frame was taken")
		}
	})
}

func TestHurryEndsWhatIsBeingWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, far, written := pipe(10 * time.Second)
		defer far.Close()
		time.AfterFunc(3*time.Second, func() {
			s.hurry(2 * time.Second)
			s.hurry(time.Second)
			s.hurry(time.Hour) // counts for nothing
		})
		start := time.Now()
		_, _ = s.send([][]byte{make([]byte, 20)})
		<-written
		if after := time.Since(start); !errors.Is(s.err, os.ErrDeadlineExceeded) || after != 4*time.Second {
			t.Errorf("after %v: %v, want the end after 4s", after, s.err)
		}
	})
}

// TestHurryEndsReading: a peer that never answers the last frame is waited for no
// longer.
func TestHurryEndsReading(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, far, _ := pipe(10 * time.Second)
		defer far.Close()
		start := time.Now()
		s.hurry(time.Second)
		_, err := s.Read(make([]byte, 1))
		if after := time.Since(start); !errors.Is(err, os.ErrDeadlineExceeded) || after != time.Second {
			t.Errorf("read %v after %v, want the end after 1s", err, after)
		}
		s.close()
	})
}

// TestCloseLetsOutWhatWaits, for as long as a stream's last words may take.
func TestCloseLetsOutWhatWaits(t *testing.T) {
	for pace, want := range map[time.Duration]int{50 * time.Millisecond: 10, 300 * time.Millisecond: 3} {
		synctest.Test(t, func(t *testing.T) {
			s, far, _ := pipe(10 * time.Second)
			_, _ = s.send([][]byte{make([]byte, 10)})
			s.close()
			if got := take(far, pace); got != want {
				t.Errorf("a peer that takes a byte each %v got %d, want %d", pace, got, want)
			}
		})
	}
}

// TestNothingFollowsTheLastFrame: neither answers to pings, nor another close, nor
// frames of the stream.
func TestNothingFollowsTheLastFrame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, far, _ := pipe(10 * time.Second)
		_, _ = s.send([][]byte{[]byte("frame ")})
		s.answer([]byte("pong "))
		s.seal([]byte("last"))
		s.seal([]byte("another"))
		s.answer([]byte("pong"))
		if _, err := s.send([][]byte{[]byte("frame")}); !errors.Is(err, errSealed) {
			t.Errorf("a frame after the end: %v", err)
		}
		s.close()
		if got, err := io.ReadAll(far); string(got) != "frame pong last" {
			t.Errorf("the peer got %q, %v", got, err)
		}
	})
}

// TestAnswersThatNobodyReadsAreBounded: a peer that pings and does not read does
// not fill the memory.
func TestAnswersThatNobodyReadsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, far, _ := pipe(10 * time.Second)
		defer far.Close()
		for range 10_000 {
			s.answer(make([]byte, 100))
		}
		if n := size(s.waiting); n > maxControl+100 {
			t.Errorf("%d bytes of answers wait, want at most %d", n, maxControl)
		}
		s.close()
	})
}

// connected returns both ends of a TCP connection.
func connected(t testing.TB) (near, far *net.TCPConn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return connectedBy(t, l)
}

// connectedBy is connected for a listener that is there. The near end is the one that
// it accepted.
func connectedBy(t testing.TB, l net.Listener) (near, far *net.TCPConn) {
	t.Helper()
	return connectedWith(t, l, new(net.Dialer))
}

func connectedWith(t testing.TB, l net.Listener, d *net.Dialer) (near, far *net.TCPConn) {
	t.Helper()
	dialed, err := d.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	accepted, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	near, far = accepted.(*net.TCPConn), dialed.(*net.TCPConn)
	t.Cleanup(func() { _, _ = near.Close(), far.Close() })
	return near, far
}

// TestNothingIsWrittenTooLate: the end that hurry sets is that of every write, also
// of one that need not wait.
func TestNothingIsWrittenTooLate(t *testing.T) {
	near, far := connected(t)
	s := newSocket(near, nil, time.Minute, func() {})
	s.hurry(-time.Second)
	if _, err := s.send([][]byte{[]byte("late")}); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("a frame after the end: %v", err)
	}
	s.close()
	if got, err := io.ReadAll(far); len(got) > 0 || err != nil {
		t.Errorf("the peer got %q, %v", got, err)
	}
}

// TestClosedDescriptorIsLeftAlone: when a socket is closed, its descriptor is soon
// that of a stranger, whom nothing concerns that is still handed in.
func TestClosedDescriptorIsLeftAlone(t *testing.T) {
	for name, end := range map[string]func(s *socket, far *net.TCPConn){
		"closed": func(s *socket, _ *net.TCPConn) { s.close() },
		"cut":    func(s *socket, _ *net.TCPConn) { s.cut(errSilent) },
		"late": func(s *socket, _ *net.TCPConn) {
			s.hurry(-time.Second)
			_, _ = s.send([][]byte{[]byte("late")})
		},
		"broken": func(s *socket, far *net.TCPConn) {
			_ = far.SetLinger(0)
			_ = far.Close()
			_, _ = s.Read(make([]byte, 1)) // the peer's reset has come
			_, _ = s.send([][]byte{[]byte("to nobody")})
		},
	} {
		t.Run(name, func(t *testing.T) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			near, far := connected(t)
			s := newSocket(near, nil, time.Minute, func() {})
			end(s, far)
			stranger, theirs := reusing(t, l, s.fd)

			if all, err := s.send([][]byte{[]byte("frame")}); all || err == nil {
				t.Errorf("a frame after the end: %v, %v", all, err)
			}
			s.answer([]byte("pong"))
			s.seal([]byte("last"))
			s.hurry(-time.Second)
			s.close()
			if s.taken() > s.total() {
				t.Error("the peer has taken more than was handed in")
			}
			if _, err := stranger.Write([]byte("own")); err != nil {
				t.Error(err)
			}
			_ = stranger.Close()
			if got, err := io.ReadAll(theirs); string(got) != "own" {
				t.Errorf("a stranger's peer got %q, %v", got, err)
			}
		})
	}
}

// reusing returns both ends of a connection whose near descriptor is fd, which is
// free.
func reusing(t *testing.T, l net.Listener, fd int) (near, far net.Conn) {
	t.Helper()
	for range 100 {
		near, far := connectedBy(t, l)
		switch fd {
		case descriptor(near):
			return near, far
		case descriptor(far):
			return far, near
		}
	}
	t.Fatalf("no connection has the descriptor %d", fd)
	return nil, nil
}

// TestFramesStayWhole has a writer and a control frame writer at one connection
// whose small buffer is full most of the time. Each frame must arrive whole, in
// the order of its sender.
func TestFramesStayWhole(t *testing.T) {
	near, far := connected(t)
	_ = near.SetWriteBuffer(16 << 10)
	written := make(chan struct{}, 1)
	s := newSocket(near, nil, time.Minute, func() {
		select {
		case written <- struct{}{}:
		default:
		}
	})
	const frames, controls = 300, 1000
	var sending sync.WaitGroup
	sending.Go(func() {
		for i := range frames {
			for s.busy() {
				<-written
			}
			// From nothing to more than the buffers hold, in one write of several.
			large := numbered('F', i, i*97%60_000)
			if _, err := s.send([][]byte{numbered('F', i, 3), large, numbered('F', i, 0)}); err != nil {
				t.Error(err)
			}
		}
	})
	sending.Go(func() {
		for i := range controls {
			s.answer(numbered('C', i, i%100))
		}
	})
	go func() {
		sending.Wait()
		s.close()
	}()
	got, err := io.ReadAll(far)
	if err != nil {
		t.Fatal(err)
	}
	next := map[byte][]int{}
	for len(got) > 0 {
		kind, n := got[0], int(got[1])<<8|int(got[2])
		size := int(got[3])<<8 | int(got[4])
		for _, b := range got[5 : 5+size] {
			if b != kind|0x80 {
				t.Fatalf("inside frame %c%d stands %x", kind, n, b)
			}
		}
		next[kind] = append(next[kind], n)
		got = got[5+size:]
	}
	if len(next['F']) != 3*frames || !slices.IsSorted(next['F']) {
		t.Errorf("%d frames came, want %d in order", len(next['F']), 3*frames)
	}
	if len(next['C']) == 0 || !slices.IsSorted(next['C']) {
		t.Errorf("%d control frames came, want some of them, in order", len(next['C']))
	}
}

// numbered is a frame: a kind, a number and a length, then bytes that tell the kind.
func numbered(kind byte, n, size int) []byte {
	b := []byte{kind, byte(n >> 8), byte(n), byte(size >> 8), byte(size)}
	return append(b, bytes.Repeat([]byte{kind | 0x80}, size)...)
}

// TestEarlyBytesAreReadFirst: what came with the handshake is not lost.
func TestEarlyBytesAreReadFirst(t *testing.T) {
	near, far := net.Pipe()
	s := newSocket(near, []byte("early "), time.Minute, func() {})
	go func() {
		_, _ = far.Write([]byte("late"))
		_ = far.Close()
	}()
	if got, err := io.ReadAll(s); string(got) != "early late" {
		t.Errorf("read %q, %v", got, err)
	}
	if !s.heard.Load() {
		t.Error("a peer that has written was not heard")
	}
	s.close()
}

// TestDeliveryAllocatesNothing: neither a frame nor several in one write.
func TestDeliveryAllocatesNothing(t *testing.T) {
	near, far := connected(t)
	go func() { _, _ = io.Copy(io.Discard, far) }()
	s := newSocket(near, nil, time.Minute, func() {})
	batch := [][]byte{make([]byte, 300), nil, nil}
	allocs := testing.AllocsPerRun(100, func() {
		batch[1], batch[2] = batch[0][:10], batch[0][:20]
		if all, err := s.send(batch[:1+2*int(s.total()%2)]); !all || err != nil {
			t.Fatal(all, err)
		}
	})
	if allocs != 0 {
		t.Errorf("%v allocations a delivery", allocs)
	}
	s.close()
}

// BenchmarkSend is a delivery beside one write of the same bytes to a plain TCP
// connection.
func BenchmarkSend(b *testing.B) {
	frame := make([]byte, 300)
	b.Run("socket", func(b *testing.B) {
		near, far := connected(b)
		go func() { _, _ = io.Copy(io.Discard, far) }()
		s := newSocket(near, nil, time.Minute, func() {})
		batch := make([][]byte, 1)
		b.ReportAllocs()
		for b.Loop() {
			batch[0] = frame
			if _, err := s.send(batch); err != nil {
				b.Fatal(err)
			}
			for s.busy() { // the peer is slower than we are
			}
		}
	})
	b.Run("plain", func(b *testing.B) {
		near, far := connected(b)
		go func() { _, _ = io.Copy(io.Discard, far) }()
		b.ReportAllocs()
		for b.Loop() {
			if _, err := near.Write(frame); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// TestPeerThatStallsLaterIsDroppedAsSoon: having taken something before does not count.
func TestPeerThatStallsLaterIsDroppedAsSoon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, far, written := pipe(10 * time.Second)
		defer far.Close()
		_, _ = s.send([][]byte{make([]byte, 20)})
		if _, err := io.ReadFull(far, make([]byte, 20)); err != nil {
			t.Fatal(err)
		}
		<-written
		start := time.Now()
		_, _ = s.send([][]byte{make([]byte, 20)})
		<-written
		if after := time.Since(start); !errors.Is(s.err, os.ErrDeadlineExceeded) || after != 10*time.Second {
			t.Errorf("after %v: %v, want the end after 10s", after, s.err)
		}
	})
}
