package wal

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// holdFolder is the environment variable that makes the test program open a log and wait.
const holdFolder = "WAL_TEST_HOLD_FOLDER"

// hold opens a log, appends a record, says so, and waits for the end of its input.
func hold(dir string) int {
	l, _, err := Open(dir, Options{})
	if err == nil {
		err = l.Append(1, Records([]byte("from the other process")), 1)
	}
	if err != nil {
		fmt.Println(err)
		return 1
	}
	fmt.Println("open")
	_, _ = io.Copy(io.Discard, os.Stdin)
	return 0
}

func TestOneProcessAtATime(t *testing.T) {
	dir := t.TempDir()
	other := exec.Command(os.Args[0])
	other.Env = append(os.Environ(), holdFolder+"="+dir)
	in, err := other.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := other.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	if line, _ := bufio.NewReader(out).ReadString('\n'); line != "open\n" {
		t.Fatalf("the other process says %q", line)
	}
	if _, _, err := Open(dir, Options{}); !errors.Is(err, ErrLocked) {
		t.Errorf("Open beside another process: %v, want ErrLocked", err)
	}
	// Whoever takes the lock file for one that was left behind does not get in by deleting it.
	if err := os.Remove(filepath.Join(dir, lockName)); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the first one makes the file anew
		if _, _, err := Open(dir, Options{}); !errors.Is(err, ErrLocked) {
			t.Errorf("Open beside another process, the lock file deleted: %v, want ErrLocked", err)
		}
	}
	if err := other.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = other.Wait()
	l, _, err := Open(dir, Options{})
	if err != nil {
		t.Fatalf("Open after the other process was killed: %v", err)
	}
	defer l.Close()
	if _, _, err := Open(dir, Options{}); !errors.Is(err, ErrLocked) {
		t.Errorf("second Open in one process: %v, want ErrLocked", err)
	}
	if got := contents(t, l); len(got) != 1 || got[0] != "from the other process" {
		t.Errorf("the log holds %q", got)
	}
}

// Who may only read a stopped log can still look at it.
func TestVerifyOfWhatMayOnlyBeRead(t *testing.T) {
	dir := t.TempDir()
	l, _, err := Open(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	closeLog(t, l)
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if err := os.Chmod(filepath.Join(dir, e.Name()), 0o400); err != nil {
			t.Fatal(err)
		}
	}
	if err := Verify(dir, nil, nil); err != nil {
		t.Error(err)
	}
}
