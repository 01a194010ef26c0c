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

// Run follows until ctx ends; then it returns nil.
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
	distrust bool // what is held differs from the primary's
	branched bool // said already that the history there is another branch
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
		return
	}
	if errors.Is(err, gateway.ErrBadHistory) && !f.distrust {
		f.Logger.Error().Err(err).Str("primary", f.URL).Msg("what the primary sends does not follow on what is here: a fresh snapshot takes its place")
		f.distrust = true
		return
	}
	f.Gateway.SetUpstream(gateway.Upstream{URL: f.URL, Trouble: err})
	f.Logger.Error().Err(err).Str("primary", f.URL).Dur("retry_in_ms", againAfter).Msg("cannot follow")
	pause(ctx, againAfter)
}

// watch asks whether the history there has gone on past this gateway's own
// epoch, and makes it a standby if so. Else it asks again after a while: the
// first time at once, so that a primary that comes back too late takes as few
// writes as can be.
func (f *follower) watch(ctx context.Context) {
	lineage, err := f.ask(ctx)
	if err != nil { // nobody there, as a rule
		pause(ctx, askEvery)
		return
	}
	switch relate(f.Gateway.Lineage(), lineage) {
	case goesOn:
		f.Gateway.Demote()
		return
	case branch, unrelated:
		if !f.branched {
			f.branched = true
			f.Logger.Warn().Str("there", f.URL).Str("epoch", lineage.Current()).Str("own_epoch", f.Gateway.Lineage().Current()).
				Msg("the gateway there is primary of another branch of the history: both stay, and one of them has to be stopped")
		}
	}
	pause(ctx, askEvery)
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

var errNoReplica = errors.New("the stream carries no lineage: the token must have the role replica")

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
