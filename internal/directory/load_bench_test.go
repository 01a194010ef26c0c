package directory

import (
	"bytes"
	"fmt"
	"runtime"
	"testing"
)

// The state that memory and speed are measured with: nodes with a host name of
// 16 bytes, the address of their person and a tag on every other one, spread
// over ten networks as one membership each, and a user for each tenth.
const (
	fleetNodes    = 1_000_000
	fleetNetworks = 10
	fleetUsers    = fleetNodes / 10
)

// fleetRows yields the rows of such a state in the order of a snapshot.
func fleetRows(nodes int) func(yield func(Record) bool) {
	return func(yield func(Record) bool) {
		address := func(i int) string { return fmt.Sprintf("person%07d@corp.example", i*7919%nodes) }
		for n := range fleetNetworks {
			if !yield(&Network{NetworkID: uint16(n + 1), Name: "net", Enterprise: true, IdentifyBy: IdentifyByID, RoleMappings: []RoleMapping{{"Platform", RoleAdmin}}, CreatedAt: minute(0)}) {
				return
			}
		}
		for i := range nodes {
			tags := []string{}
			if i%2 == 0 {
				tags = []string{"linux"}
			}
			if !yield(&Node{NodeID: uint32(i + 1), Hostname: fmt.Sprintf("host-%07d.corp", i), ExternalID: address(i), Tags: tags, CreatedAt: minute(i % 1000)}) {
				return
			}
		}
		for n := range fleetNetworks {
			for i := n; i < nodes; i += fleetNetworks {
				if !yield(&Member{NetworkID: uint16(n + 1), NodeID: uint32(i + 1), Role: RoleMember, JoinedAt: minute(i % 1000)}) {
					return
				}
			}
		}
		for n := range fleetNetworks {
			for i := range nodes / 100 {
				id := fmt.Sprintf("person%07d@corp.example", i*fleetNetworks+n)
				if !yield(&User{NetworkID: uint16(n + 1), ExternalID: id, DisplayName: "Alice Doe", Email: id, Groups: []string{"Platform"}, UpdatedAt: minute(i % 1000)}) {
					return
				}
			}
		}
	}
}

// fleetLines are the same as lines of a snapshot file.
func fleetLines(nodes int) [][]byte {
	var lines [][]byte
	for r := range fleetRows(nodes) {
		lines = append(lines, AppendRow(nil, r))
	}
	return lines
}

func loadLines(b *testing.B, lines [][]byte) *State {
	l := NewLoader()
	for _, line := range lines {
		r, err := ParseRow(line)
		if err != nil {
			b.Fatal(err)
		}
		if err := l.Add(r); err != nil {
			b.Fatal(err)
		}
	}
	return l.State(1)
}

// One goroutine parses the lines and builds the state.
func BenchmarkLoad(b *testing.B) {
	for _, nodes := range []int{10_000, fleetNodes} {
		b.Run(fmt.Sprint(nodes, " nodes"), func(b *testing.B) {
			lines := fleetLines(nodes)
			b.ReportAllocs()
			for b.Loop() {
				loadLines(b, lines)
			}
			b.ReportMetric(float64(b.N*len(lines))/b.Elapsed().Seconds(), "rows/s")
		})
	}
}

// The building alone, when others parse.
func BenchmarkLoaderAdd(b *testing.B) {
	var rows []Record
	for _, line := range fleetLines(fleetNodes) {
		r, err := ParseRow(line)
		if err != nil {
			b.Fatal(err)
		}
		rows = append(rows, r)
	}
	b.ReportAllocs()
	for b.Loop() {
		l := NewLoader()
		for _, r := range rows {
			if err := l.Add(r); err != nil {
				b.Fatal(err)
			}
		}
		l.State(1)
	}
	b.ReportMetric(float64(b.N*len(rows))/b.Elapsed().Seconds(), "rows/s")
}

// The same state from a log of commits of one entry, when others decode.
func BenchmarkReplay(b *testing.B) {
	var commits [][]DeltaEntry
	for _, line := range fleetLines(fleetNodes) {
		r, err := ParseRow(line)
		if err != nil {
			b.Fatal(err)
		}
		commits = append(commits, []DeltaEntry{putOf(uint64(len(commits)+1), r)})
	}
	b.ReportAllocs()
	for b.Loop() {
		s := NewState()
		for _, entries := range commits {
			s.Replay(entries)
		}
	}
	b.ReportMetric(float64(b.N*len(commits))/b.Elapsed().Seconds(), "entries/s")
}

func BenchmarkParseRow(b *testing.B) {
	lines := fleetLines(10_000)
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		if _, err := ParseRow(lines[i%len(lines)]); err != nil {
			b.Fatal(err)
		}
		i++
	}
}

func BenchmarkEncodedRows(b *testing.B) {
	s := loadLines(b, fleetLines(10_000))
	b.ReportAllocs()
	bytes, rows := 0, 0
	for b.Loop() {
		for line := range s.EncodedRows() {
			bytes += len(line)
			rows++
		}
	}
	b.SetBytes(int64(bytes / b.N))
	b.ReportMetric(float64(rows)/b.Elapsed().Seconds(), "rows/s")
}

// The live heap that a state takes, by the way it was built.
func BenchmarkMemory(b *testing.B) {
	lines := fleetLines(fleetNodes)
	for name, build := range map[string]func() *State{
		"loaded": func() *State { return loadLines(b, lines) },
		"applied": func() *State {
			s := NewState()
			for _, line := range lines {
				r, err := ParseRow(bytes.Clone(line))
				if err != nil {
					b.Fatal(err)
				}
				s.Apply([]DeltaEntry{putOf(1, r)})
			}
			return s
		},
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				before := liveHeap()
				s := build()
				b.ReportMetric(float64(liveHeap()-before)/float64(len(lines)), "B/row")
				runtime.KeepAlive(s)
			}
		})
	}
}

func liveHeap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
