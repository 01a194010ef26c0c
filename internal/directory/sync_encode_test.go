package directory

import (
	"bytes"
	"testing"

	"pgregory.net/rapid"
)

// The answer to a sync encodes itself as the general encoder does, byte for
// byte, also where a list is empty or was left out, and in whatever pieces. These
// are as long as they were wanted, but for the last.
func TestAnswersAreThoseOfTheGeneralEncoder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := &DirectorySyncResult{
			Updated:             rapid.Int().Draw(t, "updated"),
			Disabled:            rapid.Int().Draw(t, "disabled"),
			Mapped:              rapid.Int().Draw(t, "mapped"),
			Unmapped:            rapid.Int().Draw(t, "unmapped"),
			Actions:             drawList(t, drawText),
			Items:               drawList(t, drawItem),
			Warnings:            drawList(t, drawText),
			SkippedNoExternalID: rapid.Int().Draw(t, "skipped"),
			PlanDigest:          drawText(t),
			DryRun:              rapid.Bool().Draw(t, "dry run"),
		}
		size := rapid.IntRange(1, 500).Draw(t, "size")
		var pieces [][]byte
		for piece := range r.Pieces(size) {
			pieces = append(pieces, bytes.Clone(piece))
		}
		got := append(bytes.Join(pieces, nil), '}')
		if want := generalJSON(t, r); !bytes.Equal(got, want) {
			t.Fatalf("\nwant %s\n got %s", want, got)
		}
		for _, piece := range pieces[:len(pieces)-1] {
			if len(piece) < size {
				t.Fatalf("a piece of %d bytes, %d were wanted", len(piece), size)
			}
		}
	})
}

func drawItem(t *rapid.T) DirectorySyncItem {
	return DirectorySyncItem{
		Index:      rapid.Int().Draw(t, "index"),
		ExternalID: drawText(t),
		Outcome:    Outcome(drawText(t)),
		NodeIDs:    drawList(t, func(t *rapid.T) uint32 { return rapid.Uint32().Draw(t, "node") }),
		RoleFrom:   drawRole(t),
		RoleTo:     drawRole(t),
	}
}
