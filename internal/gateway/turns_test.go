package gateway

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestTurnsRestUnlessSomebodyWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		waits := false
		w := turns{rest: restOfSnapshot, hurry: func() bool { return waits }, began: time.Now()}
		rested := func() time.Duration {
			start := time.Now()
			w.giveWay()
			return time.Since(start)
		}
		if d := rested(); d != 0 {
			t.Errorf("in the midst of a turn it rests for %v", d)
		}
		time.Sleep(turn) // of the bubble's clock
		if d := rested(); d != restOfSnapshot {
			t.Errorf("after a turn it rests for %v, want %v", d, restOfSnapshot)
		}
		time.Sleep(turn / 2) // of the bubble's clock
		if d := rested(); d != 0 {
			t.Errorf("in the midst of the next turn it rests for %v", d)
		}
		waits = true
		time.Sleep(turn) // of the bubble's clock
		if d := rested(); d != 0 {
			t.Errorf("while somebody waits it rests for %v", d)
		}
	})
}
