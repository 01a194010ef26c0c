package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/replication-gateway/gateway/bench/internal/rawhttp"
	"github.com/replication-gateway/gateway/bench/internal/report"
	"github.com/replication-gateway/gateway/bench/internal/server"
)

// buildDir is where the gateway was built, empty when no test needed it.
var buildDir string

// built builds the gateway, once, and returns its path.
var built = sync.OnceValues(func() (_ string, err error) {
	if buildDir, err = os.MkdirTemp("", "program-bench-test-"); err != nil {
		return "", err
	}
	return server.Build(context.Background(), buildDir)
})

// value is the only sample of a value.
func value(t *testing.T, b *bench, figure, candidate, name string) float64 {
	t.Helper()
	s := b.samples.Series(figure, candidate, name)
	if len(s) != 1 {
		t.Fatalf("%s, %s: %d samples of %s, want one", figure, candidate, len(s), name)
	}
	return s[0]
}

// whole fails when a table lacks a figure. allowed is how many may be missing.
func whole(t *testing.T, sections []report.Section, allowed int) {
	t.Helper()
	missing := 0
	for _, s := range sections {
		for _, row := range s.Table.Rows {
			for _, cell := range row {
				if cell == "–" {
					missing++
				}
			}
		}
	}
	if len(sections) == 0 || missing != allowed {
		t.Errorf("%d sections in which %d figures are missing, want %d", len(sections), missing, allowed)
	}
}

// TestCommits also relies on the check within: as many commits as answers.
func TestCommits(t *testing.T) {
	b := newBench(t)
	sections, err := commits(t.Context(), b)
	if err != nil {
		t.Fatal(err)
	}
	// The raw limit has no latencies, the peers no groups.
	whole(t, sections, 2*(2+3))
	for _, c := range []string{gatewayName, quietName, durableName, fixedName, bareName, rawName} {
		name := commitsFigure(goalConnections)
		if v := value(t, b, name, c, "per_second"); v <= 0 {
			t.Errorf("%s: %v a second", c, v)
		}
	}
	if v := value(t, b, commitsFigure(goalConnections), gatewayName, "group_size"); v < 1 || v > goalConnections {
		t.Errorf("groups of %v for %d connections", v, goalConnections)
	}
}

// TestRatiosAreTakenWithinARound computes the ratios of known samples.
func TestRatiosAreTakenWithinARound(t *testing.T) {
	var b bench
	name := commitsFigure(1)
	for round, raw := range []float64{100, 200, 1000} {
		b.samples.Note(name, rawName, round, map[string]float64{"per_second": raw, "per_cpu_second": 10 * raw})
		b.samples.Note(name, gatewayName, round, map[string]float64{"per_second": raw / 4, "per_cpu_second": raw / 2})
	}
	if got := b.ofRaw(name, gatewayName, "per_second"); got != 0.25 {
		t.Errorf("rate: %v", got)
	}
	if got := b.ofRaw(name, gatewayName, "per_cpu_second"); got != 0.05 {
		t.Errorf("CPU for CPU: %v", got)
	}
}

func TestFleetAndWhatIsBesideASnapshot(t *testing.T) {
	b := newBench(t)
	sections, err := wholeFleet(t.Context(), b)
	if err != nil {
		t.Fatal(err)
	}
	whole(t, sections, 8) // what is compared with no rows, and heaps that are full of garbage
	// The starts have compared the rows of the backup with those that were to be loaded.
	if got := value(t, b, fleetStarts, "restored from a backup", "snapshot_rows"); got != float64(b.Fleet.rows()) {
		t.Errorf("the backup has %v rows, want %d", got, b.Fleet.rows())
	}
	if got, want := value(t, b, snapshotFigure, cleanStop, "rows"), float64(b.Fleet.rows()); got != want {
		t.Errorf("the last snapshot has %v rows, want %v", got, want)
	}
	sections, err = snapshots(t.Context(), b)
	if err != nil {
		t.Fatal(err)
	}
	if got := b.samples.Series(snapshotFigure, besideFigure, "rows"); len(got) < b.Rounds {
		t.Errorf("%d snapshots in %d rounds", len(got), b.Rounds)
	}
	whole(t, sections, 0)
}

func TestSyncs(t *testing.T) {
	b := newBench(t)
	sections, err := syncs(t.Context(), b)
	if err != nil {
		t.Fatal(err)
	}
	whole(t, sections, 0)
	if got := value(t, b, syncFigure, "all new", "body_bytes"); got < 100*float64(b.Entries) {
		t.Errorf("a body of %v bytes for %d entries", got, b.Entries)
	}
	if _, err := decodeBare(directorySync(1, []int{1, 2}, func(int) int { return 0 }), 3); err == nil {
		t.Error("an entry was lost and nobody noticed")
	}
}

func TestReplay(t *testing.T) {
	b := newBench(t)
	sections, err := replay(t.Context(), b)
	if err != nil {
		t.Fatal(err)
	}
	whole(t, sections, 0)
	rows := sections[0].Table.Rows
	for i, commits := range []float64{float64(b.Replay), 1, 0} {
		if got := value(t, b, replayFigure, rows[i][0], "replayed_commits"); got != commits {
			t.Errorf("%s: %v commits were replayed, want %v", rows[i][0], got, commits)
		}
	}
}

// TestPeersKeepWhatTheyAnswer has the durable peers answer and looks for the bodies in their file.
func TestPeersKeepWhatTheyAnswer(t *testing.T) {
	const record = 300
	for _, bare := range []bool{false, true} {
		dir := t.TempDir()
		s, err := startPeer(t.Context(), peer{durable: dir, record: record, bare: bare})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Kill()
		c, err := rawhttp.Dial(s.Addr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		bodies := []string{"first body", "second body"}
		for _, body := range bodies {
			if _, err := request(c, "PUT", "/nodes/1", []byte(body)); err != nil {
				t.Fatal(err)
			}
		}
		kept := readPeer(t, dir, record*len(bodies))
		for i, body := range bodies {
			// The one that speaks no HTTP keeps what is before the body, too.
			if at := bytes.Index(kept[i*record:][:record], []byte(body)); at < 0 || (at > 0) != bare {
				t.Errorf("bare %v: record %d is %q, want %q in it", bare, i, kept[i*record:][:record], body)
			}
		}
	}
}

func readPeer(t *testing.T, dir string, n int) []byte {
	t.Helper()
	f, err := os.Open(filepath.Join(dir, "raw"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b := make([]byte, n)
	if _, err := f.ReadAt(b, 0); err != nil {
		t.Fatal(err)
	}
	return b
}
