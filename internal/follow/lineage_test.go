package follow

import (
	"testing"

	"github.com/replication-gateway/gateway/client"
	"github.com/replication-gateway/gateway/internal/directory"
)

func TestRelate(t *testing.T) {
	a, b, c := client.Epoch{Name: "a"}, client.Epoch{Name: "b", SeqNo: 10}, client.Epoch{Name: "c", SeqNo: 20}
	elsewhere := client.Epoch{Name: "b", SeqNo: 11} // the same name, forked off at another commit
	for _, c := range []struct {
		name       string
		own, other client.Lineage
		want       relation
	}{
		{"the same", client.Lineage{a, b}, client.Lineage{a, b}, same},
		{"went on", client.Lineage{a}, client.Lineage{a, b, c}, goesOn},
		{"stayed behind", client.Lineage{a, b, c}, client.Lineage{a, b}, older},
		{"two promoted", client.Lineage{a, b}, client.Lineage{a, c}, branch},
		{"two promoted, one of them twice", client.Lineage{a, b, c}, client.Lineage{a, c}, branch},
		{"one epoch that began twice", client.Lineage{a, b}, client.Lineage{a, elsewhere}, branch},
		{"strangers", client.Lineage{a}, client.Lineage{b}, unrelated},
	} {
		if got := relate(directory.Lineage(c.own), c.other); got != c.want {
			t.Errorf("%s: got %d, want %d", c.name, got, c.want)
		}
	}
	if got := fork(directory.Lineage{directory.Epoch(a)}, client.Lineage{a, b, c}); got != 10 {
		t.Errorf("fork after %d, want 10", got)
	}
}
