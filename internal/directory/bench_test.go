package directory

import (
	"bytes"
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

// encodedSync is a commit of about 20,000 entries.
func encodedSync(b *testing.B) (Commit, Footprint) {
	s := fleet(b, 10_000)
	entries, _, err := decideSync(s, syncOfEverybody())
	if err != nil {
		b.Fatal(err)
	}
	commit, _, err := EncodeCommit(entries)
	if err != nil {
		b.Fatal(err)
	}
	return commit, s.Apply(entries)
}

// commitsOf returns n entries in commits of size entries each: nodes that come,
// and join a network.
func commitsOf(b *testing.B, n, size int) (commits []Commit, records [][]byte) {
	entries := []DeltaEntry{}
	seqNo := uint64(1)
	flush := func() {
		c, record, err := EncodeCommit(entries)
		if err != nil {
			b.Fatal(err)
		}
		commits, records = append(commits, c), append(records, bytes.Join(record, nil))
		entries, seqNo = nil, seqNo+1
	}
	for i := range n {
		var r Record = &Node{NodeID: uint32(i/2 + 1), Hostname: fmt.Sprintf("host-%07d.corp", i), ExternalID: fmt.Sprintf("person%07d@corp.example", i*7919%n), Tags: []string{}, CreatedAt: minute(i % 1000)}
		if i%2 == 1 {
			r = &Member{NetworkID: uint16(i%10 + 1), NodeID: uint32(i/2 + 1), Role: RoleMember, JoinedAt: minute(i % 1000)}
		}
		if entries = append(entries, putOf(seqNo, r)); len(entries) == size {
			flush()
		}
	}
	return commits, records
}

func BenchmarkEncodeCommit(b *testing.B) {
	for _, size := range []int{1, 1000} {
		b.Run(fmt.Sprint(size, " entries"), func(b *testing.B) {
			commits, records := commitsOf(b, 1000, size)
			b.SetBytes(int64(len(bytes.Join(records, nil)) / len(records)))
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				if _, _, err := EncodeCommit(commits[i%len(commits)].Entries); err != nil {
					b.Fatal(err)
				}
				i++
			}
			b.ReportMetric(float64(b.N*size)/b.Elapsed().Seconds(), "entries/s")
		})
	}
}

func BenchmarkDecodeCommit(b *testing.B) {
	for _, size := range []int{1, 1000} {
		b.Run(fmt.Sprint(size, " entries"), func(b *testing.B) {
			_, records := commitsOf(b, 1000, size)
			b.SetBytes(int64(len(bytes.Join(records, nil)) / len(records)))
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				if _, err := DecodeCommit(records[i%len(records)]); err != nil {
					b.Fatal(err)
				}
				i++
			}
			b.ReportMetric(float64(b.N*size)/b.Elapsed().Seconds(), "entries/s")
		})
	}
}

// The state that a log leads to, of nodes that come and join, from nothing to
// 100,000 entries.
func BenchmarkApply(b *testing.B) {
	const n = 100_000
	for _, size := range []int{1, 1000} {
		commits, records := commitsOf(b, n, size)
		run := func(name string, each func(s *State, i int)) {
			b.Run(fmt.Sprint(size, " entries, ", name), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					s := NewState()
					for i := range commits {
						each(s, i)
					}
				}
				b.ReportMetric(float64(b.N*n)/b.Elapsed().Seconds(), "entries/s")
			})
		}
		run("with footprint", func(s *State, i int) { s.Apply(commits[i].Entries) })
		run("without", func(s *State, i int) { s.Replay(commits[i].Entries) })
		run("decoded, without", func(s *State, i int) {
			entries, err := DecodeEntries(records[i])
			if err != nil {
				b.Fatal(err)
			}
			s.Replay(entries)
		})
	}
}

func BenchmarkLimitedEntries(b *testing.B) {
	commit, footprint := encodedSync(b)
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
		for range v.SnapshotParts(s, 256<<10) {
		}
	}
}
