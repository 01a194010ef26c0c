package gateway

import "time"

const (
	// turn is how long work on a whole state goes on before it rests: less than
	// a command takes that waits for a processor meanwhile.
	turn = 200 * time.Microsecond

	// How long it rests then. No timer of the system is much finer than a
	// backup's, for which somebody waits; nobody waits for a snapshot, whose
	// writing the disk feels as well.
	restOfBackup   = time.Millisecond
	restOfSnapshot = 5 * time.Millisecond
)

// turns spreads work that takes long and is in no hurry, so that commands and
// readers beside it find a processor: a machine of two has one left, and Go looks
// for what came in from the network only where one is idle.
type turns struct {
	rest  time.Duration
	hurry func() bool // asked before each rest: somebody waits for the work
	began time.Time   // the present turn
}

// giveWay rests at the end of a turn. It is to be called in short intervals.
func (t *turns) giveWay() {
	if time.Since(t.began) < turn || t.hurry() {
		return
	}
	time.Sleep(t.rest)
	t.began = time.Now()
}
