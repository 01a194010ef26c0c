package main

import (
	"fmt"
	"io"
	"time"
)

// progress tells on stderr how a command goes on: one line that is written over, if
// that is a terminal, else one line after the other.
type progress struct {
	w        io.Writer
	terminal bool
}

func newProgress(w io.Writer) *progress { return &progress{w, isTerminal(w)} }

func (p *progress) say(line string) {
	if p.terminal {
		fmt.Fprintf(p.w, "\r\x1b[K%s", line)
		return
	}
	fmt.Fprintln(p.w, line)
}

// every says what line returns at the given interval, until stop is called. Only
// one runs at a time.
func (p *progress) every(interval time.Duration, line func() string) (stop func()) {
	end, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		ticker := time.NewTicker(interval)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
				p.say(line())
			case <-end:
				return
			}
		}
	}()
	return func() {
		close(end)
		<-ended
	}
}

// done leaves the line to what comes next.
func (p *progress) done() {
	if p.terminal {
		fmt.Fprint(p.w, "\r\x1b[K")
	}
}

// meter shows on a terminal how far a long command is, and elsewhere nothing.
type meter struct {
	line  *progress
	what  string
	shown time.Time
}

// newMeter returns a meter of what, such as rows.
func newMeter(std stdio, what string) *meter {
	return &meter{line: newProgress(std.err), what: what}
}

const meterEvery = 100 * time.Millisecond

// show says that done of total are done; total may be 0 when nobody knows it.
func (m *meter) show(done, total uint64) {
	now := time.Now()
	if !m.line.terminal || now.Sub(m.shown) < meterEvery {
		return
	}
	m.shown = now
	if total == 0 {
		m.line.say(fmt.Sprintf("%d %s", done, m.what))
		return
	}
	m.line.say(fmt.Sprintf("%d of %d %s, %.0f %%", done, total, m.what, 100*float64(done)/float64(total)))
}

// wipe takes the line away.
func (m *meter) wipe() { m.line.done() }
