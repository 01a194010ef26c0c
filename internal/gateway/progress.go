package gateway

import (
	"fmt"
	"time"
)

// Progress says how far a start is: what it does, and how much of it is done.
type Progress struct {
	Stage string // such as "replaying the log"
	Done  uint64
	Total uint64
	Unit  string // of Done and Total: bytes, rows, commits
}

// Percent is how much of the stage is done.
func (p Progress) Percent() int {
	if p.Total == 0 {
		return 0
	}
	return int(100 * float64(min(p.Done, p.Total)) / float64(p.Total))
}

func (p Progress) String() string {
	if p.Stage == "" {
		return "opening the data folder"
	}
	return fmt.Sprintf("%s, %d of %d %s (%d %%)", p.Stage, p.Done, p.Total, p.Unit, p.Percent())
}

// sayEvery is how often a long start is heard of in the log.
const sayEvery = 2 * time.Second

// progress notes how far the start is, for Ready, and says so in the log now
// and then. One goroutine calls it.
func (g *Gateway) progress(stage, unit string, done, total uint64) {
	p := &Progress{Stage: stage, Done: done, Total: total, Unit: unit}
	g.starting.Store(p)
	if now := time.Now(); now.Sub(g.said) >= sayEvery {
		g.said = now
		g.options.Logger.Info().Str("stage", stage).Uint64("done", done).Uint64("total", total).Str("unit", unit).
			Int("percent", p.Percent()).Msg("starting")
	}
}

// isOpen reports whether Open has succeeded.
func (g *Gateway) isOpen() bool {
	select {
	case <-g.opened:
		return true
	default:
		return false
	}
}
