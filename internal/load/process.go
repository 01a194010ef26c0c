package load

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// proc is where Linux shows its processes.
const proc = "/proc"

// ErrNoProcess says that no process of this machine could be found.
var ErrNoProcess = errors.New("no process to be seen here")

// Process is a process of this machine, by its number.
type Process int

// Usage is what a process has used, and holds.
type Usage struct {
	CPU      time.Duration // user and system, since it began; told in steps of 10 ms
	Resident int64         // bytes of memory in RAM, socket buffers apart, which are the kernel's
}

// Listener returns the process of this machine that listens at an address. The
// error is ErrNoProcess when there is none, or when it is not ours to look at.
func Listener(at netip.AddrPort) (Process, error) {
	at = netip.AddrPortFrom(at.Addr().Unmap(), at.Port())
	if here, err := isHere(at.Addr()); err != nil || !here {
		return 0, errors.Join(fmt.Errorf("%w: %s is another machine", ErrNoProcess, at.Addr()), err)
	}
	for _, table := range []string{"net/tcp", "net/tcp6"} {
		b, err := os.ReadFile(filepath.Join(proc, table))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return 0, err
		}
		if inode, found := listeningInode(string(b), at); found {
			return socketOwner(inode)
		}
	}
	return 0, fmt.Errorf("%w: nothing listens at %s", ErrNoProcess, at)
}

// isHere reports whether an address is one of this machine's own.
func isHere(ip netip.Addr) (bool, error) {
	if ip.IsLoopback() {
		return true, nil
	}
	addrs, err := net.InterfaceAddrs()
	return slices.ContainsFunc(addrs, func(a net.Addr) bool {
		own, err := netip.ParsePrefix(a.String())
		return err == nil && own.Addr().Unmap() == ip.WithZone("")
	}), err
}

// The columns of net/tcp that matter, and the state of sockets that listen.
const (
	columnLocal = 1
	columnState = 3
	columnInode = 9
	listening   = "0A"
)

// listeningInode finds the socket that listens at an address, or at the port of
// all addresses, in the text of net/tcp or net/tcp6.
func listeningInode(table string, at netip.AddrPort) (inode string, found bool) {
	for line := range strings.Lines(table) {
		columns := strings.Fields(line)
		if len(columns) <= columnInode || columns[columnState] != listening {
			continue
		}
		local, ok := parseLocal(columns[columnLocal])
		if ok && local.Port() == at.Port() && (local.Addr() == at.Addr() || local.Addr().IsUnspecified()) {
			return columns[columnInode], true
		}
	}
	return "", false
}

// parseLocal reads 0100007F:1F90: the address in 32-bit words of this machine's
// own byte order, the port as a number.
func parseLocal(s string) (netip.AddrPort, bool) {
	words, port, _ := strings.Cut(s, ":")
	b, err := hex.DecodeString(words)
	if err != nil || len(b)%4 != 0 {
		return netip.AddrPort{}, false
	}
	for w := range slices.Chunk(b, 4) {
		binary.NativeEndian.PutUint32(w, binary.BigEndian.Uint32(w))
	}
	ip, ok := netip.AddrFromSlice(b)
	n, err := strconv.ParseUint(port, 16, 16)
	return netip.AddrPortFrom(ip.Unmap(), uint16(n)), ok && err == nil
}

// socketOwner finds the process that holds a socket.
func socketOwner(inode string) (Process, error) {
	want := "socket:[" + inode + "]"
	links, err := filepath.Glob(filepath.Join(proc, "[0-9]*", "fd", "*"))
	if err != nil {
		return 0, err
	}
	for _, link := range links {
		if target, err := os.Readlink(link); err == nil && target == want {
			id, err := strconv.Atoi(strings.Split(link, "/")[2])
			return Process(id), err
		}
	}
	return 0, fmt.Errorf("%w: the one that listens is another user's", ErrNoProcess)
}

// tick is the unit of CPU times in /proc, which Linux fixes at 100 a second for
// programs to see.
const tick = 10 * time.Millisecond

// Usage returns what the process has used so far. The error is ErrNoProcess when
// it is gone.
func (p Process) Usage() (Usage, error) {
	b, err := os.ReadFile(filepath.Join(proc, strconv.Itoa(int(p)), "stat"))
	if errors.Is(err, fs.ErrNotExist) {
		return Usage{}, fmt.Errorf("%w: %d", ErrNoProcess, p)
	}
	if err != nil {
		return Usage{}, err
	}
	// The name, which may hold anything, ends at the last parenthesis. From the
	// state after it on, user and system time are the fields 12 and 13, the
	// resident pages field 22.
	fields := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
	if len(fields) < 22 {
		return Usage{}, fmt.Errorf("%s/%d/stat: %d fields", proc, p, len(fields))
	}
	var numbers [3]int64
	for i, field := range []int{12, 13, 22} {
		if numbers[i], err = strconv.ParseInt(fields[field-1], 10, 64); err != nil {
			return Usage{}, fmt.Errorf("%s/%d/stat: %w", proc, p, err)
		}
	}
	return Usage{
		CPU:      time.Duration(numbers[0]+numbers[1]) * tick,
		Resident: numbers[2] * int64(os.Getpagesize()),
	}, nil
}
