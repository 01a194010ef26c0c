package gateway

import "time"

const (
	// turn is how long work on a whole state goes on before it rests: less than
	// a command takes that waits for a processor meanwhile.
	turn = 200 * time.Microsecond
	// rest is how long it rests then. No timer of the system is much finer.
	rest = time.Millisecond
)

// turns spreads work that takes long and is in no hurry, so that commands and
// readers beside it find a processor: a machine of two has one left, and Go looks
// for what came in from the network only where one is idle.
type turns struct {
	hurry <-chan struct{} // closed when nobody is there to give way to
	began time.Time       // the present turn
}

func (g *Gateway) turns() *turns { return &turns{hurry: g.closing, began: time.Now()} }

// giveWay rests at the end of a turn. It is to be called in short intervals.
func (t *turns) giveWay() {
	if time.Since(t.began) < turn {
		return
	}
	select {
	case <-t.hurry:
	case <-time.After(rest):
	}
	t.began = time.Now()
}
