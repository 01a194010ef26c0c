package main

import (
	"io"
	"sync"
	"time"
)

const (
	// maxHeld is how many bytes of lines are held: as many as a pipe takes in one
	// piece, so that nobody else's lines come to stand within one.
	maxHeld = 4096
	// heldFor is how long a line is held at most.
	heldFor = 100 * time.Millisecond
)

// logLines writes the lines of the log, in order. Lines of requests may be held
// for a moment and leave together, since a system call for each costs more than
// all else about them; every other line is written at once, behind those held.
// What is held is lost when the process is killed, and with it nothing that the
// state rests on. All methods may be called from any goroutine.
type logLines struct {
	out io.Writer

	mu      sync.Mutex
	lines   []byte // that are held
	pending bool   // flush will be called soon
}

// Write writes what is held, then a line.
func (l *logLines) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.writeHeld(); err != nil {
		return 0, err
	}
	return l.out.Write(line)
}

// hold takes a line to be written within heldFor.
func (l *logLines) hold(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var err error
	if len(l.lines)+len(line) > maxHeld {
		err = l.writeHeld()
	}
	l.lines = append(l.lines, line...)
	if !l.pending {
		l.pending = true
		time.AfterFunc(heldFor, func() { _ = l.flush() }) // a log that cannot be written has nobody to tell
	}
	return len(line), err
}

// flush writes what is held.
func (l *logLines) flush() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.pending = false
	return l.writeHeld()
}

func (l *logLines) writeHeld() error {
	if len(l.lines) == 0 {
		return nil
	}
	_, err := l.out.Write(l.lines)
	l.lines = l.lines[:0]
	return err
}

// heldLines are the lines of requests.
type heldLines struct{ *logLines }

// Write implements io.Writer by hold.
func (h heldLines) Write(line []byte) (int, error) { return h.hold(line) }
