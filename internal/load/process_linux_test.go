package load

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

func TestListenerIsFound(t *testing.T) {
	for network, address := range map[string]string{"tcp4": "127.0.0.1:0", "tcp": ":0"} {
		l, err := net.Listen(network, address)
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		at := netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), l.Addr().(*net.TCPAddr).AddrPort().Port())
		if p, err := Listener(at); err != nil || int(p) != os.Getpid() {
			t.Errorf("%s %s: got %d, %v, want this process, %d", network, address, p, err, os.Getpid())
		}
		l.Close()
		if p, err := Listener(at); !errors.Is(err, ErrNoProcess) {
			t.Errorf("nobody listens at %s: got %d, %v", at, p, err)
		}
	}
	if p, err := Listener(netip.MustParseAddrPort("192.0.2.1:80")); !errors.Is(err, ErrNoProcess) {
		t.Errorf("another machine: got %d, %v", p, err)
	}
}

func TestLocalAddresses(t *testing.T) {
	// As a machine of little-endian order shows them.
	for text, want := range map[string]string{
		"0100007F:1F90":                         "127.0.0.1:8080",
		"00000000:0050":                         "0.0.0.0:80",
		"00000000000000000000000001000000:0050": "[::1]:80",
		"0000000000000000FFFF00000100007F:0050": "127.0.0.1:80",
		"B80D01200000000000000000010000FE:FFFF": "[2001:db8::fe00:1]:65535",
		"0100007F":                              "",
		"0100007F:":                             "",
		"0100007F:10000":                        "",
		"01007F:0050":                           "",
		"xx00007F:0050":                         "",
	} {
		got, ok := parseLocal(text)
		if ok != (want != "") || ok && got.String() != want {
			t.Errorf("%s: got %v, %v, want %s", text, got, ok, want)
		}
	}
}

func TestUsageGrows(t *testing.T) {
	p := Process(os.Getpid())
	before, err := p.Usage()
	if err != nil || before.Resident < 1<<20 {
		t.Fatalf("got %+v, %v, want some memory", before, err)
	}
	held, err := unix.Mmap(-1, 0, 64<<20, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Munmap(held)
	for { // the kernel tells in steps, and the work goes on until one is seen
		for i := 0; i < len(held); i += 4096 {
			held[i]++
		}
		now, err := p.Usage()
		if err != nil {
			t.Fatal(err)
		}
		if now.CPU > before.CPU+2*tick {
			if grown := now.Resident - before.Resident; grown < int64(len(held))/2 {
				t.Errorf("resident memory grew by %d, want about %d", grown, len(held))
			}
			return
		}
	}
}

func TestUsageOfNobody(t *testing.T) {
	if u, err := Process(1 << 30).Usage(); !errors.Is(err, ErrNoProcess) {
		t.Errorf("got %+v, %v", u, err)
	}
}
