package gateway_test

import (
	"testing"

	"github.com/replication-gateway/gateway/internal/gateway"
)

func TestProgressInWords(t *testing.T) {
	for want, p := range map[string]gateway.Progress{
		"opening the data folder":                     {},
		"checking the log, 0 of 0 bytes (0 %)":        {Stage: "checking the log", Unit: "bytes"},
		"replaying the log, 1 of 3 commits (33 %)":    {Stage: "replaying the log", Done: 1, Total: 3, Unit: "commits"},
		"loading the snapshot, 10 of 10 rows (100 %)": {Stage: "loading the snapshot", Done: 10, Total: 10, Unit: "rows"},
		"replaying the log, 12 of 10 commits (100 %)": {Stage: "replaying the log", Done: 12, Total: 10, Unit: "commits"},
	} {
		if got := p.String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
