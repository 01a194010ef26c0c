package directory

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// once is a sync of network 7 that gives one person a role, under a key.
func once(key, body, role string) Once[DirectorySyncResult] {
	request := &DirectorySyncRequest{NetworkID: 7}
	return Once[DirectorySyncResult]{ReceiptID: key, BodyHash: body, Command: SyncDirectory{Request: request,
		People: []Person{{DirectoryEntry: &DirectoryEntry{ExternalID: "alice", Role: &role}, Normalized: "alice"}}}}
}

func enterprise() Op {
	return OpOf(PutNetwork{Network{NetworkID: 7, Name: "corp", Enterprise: true, RoleMappings: []RoleMapping{}}})
}

func TestOnceIsCarriedOutOnce(t *testing.T) {
	s := given(t, enterprise())
	first := must(t, s, once("k", "b", "admin"), minute(1))
	if first.Stored || first.SeqNo != 2 || len(first.Value.Actions) != 1 {
		t.Fatalf("the first time: %+v", first)
	}
	must(t, s, once("other", "b", "owner"), minute(2)) // moves on
	entries, again, err := Decide(s, once("k", "b", "admin"), tester, minute(3))
	if err != nil || len(entries) != 0 || !again.Stored || again.SeqNo != 2 ||
		fmt.Sprint(again.Value) != fmt.Sprint(first.Value) {
		t.Errorf("the second time: %q %+v %v, want the answer %+v and no entries", lines(entries), again, err, first)
	}
	if s.Assignment(7, "alice").Role != RoleOwner {
		t.Error("the second time something was done")
	}
	if _, _, err := Decide(s, once("k", "c", "admin"), tester, minute(3)); !errors.Is(err, ErrKeyReused) {
		t.Errorf("another body: %v, want ErrKeyReused", err)
	}
}

func TestOnceStoresItsReceiptEvenIfNothingChanges(t *testing.T) {
	s := given(t, enterprise())
	must(t, s, once("k1", "b", "admin"), minute(1))
	entries, answer, err := Decide(s, once("k2", "b", "admin"), tester, minute(2))
	if err != nil || len(entries) != 1 || entries[0].Type.String() != "receipt.put" || answer.SeqNo != 3 {
		t.Errorf("got %q, answer %+v, %v, want the receipt alone in commit 3", lines(entries), answer, err)
	}
}

func TestOnceStoresNoRefusal(t *testing.T) {
	s := given(t) // no network
	entries, _, err := Decide(s, once("k", "b", "admin"), tester, minute(1))
	if !errors.Is(err, ErrNetworkNotFound) || len(entries) != 0 {
		t.Fatalf("got %q, %v", lines(entries), err)
	}
	must(t, s, Batch{[]Op{enterprise()}}, minute(2))
	if answer := must(t, s, once("k", "other", "admin"), minute(3)); answer.Stored {
		t.Error("a refusal was stored")
	}
}

func TestReceiptsExpire(t *testing.T) {
	s := given(t, enterprise())
	must(t, s, once("old", "b", "admin"), minute(0))
	must(t, s, once("young", "b", "owner"), minute(1))
	const week = 7 * 24 * 60
	if at, ok := s.NextExpiry(); !ok || at != minute(week) {
		t.Errorf("the next expiry is at minute %d (%t), want %d", minutes(at), ok, week)
	}
	if a := must(t, s, once("old", "b", "admin"), minute(week)-1); !a.Stored {
		t.Error("a millisecond before the week is over the answer is gone")
	}
	if n := must(t, s, ExpireReceipts{}, minute(week)-1); n != 0 {
		t.Errorf("%d receipts were cleaned up before their time", n)
	}
	expired := s.Clone()
	if n := must(t, expired, ExpireReceipts{}, minute(week)); n != 1 || expired.Receipt("old") != nil || expired.Receipt("young") == nil {
		t.Errorf("cleaned up %d, old is %v, young is %v", n, expired.Receipt("old"), expired.Receipt("young"))
	}
	// Without a clean-up the key is free all the same, with any body.
	if a := must(t, s, once("old", "c", "member"), minute(week)); a.Stored || s.Receipt("old").BodyHash != "c" {
		t.Errorf("after a week: %+v", a)
	}
	// A command that stores an answer cleans up as well.
	must(t, s, once("third", "b", "member"), minute(week+1))
	if s.Receipt("young") != nil {
		t.Error("an expired receipt outlived the next one")
	}
}

func TestLongAnswersAreKeptInBrief(t *testing.T) {
	s := given(t, enterprise())
	c := once("k", "b", "admin")
	sync := c.Command.(SyncDirectory)
	member := "member"
	for i := range 12_000 {
		id := fmt.Sprintf("person-%05d@corp.example", i)
		sync.People = append(sync.People, Person{DirectoryEntry: &DirectoryEntry{ExternalID: id, Role: &member}, Index: i + 1, Normalized: id})
	}
	c.Command = sync
	first := must(t, s, c, minute(1))
	if len(first.Value.Items) != 12_001 {
		t.Fatalf("the first answer has %d items", len(first.Value.Items))
	}
	again := must(t, s, c, minute(2))
	if !again.Stored || again.Value.Items != nil || again.Value.Actions != nil || again.Value.PlanDigest != first.Value.PlanDigest {
		t.Errorf("the stored answer has %d items, %d actions, plan %s", len(again.Value.Items), len(again.Value.Actions), again.Value.PlanDigest)
	}
	if n := len(s.Receipt("k").Answer); n > maxAnswer {
		t.Errorf("%d bytes are kept", n)
	}
}

// The oldest leave first, and never more of them than must.
func TestReceiptsAreBounded(t *testing.T) {
	t.Run("number", func(t *testing.T) {
		s := NewState()
		for i := range maxReceipts {
			seq := uint64(i + 1)
			s.Apply([]DeltaEntry{putOf(seq, receipt(fmt.Sprint(i), seq, 2))})
		}
		d := draft{base: s, now: minute(0)}
		d.makeRoom(s, receipt("new", maxReceipts+1, 2))
		if got := lines(d.entries); !slices.Equal(got, []string{"receipt.delete 0"}) {
			t.Errorf("room is made by %q, want the oldest alone", got)
		}
	})
	t.Run("bytes", func(t *testing.T) {
		s := NewState()
		const each = 1 << 20
		for i := range maxReceiptBytes / each {
			seq := uint64(i + 1)
			s.Apply([]DeltaEntry{putOf(seq, receipt(fmt.Sprint(i), seq, each))})
		}
		// One fills the bound to the byte, the other has a byte more.
		for size, want := range map[int][]string{each: {"receipt.delete 0"}, each + 1: {"receipt.delete 0", "receipt.delete 1"}} {
			d := draft{base: s, now: minute(0)}
			d.makeRoom(s, receipt("new", 1000, size))
			if got := lines(d.entries); !slices.Equal(got, want) {
				t.Errorf("room for %d bytes is made by %q, want %q", size, got, want)
			}
		}
	})
}

func receipt(id string, seqNo uint64, size int) *Receipt {
	return &Receipt{ReceiptID: id, SeqNo: seqNo, At: minute(0), Answer: []byte(`"` + strings.Repeat("x", size-2) + `"`)}
}

// Whatever comes and goes, both orders hold the same receipts and the bytes add up.
func TestReceiptIndexesAgree(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := NewState()
		want := map[string]*Receipt{}
		for seq := uint64(1); seq < 30; seq++ {
			id := rapid.SampledFrom([]string{"a", "b", "c", "d"}).Draw(t, "id")
			if rapid.Bool().Draw(t, "put") {
				r := receipt(id, seq, rapid.IntRange(2, 9).Draw(t, "size"))
				s.Apply([]DeltaEntry{putOf(seq, r)})
				want[id] = r
				continue
			}
			s.Apply([]DeltaEntry{{SeqNo: seq, Type: EntryType{Kind: KindReceipt, Delete: true}, Data: &Key{Kind: KindReceipt, ReceiptID: id}}})
			delete(want, id)
		}
		bytes, digest := 0, uint64(0)
		for _, r := range want {
			bytes += len(r.Answer)
			digest ^= hashOf(r)
		}
		byAge := slices.Collect(s.ReceiptsByAge())
		sorted := slices.IsSortedFunc(byAge, func(a, b *Receipt) int { return int(a.SeqNo) - int(b.SeqNo) })
		if len(slices.Collect(s.Receipts(""))) != len(want) || len(byAge) != len(want) || !sorted ||
			s.receipts.bytes != bytes || s.Digest() != digest {
			t.Fatalf("%d by age (sorted %t), %d bytes, digest %x; want %d, %d, %x", len(byAge), sorted, s.receipts.bytes, s.Digest(), len(want), bytes, digest)
		}
	})
}
