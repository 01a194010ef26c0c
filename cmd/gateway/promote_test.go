package main

import (
	"strings"
	"testing"
	"time"
)

func TestPromotedSaysWhatMayBeMissing(t *testing.T) {
	at := time.Date(2024, 5, 1, 12, 0, 0, 0, time.UTC)
	silent := func(ms int64) *int64 { return &ms }
	for name, tt := range map[string]struct {
		upstream *upstream
		want     string
	}{
		"a primary that is gone": {&upstream{Since: at.Add(-12 * time.Second), SilentMS: silent(42_000)}, `
old primary      http://other:8080, OUT OF REACH for 12s, last 42s ago
MAY BE MISSING   what the old primary acknowledged and had not sent when it was last heard of, at 2024-05-01T11:59:18Z
`},
		"a primary that goes on": {&upstream{Up: true, Since: at.Add(-time.Hour), SilentMS: silent(3)}, `
old primary      http://other:8080, heard of for 1h0m0s, last 3ms ago
                 STOP IT: what it acknowledges from now on is lost to this history
MAY BE MISSING   what the old primary acknowledged and had not sent when it was last heard of, at 2024-05-01T11:59:59Z
`},
		"a primary never heard of": {&upstream{Since: at.Add(-time.Minute)}, `
old primary      http://other:8080, OUT OF REACH for 1m0s, never heard of before
MAY BE MISSING   all that the old primary acknowledged after that commit: it was not heard of since this gateway was started
`},
	} {
		t.Run(name, func(t *testing.T) {
			before := replication{Role: "standby", Epoch: "e1", SeqNo: 100, DurableSeqNo: 102, Primary: "http://other:8080", Upstream: tt.upstream}
			after := replication{Role: "primary", Epoch: "e2", SeqNo: 102, DurableSeqNo: 102}
			var out strings.Builder
			if err := after.printPromoted(&out, &before, at); err != nil {
				t.Fatal(err)
			}
			want := `new epoch        e2
goes on from     e1:102, the newest commit it had on disk` + tt.want + `not missing      what waited for this standby's acknowledgement (--sync-standbys)
`
			if out.String() != want {
				t.Errorf("got\n%s\nwant\n%s", &out, want)
			}
		})
	}
}
