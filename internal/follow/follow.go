package follow

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/rs/zerolog"

	"github.com/replication-gateway/gateway/client"
	"github.com/replication-gateway/gateway/internal/gateway"
)

// Options say whom a gateway follows.
type Options struct {
	Gateway *gateway.Gateway // open
	Dir     string           // its data folder
	URL     string           // of the primary, or of another standby
	Token   string           // with the role replica
	Logger  zerolog.Logger
}

// Pace of reconnecting and asking.
const (
	backoffBase = 100 * time.Millisecond
	backoffMax  = 2 * time.Second
	askEvery    = 2 * time.Second // while primary
	againAfter  = 5 * time.Second // after a refusal that time may better, such as of a token
)

// Run follows until ctx ends; then it returns nil. Its error is that of the file
// which holds the name of this standby.
func Run(ctx context.Context, o Options) error {
	id, err := standbyID(o.Dir)
	if err != nil {
		return fmt.Errorf("name of this standby: %w", err)
	}
	f := follower{Options: o, id: id}
	for ctx.Err() == nil {
		if o.Gateway.Role() == gateway.Primary {
			f.watch(ctx)
		} else {
			f.follow(ctx)
		}
	}
	return nil
}

// follower follows one gateway.
type follower struct {
	Options
	id       string
	distrust bool   // what is held differs from the primary's
	due      bool   // a snapshot is, on the stream that is open
	trouble  string // why it cannot follow, as it was last logged; empty while it can, or nobody is there
}

// follow follows while the gateway is a standby, or until a refusal.
func (f *follower) follow(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	changed := f.Gateway.RoleChanged()
	if f.Gateway.Role() != gateway.Standby {
		return
	}
	go func() {
		select {
		case <-changed:
			cancel()
		case <-ctx.Done():
		}
	}()
	options := client.Options{URL: f.URL, Token: f.Token, Standby: f.id, Compression: true, BackoffBase: backoffBase, BackoffMax: backoffMax}
	if f.Gateway.HasState() && !f.distrust {
		_, at := f.Gateway.Durable()
		options.Since = &at
	}
	err := client.Subscribe(ctx, options, &replica{follower: f})
	if ctx.Err() != nil || errors.Is(err, gateway.ErrNotStandby) {
		f.reached(false)
		return
	}
	if errors.Is(err, gateway.ErrBadHistory) && !f.distrust {
		f.Logger.Error().Err(err).Str("primary", f.URL).Msg("what the primary sends does not follow on what is here: a fresh snapshot takes its place")
		f.distrust = true
		return
	}
	f.cannot(zerolog.ErrorLevel, err, againAfter)
	pause(ctx, againAfter)
}

// cannot notes why the gateway there cannot be followed, and logs it when that is
// another reason than before.
func (f *follower) cannot(level zerolog.Level, err error, retryIn time.Duration) {
	f.Gateway.SetUpstream(gateway.Upstream{URL: f.URL, Trouble: err, Answers: badToken(err)})
	if f.trouble != err.Error() {
		f.trouble = err.Error()
		f.Logger.WithLevel(level).Err(err).Str("primary", f.URL).Dur("retry_in_ms", retryIn).Msg("cannot follow")
	}
}

// reached notes whether the gateway there is heard of, of which nothing else is
// the matter.
func (f *follower) reached(up bool) {
	f.Gateway.SetUpstream(gateway.Upstream{URL: f.URL, Up: up, Due: f.due})
	f.trouble = ""
}

// watch asks whether the history there has gone on past this gateway's own
// epoch, and makes it a standby if so. Else it asks again after a while: the
// first time at once, so that a primary that comes back too late takes as few
// writes as can be.
func (f *follower) watch(ctx context.Context) {
	lineage, err := f.ask(ctx)
	if err == nil {
		switch relate(f.Gateway.Lineage(), lineage) {
		case goesOn:
			f.Gateway.Demote()
			return
		case branch, unrelated:
			err = fmt.Errorf("%w: epoch %s there, %s here", errBranch, lineage.Current(), f.Gateway.Lineage().Current())
		}
	}
	if errors.Is(err, errBranch) || refused(err) {
		f.cannot(zerolog.WarnLevel, err, askEvery)
	} else {
		f.reached(false) // nobody there, as a rule
	}
	pause(ctx, askEvery)
}

// refused reports whether somebody is there who will not be asked.
func refused(err error) bool {
	_, answered := errors.AsType[*client.RefusedError](err)
	return answered && !errors.Is(err, client.ErrUnavailable) || errors.Is(err, errNoReplica)
}

// badToken reports whether somebody is there who does not take the token.
func badToken(err error) bool {
	return errors.Is(err, client.ErrUnauthorized) || errors.Is(err, client.ErrForbidden) || errors.Is(err, client.ErrTokenEnded)
}

// nobody is a network of which a stream shows next to nothing.
const nobody = 65535

// ask returns the history of the gateway there.
func (f *follower) ask(ctx context.Context) (client.Lineage, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	conn, err := client.Dial(ctx, client.Options{URL: f.URL, Token: f.Token, Networks: []uint16{nobody}})
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	first, err := conn.Next(ctx)
	if err != nil {
		return nil, err
	}
	beat, ok := first.(*client.Heartbeat)
	if !ok || len(beat.Lineage) == 0 {
		return nil, errNoReplica
	}
	return beat.Lineage, nil
}

var (
	errNoReplica = errors.New("the stream carries no lineage: the token must have the role replica")
	errBranch    = errors.New("the gateway there is primary of another branch of the history: both stay, and one of them has to be stopped")
)

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
