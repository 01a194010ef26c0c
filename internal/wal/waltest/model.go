package waltest

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/replication-gateway/gateway/internal/wal"
)

// Model compares a log with a slice, over many random sequences of calls, each on a store of its own.
func Model(t *testing.T, newStore func(t testing.TB) Store) {
	rapid.Check(t, func(r *rapid.T) { testModel(r, newStore(t)) })
}

func testModel(t *rapid.T, store Store) {
	l := open(t, store)
	defer func() { closeLog(t, l) }()
	var model []string     // up to Last; what is before First is never read
	var snapshots []uint64 // oldest first
	lineage := l.Lineage()
	committed, window, replaced := uint64(0), uint64(0), 0
	records := rapid.SliceOfN(rapid.SliceOfN(rapid.ByteRange(1, 255), 1, 1000), 1, 5)
	seqNos := func(t *rapid.T, what string) uint64 { return rapid.Uint64Range(0, uint64(len(model))).Draw(t, what) }
	t.Repeat(map[string]func(*rapid.T){
		"append": func(t *rapid.T) {
			group := records.Draw(t, "records")
			mark := rapid.Uint64Range(0, uint64(len(model)+len(group))).Draw(t, "committed")
			if err := l.Append(uint64(len(model)+1), wal.Records(group...), mark); err != nil {
				t.Fatal(err)
			}
			for _, r := range group {
				model = append(model, string(r))
			}
			committed = max(committed, mark)
		},
		"mark": func(t *rapid.T) {
			mark := seqNos(t, "mark")
			if err := l.MarkCommitted(mark); err != nil {
				t.Fatal(err)
			}
			committed = max(committed, mark)
		},
		"open again": func(t *rapid.T) {
			closeLog(t, l)
			l = open(t, store)
		},
		"read": func(t *rapid.T) {
			wantSnapshots(t, l, snapshots)
			wantRecords(t, l, rapid.Uint64Range(0, uint64(len(model)+1)).Draw(t, "after"), model)
		},
		"begin an epoch": func(t *rapid.T) {
			name := fmt.Sprintf("epoch-%d", len(lineage))
			if err := l.BeginEpoch(name); err != nil {
				t.Fatal(err)
			}
			lineage = append(lineage, wal.Epoch{Name: name, SeqNo: l.Last()})
		},
		"save": func(t *rapid.T) {
			seqNo := seqNos(t, "snapshot")
			if n := len(snapshots); n > 0 && seqNo <= snapshots[n-1] {
				return
			}
			if err := saveState(l, seqNo); err != nil {
				t.Fatal(err)
			}
			snapshots = append(snapshots, seqNo)
		},
		"cut": func(t *rapid.T) {
			window = max(window, seqNos(t, "window"))
			if err := l.Cut(window); err != nil {
				t.Fatal(err)
			}
			snapshots = stay(snapshots, window)
		},
		"replace": func(t *rapid.T) {
			seqNo := rapid.Uint64Range(0, uint64(len(model)+5)).Draw(t, "snapshot")
			lineage = slices.Clone(lineage[:rapid.IntRange(0, len(lineage)).Draw(t, "epochs in common")])
			began := uint64(0)
			for len(lineage) > 0 && lineage[len(lineage)-1].SeqNo > seqNo {
				lineage = lineage[:len(lineage)-1]
			}
			if n := len(lineage); n > 0 {
				began = lineage[n-1].SeqNo
			}
			if len(lineage) == 0 || rapid.Bool().Draw(t, "of another epoch") {
				replaced++
				began = rapid.Uint64Range(began, seqNo).Draw(t, "began behind")
				lineage = append(lineage, wal.Epoch{Name: fmt.Sprintf("other-%d", replaced), SeqNo: began})
			}
			if err := l.Replace(snapshotOf(seqNo, lineage)); err != nil {
				t.Fatal(err)
			}
			model, snapshots = make([]string, seqNo), []uint64{seqNo}
			committed, window = seqNo, seqNo
		},
		"": func(t *rapid.T) {
			if l.Last() != uint64(len(model)) || l.Committed() != committed || !slices.Equal(l.Lineage(), lineage) {
				t.Fatalf("Last %d, Committed %d, lineage %v, want %d, %d, %v", l.Last(), l.Committed(), l.Lineage(), len(model), committed, lineage)
			}
			if got := l.Snapshots(); len(got) != len(snapshots) {
				t.Fatalf("snapshots of %v are stored, want %v", got, snapshots)
			}
			if first := l.First(); first-1 > window || first > 1 && (len(snapshots) == 0 || first-1 > snapshots[0]) {
				t.Fatalf("the log begins with %d, the window at %d, snapshots are %v", first, window, snapshots)
			}
		},
	})
}
