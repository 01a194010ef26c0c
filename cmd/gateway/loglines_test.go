package main

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// writes notes each write by itself.
type writes struct{ list []string }

func (w *writes) Write(b []byte) (int, error) {
	w.list = append(w.list, string(b))
	return len(b), nil
}

func TestHeldLinesComeFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		lines := &logLines{out: &out}
		heldLines{lines}.Write([]byte("request 1\n"))
		heldLines{lines}.Write([]byte("request 2\n"))
		if out.Len() != 0 {
			t.Errorf("%q is written, which should be held", out.String())
		}
		lines.Write([]byte("stopped\n"))
		if want := "request 1\nrequest 2\nstopped\n"; out.String() != want {
			t.Errorf("%q, want %q", out.String(), want)
		}
	})
}

func TestHeldLinesAreWrittenSoon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out writes
		held := heldLines{&logLines{out: &out}}
		for _, line := range []string{"request 1\n", "request 2\n"} {
			held.Write([]byte(line))
			time.Sleep(heldFor) // of the bubble's clock
			synctest.Wait()
			if n := len(out.list); n == 0 || out.list[n-1] != line {
				t.Errorf("written %q after %v, want %q at the end", out.list, heldFor, line)
			}
		}
	})
}

func TestHeldLinesLeaveInPiecesThatAPipeTakes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out writes
		lines := &logLines{out: &out}
		line := strings.Repeat("x", 299) + "\n"
		const n = 100
		for range n {
			heldLines{lines}.Write([]byte(line))
		}
		lines.flush()
		if strings.Join(out.list, "") != strings.Repeat(line, n) {
			t.Error("what was written is not what was logged")
		}
		if slices.ContainsFunc(out.list, func(s string) bool { return len(s) > maxHeld }) || len(out.list) > n/10 {
			t.Errorf("%d lines left in %d writes, want few of at most %d bytes", n, len(out.list), maxHeld)
		}
	})
}

// What a gateway has logged of its requests is whole when it has stopped.
func TestStopLosesNoLine(t *testing.T) {
	p := start(t, t.TempDir())
	const n = 20
	for range n {
		p.must("PUT", "/nodes/1", map[string]any{"hostname": "n1"})
	}
	if status := p.stop(); status != 0 {
		t.Errorf("status %d after SIGTERM, want 0", status)
	}
	lines := strings.Split(strings.TrimSpace(p.log()), "\n")
	if got := strings.Count(p.log(), `"method":"PUT"`); got != n || !strings.Contains(lines[len(lines)-1], `"stopped"`) {
		t.Errorf("%d lines of %d requests, and the last line is %s", got, n, lines[len(lines)-1])
	}
}
