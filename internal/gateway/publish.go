package gateway

import (
	"encoding/json"
	"errors"
	"iter"
	"sync"
	"sync/atomic"

	"github.com/replication-gateway/gateway/internal/directory"
	"github.com/replication-gateway/gateway/internal/hub"
)

// hubCommit wraps a commit of so many encoded bytes for the fan-out. A hub.Class
// is the String of a directory.View.
func hubCommit(c directory.Commit, f directory.Footprint, size int, digest uint64) hub.Commit {
	return hub.Commit{SeqNo: c.SeqNo, Digest: digest, Bytes: size + f.Bytes(), Entries: func(class hub.Class) [][]byte {
		return mustView(class).Entries(&c, f)
	}}
}

// hubState wraps a frozen state for the fan-out.
func hubState(s *directory.State) hub.State {
	return hub.State{SeqNo: s.SeqNo(), Digest: s.Digest(), Parts: func(class hub.Class, limit int) iter.Seq[[]byte] {
		return mustView(class).SnapshotParts(s, limit)
	}}
}

// maxViews bounds the views that are remembered.
const maxViews = 4096

// views remembers what classes have been read as, since each is read anew for every
// commit. It is emptied when it is full.
var views struct {
	byClass sync.Map // hub.Class → directory.View
	n       atomic.Int32
}

func mustView(class hub.Class) directory.View {
	if v, known := views.byClass.Load(class); known {
		return v.(directory.View)
	}
	v, err := directory.ParseView(string(class))
	if err != nil {
		panic("gateway: a class that Subscribe did not make: " + err.Error())
	}
	if views.n.Add(1) > maxViews {
		views.byClass.Clear()
		views.n.Store(1)
	}
	views.byClass.Store(class, v)
	return v
}

// SubscribeOptions says who subscribes.
type SubscribeOptions struct {
	View   directory.View
	Resume *directory.Position // where the reader stands, or nil
}

// Subscribe opens a stream. It is the caller's to read, and to end with
// Unsubscribe. The error is hub.ErrFull, hub.ErrNoState or hub.ErrClosed.
func (g *Gateway) Subscribe(o SubscribeOptions) (*hub.Sub, error) {
	for {
		lineage := g.Lineage()
		sub, err := g.subscribe(o, lineage)
		if err != nil || lineage.Current() == g.Lineage().Current() {
			return sub, err
		}
		g.hub.RemoveSub(sub) // it was judged by the epoch before
	}
}

func (g *Gateway) subscribe(o SubscribeOptions, lineage directory.Lineage) (*hub.Sub, error) {
	opts := hub.SubOptions{Class: hub.Class(o.View.String())}
	if o.Resume != nil {
		opts.Resume, opts.Since = true, o.Resume.SeqNo
		opts.Reason = refusal(lineage, *o.Resume)
	}
	if o.View.Role() == directory.AccessReplica {
		lineage, err := json.Marshal(lineage)
		if err != nil {
			return nil, err
		}
		opts.Greeting = `"lineage":` + string(lineage)
		opts.Ahead = true
		opts.Digest = o.View.Networks() == nil
	}
	return g.hub.AddSub(opts)
}

// refusal says why a position is not on the lineage, or nothing. Whether the
// newest epoch has got that far is for the hub to say, which knows its end.
func refusal(lineage directory.Lineage, p directory.Position) string {
	err := lineage.Locate(p, p.SeqNo)
	switch {
	case errors.Is(err, directory.ErrUnknownEpoch):
		return hub.UnknownEpoch
	case errors.Is(err, directory.ErrAhead):
		return hub.Ahead
	}
	return ""
}

// Unsubscribe ends the stream, if it has not ended, and forgets it.
func (g *Gateway) Unsubscribe(s *hub.Sub) { g.hub.RemoveSub(s) }

// SubCount returns the number of open streams.
func (g *Gateway) SubCount() int { return g.hub.SubCount() }
