package api

import (
	"sync"
	"time"

	"github.com/replication-gateway/gateway/internal/directory"
	"github.com/replication-gateway/gateway/internal/gateway"
	"github.com/replication-gateway/gateway/internal/hub"
)

// DefaultTokenStreams is far more than a fleet behind one token needs, and
// leaves room for others beside one that opens streams without end.
const DefaultTokenStreams = 20_000

// tokenWatch counts the streams of each token, and ends those whose token was
// revoked or has expired. One goroutine watches over all of them, there only while
// it has something to watch. The admin token, whose id is empty, has no limit and
// no end.
type tokenWatch struct {
	gateway *gateway.Gateway
	most    int // streams of a token, no limit if less than 0

	mu      sync.Mutex
	counts  map[string]int                  // streams admitted, by token id
	streams map[string]map[*stream]struct{} // those that are watched
	kick    chan struct{}                   // the goroutine's, nil while there is none
}

func newTokenWatch(g *gateway.Gateway, most int) *tokenWatch {
	if most == 0 {
		most = DefaultTokenStreams
	}
	return &tokenWatch{gateway: g, most: most, counts: make(map[string]int), streams: make(map[string]map[*stream]struct{})}
}

// admit counts in a stream that is about to be opened, and reports false if the
// token has as many as it may. dismiss takes it back.
func (w *tokenWatch) admit(tokenID string) bool {
	if tokenID == "" || w.most < 0 {
		return true
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.counts[tokenID] >= w.most {
		return false
	}
	w.counts[tokenID]++
	return true
}

func (w *tokenWatch) dismiss(tokenID string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.counts[tokenID]--; w.counts[tokenID] <= 0 {
		delete(w.counts, tokenID)
	}
}

// add watches over a stream that was admitted.
func (w *tokenWatch) add(st *stream) {
	if st.token == "" {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.streams[st.token] == nil {
		w.streams[st.token] = make(map[*stream]struct{})
	}
	w.streams[st.token][st] = struct{}{}
	w.wake()
}

// remove gives up a stream.
func (w *tokenWatch) remove(st *stream) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.streams[st.token], st)
	if len(w.streams[st.token]) == 0 {
		delete(w.streams, st.token)
		w.wake()
	}
}

// wake has the tokens judged anew. A token may have ended between the judgement
// that let the stream in and the stream being watched.
func (w *tokenWatch) wake() {
	if w.kick == nil && len(w.streams) == 0 {
		return
	}
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
	state, _ := w.gateway.Durable()
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
