package directory

import (
	"fmt"
	"testing"

	"github.com/go-json-experiment/json"
)

// What a sync of 100,000 entries costs, step by step, beside the decoding of
// its own body: the first that a network sees, where every entry changes a role
// and brings a user, and one that finds everything as it says.
func BenchmarkLargeSync(b *testing.B) {
	const n = 100_000
	groups := []string{"Platform", "Sales", "Everybody"}
	request := &DirectorySyncRequest{NetworkID: 7}
	for i := range n {
		id, name := fmt.Sprintf("person%d@corp.example", i*7919%n), fmt.Sprintf("Person Number %d", i)
		request.Entries = append(request.Entries, DirectoryEntry{ExternalID: id, DisplayName: &name, Email: &id, Groups: &groups})
	}
	body, err := json.Marshal(request)
	if err != nil {
		b.Fatal(err)
	}
	before := fleet(b, n)
	first := before.Clone()
	runSync(b, first, request)

	step := func(name string, run func() error) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := run(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	step("decode body", func() error {
		var r DirectorySyncRequest
		return json.Unmarshal(body, &r)
	})
	step("parse", func() error {
		_, _, err := ParseDirectoryEntries(request.Entries)
		return err
	})
	people, _, err := ParseDirectoryEntries(request.Entries)
	if err != nil {
		b.Fatal(err)
	}
	for name, s := range map[string]*State{"first": before, "same again": first} {
		command := SyncDirectory{Request: request, People: people}
		entries, answer, err := Decide(s, command, tester, minute(1))
		if err != nil {
			b.Fatal(err)
		}
		step(name+", decide", func() error {
			_, _, err := Decide(s, command, tester, minute(1))
			return err
		})
		step(name+", encode answer", func() error {
			_, err := json.Marshal(answer)
			return err
		})
		if len(entries) == 0 {
			continue
		}
		step(name+", encode commit", func() error {
			_, _, err := EncodeCommit(entries)
			return err
		})
		step(name+", apply", func() error {
			s.Clone().Apply(entries)
			return nil
		})
	}
}
