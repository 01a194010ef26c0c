package client

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/replication-gateway/gateway/internal/directory"
)

// State is a Handler that keeps a copy of what its stream shows:
//
//	state := client.NewState()
//	go client.Subscribe(ctx, options, state)
//
// View, Next, Reached and Stale may be called by any goroutine and wait for
// nobody but what they say. Readers see whole commits and whole snapshots only:
// while a new snapshot comes in, or no gateway is there, they go on with the last
// view.
//
// Records of kinds that this version does not know are left out. A State that
// has been fed may be given to another Subscribe, with its position as
// Options.Since; with another filter or the token of another role, it takes a
// fresh one.
type State struct {
	view atomic.Pointer[View]

	// Of the goroutine that calls the methods of Handler.
	newest  *directory.State // what view has a frozen copy of
	loading *directory.State // the snapshot that is coming in, or broke off

	mu      sync.Mutex
	changed chan struct{}     // closed when view is replaced
	left    map[string]uint64 // how far the state had come in epochs that it left
	stale   error             // nil while a stream feeds a complete state
}

var (
	// ErrNoState is why a State is stale that has not had a snapshot yet.
	ErrNoState = errors.New("nothing came yet")
	// ErrNotReached is the answer to who waits for a position that was never seen
	// and cannot be any more: the epoch has ended.
	ErrNotReached = errors.New("this history ended before")
)

// NewState returns a state that holds nothing yet.
func NewState() *State {
	s := &State{newest: directory.NewState(), changed: make(chan struct{}), left: make(map[string]uint64), stale: ErrNoState}
	s.view.Store(&View{state: directory.NewState()})
	return s
}

// View returns the newest view, never nil.
func (s *State) View() *View { return s.view.Load() }

// Next waits until the newest view is another than after, and returns it. Views
// in between are passed over. The error is the cause of ctx.
func (s *State) Next(ctx context.Context, after *View) (*View, error) {
	for {
		changed := s.waiting()
		if v := s.View(); v != after {
			return v, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// Reached waits until the state has come to p, such as the position that a write
// was answered with, and returns a view that has it. The error is the cause of
// ctx, or ErrNotReached if the state has left the epoch of p before it came
// there, or for another history by a snapshot; whether what followed contains p
// cannot be said then.
func (s *State) Reached(ctx context.Context, p Position) (*View, error) {
	for {
		changed := s.waiting()
		if v, err := s.reached(p); v != nil || err != nil {
			return v, err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// reached returns neither a view nor an error if p may still come.
func (s *State) reached(p Position) (*View, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	v := s.View()
	if v.position.Epoch == p.Epoch {
		if v.position.SeqNo >= p.SeqNo {
			return v, nil
		}
		return nil, nil
	}
	if last, was := s.left[p.Epoch]; was {
		if last >= p.SeqNo {
			return v, nil
		}
		return nil, fmt.Errorf("%w: %v was left, and is known to be part of what followed up to %d", ErrNotReached, p, last)
	}
	return nil, nil
}

// Stale returns nil while the view is kept up to date, and else why it is not.
func (s *State) Stale() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stale
}

func (s *State) waiting() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.changed
}

// show replaces the view by one that a stream has just brought. Unless it goes on from
// the last one, nobody knows what of the epochs that were left is part of it.
func (s *State) show(v *View, goesOn bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if old := s.View().position; old.Epoch != v.position.Epoch && old.Epoch != "" {
		s.left[old.Epoch] = old.SeqNo
		if !goesOn {
			for epoch := range s.left {
				s.left[epoch] = 0
			}
		}
	}
	delete(s.left, v.position.Epoch)
	s.stale = nil
	s.view.Store(v)
	close(s.changed)
	s.changed = make(chan struct{})
}

func (s *State) setStale(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stale = err
}

// Connected implements Handler.
func (s *State) Connected(_ context.Context, _ *Conn, first *Heartbeat) error {
	if !*first.Resumed {
		return nil
	}
	p := s.View().position
	if p.Epoch == "" || p.SeqNo != first.SeqNo {
		return fmt.Errorf("%w: resumed at %v, the state stands at %v", ErrStartOver, first.Position, p)
	}
	s.setStale(nil)
	s.moveTo(first.Position)
	return nil
}

// Snapshot implements Handler.
func (s *State) Snapshot(_ context.Context, part *SnapshotPart) error {
	if part.First {
		s.loading = directory.NewState()
	}
	puts := make([]DeltaEntry, 0, len(part.Rows))
	for _, row := range part.Rows {
		record, err := row.Decode()
		if errors.Is(err, ErrUnknownKind) {
			continue
		}
		if err != nil {
			return err
		}
		puts = append(puts, DeltaEntry{SeqNo: part.SeqNo, Data: record})
	}
	s.loading.Replay(puts)
	if part.More {
		return nil
	}
	s.newest, s.loading = s.loading, nil
	s.show(&View{state: s.newest.Clone(), position: part.Position}, false)
	return nil
}

// Delta implements Handler.
func (s *State) Delta(_ context.Context, delta *Delta) error {
	if delta.More {
		return nil
	}
	var entries []DeltaEntry
	for _, c := range delta.Commits {
		decoded, err := knownEntries(c)
		if err != nil {
			return err
		}
		entries = append(entries, decoded...)
	}
	s.newest.Replay(entries) // all at once, after nothing can fail any more
	s.show(&View{state: s.newest.Clone(), position: delta.Position}, true)
	return nil
}

// knownEntries decodes what of a commit is known here.
func knownEntries(c Commit) ([]DeltaEntry, error) {
	entries, err := c.Decode()
	if !errors.Is(err, ErrUnknownKind) {
		return entries, err
	}
	for _, raw := range c.Entries {
		e, err := raw.Decode()
		if errors.Is(err, ErrUnknownKind) {
			continue
		}
		if err != nil {
			return nil, err
		}
		entries = append(entries, e)
	}
	return entries, nil
}

// Heartbeat implements Handler.
func (s *State) Heartbeat(_ context.Context, beat *Heartbeat) error {
	if beat.SeqNo > 0 {
		s.moveTo(beat.Position)
	}
	return nil
}

// moveTo is for a position that moves on without a change.
func (s *State) moveTo(p Position) {
	if v := s.View(); v.position != p {
		s.show(&View{state: v.state, position: p}, true)
	}
}

// Disconnected implements Handler.
func (s *State) Disconnected(err error, _ time.Duration) { s.setStale(err) }
