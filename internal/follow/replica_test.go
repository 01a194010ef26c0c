package follow_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/replication-gateway/gateway/internal/gateway"
	"github.com/replication-gateway/gateway/internal/hub"
)

// A standby goes neither back to an older epoch nor over to another branch, and
// acknowledges neither. What it holds stays.
func TestWhomAStandbyRefuses(t *testing.T) {
	first, second, third := open(t), open(t, asStandby), open(t, asStandby)
	first.put(1, 3)
	token := first.token()
	for name, s := range map[string]*site{"second": second, "third": third} {
		s.catchUp(first, token)
		if err := s.Promote(name); err != nil {
			t.Fatal(err)
		}
		s.put(4, 5)
	}
	first.put(4, 9)
	standby := open(t, asStandby)
	standby.catchUp(second, token)
	for _, tt := range []struct {
		name  string
		other *site
		says  string
	}{
		{"an older epoch", first, "in an older epoch than this one"},
		{"another branch", third, "is another branch than the one here"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			stop := standby.follow(tt.other.url, token)
			standby.log.await(tt.says)
			until(func() bool { return standby.Upstream().Trouble != nil })
			if err := standby.Ready(); !errors.Is(err, gateway.ErrCannotFollow) {
				t.Errorf("ready: %v, want ErrCannotFollow", err)
			}
			stop()
			standby.equals(second)
			if n := tt.other.Acks(tt.other.at().SeqNo); n != 0 {
				t.Errorf("%d have acknowledged what came later there", n)
			}
			if files := standby.asides(); len(files) != 0 {
				t.Errorf("kept aside %q, though nothing was let go of", files)
			}
		})
	}
	standby.follow(second.url, token)
	second.put(6, 6)
	standby.equals(second)
	if err := standby.Ready(); err != nil {
		t.Errorf("it follows again, and is not ready: %v", err)
	}
}

// A standby that stood before several promotions goes through all their epochs,
// each of which begins in its log where it began in its primary's.
func TestGoingOnThroughEpochs(t *testing.T) {
	first := open(t)
	first.put(1, 3)
	token := first.token()
	late, level := open(t, asStandby), open(t, asStandby)
	second, third, last := open(t, asStandby), open(t, asStandby), open(t, asStandby)
	for _, s := range []*site{late, level, second, third, last} {
		s.catchUp(first, token)
	}
	from := first.at().SeqNo
	first.put(4, 6)
	level.catchUp(first, token)
	for _, step := range []struct {
		from, promoted *site
		epoch          string
		first, last    uint32 // of the nodes written then
	}{
		{first, second, "second", 1, 0}, // none: the next epoch begins at the same commit
		{second, third, "third", 7, 9},
		{third, last, "last", 10, 11},
	} {
		step.promoted.catchUp(step.from, token)
		if err := step.promoted.Promote(step.epoch); err != nil {
			t.Fatal(err)
		}
		step.promoted.put(step.first, step.last)
	}

	for name, s := range map[string]*site{"late": late, "level with the promotion": level} {
		s.catchUp(last, token)
		if got, want := s.Lineage(), last.Lineage(); len(got) != 4 || !slices.Equal(got, want) {
			t.Errorf("%s: the lineage is %v, want %v", name, got, want)
		}
		if n := s.log.count("snapshot taken over"); n != 1 {
			t.Errorf("%s: %d snapshots, want the first one only", name, n)
		}
		if got, want := s.records(from), last.records(from); got != want {
			t.Errorf("%s: the log is\n%swant\n%s", name, got, want)
		}
		s.close()
		if again := open(t, asStandby, in(s.dir)); again.at() != last.at() || !slices.Equal(again.Lineage(), last.Lineage()) {
			t.Errorf("%s: opened again it is at %v of %v, want %v of %v", name, again.at(), again.Lineage(), last.at(), last.Lineage())
		}
	}
}

// A standby waits for its snapshot as long as it takes, be it a queue of others,
// however short the heartbeat: it hears from its primary meanwhile.
func TestWaitingForASnapshotIsNoSilence(t *testing.T) {
	primary, standby := open(t, func(o *gateway.Options) { o.Heartbeat = 300 * time.Millisecond }), open(t, asStandby)
	primary.fill()
	token := primary.token()
	var batch hub.Batch
	for range 40 { // more than read at a time, and none reads more than what it begins with
		reader := primary.subscribe(nil)
		reader.Next(&batch, 1)
		reader.Next(&batch, 1)
	}
	standby.follow(primary.url, token)
	standby.equals(primary)
	if lost := standby.log.count("the primary is out of reach"); lost != 0 {
		t.Errorf("the standby gave up %d times before it had its snapshot", lost)
	}
}

// A snapshot that breaks off leaves what was there, on disk too; the next one
// replaces it.
func TestASnapshotThatBreaksOffLeavesWhatWasThere(t *testing.T) {
	standby, primary := open(t), open(t)
	standby.put(1, 3)
	before, at := standby.State()
	standby.Demote()
	primary.fill()
	token := primary.token()
	url, mend := breakingWay(t, strings.TrimPrefix(primary.url, "http://"), 150_000)
	standby.follow(url, token)
	standby.log.await("the primary is out of reach")
	if standby.log.count("following, from a snapshot on") != 1 || standby.log.count("snapshot taken over") != 0 {
		t.Fatal("the snapshot did not break off")
	}
	if state, p := standby.State(); p != at || state.Digest() != before.Digest() {
		t.Errorf("half a snapshot has it stand at %v, want %v", p, at)
	}
	if got := strings.Count(standby.records(0), "\n"); got != 3 {
		t.Errorf("%d commits are left in its log, want 3", got)
	}
	mend()
	standby.equals(primary)
}

// forged returns a record of the primary's newest commit, a node, as it never
// made it.
func forged(primary *site) []byte {
	_, at := primary.Durable()
	record := strings.TrimSpace(primary.records(at.SeqNo - 1))
	return []byte(strings.Replace(record, `"tags":[]`, `"tags":["forged"]`, 1))
}

// A state that differs from the primary's is found out by the digest of a
// heartbeat, and counted, and a snapshot takes its place. Readers of the standby
// begin anew: what they had been told is not so.
func TestADifferenceIsHealed(t *testing.T) {
	primary, standby := open(t, beating), open(t, asStandby)
	primary.put(1, 3)
	token := primary.token()
	standby.catchUp(primary, token)
	primary.put(4, 4)
	at := primary.at()
	if err := standby.Replicate(at.SeqNo, [][]byte{forged(primary)}, at.SeqNo); err != nil {
		t.Fatal(err)
	}
	reader := standby.subscribe(nil)

	standby.follow(primary.url, token)
	standby.log.await("the state differs from the primary's")
	want, _ := primary.State()
	until(func() bool { state, p := standby.State(); return p == at && state.Digest() == want.Digest() })
	<-reader.Done() // the state can be seen before
	if cause := reader.Cause(); cause != hub.HistoryChanged {
		t.Errorf("a reader's stream ended with %v, want %v", cause, hub.HistoryChanged)
	}
	if standby.subscribe(&at).Resumed() {
		t.Error("a reader resumes from what was not so")
	}
	primary.put(5, 6)
	standby.equals(primary)
	if metrics := string(standby.call("GET", "/metrics", "")); !strings.Contains(metrics, "\ngateway_digest_differences_total 1\n") {
		t.Error("the difference was not counted, once")
	}
}

// Commits that do not follow on what is here are not taken over: a snapshot is.
func TestWhatDoesNotFollowIsNotTakenOver(t *testing.T) {
	primary, standby := open(t), open(t, asStandby)
	primary.put(1, 3)
	standby.follow(primary.url, primary.token())
	standby.equals(primary)
	at := primary.at()
	record := strings.TrimSpace(primary.records(at.SeqNo - 2)) // a node and the token
	record = strings.ReplaceAll(strings.Split(record, "\n")[0], `"seq_no":3,`, `"seq_no":5,`)
	if err := standby.Replicate(at.SeqNo+1, [][]byte{[]byte(strings.ReplaceAll(record, `"node_id":3`, `"node_id":99`))}, at.SeqNo+1); err != nil {
		t.Fatal(err)
	}
	primary.put(4, 5)
	standby.log.await("does not follow on what is here: a fresh snapshot takes its place")
	standby.equals(primary)
	if state, _ := standby.State(); state.Node(99) != nil {
		t.Error("what the primary never made is still there")
	}
}
