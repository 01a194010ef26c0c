package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// keptCommit is a commit as `gateway wal dump` and a file aside have it.
type keptCommit struct {
	SeqNo   uint64            `json:"seq_no"`
	Entries []json.RawMessage `json:"entries"`
}

// node is the node that the commit makes, 0 if it is another kind of commit.
func (c keptCommit) node() uint32 {
	var entry struct {
		Type   string `json:"type"`
		NodeID uint32 `json:"node_id"`
	}
	if len(c.Entries) != 1 || json.Unmarshal(c.Entries[0], &entry) != nil || entry.Type != "node.put" {
		return 0
	}
	return entry.NodeID
}

// commits reads one commit a line.
func (m *member) commits(text []byte) (commits []keptCommit) {
	m.t.Helper()
	lines := bufio.NewScanner(bytes.NewReader(text))
	lines.Buffer(nil, 64<<20)
	for lines.Scan() {
		var c keptCommit
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			m.t.Fatalf("%s: %v", lines.Bytes(), err)
		}
		commits = append(commits, c)
	}
	return commits
}

// beyond returns the commits behind another one that are in the data folder of the
// gateway, which is stopped.
func (m *member) beyond(seqNo uint64) []keptCommit {
	m.t.Helper()
	status, out, stderr := runToEnd(m.t, nil, "wal", "dump", m.dir)
	if status != 0 {
		m.t.Fatalf("wal dump: %d %s", status, stderr)
	}
	return slices.DeleteFunc(m.commits([]byte(out)), func(c keptCommit) bool { return c.SeqNo <= seqNo })
}

// asides are the files in which the gateway kept aside what it alone had.
func (m *member) asides() []string {
	m.t.Helper()
	files, err := filepath.Glob(filepath.Join(m.dir, "aside-*"))
	if err != nil {
		m.t.Fatal(err)
	}
	return files
}

// keptAside fails the test unless the gateway has kept the commits aside, in a file
// that was not there before, and nothing else.
func (m *member) keptAside(want []keptCommit, before []string) {
	m.t.Helper()
	files := slices.DeleteFunc(m.asides(), func(f string) bool { return slices.Contains(before, f) })
	if len(want) == 0 {
		if len(files) > 0 {
			m.t.Fatalf("%q was kept aside, where nothing was to keep\n%s", files, m.log())
		}
		return
	}
	if len(files) != 1 || !strings.HasSuffix(files[0], ".jsonl") {
		m.t.Fatalf("%d commits were to be kept aside in one file, there are %q\n%s", len(want), files, m.log())
	}
	text, err := os.ReadFile(files[0])
	if err != nil {
		m.t.Fatal(err)
	}
	got := m.commits(text)
	if !slices.EqualFunc(got, want, func(a, b keptCommit) bool {
		return a.SeqNo == b.SeqNo && slices.EqualFunc(a.Entries, b.Entries, func(a, b json.RawMessage) bool { return bytes.Equal(a, b) })
	}) {
		m.t.Fatalf("kept aside:\n%s\nwant\n%s", text, want)
	}
}

// nodesOf are the nodes that commits make.
func nodesOf(commits []keptCommit) (nodes []uint32) {
	for _, c := range commits {
		if n := c.node(); n != 0 {
			nodes = append(nodes, n)
		}
	}
	return nodes
}
