package main

import (
	"fmt"
	"io"
	"time"
)

// meter shows on a terminal how far a long command is, on one line that is
// written over and in the end wiped out. Elsewhere it shows nothing.
type meter struct {
	out   io.Writer // nil when there is no terminal
	what  string
	shown time.Time
}

// newMeter returns a meter of what, such as rows.
func newMeter(io stdio, what string) *meter {
	m := &meter{what: what}
	if isTerminal(io.err) {
		m.out = io.err
	}
	return m
}

const meterEvery = 100 * time.Millisecond

// show says that done of total are done; total may be 0 when nobody knows it.
func (m *meter) show(done, total uint64) {
	now := time.Now()
	if m.out == nil || now.Sub(m.shown) < meterEvery {
		return
	}
	m.shown = now
	if total == 0 {
		fmt.Fprintf(m.out, "\r\x1b[K%d %s", done, m.what)
		return
	}
	fmt.Fprintf(m.out, "\r\x1b[K%d of %d %s, %.0f %%", done, total, m.what, 100*float64(done)/float64(total))
}

// wipe takes the line away.
func (m *meter) wipe() {
	if m.out != nil {
		fmt.Fprint(m.out, "\r\x1b[K")
	}
}
