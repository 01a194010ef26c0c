package client

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Handler is told what a subscription brings. All calls come from the goroutine
// that called Subscribe, one at a time and in the order of the stream. While a
// call lasts nothing is read, but the gateway hears that the subscriber lives. One
// that takes very long loses the stream, no more: the gateway drops who takes no
// byte for its write timeout, and Subscribe resumes.
//
// A handler that returns an error has not applied what it was given. The stream
// is left, and the next begins where the last call left the handler that
// returned nil. ErrStartOver and Permanent say that something else is to follow.
type Handler interface {
	// Connected begins a stream, before anything else of it. first.Resumed says
	// whether it goes on at the handler's position, whose epoch may have a newer
	// name now. If not, a snapshot follows; what the handler holds stays true for
	// its position until then. conn is for Ack and Close, until Disconnected.
	Connected(ctx context.Context, conn *Conn, first *Heartbeat) error

	// Snapshot hands over the next part of a state that replaces all that the
	// handler holds. The handler stands nowhere from the First part until one
	// without More; a stream that ends in between is followed by another First.
	Snapshot(ctx context.Context, part *SnapshotPart) error

	// Delta hands over commits, each of which is to be applied as a whole. With
	// More there is none, and the handler stays where it stands.
	Delta(ctx context.Context, delta *Delta) error

	// Heartbeat tells that the handler has everything up to beat.Position, also
	// where that is further on than the last commit it may see. It has seq_no 0
	// if the first snapshot of a stream is still due: then the handler stays where
	// it stands.
	Heartbeat(ctx context.Context, beat *Heartbeat) error

	// Disconnected tells that the stream has ended, or could not be opened, and how
	// long it is until the next try: less than 0 if there is none, and Subscribe is
	// about to return err.
	Disconnected(err error, retryIn time.Duration)
}

// ErrStartOver is returned by a Handler, wrapped in what is the matter, when what
// it holds is no longer good. The next stream brings a snapshot.
var ErrStartOver = errors.New("a snapshot is needed")

// Subscribe follows a gateway, and goes on through restarts, lost networks and
// promotions: a stream that ends is followed by another after a while, resumed at
// the position that the handler stands at. It begins at Options.Since, for a
// handler that holds what was there.
//
// It returns when ctx ends, with its cause, or with an error that no retry can
// better: ErrOptions, a *RefusedError that blames the request (ErrUnauthorized,
// ErrForbidden), ErrTokenEnded, and what the handler marked as Permanent.
func Subscribe(ctx context.Context, o Options, h Handler) error {
	if err := o.check(); err != nil {
		return err
	}
	s := subscription{options: o, handler: h, backoff: backoff{base: o.backoffBase(), max: o.backoffMax()}}
	for {
		err := s.stream(ctx)
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		if ctx.Err() != nil || final(err) {
			h.Disconnected(err, -1)
			return err
		}
		wait := s.backoff.next(err)
		h.Disconnected(err, wait)
		if pause(ctx, wait) {
			return context.Cause(ctx)
		}
	}
}

// subscription is what outlives a stream. options.Since is where the handler
// stands.
type subscription struct {
	options Options
	handler Handler
	backoff backoff
}

// stream opens a stream and follows it to its end.
func (s *subscription) stream(ctx context.Context) error {
	conn, err := Dial(ctx, s.options)
	if err != nil {
		return err
	}
	defer conn.Close()
	for {
		f, err := conn.Next(ctx)
		if err != nil {
			return err
		}
		conn.busy()
		err = s.take(ctx, conn, f)
		conn.idle()
		if err != nil {
			if errors.Is(err, ErrStartOver) {
				s.options.Since = nil
			}
			return fmt.Errorf("not applied: %w", err)
		}
	}
}

// take hands a frame to the handler, and moves on with it.
func (s *subscription) take(ctx context.Context, conn *Conn, f Frame) error {
	switch f := f.(type) {
	case *Heartbeat:
		return s.heartbeat(ctx, conn, f)
	case *SnapshotPart:
		s.options.Since = nil
		if err := s.handler.Snapshot(ctx, f); err != nil {
			return err
		}
		if !f.More {
			s.moveTo(f.Position)
		}
	case *Delta:
		if err := s.handler.Delta(ctx, f); err != nil {
			return err
		}
		if !f.More {
			s.moveTo(f.Position)
		}
	}
	return nil
}

func (s *subscription) heartbeat(ctx context.Context, conn *Conn, beat *Heartbeat) error {
	if beat.first() {
		if err := s.handler.Connected(ctx, conn, beat); err != nil {
			return err
		}
		if *beat.Resumed {
			s.moveTo(beat.Position)
		}
		return nil
	}
	if err := s.handler.Heartbeat(ctx, beat); err != nil {
		return err
	}
	s.backoff.reset() // a stream that lasts an interval is worth a quick retry
	if conn.stream.based {
		s.moveTo(beat.Position)
	}
	return nil
}

func (s *subscription) moveTo(p Position) { s.options.Since = &p }
