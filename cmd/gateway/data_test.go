package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// put puts nodes with the ids from one up to another.
func (p *process) put(from, to int) {
	p.t.Helper()
	for id := from; id <= to; id++ {
		p.must("PUT", "/nodes/"+strconv.Itoa(id), map[string]any{"hostname": "n" + strconv.Itoa(id)})
	}
}

func TestSnapshotSaveAndRestore(t *testing.T) {
	p := start(t, t.TempDir())
	p.put(1, 20)
	want := p.must("GET", "/snapshot", nil)
	dir := t.TempDir()
	file, restored := filepath.Join(dir, "backup"), filepath.Join(dir, "restored")
	env := []string{"GATEWAY_URL=http://" + p.addr, "GATEWAY_TOKEN=" + testToken}
	status, out, stderr := runToEnd(t, env, "snapshot", "save", file)
	if status != 0 || !strings.Contains(out, "20 rows at ") {
		t.Fatalf("save: %d %s%s", status, out, stderr)
	}
	if info, err := os.Stat(file); err != nil || info.Mode() != 0o600 {
		t.Errorf("the backup: %v, %v, want mode 0600", info.Mode(), err)
	}
	p.put(21, 22) // not in the backup
	if status, out, stderr := runToEnd(t, nil, "snapshot", "restore", file, restored); status != 0 {
		t.Fatalf("restore: %d %s%s", status, out, stderr)
	}
	q := start(t, restored)
	got := q.must("GET", "/snapshot", nil)
	if rows(t, got) != rows(t, want) {
		t.Errorf("restored:\n%s\nwant\n%s", got, want)
	}
	q.put(21, 21)

	status, _, stderr = runToEnd(t, nil, "snapshot", "restore", file, restored)
	if status != 1 || !strings.Contains(stderr, "not empty") {
		t.Errorf("restore into a folder with data: %d %s", status, stderr)
	}
	status, _, stderr = runToEnd(t, append(env, "GATEWAY_TOKEN=wrong"), "snapshot", "save", file+"2")
	if _, err := os.Stat(file + "2"); status != 1 || !strings.Contains(stderr, "401 unauthorized") || err == nil {
		t.Errorf("save with a bad token: %d %s, and the file is there: %t", status, stderr, err == nil)
	}
}

// rows returns the rows of a snapshot, without epoch and position.
func rows(t *testing.T, answer []byte) string {
	t.Helper()
	var s struct{ Snapshot json.RawMessage }
	if err := json.Unmarshal(answer, &s); err != nil {
		t.Fatal(err)
	}
	return string(s.Snapshot)
}

func TestWalVerifyAndDump(t *testing.T) {
	dir := t.TempDir()
	p := start(t, dir)
	p.put(1, 20)
	if status, _, stderr := runToEnd(t, nil, "wal", "verify", dir); status != 1 || !strings.Contains(stderr, "in use by another gateway") {
		t.Errorf("verify beside a running gateway: %d %s", status, stderr)
	}
	if status := p.stop(); status != 0 {
		t.Fatalf("stopped with %d", status)
	}
	status, out, stderr := runToEnd(t, nil, "wal", "verify", dir)
	if status != 0 || !strings.Contains(out, "commits 1 to 20") || !strings.Contains(out, "20 rows at commit 20") || strings.Contains(out, "DAMAGED") {
		t.Errorf("verify: %d\n%s%s", status, out, stderr)
	}
	status, out, stderr = runToEnd(t, nil, "wal", "dump", dir)
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if status != 0 || len(lines) != 20 {
		t.Fatalf("dump: %d, %d lines %s", status, len(lines), stderr)
	}
	for i, line := range lines {
		var c struct {
			SeqNo   int `json:"seq_no"`
			Entries []struct {
				SeqNo int `json:"seq_no"`
				Type  string
				Data  struct {
					NodeID int `json:"node_id"`
				}
			}
		}
		if err := json.Unmarshal([]byte(line), &c); err != nil || c.SeqNo != i+1 || len(c.Entries) != 1 ||
			c.Entries[0].SeqNo != i+1 || c.Entries[0].Type != "node.put" || c.Entries[0].Data.NodeID != i+1 {
			t.Errorf("line %d: %s (%v)", i+1, line, err)
		}
	}

	// One bit of the tenth commit.
	segment := filepath.Join(dir, "00000000000000000001.log")
	b, err := os.ReadFile(segment)
	if err != nil {
		t.Fatal(err)
	}
	at := bytes.Index(b, []byte(`"n10"`))
	b[at+1] ^= 1
	if err := os.WriteFile(segment, b, 0o600); err != nil {
		t.Fatal(err)
	}
	status, out, stderr = runToEnd(t, nil, "wal", "verify", dir)
	if status != 1 || !strings.Contains(out, segment) || !strings.Contains(out, "seq_no 10:") || !strings.Contains(stderr, "damaged") {
		t.Errorf("verify of a damaged log: %d\n%s%s", status, out, stderr)
	}
	status, out, stderr = runToEnd(t, nil, "wal", "dump", dir)
	if status != 1 || strings.Count(out, "\n") != 9 || !strings.Contains(stderr, "seq_no 10") {
		t.Errorf("dump of a damaged log: %d, %d lines, %s", status, strings.Count(out, "\n"), stderr)
	}
	status, _, stderr = runToEnd(t, nil, "serve", "--listen", "127.0.0.1:0", "--data", dir)
	for _, want := range []string{segment, "offset", "seq_no 10", "gateway wal verify " + dir, "gateway snapshot restore"} {
		if status != 1 || !strings.Contains(stderr, want) {
			t.Errorf("serve on a damaged log: %d, want %q in: %s", status, want, stderr)
		}
	}
	if after, err := os.ReadFile(segment); err != nil || !bytes.Equal(after, b) {
		t.Errorf("the refused start changed the segment (%v)", err)
	}
}

// A damaged snapshot is damage for verify, which says that the start does without
// it; a damaged backup is refused by its name.
func TestVerifyAndRestoreOfADamagedSnapshot(t *testing.T) {
	dir := t.TempDir()
	p := start(t, dir)
	p.put(1, 20)
	if status := p.stop(); status != 0 {
		t.Fatalf("stopped with %d", status)
	}
	snapshot := filepath.Join(dir, "00000000000000000020.snapshot")
	b, err := os.ReadFile(snapshot)
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)/2] ^= 1
	if err := os.WriteFile(snapshot, b, 0o600); err != nil {
		t.Fatal(err)
	}
	status, out, stderr := runToEnd(t, nil, "wal", "verify", dir)
	if status != 1 || !strings.Contains(out, snapshot) || !strings.Contains(stderr, "starts all the same") {
		t.Errorf("verify: %d\n%s%s", status, out, stderr)
	}
	restored := filepath.Join(t.TempDir(), "restored")
	status, out, stderr = runToEnd(t, nil, "snapshot", "restore", snapshot, restored)
	if status != 1 || !strings.Contains(stderr, snapshot) || !strings.Contains(stderr, "nothing was restored") {
		t.Errorf("restore: %d\n%s%s", status, out, stderr)
	}

	segment := filepath.Join(dir, "00000000000000000001.log")
	if err := os.Truncate(segment, 1000); err != nil {
		t.Fatal(err)
	}
	status, out, stderr = runToEnd(t, nil, "wal", "verify", dir)
	if status != 1 || strings.Contains(stderr, "starts all the same") || !strings.Contains(stderr, "gateway wal dump "+dir) {
		t.Errorf("verify with the log damaged too: %d\n%s%s", status, out, stderr)
	}
	start(t, restored) // which is as good as empty
}

// A backup that breaks off is not called damaged, and leaves nothing.
func TestSaveOfABackupThatBreaksOff(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write([]byte("gwsnapsh"))
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}))
	defer server.Close()
	dir := t.TempDir()
	env := []string{"GATEWAY_URL=" + server.URL, "GATEWAY_TOKEN=" + testToken}
	status, _, stderr := runToEnd(t, env, "snapshot", "save", filepath.Join(dir, "backup"))
	if status != 1 || !strings.Contains(stderr, "broke the backup off") || strings.Contains(stderr, "damaged") {
		t.Errorf("save: %d %s", status, stderr)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("it left %v, %v", left, err)
	}
}
