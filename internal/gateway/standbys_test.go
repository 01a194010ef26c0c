package gateway_test

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/replication-gateway/gateway/internal/directory"
	"github.com/replication-gateway/gateway/internal/gateway"
	"github.com/replication-gateway/gateway/internal/hub"
	"github.com/replication-gateway/gateway/internal/wal"
)

// waits has every write wait for the acknowledgement of so many standbys.
func waits(standbys int, patience time.Duration) func(*gateway.Options) {
	return func(o *gateway.Options) { o.SyncStandbys, o.AckTimeout = standbys, patience }
}

// standby opens a replica stream that acknowledges under a name.
func standby(t *testing.T, g *gateway.Gateway, id string) (*hub.Sub, *gateway.Follower) {
	t.Helper()
	sub, err := g.Subscribe(gateway.SubscribeOptions{View: directory.NewView(directory.AccessReplica)})
	if err != nil {
		t.Fatal(err)
	}
	f := g.Follow(sub, id, 0)
	t.Cleanup(func() { g.Unfollow(f); g.Unsubscribe(sub) })
	return sub, f
}

func reader(t *testing.T, g *gateway.Gateway) *hub.Sub {
	t.Helper()
	sub, err := g.Subscribe(gateway.SubscribeOptions{View: directory.NewView(directory.AccessAdmin)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { g.Unsubscribe(sub) })
	next(sub)
	return sub
}

func ack(t *testing.T, f *gateway.Follower, g *gateway.Gateway, seqNo uint64) {
	t.Helper()
	if err := f.Ack(g.Lineage().Current(), seqNo); err != nil {
		t.Fatalf("acknowledge %d: %v", seqNo, err)
	}
}

func TestNothingIsShownBeforeItIsAcknowledged(t *testing.T) {
	g := open(t, t.TempDir(), wal.OSFS, waits(2, time.Hour))
	sub, first := standby(t, g, "a")
	_, second := standby(t, g, "b")
	admin := reader(t, g)
	next(sub)

	answered := make(chan error, 1)
	go func() {
		_, err := putNode(t.Context(), g, 1)
		answered <- err
	}()
	var frames [][]byte
	for len(frames) == 0 {
		<-sub.Wake()
		frames = next(sub)
	}
	if got := string(frames[0]); !strings.Contains(got, `"seq_no":1`) || !strings.Contains(got, `"committed_seq_no":0`) {
		t.Errorf("a standby got %s, want commit 1, of which none may be shown", got)
	}
	check := func(when string) {
		t.Helper()
		if state, at := g.State(); at.SeqNo != 0 || state.Node(1) != nil {
			t.Errorf("%s readers see seq_no %d", when, at.SeqNo)
		}
		if frames := next(admin); len(frames) != 0 {
			t.Errorf("%s a subscriber got %s", when, frames)
		}
		select {
		case err := <-answered:
			t.Fatalf("%s the write was answered: %v", when, err)
		default:
		}
	}
	check("before any acknowledgement")
	ack(t, first, g, 1)
	ack(t, first, g, 1)
	check("after one, said twice")
	ack(t, second, g, 1)
	if err := <-answered; err != nil {
		t.Errorf("the write: %v", err)
	}
	if state, at := g.State(); at.SeqNo != 1 || state.Node(1) == nil {
		t.Errorf("readers see seq_no %d", at.SeqNo)
	}
	if got := fmt.Sprintf("%s", next(admin)); !strings.Contains(got, `"seq_no":1`) {
		t.Errorf("a subscriber got %s", got)
	}
	if got := fmt.Sprintf("%s", next(sub)); !strings.Contains(got, `"committed_seq_no":1`) {
		t.Errorf("the standby got %s, want word that commit 1 may be shown", got)
	}
	if n := g.Acks(1); n != 2 {
		t.Errorf("%d standbys have it, want 2", n)
	}
}

// A standby shows what its primary allows, whatever those have acknowledged who
// follow it, also where it is to wait for them once it is promoted.
func TestAStandbyShowsNothingOnTheWordOfItsOwn(t *testing.T) {
	primary := open(t, t.TempDir(), wal.OSFS)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	write := func(node uint32) {
		t.Helper()
		_, err := putNode(t.Context(), primary, node)
		must(err)
	}
	write(1)
	g := open(t, t.TempDir(), wal.OSFS, waits(1, time.Hour), func(o *gateway.Options) { o.Standby = true })
	state, _ := primary.State()
	must(g.Adopt(state, primary.Lineage(), false))
	write(2)
	var records [][]byte
	must(primary.Records(1, func(record []byte) error {
		records = append(records, slices.Clone(record))
		return nil
	}))
	must(g.Replicate(2, records, 1))
	_, own := standby(t, g, "own")
	ack(t, own, g, 2)
	if _, at := g.State(); at.SeqNo != 1 {
		t.Errorf("readers see seq_no %d, of which the primary has allowed 1", at.SeqNo)
	}
	must(g.Commit(2))
	if _, at := g.State(); at.SeqNo != 2 {
		t.Errorf("readers see seq_no %d, of which the primary has allowed 2", at.SeqNo)
	}
}

func TestUnacknowledgedWritesTimeOutAndAreShownLater(t *testing.T) {
	g := open(t, t.TempDir(), wal.OSFS, waits(1, 10*time.Millisecond))
	outcome, err := putNode(t.Context(), g, 1)
	if !errors.Is(err, gateway.ErrNotReplicated) || outcome.Position.SeqNo != 1 {
		t.Fatalf("without a standby: %v at %v, want ErrNotReplicated at 1", err, outcome.Position)
	}
	// What rests on it waits too: deleting what is not there, writing what is there.
	if _, _, err := gateway.Do(t.Context(), g, "test", directory.DeleteNode{NodeID: 9}); !errors.Is(err, gateway.ErrNotReplicated) {
		t.Errorf("a refusal that rests on it: %v", err)
	}
	if outcome, err := putNode(t.Context(), g, 1); !errors.Is(err, gateway.ErrNotReplicated) || outcome.Position.SeqNo != 1 {
		t.Errorf("a write that changes nothing: %v at %v", err, outcome.Position)
	}
	_, f := standby(t, g, "a")
	ack(t, f, g, 1)
	if _, at := g.State(); at.SeqNo != 1 {
		t.Errorf("readers see seq_no %d once it is acknowledged", at.SeqNo)
	}
}

// A named standby counts once, with its newest stream; one without a name while
// it is open.
func TestWhoCounts(t *testing.T) {
	g := open(t, t.TempDir(), wal.OSFS, waits(2, time.Millisecond))
	_, _ = putNode(t.Context(), g, 1)
	sub, older := standby(t, g, "a")
	ack(t, older, g, 1)
	_, newer := standby(t, g, "a")
	if cause := sub.Cause(); cause != hub.HistoryChanged {
		t.Errorf("the older stream of a standby ended with %v", cause)
	}
	if n := g.Acks(1); n != 0 {
		t.Errorf("%d standbys have it; the newest stream of the only one has said nothing", n)
	}
	ack(t, newer, g, 1)
	_, unnamed := standby(t, g, "")
	ack(t, unnamed, g, 1)
	if _, at := g.State(); at.SeqNo != 1 {
		t.Errorf("two have it, and readers see seq_no %d", at.SeqNo)
	}
	_, _ = putNode(t.Context(), g, 2)
	ack(t, unnamed, g, 2)
	g.Unfollow(unnamed)
	ack(t, newer, g, 2)
	if _, at := g.State(); at.SeqNo != 1 {
		t.Errorf("one of two has gone, and readers see seq_no %d", at.SeqNo)
	}
	for _, bad := range []struct {
		epoch string
		seqNo uint64
	}{{"other", 1}, {g.Lineage().Current(), 3}} {
		if err := newer.Ack(bad.epoch, bad.seqNo); !errors.Is(err, gateway.ErrBadAck) {
			t.Errorf("acknowledging %v: %v, want ErrBadAck", bad, err)
		}
	}
}

func TestWritesAreRefusedWhenStandbysAreFarBehind(t *testing.T) {
	short := func(o *gateway.Options) { o.WindowCommits = 3 }
	g := open(t, t.TempDir(), wal.OSFS, waits(1, time.Millisecond), short)
	for id := range uint32(3) {
		if _, err := putNode(t.Context(), g, id+1); !errors.Is(err, gateway.ErrNotReplicated) {
			t.Fatalf("write %d: %v", id+1, err)
		}
	}
	if outcome, err := putNode(t.Context(), g, 4); !errors.Is(err, gateway.ErrStandbysBehind) || outcome.Changed {
		t.Errorf("with the window full: %v, %+v, want ErrStandbysBehind", err, outcome)
	}
	token := directory.CreateToken{Token: directory.Token{TokenID: "t", Role: directory.AccessViewer}}
	if made, outcome, err := gateway.Do(t.Context(), g, "test", token); !errors.Is(err, gateway.ErrNotReplicated) || made == nil || outcome.Position.SeqNo != 4 {
		t.Errorf("a token: %v at %v (%v), want it made and not replicated", made, outcome.Position, err)
	}
	if state, _ := g.Durable(); state.Token("t") == nil {
		t.Error("the token is not among what is durable")
	}
	_, f := standby(t, g, "a")
	ack(t, f, g, 4)
	if _, err := putNode(t.Context(), g, 4); !errors.Is(err, gateway.ErrNotReplicated) {
		t.Errorf("once the standby has caught up: %v", err)
	}
}

// A restart shows what was acknowledged before, and nothing else.
func TestRestartShowsWhatWasAcknowledged(t *testing.T) {
	dir := t.TempDir()
	g := open(t, dir, wal.OSFS, waits(1, time.Millisecond))
	_, f := standby(t, g, "a")
	for id := range uint32(6) {
		_, _ = putNode(t.Context(), g, id+1)
	}
	ack(t, f, g, 4)
	if err := g.Close(); err != nil {
		t.Fatal(err)
	}
	g = open(t, dir, wal.OSFS, waits(1, time.Millisecond))
	if state, at := g.State(); at.SeqNo != 4 || state.Node(4) == nil || state.Node(5) != nil {
		t.Errorf("readers see seq_no %d, want 4", at.SeqNo)
	}
	if state, at := g.Durable(); at.SeqNo != 6 || state.Node(6) == nil {
		t.Errorf("durable is seq_no %d, want 6", at.SeqNo)
	}
	_, f = standby(t, g, "a")
	ack(t, f, g, 5)
	if _, at := g.State(); at.SeqNo != 5 {
		t.Errorf("after an acknowledgement of 5 readers see %d", at.SeqNo)
	}
	if err := g.Close(); err != nil {
		t.Fatal(err)
	}
	g = open(t, dir, wal.OSFS) // who waits for nobody shows all
	if _, at := g.State(); at.SeqNo != 6 {
		t.Errorf("without standbys to wait for, readers see %d", at.SeqNo)
	}
}

// More may wait for standbys than the window holds: the last group went beyond it, and
// tokens are made all the same. A restart goes on from there, and refuses more.
func TestRestartWithMoreThanTheWindowWaiting(t *testing.T) {
	for name, short := range map[string]func(*gateway.Options){
		"commits": func(o *gateway.Options) { o.WindowCommits = 3 },
		"bytes":   func(o *gateway.Options) { o.WindowBytes = 500 },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			g := open(t, dir, wal.OSFS, waits(1, time.Millisecond), short)
			for id := uint32(1); ; id++ {
				_, err := putNode(t.Context(), g, id)
				if errors.Is(err, gateway.ErrStandbysBehind) {
					break
				}
				if !errors.Is(err, gateway.ErrNotReplicated) || id > 10 {
					t.Fatalf("write %d: %v, want ErrNotReplicated, then ErrStandbysBehind", id, err)
				}
			}
			for i := range 5 {
				token := directory.CreateToken{Token: directory.Token{TokenID: fmt.Sprint(i), Role: directory.AccessViewer}}
				if _, _, err := gateway.Do(t.Context(), g, "test", token); !errors.Is(err, gateway.ErrNotReplicated) {
					t.Fatalf("a token: %v, want ErrNotReplicated", err)
				}
			}
			_, last := g.Durable()
			if err := g.Close(); err != nil {
				t.Fatal(err)
			}
			g = open(t, dir, wal.OSFS, waits(1, time.Millisecond), short)
			_, shown := g.State()
			if _, durable := g.Durable(); shown.SeqNo != 0 || durable != last {
				t.Errorf("after the restart %v is shown and %v durable, want 0 and %v", shown, durable, last)
			}
			if _, err := putNode(t.Context(), g, 99); !errors.Is(err, gateway.ErrStandbysBehind) {
				t.Errorf("a write after the restart: %v, want ErrStandbysBehind", err)
			}
			_, f := standby(t, g, "a")
			ack(t, f, g, last.SeqNo)
			if _, shown := g.State(); shown != last {
				t.Errorf("with all acknowledged %v is shown, want %v", shown, last)
			}
			if _, err := putNode(t.Context(), g, 99); !errors.Is(err, gateway.ErrNotReplicated) {
				t.Errorf("a write with all acknowledged: %v, want ErrNotReplicated", err)
			}
		})
	}
}

// What is refused when standbys are far behind is judged by what they lack, however
// much has gone through while they never had quite all.
func TestStandbysThatKeepUpAreNotFarBehind(t *testing.T) {
	g := open(t, t.TempDir(), wal.OSFS, waits(1, time.Millisecond), func(o *gateway.Options) { o.WindowBytes = 1000 })
	_, f := standby(t, g, "a")
	for id := range uint32(30) {
		if _, err := putNode(t.Context(), g, id+1); !errors.Is(err, gateway.ErrNotReplicated) {
			t.Fatalf("write %d: %v, want ErrNotReplicated", id+1, err)
		}
		ack(t, f, g, uint64(id)) // all but this one
	}
}

// A standby is listed with what it lacks, since when, also when it is gone.
func TestStandbysAreListed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		g := open(t, t.TempDir(), wal.OSFS)
		defer g.Close()
		_, a := standby(t, g, "a")
		sub, b := standby(t, g, "b")
		if _, err := putNode(t.Context(), g, 1); err != nil {
			t.Fatal(err)
		}
		ack(t, a, g, 1)
		ack(t, b, g, 1)
		synctest.Wait()
		time.Sleep(time.Second) // of the bubble's clock
		g.Unfollow(b)
		gone := time.Now()
		g.Unsubscribe(sub)
		for node := range uint32(3) {
			if _, err := putNode(t.Context(), g, 10+node); err != nil {
				t.Fatal(err)
			}
		}
		ack(t, a, g, 3)
		time.Sleep(time.Minute) // likewise
		got := g.Standbys()
		if len(got) != 2 {
			t.Fatalf("got %+v, want two", got)
		}
		want := []gateway.StandbyStatus{
			{ID: "a", Open: true, Since: began, Acked: 3, Behind: 1, Lag: time.Minute},
			{ID: "b", Since: gone, Acked: 1, Behind: 3, Lag: time.Minute},
		}
		for i, w := range want {
			if g := got[i]; g.ID != w.ID || g.Open != w.Open || !g.Since.Equal(w.Since) || g.Acked != w.Acked || g.Behind != w.Behind || g.Lag != w.Lag {
				t.Errorf("got %+v, want %+v", g, w)
			}
		}
	})
}

// A write that still waits for standbys when the gateway goes over to a history
// without it is not answered as if it were in there, however far that goes.
func TestAWriteIsNotTakenForOneOfAnotherHistory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := open(t, t.TempDir(), wal.OSFS, waits(1, time.Hour))
		defer g.Close()
		_, f := standby(t, g, "a")
		shared := make(chan error, 1)
		go func() { _, err := putNode(t.Context(), g, 1); shared <- err }()
		synctest.Wait()
		ack(t, f, g, 1)
		if err := <-shared; err != nil {
			t.Fatal(err)
		}
		alone := make(chan error, 1)
		go func() { _, err := putNode(t.Context(), g, 2); alone <- err }()
		synctest.Wait()

		// Elsewhere another epoch began at commit 1, and went far beyond 2.
		loader := directory.NewLoader()
		if err := loader.Add(&directory.Node{NodeID: 7}); err != nil {
			t.Fatal(err)
		}
		lineage := append(slices.Clone(g.Lineage()), directory.Epoch{Name: "later", SeqNo: 1})
		g.Demote()
		if err := g.Adopt(loader.State(100), lineage, false); err != nil {
			t.Fatal(err)
		}
		if err := <-alone; !errors.Is(err, gateway.ErrNotReplicated) {
			t.Errorf("got %v, want ErrNotReplicated", err)
		}
	})
}

// What followers of a standby acknowledged of a history that was given up counts for
// nothing once the standby is promoted, also of one that has gone.
func TestAcknowledgementsOfAnotherHistoryDoNotCount(t *testing.T) {
	g := open(t, t.TempDir(), wal.OSFS, waits(1, time.Millisecond), func(o *gateway.Options) { o.Standby = true })
	adopt := func(epoch string, seqNo uint64) {
		t.Helper()
		if err := g.Adopt(directory.NewLoader().State(seqNo), directory.Lineage{{Name: epoch}}, false); err != nil {
			t.Fatal(err)
		}
	}
	adopt("one", 100)
	_, gone := standby(t, g, "gone")
	ack(t, gone, g, 100)
	g.Unfollow(gone)
	adopt("other", 50)
	if err := g.Promote("promoted"); err != nil {
		t.Fatal(err)
	}
	if _, err := putNode(t.Context(), g, 1); !errors.Is(err, gateway.ErrNotReplicated) {
		t.Errorf("a write that nobody has: %v, want ErrNotReplicated", err)
	}
	standby(t, g, "new")
	if _, at := g.State(); at.SeqNo != 50 || g.Acks(51) != 0 {
		t.Errorf("seq_no %d is shown and %d have 51, want 50 and none", at.SeqNo, g.Acks(51))
	}
}

// A state is not written under the history of another that took its place.
func TestABackupIsOfItsOwnHistory(t *testing.T) {
	g := open(t, t.TempDir(), wal.OSFS)
	mustPutNode(t, g, 1)
	state, at := g.State()
	g.Demote()
	if err := g.Adopt(directory.NewLoader().State(100), directory.Lineage{{Name: "other"}}, false); err != nil {
		t.Fatal(err)
	}
	var file bytes.Buffer
	if err := g.WriteSnapshot(&file, state, at); !errors.Is(err, directory.ErrUnknownEpoch) || file.Len() > 0 {
		t.Errorf("WriteSnapshot: %v and %d bytes, want ErrUnknownEpoch and none", err, file.Len())
	}
	state, at = g.State()
	if err := g.WriteSnapshot(&file, state, at); err != nil {
		t.Error(err)
	}
}

// A stream that was ended because its history was given up acknowledges nothing of it,
// even if that was between its beginning and its being counted.
func TestAnEndedStreamAcknowledgesNothing(t *testing.T) {
	g := open(t, t.TempDir(), wal.OSFS, waits(1, time.Millisecond))
	_, _ = putNode(t.Context(), g, 1)
	at := directory.Position{Epoch: g.Lineage().Current(), SeqNo: 1}
	for _, ended := range []bool{true, false} {
		sub, err := g.Subscribe(gateway.SubscribeOptions{View: directory.NewView(directory.AccessReplica), Resume: &at})
		if err != nil || !sub.Resumed() {
			t.Fatal("not resumed", err)
		}
		if ended {
			sub.End(hub.HistoryChanged)
		}
		f := g.Follow(sub, "a", at.SeqNo)
		if got := g.Acks(1) == 0; got != ended {
			t.Errorf("ended %v: acknowledged %v", ended, !got)
		}
		g.Unfollow(f)
		g.Unsubscribe(sub)
	}
}

// Standbys that are gone are remembered, the latest of them: whoever makes up names does
// not fill the memory.
func TestFewStandbysAreRemembered(t *testing.T) {
	g := open(t, t.TempDir(), wal.OSFS)
	mustPutNode(t, g, 1)
	standby(t, g, "stays")
	for n := range 300 {
		_, f := standby(t, g, fmt.Sprint("gone-", n))
		g.Unfollow(f)
	}
	names := map[string]bool{}
	for _, s := range g.Standbys() {
		names[s.ID] = true
	}
	if len(names) > 102 || !names["stays"] || !names["gone-299"] || names["gone-0"] {
		t.Errorf("%d are remembered, the one that stays %v", len(names), names["stays"])
	}
}

// A token that ended between the head of a request and its turn does nothing any more.
func TestATokenThatEndedDoesNothing(t *testing.T) {
	g := open(t, t.TempDir(), wal.OSFS)
	for actor, want := range map[string]error{"token:gone": gateway.ErrTokenEnded, "token:admin": nil, "gateway": nil} {
		_, outcome, err := gateway.Do(t.Context(), g, actor, directory.PutNode{Node: directory.Node{NodeID: 1, Hostname: actor}})
		if !errors.Is(err, want) || outcome.Changed != (want == nil) {
			t.Errorf("%s: %v, changed %v, want %v", actor, err, outcome.Changed, want)
		}
	}
}
