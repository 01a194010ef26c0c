package api

import (
	"testing"

	"github.com/go-json-experiment/json"

	"github.com/replication-gateway/gateway/internal/directory"
)

// The answer to a sync, which is put together by hand, is what the general
// encoder makes of it.
func TestSyncAnswersAreThoseOfTheGeneralEncoder(t *testing.T) {
	two := 2
	for name, acks := range map[string]*int{"alone": nil, "with standbys": &two} {
		t.Run(name, func(t *testing.T) {
			w := written[directory.DirectorySyncResult]{SeqNo: 1 << 60, Epoch: "e-1", Acks: acks, Record: directory.DirectorySyncResult{
				Updated: 1, Actions: []string{"role alice: member → admin (node 3)"},
				Items: []directory.DirectorySyncItem{{ExternalID: `corp\alice`, Outcome: directory.OutcomeUpdated, NodeIDs: []uint32{3},
					RoleFrom: directory.RoleMember, RoleTo: directory.RoleAdmin}}}}
			want, err := json.Marshal(w)
			if err != nil {
				t.Fatal(err)
			}
			var got []byte
			for piece := range w.pieces(&w.Record) {
				got = append(got, piece...)
			}
			if string(got) != string(want) {
				t.Errorf("encoded as %s\nwant       %s", got, want)
			}
		})
	}
}
