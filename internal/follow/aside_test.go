package follow_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/replication-gateway/gateway/internal/directory"
	"github.com/replication-gateway/gateway/internal/gateway"
	"github.com/replication-gateway/gateway/internal/hub"
)

// asides lists the files that were kept aside, whole or not.
func (s *site) asides() []string {
	s.t.Helper()
	files, err := filepath.Glob(filepath.Join(s.dir, "aside-*"))
	if err != nil {
		s.t.Fatal(err)
	}
	return files
}

// aside returns what is in the only file that was kept aside, and fails the test
// unless it is one of a kind.
func (s *site) aside(suffix string) string {
	s.t.Helper()
	files := s.asides()
	if len(files) != 1 || !strings.HasSuffix(files[0], suffix) {
		s.t.Fatalf("kept aside: %q, want one file %s", files, suffix)
	}
	text, err := os.ReadFile(files[0])
	if err != nil {
		s.t.Fatal(err)
	}
	return string(text)
}

// dump returns the commits after one, as "gateway wal dump" prints them.
func (s *site) dump(after uint64) string {
	s.t.Helper()
	var lines strings.Builder
	for record := range strings.Lines(s.records(after)) {
		after++
		fmt.Fprintf(&lines, `{"seq_no":%d,"entries":%s}`+"\n", after, strings.TrimSpace(record))
	}
	return lines.String()
}

// keptWhole fails the test unless what was kept aside is the whole state.
func (s *site) keptWhole(at directory.Position, state *directory.State) {
	s.t.Helper()
	b, err := gateway.CheckBackup(strings.NewReader(s.aside(".snapshot")), func(uint64, uint64) {})
	if err != nil || b.Position != at || b.Rows != state.RowCount() {
		s.t.Errorf("kept aside: %d rows at %v, %v; want %d at %v", b.Rows, b.Position, err, state.RowCount(), at)
	}
}

// What a standby has beyond the fork is kept aside, commit by commit and nothing
// else, before the history that it follows takes its place.
func TestWhatAStandbyAloneHasIsKeptAside(t *testing.T) {
	primary, ahead, behind := open(t), open(t, asStandby), open(t, asStandby)
	primary.put(1, 5)
	token := primary.token()
	behind.catchUp(primary, token)
	ahead.catchUp(primary, token)
	fork := ahead.at().SeqNo
	primary.put(101, 103)
	ahead.catchUp(primary, token)
	alone := ahead.dump(fork)
	if strings.Count(alone, "\n") != 3 {
		t.Fatalf("it alone has\n%s", alone)
	}
	if err := behind.Promote("later"); err != nil {
		t.Fatal(err)
	}
	behind.put(6, 20)

	ahead.follow(behind.url, token)
	ahead.equals(behind)
	if got := ahead.aside(".jsonl"); got != alone {
		t.Errorf("kept aside\n%swant\n%s", got, alone)
	}
}

// copiedPrimary returns a primary with a few commits, a standby that has them too, the
// token that it follows with, and a copy of the primary's data as they are.
func copiedPrimary(t *testing.T) (primary, standby *site, token, copied string) {
	t.Helper()
	primary, standby = open(t), open(t, asStandby)
	primary.put(1, 3)
	token = primary.token()
	standby.catchUp(primary, token)
	primary.close()
	copied = t.TempDir()
	if err := os.CopyFS(copied, os.DirFS(primary.dir)); err != nil {
		t.Fatal(err)
	}
	return open(t, in(primary.dir)), standby, token, copied
}

// A primary that came back from an older copy of its data has lost commits of the
// same epoch. Its standby keeps them, and its readers begin anew.
func TestWhatThePrimaryLostIsKeptAside(t *testing.T) {
	primary, standby, token, copied := copiedPrimary(t)
	from := primary.at()
	primary.put(4, 6)
	standby.catchUp(primary, token)
	alone := standby.dump(from.SeqNo)
	primary.close()

	primary = open(t, in(copied))
	if primary.at() != from {
		t.Fatalf("the copy is at %v, want %v", primary.at(), from)
	}
	reader := standby.subscribe(nil)
	standby.follow(primary.url, token)
	standby.equals(primary)
	if got := standby.aside(".jsonl"); got != alone || strings.Count(got, "\n") != 3 {
		t.Errorf("kept aside\n%swant\n%s", got, alone)
	}
	<-reader.Done() // the state can be seen before
	if cause := reader.Cause(); cause != hub.HistoryChanged {
		t.Errorf("a reader's stream ended with %v, want %v", cause, hub.HistoryChanged)
	}
	if standby.subscribe(&from).Resumed() {
		t.Error("a reader resumes where the history was taken back")
	}
}

// A primary that came back from an older copy of its data and went on has lost
// commits, and made others of the same numbers. Where that began nobody knows, so its
// standby keeps all that it has, whether it is ahead of the primary or behind it.
func TestAPrimaryThatWasPutBackAndWentOn(t *testing.T) {
	for _, made := range []uint32{1, 2, 3, 5} {
		primary, standby, token, copied := copiedPrimary(t)
		primary.put(101, 103) // which are lost
		standby.catchUp(primary, token)
		primary.close()

		primary = open(t, in(copied), beating)
		primary.put(201, 200+made)
		standby.follow(primary.url, token)
		standby.log.await("is kept aside")
		want, at := primary.State()
		until(func() bool { state, p := standby.State(); return p == at && state.Digest() == want.Digest() })
		standby.holdsAside(101, 103)
	}
}

// A standby that differs again and again keeps one state aside, and says so.
func TestOneStateOfAnEpochIsKeptAside(t *testing.T) {
	primary, standby := open(t, beating), open(t, asStandby)
	primary.put(1, 3)
	token := primary.token()
	standby.catchUp(primary, token)
	for n := range 3 {
		primary.put(uint32(4+n), uint32(4+n))
		at := primary.at()
		if err := standby.Replicate(at.SeqNo, [][]byte{forged(primary)}, at.SeqNo); err != nil {
			t.Fatal(err)
		}
		want, _ := primary.State()
		stop := standby.follow(primary.url, token)
		until(func() bool { state, p := standby.State(); return p == at && state.Digest() == want.Digest() })
		stop()
		if files := standby.asides(); len(files) != 1 || standby.log.count("is not kept aside") != n {
			t.Errorf("difference %d: kept aside %q, and said %d times that nothing was", n+1, files, standby.log.count("is not kept aside"))
		}
	}
}

// holdsAside fails the test unless the one state that was kept aside has nodes.
func (s *site) holdsAside(from, to uint32) {
	s.t.Helper()
	dir := filepath.Join(s.t.TempDir(), "restored")
	if _, _, err := gateway.Restore(dir, strings.NewReader(s.aside(".snapshot")), func(uint64, uint64) {}); err != nil {
		s.t.Fatal(err)
	}
	state, at := open(s.t, in(dir)).State()
	for id := from; id <= to; id++ {
		if state.Node(id) == nil {
			s.t.Errorf("the state that is kept aside, at %v, has no node %d", at, id)
		}
	}
}

// What cannot be kept aside is not let go of, and nobody says that it was kept.
func TestWhatCannotBeKeptAsideStays(t *testing.T) {
	for suffix, apart := range map[string]func(mine, theirs *site, token string){
		".jsonl":    func(mine, theirs *site, token string) { theirs.catchUp(mine, token) }, // a fork
		".snapshot": func(_, theirs *site, _ string) { theirs.Demote() },                    // nothing is shared
	} {
		mine, theirs := open(t), open(t)
		token := mine.token()
		theirs.put(1, 1)
		if suffix == ".jsonl" {
			theirs = open(t, asStandby)
		}
		apart(mine, theirs, token)
		mine.put(1, 3)
		if err := theirs.Promote("later"); err != nil {
			t.Fatal(err)
		}
		theirs.put(4, 9)
		at := mine.at()
		inTheWay := filepath.Join(mine.dir, fmt.Sprintf("aside-%s-%d%s", at.Epoch, at.SeqNo, suffix))
		if err := os.MkdirAll(filepath.Join(inTheWay, "something"), 0o700); err != nil {
			t.Fatal(err)
		}
		mine.Demote()
		mine.follow(theirs.url, theirs.token())
		mine.log.await("keep aside what is here alone")
		if mine.at() != at || mine.log.count("is kept aside") != 0 {
			t.Errorf("%s cannot be written: at %v, before %v, and the log says %s", suffix, mine.at(), at, &mine.log.text)
		}
	}
}

// Where the log does not reach back to the fork, the whole state is kept.
func TestAStateIsKeptWholeWhereTheLogWasCut(t *testing.T) {
	primary, behind := open(t), open(t, asStandby)
	ahead := open(t, asStandby, func(o *gateway.Options) {
		o.Snapshots.After, o.WindowCommits, o.Log.SegmentSize = 1000, 5, 4<<10
	})
	token := primary.token()
	behind.catchUp(primary, token)
	stop := ahead.follow(primary.url, token)
	ahead.equals(primary)
	cut := func() bool {
		return errors.Is(ahead.Records(behind.at().SeqNo, func([]byte) error { return nil }), gateway.ErrCut)
	}
	for id := uint32(1); !cut(); id += 10 {
		primary.put(id, id+9)
		ahead.equals(primary)
	}
	stop()
	state, at := ahead.State()
	if err := behind.Promote("later"); err != nil {
		t.Fatal(err)
	}
	behind.put(1, 1)
	ahead.follow(behind.url, token)
	ahead.equals(behind)
	ahead.keptWhole(at, state)
}

// A gateway that held another history keeps all of it.
func TestAStrangersStateIsKeptWhole(t *testing.T) {
	mine, theirs := open(t), open(t)
	mine.put(1, 3)
	theirs.put(1, 30)
	state, at := mine.State()
	mine.Demote()
	mine.follow(theirs.url, theirs.token())
	mine.equals(theirs)
	mine.keptWhole(at, state)
}

// A standby that has nothing but what its primary has keeps nothing aside, even
// when it takes a snapshot.
func TestNothingIsKeptAsideWithoutNeed(t *testing.T) {
	primary, standby := open(t, func(o *gateway.Options) { o.WindowCommits = 3 }), open(t, asStandby)
	token := primary.token()
	standby.catchUp(primary, token)
	primary.put(1, 20) // which its window does not hold
	standby.catchUp(primary, token)
	if n := standby.log.count("snapshot taken over"); n != 2 {
		t.Errorf("%d snapshots, want 2", n)
	}
	if files := standby.asides(); len(files) != 0 {
		t.Errorf("kept aside: %q", files)
	}
}
