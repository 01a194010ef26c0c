package main

import (
	"errors"
	"net"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// disk is a disk that is slow, stands still or breaks when a test wants it to, as
// the syncs of one process feel it. The kernel holds each fsync and fdatasync of
// the process until the test has said what becomes of it: seccomp's user
// notification, which takes no rights. All else goes straight to the real disk.
type disk struct {
	t *testing.T

	mu    sync.Mutex
	delay time.Duration
	held  chan struct{} // closed when syncs go on; nil while none is held
	left  int           // syncs that still work; below 0 all do
	asked sync.Cond     // of mu: signalled with each sync that begins
	stuck int           // syncs that wait for held
}

func newDisk(t *testing.T) *disk {
	d := &disk{t: t, left: -1}
	d.asked.L = &d.mu
	return d
}

// slow makes each sync that begins from now on take so much longer.
func (d *disk) slow(by time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.delay = by
}

// hold keeps every sync that begins from now on from ending.
func (d *disk) hold() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.held = make(chan struct{})
}

// awaitStuck waits until a sync is held.
func (d *disk) awaitStuck() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for d.stuck == 0 {
		d.asked.Wait()
	}
}

// release lets the held syncs go on.
func (d *disk) release() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.held != nil {
		close(d.held)
		d.held, d.stuck = nil, 0
	}
}

// breakDown has every sync from now on fail, until repair.
func (d *disk) breakDown() { d.breakAfter(0) }

// breakAfter has every sync fail after so many more, until repair.
func (d *disk) breakAfter(syncs int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.left = syncs
}

func (d *disk) repair() { d.breakAfter(-1) }

// outcome waits as long as a sync has to, and says what becomes of it.
func (d *disk) outcome(ended <-chan struct{}) syscall.Errno {
	d.mu.Lock()
	delay, held := d.delay, d.held
	if held != nil {
		d.stuck++
	}
	d.asked.Broadcast()
	d.mu.Unlock()
	if delay > 0 {
		select {
		case <-time.After(delay):
		case <-ended:
		}
	}
	if held != nil {
		select {
		case <-held:
		case <-ended:
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.left == 0 {
		return syscall.EIO
	}
	if d.left > 0 {
		d.left--
	}
	return 0
}

// handsOverSyncs tells the program, started by a test, to hand over its syncs on
// this descriptor before it does anything.
const handsOverSyncs = "GATEWAY_TEST_HANDS_OVER_SYNCS"

// carry prepares a process, which is then started, to live on the disk. The
// returned func is called when it has been started.
func (d *disk) carry(cmd *exec.Cmd) (started func()) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		d.t.Fatal(err)
	}
	ours, theirs := os.NewFile(uintptr(pair[0]), "ours"), os.NewFile(uintptr(pair[1]), "theirs")
	cmd.ExtraFiles = []*os.File{theirs}
	cmd.Env = append(cmd.Env, handsOverSyncs+"=3")
	return func() {
		theirs.Close()
		var serving sync.WaitGroup
		d.t.Cleanup(serving.Wait) // when the process has been killed
		serving.Go(func() {
			defer ours.Close()
			syncs, err := receive(ours)
			if err != nil {
				d.t.Error("the syncs were not handed over, which takes Linux 5.7 with seccomp:", err)
				return
			}
			defer unix.Close(syncs)
			if err := d.serve(syncs); err != nil {
				d.t.Error("syncs of a gateway:", err)
			}
		})
	}
}

// receive returns the descriptor that comes over a socket.
func receive(socket *os.File) (int, error) {
	conn, err := net.FileConn(socket)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	oob := make([]byte, unix.CmsgSpace(4))
	_, n, _, _, err := conn.(*net.UnixConn).ReadMsgUnix(make([]byte, 1), oob)
	if err != nil {
		return 0, err
	}
	messages, err := unix.ParseSocketControlMessage(oob[:n])
	if err != nil {
		return 0, err
	}
	if len(messages) == 0 {
		return 0, errors.New("the program ended before")
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil {
		return 0, err
	}
	return fds[0], nil
}

// notification and response are what the kernel asks of a sync, and is told.
type (
	notification struct {
		id          uint64
		pid, flags  uint32
		call, arch  uint32
		instruction uint64
		arguments   [6]uint64
	}
	response struct {
		id    uint64
		value int64
		errno int32
		flags uint32
	}
)

// serve decides about syncs until the process has ended.
func (d *disk) serve(syncs int) error {
	ended := make(chan struct{})
	var deciding sync.WaitGroup
	defer deciding.Wait()
	defer close(ended)
	for {
		poll := []unix.PollFd{{Fd: int32(syncs), Events: unix.POLLIN}}
		if _, err := unix.Poll(poll, -1); errors.Is(err, unix.EINTR) {
			continue
		} else if err != nil {
			return err
		}
		if poll[0].Revents&unix.POLLIN == 0 {
			return nil // nobody is left to ask
		}
		var asked notification
		err := control(syncs, unix.SECCOMP_IOCTL_NOTIF_RECV, unsafe.Pointer(&asked))
		if errors.Is(err, unix.EINTR) || errors.Is(err, unix.ENOENT) {
			continue // killed while it asked
		}
		if err != nil {
			return err
		}
		deciding.Go(func() {
			answer := response{id: asked.id, flags: unix.SECCOMP_USER_NOTIF_FLAG_CONTINUE}
			if errno := d.outcome(ended); errno != 0 {
				answer.flags, answer.errno = 0, -int32(errno)
			}
			// It may have been killed, or interrupted and about to ask again.
			_ = control(syncs, unix.SECCOMP_IOCTL_NOTIF_SEND, unsafe.Pointer(&answer))
		})
	}
}

func control(fd int, request uintptr, argument unsafe.Pointer) error {
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), request, uintptr(argument)); errno != 0 {
		return errno
	}
	return nil
}

// handOverSyncs has the kernel ask whoever is at the other end of the socket
// before each sync of this process, and says so there.
func handOverSyncs(socket int) error {
	runtime.LockOSThread() // for what follows holds for a thread, until TSYNC
	defer runtime.UnlockOSThread()
	load := unix.SockFilter{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS} // the number of the call
	ask := func(call uint32, skip uint8) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: call, Jt: skip}
	}
	end := func(action uint32) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: action}
	}
	filter := []unix.SockFilter{load, ask(unix.SYS_FSYNC, 2), ask(unix.SYS_FDATASYNC, 1),
		end(unix.SECCOMP_RET_ALLOW), end(unix.SECCOMP_RET_USER_NOTIF)}
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	const flags = unix.SECCOMP_FILTER_FLAG_NEW_LISTENER | unix.SECCOMP_FILTER_FLAG_TSYNC | unix.SECCOMP_FILTER_FLAG_TSYNC_ESRCH
	syncs, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, flags, uintptr(unsafe.Pointer(&program)))
	if errno != 0 {
		return errno
	}
	return errors.Join(unix.Sendmsg(socket, []byte{0}, unix.UnixRights(int(syncs)), nil, 0), unix.Close(int(syncs)), unix.Close(socket))
}
