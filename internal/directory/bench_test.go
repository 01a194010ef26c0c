package directory

import (
	"fmt"
	"testing"
)

// fleet returns a network of n nodes, each a member and of a person of its own.
func fleet(b *testing.B, n int) *State {
	rows := []Record{&Network{NetworkID: 7, Name: "corp", Enterprise: true, RoleMappings: []RoleMapping{{"Platform", RoleAdmin}}}}
	for i := range n {
		rows = append(rows, &Node{NodeID: uint32(i + 1), Hostname: fmt.Sprint("host", i), ExternalID: fmt.Sprintf("person%d@corp.example", i), Tags: []string{}},
			&Member{NetworkID: 7, NodeID: uint32(i + 1), Role: RoleMember})
	}
	return stateOf(1, rows...)
}

func BenchmarkPutNode(b *testing.B) {
	s := fleet(b, 100_000)
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		i++
		id := uint32(i%100_000) + 1
		must(b, s, PutNode{Node{NodeID: id, Hostname: fmt.Sprint("renamed", i), ExternalID: fmt.Sprintf("person%d@corp.example", id-1)}}, minute(i))
	}
}

// A write on a clone pays for the copy of the paths it touches.
func BenchmarkCloneAndPutNode(b *testing.B) {
	s := fleet(b, 100_000)
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		i++
		id := uint32(i%100_000) + 1
		s = s.Clone()
		must(b, s, PutNode{Node{NodeID: id, Hostname: fmt.Sprint("renamed", i), ExternalID: fmt.Sprintf("person%d@corp.example", id-1)}}, minute(i))
	}
}

func BenchmarkClone(b *testing.B) {
	s := fleet(b, 100_000)
	b.ReportAllocs()
	for b.Loop() {
		s = s.Clone()
	}
}

// syncOfEverybody is a sync of 10,000 entries that gives everybody a role.
func syncOfEverybody() *DirectorySyncRequest {
	groups := []string{"Platform", "Sales"}
	r := &DirectorySyncRequest{NetworkID: 7, RemoveUnlisted: true}
	for i := range 10_000 {
		r.Entries = append(r.Entries, DirectoryEntry{ExternalID: fmt.Sprintf("Person%d@corp.example", i), Groups: &groups})
	}
	return r
}

func BenchmarkDecideSync(b *testing.B) {
	s, r := fleet(b, 10_000), syncOfEverybody()
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := decideSync(s, r); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)*10_000/b.Elapsed().Seconds(), "entries/s")
}

func BenchmarkDecideSyncThatChangesNothing(b *testing.B) {
	s, r := fleet(b, 10_000), syncOfEverybody()
	runSync(b, s, r)
	b.ReportAllocs()
	for b.Loop() {
		if entries, _, err := decideSync(s, r); err != nil || len(entries) > 0 {
			b.Fatal(err, len(entries))
		}
	}
	b.ReportMetric(float64(b.N)*10_000/b.Elapsed().Seconds(), "entries/s")
}

// encodedSync is a commit of about 20,000 entries with its record.
func encodedSync(b *testing.B) (Commit, []byte, Footprint) {
	s := fleet(b, 10_000)
	entries, _, err := decideSync(s, syncOfEverybody())
	if err != nil {
		b.Fatal(err)
	}
	commit, record, err := EncodeCommit(entries)
	if err != nil {
		b.Fatal(err)
	}
	return commit, record, s.Apply(entries)
}

func BenchmarkEncodeCommit(b *testing.B) {
	commit, record, _ := encodedSync(b)
	b.SetBytes(int64(len(record)))
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := EncodeCommit(commit.Entries); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecodeCommit(b *testing.B) {
	_, record, _ := encodedSync(b)
	b.SetBytes(int64(len(record)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := DecodeCommit(record); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkLimitedEntries(b *testing.B) {
	commit, _, footprint := encodedSync(b)
	v := NewView(AccessViewer, 7)
	b.ReportAllocs()
	for b.Loop() {
		v.Entries(&commit, footprint)
	}
}

func BenchmarkSnapshotParts(b *testing.B) {
	s := fleet(b, 10_000)
	v := NewView(AccessAdmin)
	b.ReportAllocs()
	for b.Loop() {
		v.SnapshotParts(s, 256<<10)
	}
}
