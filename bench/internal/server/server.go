// Package server runs the programs under test as processes of their own, so that what they use can be told apart from what
// the driver uses. A program says on stderr, in lines of JSON, where it listens and what becomes of it, as the gateway does.
package server

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/replication-gateway/gateway/internal/load"
)

// ErrEnded says that the process ended when it should not have.
var ErrEnded = errors.New("the server ended")

const (
	pipeSize = 1 << 20
	// pause is how long the lines of a server that is ready may wait. Looking for each as it comes would take CPU that
	// is the server's.
	pause = 10 * time.Millisecond
	// requestLine is in the lines that a server writes for each request. They are not kept.
	requestLine = `"message":"request"`
)

// Line is one line that the server wrote.
type Line struct {
	At      time.Time // when it was read: at once until the server is ready, later within a few ms
	Message string
	raw     []byte
}

// Decode reads the line's fields.
func (l Line) Decode(fields any) error { return json.Unmarshal(l.raw, fields) }

// Server is a running process. All methods may be called from any goroutine.
type Server struct {
	Addr    string    // where it listens
	Started time.Time // just before the process was made

	cmd    *exec.Cmd
	exited chan struct{} // closed when it has ended and all its lines are read
	status error         // of exec.Cmd.Wait; set before exited is closed

	mu    sync.Mutex
	lines []Line
	grown chan struct{} // closed and replaced with each line
}

// Start starts a command whose first line has its address in the field addr. The caller ends it with Kill or Stop;
// when the context of the command ends, it is killed.
func Start(cmd *exec.Cmd) (*Server, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	cmd.Stderr = w
	s := &Server{Started: time.Now(), cmd: cmd, exited: make(chan struct{}), grown: make(chan struct{})}
	err = errors.Join(enlarge(r), cmd.Start(), w.Close())
	if err != nil {
		return nil, errors.Join(err, r.Close())
	}
	go s.follow(r)
	first, err := s.Await(context.Background(), "listening", 1)
	if err != nil {
		return nil, err
	}
	var at struct{ Addr string }
	if err := first.Decode(&at); err != nil || at.Addr == "" {
		s.Kill()
		return nil, fmt.Errorf("the first line names no addr: %s", first.raw)
	}
	s.Addr = at.Addr
	return s, nil
}

// enlarge makes room in a pipe, so that a server whose lines wait does not wait for us.
func enlarge(pipe *os.File) error {
	raw, err := pipe.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = raw.Control(func(fd uintptr) { _, failed = unix.FcntlInt(fd, unix.F_SETPIPE_SZ, pipeSize) })
	return errors.Join(err, failed)
}

// follow reads lines until the process has ended.
func (s *Server) follow(r *os.File) {
	defer close(s.exited)
	defer func() { s.status = s.cmd.Wait() }()
	defer r.Close()
	lines := bufio.NewReaderSize(r, pipeSize)
	for ready := false; ; {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			return
		}
		if !bytes.Contains(line, []byte(requestLine)) {
			ready = s.keep(line) == "ready" || ready
		}
		if ready && lines.Buffered() == 0 {
			time.Sleep(pause)
		}
	}
}

func (s *Server) keep(raw []byte) (message string) {
	var says struct{ Message string }
	_ = json.Unmarshal(raw, &says) // what is no JSON is a panic, and is shown when the process is gone
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lines = append(s.lines, Line{time.Now(), says.Message, raw})
	close(s.grown)
	s.grown = make(chan struct{})
	return says.Message
}

// Said returns the lines with a message, in order.
func (s *Server) Said(message string) []Line {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.said(message)
}

func (s *Server) said(message string) (found []Line) {
	for _, l := range s.lines {
		if l.Message == message {
			found = append(found, l)
		}
	}
	return found
}

// Await waits until the server has said something n times, counted from its start, and returns the nth line. The error
// is ErrEnded when it ends before.
func (s *Server) Await(ctx context.Context, message string, n int) (Line, error) {
	for {
		s.mu.Lock()
		found, grown := s.said(message), s.grown
		s.mu.Unlock()
		if len(found) >= n {
			return found[n-1], nil
		}
		select {
		case <-grown:
		case <-ctx.Done():
			return Line{}, ctx.Err()
		case <-s.exited:
			if found := s.Said(message); len(found) >= n {
				return found[n-1], nil
			}
			return Line{}, fmt.Errorf("%w before it said %q: %w\n%s", ErrEnded, message, s.status, s.last())
		}
	}
}

// last returns the newest lines, for whoever has to find out why it ended.
func (s *Server) last() []byte {
	const most = 20
	s.mu.Lock()
	defer s.mu.Unlock()
	var b []byte
	for _, l := range s.lines[max(0, len(s.lines)-most):] {
		b = append(b, l.raw...)
	}
	return b
}

// Usage returns what the process has used so far.
func (s *Server) Usage() (load.Usage, error) {
	u, err := load.Process(s.cmd.Process.Pid).Usage()
	if errors.Is(err, load.ErrNoProcess) {
		err = errors.Join(ErrEnded, err)
	}
	return u, err
}

// Signal sends the process a signal.
func (s *Server) Signal(signal syscall.Signal) error { return s.cmd.Process.Signal(signal) }

// Kill ends the process with SIGKILL, if it still runs, and waits for its end.
func (s *Server) Kill() {
	_ = s.cmd.Process.Kill()
	<-s.exited
}

// Stop ends the process with SIGTERM and waits for its end. The error is that of its exit status.
func (s *Server) Stop(ctx context.Context) error {
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	select {
	case <-s.exited:
	case <-ctx.Done():
		return ctx.Err()
	}
	if s.status != nil {
		return fmt.Errorf("%w: %w\n%s", ErrEnded, s.status, s.last())
	}
	return nil
}
