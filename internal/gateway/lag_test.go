package gateway

import (
	"testing"
	"testing/synctest"
	"time"
)

// However long the history, a commit is looked for at most a gap too early, or
// a small part of its age.
func TestLandmarksForgetLittle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l landmarks
		start := time.Now()
		const commits, apart = 200_000, 2 * time.Millisecond
		durable := func(seqNo uint64) time.Time { return start.Add(time.Duration(seqNo) * apart) }
		for seqNo := range uint64(commits) {
			l.note(seqNo, durable(seqNo))
		}
		now := durable(commits)
		for seqNo := uint64(0); seqNo < commits; seqNo += 37 {
			early := durable(seqNo).Sub(l.before(seqNo))
			if early < 0 || early > landmarkGap+now.Sub(durable(seqNo))/7 {
				t.Fatalf("commit %d, %v old: found %v too early", seqNo, now.Sub(durable(seqNo)), early)
			}
		}
		if len(l.list) > maxLandmarks {
			t.Errorf("%d landmarks", len(l.list))
		}
	})
}

func TestLandmarkOfWhatWasThereAtTheStart(t *testing.T) {
	var l landmarks
	start := time.Now()
	l.note(500, start)
	l.note(501, start.Add(time.Minute))
	for seqNo, want := range map[uint64]time.Duration{3: 0, 500: 0, 501: time.Minute, 777: time.Minute} {
		if got := l.before(seqNo).Sub(start); got != want {
			t.Errorf("commit %d: %v after the start, want %v", seqNo, got, want)
		}
	}
}
