package directory

import (
	"testing"

	"pgregory.net/rapid"
)

// The answer to a sync encodes itself as the general encoder does, byte for
// byte, also where a list is empty or was left out.
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
		if want, got := generalJSON(t, r), r.AppendJSON([]byte("before")); string(got) != "before"+string(want) {
			t.Fatalf("\nwant before%s\n got %s", want, got)
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
