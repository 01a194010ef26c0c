package api

import (
	"cmp"
	"slices"
	"strconv"

	"github.com/replication-gateway/gateway/internal/directory"
)

// rolePrimary is the role of a gateway that decides.
const rolePrimary = "primary"

// replicationStatus is where a gateway stands and who follows it.
type replicationStatus struct {
	Role            string             `json:"role"`
	Epoch           string             `json:"epoch"`
	SeqNo           uint64             `json:"seq_no"`
	SubscriberCount int                `json:"subscriber_count"`
	Subscribers     []subscriberStatus `json:"subscribers"` // in the order in which they came
}

// subscriberStatus is where one open stream stands.
type subscriberStatus struct {
	ID          string         `json:"id"`
	Kind        string         `json:"kind"` // that of the stream, or kindStandby
	RemoteAddr  string         `json:"remote_addr"`
	SeqNo       uint64         `json:"seq_no"` // everything up to it has been handed to the stream
	Behind      uint64         `json:"behind"` // commits that it has yet to be handed
	ConnectedAt directory.Time `json:"connected_at"`
}

// kindStandby is the kind of a stream of a replica token, however it travels.
const kindStandby = "standby"

// replication answers with one picture of the streams, each taken at its own
// moment: a stream may stand beyond the position of the answer.
func (s *Server) replication(c *call) error {
	_, position, err := s.read(c)
	if err != nil {
		return err
	}
	subscribers := s.streams.status()
	return c.answer(200, replicationStatus{Role: rolePrimary, Epoch: position.Epoch, SeqNo: position.SeqNo,
		SubscriberCount: len(subscribers), Subscribers: subscribers})
}

// status returns where the streams stand that have not ended.
func (o *streams) status() []subscriberStatus {
	type numbered struct {
		number uint64
		subscriberStatus
	}
	var list []numbered
	for _, st := range o.all() {
		if st.sub.Cause().Code != 0 { // it only takes its leave
			continue
		}
		at := st.sub.Stats()
		kind := st.kind.name
		if at.Ahead {
			kind = kindStandby
		}
		list = append(list, numbered{at.ID, subscriberStatus{ID: strconv.FormatUint(at.ID, 10), Kind: kind,
			RemoteAddr: st.socket.RemoteAddr().String(), SeqNo: at.SeqNo, Behind: at.Behind,
			ConnectedAt: directory.TimeOf(at.Connected)}})
	}
	slices.SortFunc(list, func(a, b numbered) int { return cmp.Compare(a.number, b.number) })
	statuses := make([]subscriberStatus, len(list))
	for i, n := range list {
		statuses[i] = n.subscriberStatus
	}
	return statuses
}
