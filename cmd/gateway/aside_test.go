package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// keptCommit is a commit that a gateway has: its entries, as they are on disk.
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

func (c keptCommit) equal(other keptCommit) bool {
	return c.SeqNo == other.SeqNo && slices.EqualFunc(c.Entries, other.Entries, func(a, b json.RawMessage) bool { return bytes.Equal(a, b) })
}

// beyond returns the commits behind another one that are in the data folder of the
// gateway, which is stopped.
func (m *member) beyond(seqNo uint64) []keptCommit {
	m.t.Helper()
	status, out, stderr := runToEnd(m.t, nil, "wal", "dump", m.dir)
	if status != 0 {
		m.t.Fatalf("wal dump: %d %s", status, stderr)
	}
	return slices.DeleteFunc(m.keptCommits(out), func(c keptCommit) bool { return c.SeqNo <= seqNo })
}

// keptCommits reads the lines of "gateway wal dump", which what was kept aside has too.
func (m *member) keptCommits(lines string) (commits []keptCommit) {
	m.t.Helper()
	for line := range strings.Lines(lines) {
		var c keptCommit
		if err := json.Unmarshal([]byte(line), &c); err != nil || len(c.Entries) == 0 {
			m.t.Fatalf("%s: %v", line, err)
		}
		commits = append(commits, c)
	}
	return commits
}

// asides are the files in which the gateway kept aside what it alone had. One that it
// was killed over is none: its name goes on.
func (m *member) asides() []string {
	m.t.Helper()
	files, err := filepath.Glob(filepath.Join(m.dir, "aside-*"))
	if err != nil {
		m.t.Fatal(err)
	}
	return slices.DeleteFunc(files, func(f string) bool {
		return !strings.HasSuffix(f, ".jsonl") && !strings.HasSuffix(f, ".snapshot")
	})
}

// aside returns the commits that the gateway has kept aside, in a file that was not
// there before; none without such a file.
func (m *member) aside(before []string) []keptCommit {
	m.t.Helper()
	files := slices.DeleteFunc(m.asides(), func(f string) bool { return slices.Contains(before, f) })
	if len(files) == 0 {
		return nil
	}
	if len(files) > 1 || !strings.HasSuffix(files[0], ".jsonl") {
		m.t.Fatalf("kept aside: %q, want one file of commits\n%s", files, m.log())
	}
	text, err := os.ReadFile(files[0])
	if err != nil {
		m.t.Fatal(err)
	}
	return m.keptCommits(string(text))
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
