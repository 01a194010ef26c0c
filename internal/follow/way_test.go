package follow_test

import (
	"io"
	"net"
	"sync"
	"testing"
)

// breakingWay is a way to an address over TCP that breaks once so many bytes have
// come back over its first connection. Later connections wait until it is mended.
func breakingWay(t *testing.T, to string, after int64) (url string, mend func()) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	mended := make(chan struct{})
	mend = sync.OnceFunc(func() { close(mended) })
	var under sync.WaitGroup
	under.Go(func() {
		for first := true; ; first = false {
			here, err := l.Accept()
			if err != nil {
				return
			}
			if !first {
				<-mended
			}
			there, err := net.Dial("tcp", to)
			if err != nil {
				here.Close()
				continue
			}
			under.Go(func() {
				_, _ = io.Copy(there, here)
				there.Close()
			})
			under.Go(func() {
				if first {
					_, _ = io.CopyN(here, there, after)
				} else {
					_, _ = io.Copy(here, there)
				}
				here.Close()
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		mend()
		under.Wait()
	})
	return "http://" + l.Addr().String(), mend
}
