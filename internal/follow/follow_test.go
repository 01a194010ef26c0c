package follow_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/replication-gateway/gateway/internal/gateway"
)

func TestFollowingIsDurableAndAcknowledged(t *testing.T) {
	primary, standby := open(t), open(t, asStandby)
	primary.put(1, 10)
	token := primary.token()
	stop := standby.follow(primary.url, token)
	standby.equals(primary)
	before := time.Now()
	primary.put(11, 12)
	standby.equals(primary)
	at := primary.at()
	until(func() bool { return primary.Acks(at.SeqNo) == 1 })
	if u := standby.Upstream(); !u.Up || u.Heard.Before(before) {
		t.Errorf("of its primary it says %+v, it was heard of after %v", u, before)
	}
	if _, durable := standby.Durable(); durable != at {
		t.Errorf("acknowledged at %v, on disk up to %v", at, durable)
	}
	stop()
	primary.put(13, 20)
	if p := standby.at(); p != at {
		t.Errorf("at %v, after it stopped following at %v", p, at)
	}
}

// A standby that was away, or was started again, goes on from where it stands:
// under the same name, without a snapshot, with the primary's very records.
func TestGoingOnAfterAnInterruption(t *testing.T) {
	primary, standby := open(t), open(t, asStandby)
	primary.put(1, 3)
	token := primary.token()
	standby.catchUp(primary, token)
	from := standby.at().SeqNo
	primary.put(4, 6)
	standby.catchUp(primary, token)
	if n := standby.log.count("snapshot taken over"); n != 1 {
		t.Errorf("%d snapshots, want the first one only", n)
	}
	standby.close()
	primary.put(7, 9)
	standby = open(t, asStandby, in(standby.dir))
	standby.follow(primary.url, token)
	standby.equals(primary)
	until(func() bool { return primary.Acks(primary.at().SeqNo) == 1 })
	if n := standby.log.count("snapshot taken over"); n != 0 {
		t.Errorf("started again it took %d snapshots", n)
	}
	if list := primary.Standbys(); len(list) != 1 {
		t.Errorf("the primary knows it as %+v, want one", list)
	}
	if got, want := standby.records(from), primary.records(from); got != want {
		t.Errorf("the standby's log is\n%swant\n%s", got, want)
	}
}

func TestFollowingAStandby(t *testing.T) {
	primary, first, second := open(t), open(t, asStandby), open(t, asStandby)
	token := primary.token()
	first.follow(primary.url, token)
	first.equals(primary)
	second.follow(first.url, token)
	primary.put(1, 5)
	second.equals(primary)
}

// What a write waits for is shown nowhere before enough standbys have it, and
// everywhere once they have.
func TestWhatMayBeShownComesFromThePrimary(t *testing.T) {
	primary, first, second := open(t), open(t, asStandby), open(t, asStandby)
	token := primary.token()
	primary.close()
	primary = open(t, in(primary.dir), func(o *gateway.Options) { o.SyncStandbys = 2 })
	shown := primary.at()

	first.follow(primary.url, token)
	first.equals(primary)
	written := make(chan struct{})
	go func() {
		defer close(written)
		primary.put(1, 1)
	}()
	until(func() bool { return primary.Acks(shown.SeqNo+1) == 1 })
	for name, s := range map[string]*site{"primary": primary, "standby": first} {
		if at := s.at(); at != shown {
			t.Errorf("the %s shows %v, of two standbys one has it", name, at)
		}
	}
	second.follow(primary.url, token)
	<-written
	first.equals(primary)
	second.equals(primary)
	if got := first.at().SeqNo; got != shown.SeqNo+1 {
		t.Errorf("shown up to %d, want %d", got, shown.SeqNo+1)
	}
}

// A promotion ends following at once; and who was promoted stays primary, though
// it is told to follow where the history is an older part of its own.
func TestPromotionEndsFollowing(t *testing.T) {
	first, second := open(t), open(t, asStandby)
	first.put(1, 5)
	token := first.token()
	stop := second.follow(first.url, token)
	second.equals(first)
	until(func() bool { return first.Acks(first.at().SeqNo) == 1 })
	if err := second.Promote("second"); err != nil {
		t.Fatal(err)
	}
	until(func() bool { return !first.Standbys()[0].Open })
	at := second.at()
	first.put(6, 6)
	until(func() bool { return first.streams.Load() > 1 && first.SubCount() == 0 }) // it has asked
	stop()
	if p := second.at(); p != at || second.Role() != gateway.Primary || p.Epoch != "second" {
		t.Errorf("a promoted gateway is %s at %v, want primary at %v", second.Role(), p, at)
	}
	if n := first.Acks(first.at().SeqNo); n != 0 {
		t.Errorf("%d have acknowledged what the old primary wrote later", n)
	}
}

// Once the history there contains its own epoch and goes on, a promoted gateway
// follows, and keeps aside what it alone has.
func TestAPromotedGatewayFollowsALaterOne(t *testing.T) {
	first, second, third := open(t), open(t, asStandby), open(t, asStandby)
	first.put(1, 5)
	token := first.token()
	second.catchUp(first, token)
	if err := second.Promote("second"); err != nil {
		t.Fatal(err)
	}
	second.put(6, 6)
	third.catchUp(second, token)
	fork := second.at().SeqNo
	second.put(7, 9) // which the third has not got
	alone := second.dump(fork)
	if err := third.Promote("third"); err != nil {
		t.Fatal(err)
	}
	third.put(10, 12)

	second.follow(third.url, token)
	second.equals(third)
	if second.Role() != gateway.Standby || second.Lineage().Current() != "third" || len(second.Lineage()) != 3 {
		t.Errorf("it is %s in %v, want standby in three epochs", second.Role(), second.Lineage())
	}
	if got := second.aside(".jsonl"); got != alone {
		t.Errorf("kept aside\n%swant\n%s", got, alone)
	}
	third.put(13, 13)
	second.equals(third)
}

// Two promoted gateways both stay, and say so.
func TestTwoBranchesBothStay(t *testing.T) {
	first, second, third := open(t), open(t, asStandby), open(t, asStandby)
	token := first.token()
	for name, s := range map[string]*site{"second": second, "third": third} {
		s.catchUp(first, token)
		if err := s.Promote(name); err != nil {
			t.Fatal(err)
		}
		s.put(1, 1)
	}
	at := second.at()
	second.follow(third.url, token)
	second.log.await("another branch of the history")
	if p := second.at(); p != at || second.Role() != gateway.Primary {
		t.Errorf("it is %s at %v, want primary at %v", second.Role(), p, at)
	}
}

// A token that may not follow is said to be the trouble, once; and it makes nobody
// who is primary follow.
func TestATokenThatMayNotFollow(t *testing.T) {
	primary, standby, other := open(t), open(t, asStandby), open(t)
	standby.follow(primary.url, "admin")
	standby.log.await("cannot follow")
	until(func() bool { return standby.Upstream().Trouble != nil })
	if err := standby.Ready(); err == nil {
		t.Error("a standby that cannot follow says that it is ready")
	}
	if problem := standby.problem(); !strings.Contains(problem, "refused: 422") || !strings.Contains(problem, "replica") {
		t.Errorf("its status says %q", problem)
	}
	stop := other.follow(primary.url, "admin")
	until(func() bool { return primary.streams.Load() > 1 && primary.SubCount() == 0 })
	stop()
	if other.Role() != gateway.Primary {
		t.Error("a stream that tells no lineage made a primary follow")
	}
}

// A promoted gateway that is not let in where it once followed says so once, and
// again when it is for another reason; in its status it says so as long as that
// lasts.
func TestAPromotedGatewayThatIsNotLetIn(t *testing.T) {
	first, second := open(t), open(t, asStandby)
	first.put(1, 3)
	token := first.token()
	second.catchUp(first, token)
	if err := second.Promote("second"); err != nil {
		t.Fatal(err)
	}
	var asked, answer atomic.Int32
	answer.Store(http.StatusUnauthorized)
	door := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		w.WriteHeader(int(answer.Load()))
	}))
	defer door.Close()
	second.follow(door.URL, token)
	for _, status := range []int32{http.StatusUnauthorized, http.StatusForbidden} {
		answer.Store(status)
		says := fmt.Sprint("refused: ", status)
		second.log.await(says)
		before := asked.Load()
		until(func() bool { return asked.Load() > before })
		if n := second.log.count(says); n != 1 {
			t.Errorf("it says %q %d times", says, n)
		}
		if problem := second.problem(); !strings.Contains(problem, says) {
			t.Errorf("its status says %q, want %q", problem, says)
		}
	}
	answer.Store(http.StatusServiceUnavailable)
	until(func() bool { return second.problem() == "" })
	if n := second.log.count(`"level":"warn","error":"refused`); n != 2 {
		t.Errorf("%d warnings, want one for each reason", n)
	}
}
