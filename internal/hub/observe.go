package hub

// FrameType is the "type" of a frame.
type FrameType string

// The types of frames.
const (
	Snapshot  FrameType = "snapshot"
	Delta     FrameType = "delta"
	Heartbeat FrameType = "heartbeat"
)

// Reasons for a subscriber that starts from a snapshot. The first three appear
// in its first heartbeat.
const (
	UnknownEpoch   = "unknown-epoch"
	WindowExceeded = "window-exceeded"
	Ahead          = "ahead"
	// StateReplaced is told to Observe only: Push gave everybody a new state.
	StateReplaced = "state-replaced"
)

// Observe is told what happens, for metrics. Each func may be nil, is called
// without a lock held, from any goroutine, and must not block.
type Observe struct {
	// Frames is called when frames are handed out.
	Frames func(t FrameType, frames, bytes int)
	// Resync is called when a subscriber that had a position gets a snapshot.
	Resync func(reason string)
}

// tally gathers what is handed out in a round, so that Observe is told once for
// all of it.
type tally struct {
	snapshots, deltas, heartbeats count
	resyncs                       []string
}

type count struct{ frames, bytes int }

func (t *tally) add(typ FrameType, bytes int) {
	c := &t.deltas
	switch typ {
	case Snapshot:
		c = &t.snapshots
	case Heartbeat:
		c = &t.heartbeats
	}
	c.frames++
	c.bytes += bytes
}

// resync notes a subscriber that had a position and needs a snapshot, unless
// reason is empty.
func (t *tally) resync(reason string) {
	if reason != "" {
		t.resyncs = append(t.resyncs, reason)
	}
}

// report tells o, and begins anew.
func (t *tally) report(o *Observe) {
	if o.Frames != nil {
		for typ, c := range t.all {
			if c.frames > 0 {
				o.Frames(typ, c.frames, c.bytes)
			}
		}
	}
	if o.Resync != nil {
		for _, reason := range t.resyncs {
			o.Resync(reason)
		}
	}
	*t = tally{resyncs: t.resyncs[:0]}
}

func (t *tally) all(yield func(FrameType, count) bool) {
	_ = yield(Snapshot, t.snapshots) && yield(Delta, t.deltas) && yield(Heartbeat, t.heartbeats)
}
