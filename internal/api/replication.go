package api

import (
	"cmp"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/replication-gateway/gateway/internal/directory"
	"github.com/replication-gateway/gateway/internal/gateway"
)

// replicationStatus is where a gateway stands and who follows it.
type replicationStatus struct {
	Role            string             `json:"role"`
	Epoch           string             `json:"epoch"`
	SeqNo           uint64             `json:"seq_no"`
	DurableSeqNo    uint64             `json:"durable_seq_no"`    // what it has on disk: of two standbys the greater one lost less
	Primary         string             `json:"primary,omitzero"`  // where a standby follows
	Upstream        *upstreamStatus    `json:"upstream,omitzero"` // of a primary, while it asks in vain
	Standbys        []standbyStatus    `json:"standbys"`          // by id, those that are gone too
	SubscriberCount int                `json:"subscriber_count"`
	Subscribers     []subscriberStatus `json:"subscribers"` // in the order in which they came
}

// upstreamStatus is how a standby stands to the gateway that it follows, or a
// promoted gateway to the one where it asks whether it should.
type upstreamStatus struct {
	Up       bool           `json:"up"`
	Since    directory.Time `json:"since"`
	SilentMS *int64         `json:"silent_ms,omitzero"` // since it was last heard of; none if never
	Problem  string         `json:"problem,omitzero"`   // why it cannot be followed, though somebody is there
}

// standbyStatus is how far a standby is behind.
type standbyStatus struct {
	ID         string         `json:"id"`
	Connected  bool           `json:"connected"`
	Since      directory.Time `json:"since"` // when it came, or went
	AckedSeqNo uint64         `json:"acked_seq_no"`
	Behind     uint64         `json:"behind"`    // commits on disk here that it has not acknowledged
	BehindMS   int64          `json:"behind_ms"` // how long the oldest of them has been here
}

// subscriberStatus is where one open stream stands.
type subscriberStatus struct {
	ID          string         `json:"id"`
	Kind        string         `json:"kind"` // that of the stream, or kindStandby
	RemoteAddr  string         `json:"remote_addr"`
	SeqNo       uint64         `json:"seq_no"`       // everything up to it has been handed to the stream
	AckedSeqNo  uint64         `json:"acked_seq_no"` // what it has on disk, of standbys that say so; else 0
	Behind      uint64         `json:"behind"`       // commits that it has yet to be handed, or to acknowledge
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
	return c.answer(http.StatusOK, s.replicationStatus(position))
}

func (s *Server) replicationStatus(p directory.Position) replicationStatus {
	g, subscribers := s.options.Gateway, s.streams.status()
	_, durable := g.Durable()
	r := replicationStatus{Role: string(g.Role()), Epoch: p.Epoch, SeqNo: p.SeqNo, DurableSeqNo: durable.SeqNo,
		Standbys: []standbyStatus{}, SubscriberCount: len(subscribers), Subscribers: subscribers}
	for _, s := range g.Standbys() {
		r.Standbys = append(r.Standbys, standbyStatus{ID: s.ID, Connected: s.Open, Since: directory.TimeOf(s.Since),
			AckedSeqNo: s.Acked, Behind: s.Behind, BehindMS: s.Lag.Milliseconds()})
	}
	u := g.Upstream()
	if g.Role() == gateway.Standby {
		r.Primary = u.URL
	}
	if r.Primary != "" || u.Trouble != nil {
		r.Upstream = upstreamOf(u)
	}
	return r
}

func upstreamOf(u gateway.Upstream) *upstreamStatus {
	status := &upstreamStatus{Up: u.Up, Since: directory.TimeOf(u.Since)}
	if !u.Heard.IsZero() {
		status.SilentMS = new(max(0, time.Since(u.Heard).Milliseconds()))
	}
	if u.Trouble != nil {
		status.Problem = u.Trouble.Error()
	}
	return status
}

// promote makes a standby primary, and answers with what it is then.
func (s *Server) promote(c *call) error {
	c.optionalBody(&struct{}{})
	if err := c.refusal(); err != nil {
		return err
	}
	if !s.mayStillAct(c) {
		return gateway.ErrTokenEnded // while the body came
	}
	err := s.options.Gateway.Promote(rand.Text())
	if errors.Is(err, gateway.ErrNoState) {
		return fmt.Errorf("%w: %w", errNotPromotable, err)
	}
	if err != nil {
		return err
	}
	_, position := s.options.Gateway.State()
	c.setPosition(position)
	return c.answer(http.StatusOK, s.replicationStatus(position))
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
		status := subscriberStatus{ID: strconv.FormatUint(at.ID, 10), Kind: st.kind.name,
			RemoteAddr: st.socket.RemoteAddr().String(), SeqNo: at.SeqNo, Behind: at.Behind,
			ConnectedAt: directory.TimeOf(at.Connected)}
		if at.Ahead {
			status.Kind = kindStandby
		}
		if st.follower != nil {
			if name, acked, standby := st.follower.Acked(); standby {
				status.ID, status.AckedSeqNo = name, acked
				status.Behind += at.SeqNo - min(acked, at.SeqNo)
			}
		}
		list = append(list, numbered{at.ID, status})
	}
	slices.SortFunc(list, func(a, b numbered) int { return cmp.Compare(a.number, b.number) })
	statuses := make([]subscriberStatus, len(list))
	for i, n := range list {
		statuses[i] = n.subscriberStatus
	}
	return statuses
}
