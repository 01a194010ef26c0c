package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"text/tabwriter"
	"time"
)

// statusCmd shows where a gateway stands and who follows it.
type statusCmd struct {
	remoteFlags
	Show int  `default:"20" placeholder:"N" help:"Subscribers to list, standbys first, then those furthest behind; 0 lists all."`
	JSON bool `name:"json" help:"Print the gateway's answer as it is."`
}

// Validate checks every setting. Kong calls it after parsing.
func (c *statusCmd) Validate() error {
	return cmp.Or(c.remoteFlags.Validate(), atLeast("--show", c.Show, 0))
}

// Run asks the gateway and prints what it says.
func (c *statusCmd) Run(ctx context.Context, std stdio) error {
	answer, err := c.read(ctx, "/replication")
	if err != nil {
		return err
	}
	if c.JSON {
		_, err := fmt.Fprintf(std.out, "%s\n", answer)
		return err
	}
	var r replication
	if err := json.Unmarshal(answer, &r); err != nil {
		return fmt.Errorf("answer of /replication: %w", err)
	}
	return r.print(std.out, c.Show, time.Now())
}

// replication is what GET /replication answers.
type replication struct {
	Role            string       `json:"role"`
	Epoch           string       `json:"epoch"`
	SeqNo           uint64       `json:"seq_no"`
	DurableSeqNo    uint64       `json:"durable_seq_no"`
	Primary         string       `json:"primary"`
	Upstream        *upstream    `json:"upstream"`
	Standbys        []standby    `json:"standbys"`
	SubscriberCount int          `json:"subscriber_count"`
	Subscribers     []subscriber `json:"subscribers"`
}

// upstream is how a standby stands to the gateway that it follows.
type upstream struct {
	Up       bool      `json:"up"`
	Since    time.Time `json:"since"`
	SilentMS *int64    `json:"silent_ms"`
	Problem  string    `json:"problem"`
}

// standby is how far a standby is behind.
type standby struct {
	ID         string    `json:"id"`
	Connected  bool      `json:"connected"`
	Since      time.Time `json:"since"`
	AckedSeqNo uint64    `json:"acked_seq_no"`
	Behind     uint64    `json:"behind"`
	BehindMS   int64     `json:"behind_ms"`
}

// subscriber is one open stream.
type subscriber struct {
	ID          string    `json:"id"`
	Kind        string    `json:"kind"`
	RemoteAddr  string    `json:"remote_addr"`
	SeqNo       uint64    `json:"seq_no"`
	AckedSeqNo  uint64    `json:"acked_seq_no"` // 0 for who acknowledges nothing
	Behind      uint64    `json:"behind"`
	ConnectedAt time.Time `json:"connected_at"`
}

// lag is how many commits the gateway has that the subscriber has not: for a
// standby, that it has not acknowledged.
func (s *subscriber) lag(seqNo uint64) uint64 {
	if s.AckedSeqNo > 0 && s.AckedSeqNo < seqNo {
		return max(s.Behind, seqNo-s.AckedSeqNo)
	}
	return s.Behind
}

// rank orders subscribers by how much their lag matters.
func (s *subscriber) rank() int {
	if s.Kind == "standby" {
		return 0
	}
	return 1
}

// print writes the answer as tables: the gateway, every standby, and at most show
// streams, or all when show is 0, standbys first, then those furthest behind.
func (r *replication) print(w io.Writer, show int, now time.Time) error {
	list := slices.Clone(r.Subscribers)
	kinds, lag := map[string]int{}, uint64(0)
	for i := range list {
		kinds[list[i].Kind]++
		lag = max(lag, list[i].lag(r.SeqNo))
	}
	slices.SortStableFunc(list, func(a, b subscriber) int {
		return cmp.Or(cmp.Compare(a.rank(), b.rank()), cmp.Compare(b.lag(r.SeqNo), a.lag(r.SeqNo)))
	})

	t := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
	fmt.Fprintf(t, "role\t%s\n", r.Role)
	if r.Primary != "" {
		fmt.Fprintf(t, "primary\t%s%s\n", r.Primary, r.Upstream.sentence(now))
	}
	if r.Upstream != nil && r.Upstream.Problem != "" {
		fmt.Fprintf(t, "cannot follow\t%s\n", r.Upstream.Problem)
	}
	fmt.Fprintf(t, "position\t%s:%d\n", r.Epoch, r.SeqNo)
	fmt.Fprintf(t, "on disk\t%d\n", r.DurableSeqNo)
	fmt.Fprintf(t, "subscribers\t%d%s\n", r.SubscriberCount, ofKinds(kinds))
	fmt.Fprintf(t, "lag\t%d\n", lag)
	if len(r.Standbys) > 0 {
		fmt.Fprintf(t, "\n") // a line without cells ends a table
		fmt.Fprintf(t, "STANDBY\tIS\tSINCE\tON ITS DISK\tBEHIND\tFOR\n")
	}
	for _, s := range r.Standbys {
		is := "gone"
		if s.Connected {
			is = "connected"
		}
		fmt.Fprintf(t, "%s\t%s\t%v\t%d\t%d\t%v\n", s.ID, is, ago(s.Since, now), s.AckedSeqNo, s.Behind,
			time.Duration(s.BehindMS)*time.Millisecond)
	}
	if len(list) == 0 {
		return t.Flush()
	}
	more := 0
	if show > 0 && len(list) > show {
		list, more = list[:show], len(list)-show
	}
	fmt.Fprintf(t, "\n")
	fmt.Fprintf(t, "ID\tKIND\tFROM\tSEQ_NO\tACKED\tLAG\tCONNECTED\n")
	for _, s := range list {
		acked := "-"
		if s.AckedSeqNo > 0 {
			acked = strconv.FormatUint(s.AckedSeqNo, 10)
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%d\t%s\t%d\t%v\n", s.ID, s.Kind, s.RemoteAddr, s.SeqNo, acked, s.lag(r.SeqNo),
			ago(s.ConnectedAt, now))
	}
	if more > 0 {
		fmt.Fprintf(t, "and %d more\n", more)
	}
	return t.Flush()
}

// sentence says whether the primary is heard of, since when, and when it last was.
func (u *upstream) sentence(now time.Time) string {
	if u == nil {
		return ""
	}
	is := "OUT OF REACH"
	switch {
	case u.Up:
		is = "heard of"
	case u.Problem != "":
		is = "NOT FOLLOWED"
	}
	last := "never heard of before"
	if u.SilentMS != nil {
		last = fmt.Sprintf("last %v ago", time.Duration(*u.SilentMS)*time.Millisecond)
	}
	return fmt.Sprintf(", %s for %v, %s", is, ago(u.Since, now), last)
}

// ago is how long before now something was, by two clocks.
func ago(at, now time.Time) time.Duration { return max(0, now.Sub(at)).Round(time.Second) }

// ofKinds lists how many subscribers there are of each kind.
func ofKinds(kinds map[string]int) (text string) {
	for _, kind := range slices.Sorted(maps.Keys(kinds)) {
		text += fmt.Sprintf(", %d %s", kinds[kind], kind)
	}
	return text
}
