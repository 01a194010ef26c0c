package api_test

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/go-json-experiment/json"

	"github.com/replication-gateway/gateway/internal/api"
	"github.com/replication-gateway/gateway/internal/directory"
)

// What the body of a large directory sync takes to decode, beside what the library
// takes by itself.
func BenchmarkDecodeSync(b *testing.B) {
	const people = 100_000
	var body bytes.Buffer
	body.WriteString(`{"network_id":7,"entries":[`)
	for i := range people {
		if i > 0 {
			body.WriteByte(',')
		}
		fmt.Fprintf(&body, `{"external_id":"person-%07d@corp.example","display_name":"Person Number %d","email":"person-%07d@corp.example","groups":["everybody","platform"],"disabled":false}`, i, i, i)
	}
	body.WriteString(`]}`)
	way := func(name string, decode func(*directory.DirectorySyncRequest) error) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(body.Len()))
			for b.Loop() {
				var r directory.DirectorySyncRequest
				if err := decode(&r); err != nil || len(r.Entries) != people {
					b.Fatalf("%d entries, %v", len(r.Entries), err)
				}
			}
		})
	}
	way("library", func(r *directory.DirectorySyncRequest) error { return json.Unmarshal(body.Bytes(), r) })
	way("gateway", func(r *directory.DirectorySyncRequest) error {
		faults, err := api.Decode(body.Bytes(), r, people)
		if len(faults) > 0 {
			return fmt.Errorf("faults: %q", faults)
		}
		return err
	})
}
