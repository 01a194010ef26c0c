package wholefile_test

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/replication-gateway/gateway/internal/wholefile"
)

// dieOver is the environment variable that makes the test program end in the
// midst of writing a file.
const dieOver = "WHOLEFILE_TEST_DIE_OVER"

func TestMain(m *testing.M) {
	if path := os.Getenv(dieOver); path != "" {
		_ = wholefile.Write(path, func(w io.Writer) error {
			_, _ = io.WriteString(w, "half")
			os.Exit(0)
			return nil
		})
	}
	os.Exit(m.Run())
}

func namesIn(t *testing.T, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// A process that dies over a file leaves what was there before, and what it leaves
// beside it is swept away, and nothing else.
func TestWhatAnInterruptedWriteLeavesIsSwept(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "aside-E-5.jsonl")
	others := []string{"00000000000000000001.log.tmp", "aside-E-4.jsonl", "aside-E-5.jsonl", "notes.unfinished", "x.12"}
	for _, name := range others {
		if err := wholefile.WriteString(filepath.Join(dir, name), "before"); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		dying := exec.Command(os.Args[0])
		dying.Env = append(os.Environ(), dieOver+"="+path)
		if err := dying.Run(); err != nil {
			t.Fatal(err)
		}
	}
	if b, err := os.ReadFile(path); err != nil || string(b) != "before" {
		t.Errorf("after an interrupted write the file holds %q, %v", b, err)
	}
	if names := namesIn(t, dir); len(names) != len(others)+2 {
		t.Fatalf("two interrupted writes left %q", names)
	}
	if err := wholefile.Sweep(dir); err != nil {
		t.Fatal(err)
	}
	if names := namesIn(t, dir); !slices.Equal(names, others) {
		t.Errorf("swept: %q, want %q", names, others)
	}
}

func TestAFailedWriteChangesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	if err := wholefile.WriteString(path, "before"); err != nil {
		t.Fatal(err)
	}
	refusal := errors.New("not today")
	err := wholefile.Write(path, func(w io.Writer) error { _, _ = io.WriteString(w, "half"); return refusal })
	if b, _ := os.ReadFile(path); !errors.Is(err, refusal) || string(b) != "before" {
		t.Errorf("%v, and the file holds %q", err, b)
	}
	if names := namesIn(t, filepath.Dir(path)); len(names) != 1 {
		t.Errorf("it left %q", names)
	}
}
