package api

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// write sends n bytes to a peer that takes one every pace, none when pace is 0,
// and returns how many it took, after what time, and the error.
func write(t *testing.T, s *socket, n int, pace time.Duration) (taken int, after time.Duration, err error) {
	near, far := net.Pipe()
	s.Conn = near
	defer far.Close()
	var reading sync.WaitGroup
	if pace > 0 {
		reading.Go(func() {
			var b [1]byte
			for range time.Tick(pace) {
				if _, err := io.ReadFull(far, b[:]); err != nil {
					return
				}
			}
		})
	}
	start := time.Now()
	taken, err = s.Write(make([]byte, n))
	after = time.Since(start)
	_ = near.Close()
	reading.Wait()
	return taken, after, err
}

func TestSlowPeerIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		taken, after, err := write(t, &socket{timeout: 10 * time.Second}, 20, 9*time.Second)
		if taken != 20 || err != nil || after != 180*time.Second {
			t.Errorf("took %d bytes in %v, %v, want all 20 in 180s", taken, after, err)
		}
	})
}

func TestPeerThatTakesNoByteIsDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		taken, after, err := write(t, &socket{timeout: 10 * time.Second}, 20, 0)
		if taken != 0 || !errors.Is(err, os.ErrDeadlineExceeded) || after != 10*time.Second {
			t.Errorf("took %d bytes, then after %v: %v, want the end after 10s", taken, after, err)
		}
	})
}

func TestHurryEndsWhatIsBeingWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &socket{timeout: 10 * time.Second}
		near, far := net.Pipe()
		defer far.Close()
		s.Conn = near
		time.AfterFunc(3*time.Second, func() {
			s.hurry(time.Second)
			s.hurry(time.Hour) // counts for nothing
		})
		start := time.Now()
		_, err := s.Write(make([]byte, 20))
		if after := time.Since(start); !errors.Is(err, os.ErrDeadlineExceeded) || after != 4*time.Second {
			t.Errorf("after %v: %v, want the end after 4s", after, err)
		}
		_, err = s.Write([]byte{1})
		if after := time.Since(start); !errors.Is(err, os.ErrDeadlineExceeded) || after != 4*time.Second {
			t.Errorf("a later write: %v after %v, want it to fail at once", err, after)
		}
		_ = near.Close()
	})
}
