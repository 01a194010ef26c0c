package api

import (
	"sync"
	"time"

	"github.com/replication-gateway/gateway/internal/directory"
	"github.com/replication-gateway/gateway/internal/gateway"
	"github.com/replication-gateway/gateway/internal/hub"
)

// tokenWatch ends streams whose token was revoked or has expired, one
// goroutine for all of them, there only while it has something to watch.
type tokenWatch struct {
	gateway *gateway.Gateway

	mu      sync.Mutex
	streams map[string]map[*stream]struct{} // by token id
	kick    chan struct{}                   // the goroutine's, nil while there is none
}

// add watches over a stream; remove gives that up. The admin token, whose id is
// empty, never ends.
func (w *tokenWatch) add(tokenID string, st *stream) (remove func()) {
	if tokenID == "" {
		return func() {}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.streams == nil {
		w.streams = make(map[string]map[*stream]struct{})
	}
	if w.streams[tokenID] == nil {
		w.streams[tokenID] = make(map[*stream]struct{})
	}
	w.streams[tokenID][st] = struct{}{}
	w.wake()
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.streams[tokenID], st)
		if len(w.streams[tokenID]) == 0 {
			delete(w.streams, tokenID)
			w.wake()
		}
	}
}

// wake has the tokens judged anew. A token may have ended between the judgement
// that let the stream in and the stream being watched.
func (w *tokenWatch) wake() {
	if w.kick == nil {
		w.kick = make(chan struct{}, 1)
		go w.run(w.kick)
	}
	select {
	case w.kick <- struct{}{}:
	default:
	}
}

// lookAgain is how often tokens that expire are looked at. A timer for the
// moment itself would miss it when the clock is set meanwhile.
const lookAgain = time.Second / 2

func (w *tokenWatch) run(kick <-chan struct{}) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		changed := w.gateway.TokensChanged() // before looking, so that no change is missed
		next, more := w.judge()
		if !more {
			return
		}
		timer.Stop()
		if next > 0 {
			timer.Reset(next)
		}
		select {
		case <-changed:
		case <-kick:
		case <-timer.C:
		}
	}
}

// judge ends the streams of tokens that are no longer good. next is when to look
// again, 0 when no token expires; without more there is nothing to watch and the
// goroutine is forgotten.
func (w *tokenWatch) judge() (next time.Duration, more bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.streams) == 0 {
		w.kick = nil
		return 0, false
	}
	state, _ := w.gateway.State()
	now := directory.TimeOf(w.gateway.Now())
	for id, streams := range w.streams {
		t := state.Token(id)
		if t == nil || t.Expired(now) {
			for st := range streams {
				st.end(hub.TokenEnded)
			}
			continue
		}
		if t.ExpiresAt != 0 {
			next = lookAgain
		}
	}
	return next, true
}
