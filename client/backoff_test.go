package client_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"

	"github.com/replication-gateway/gateway/client"
)

// timed is a handler that notes when streams begin and what it is told to wait.
type timed struct {
	silence
	begun  []time.Time
	waits  []time.Duration
	lost   []error
	enough func(*timed) bool
	stop   context.CancelFunc
}

func (h *timed) Connected(context.Context, *client.Conn, *client.Heartbeat) error {
	h.begun = append(h.begun, time.Now())
	return nil
}

func (h *timed) Disconnected(err error, retryIn time.Duration) {
	h.waits, h.lost = append(h.waits, retryIn), append(h.lost, err)
	if h.enough(h) {
		h.stop()
	}
}

// waits subscribes until a stream was lost n times, and returns what was waited in
// between.
func waits(t *testing.T, o client.Options, n int) []time.Duration {
	ctx, stop := context.WithCancel(t.Context())
	h := &timed{stop: stop, enough: func(h *timed) bool { return len(h.waits) == n }}
	if err := client.Subscribe(ctx, o, h); !errors.Is(err, context.Canceled) {
		t.Errorf("ended with %v", err)
	}
	return h.waits
}

func TestBackoffGrowsAndIsSpread(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := script(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) })
		o.BackoffBase, o.BackoffMax = time.Second, 6*time.Second
		ceilings := []time.Duration{time.Second, 2 * time.Second, 4 * time.Second, 6 * time.Second, 6 * time.Second}
		low, high := make([]bool, len(ceilings)), make([]bool, len(ceilings))
		for range 100 {
			start := time.Now()
			var sum time.Duration
			got := waits(t, o, len(ceilings))
			for i, wait := range got {
				if wait < 0 || wait >= ceilings[i] {
					t.Fatalf("wait %d is %v, want less than %v", i, wait, ceilings[i])
				}
				low[i], high[i] = low[i] || wait < ceilings[i]/4, high[i] || wait > ceilings[i]*3/4
				if i < len(got)-1 {
					sum += wait
				}
			}
			if waited := time.Since(start); waited != sum {
				t.Fatalf("said %v, waited %v", sum, waited)
			}
		}
		for i := range ceilings {
			if !low[i] || !high[i] {
				t.Errorf("wait %d is not spread up to %v", i, ceilings[i])
			}
		}
	})
}

func TestWaitIsNeverLessThanAskedFor(t *testing.T) {
	for name, serve := range map[string]http.HandlerFunc{
		"by a refusal": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "40")
			w.WriteHeader(http.StatusServiceUnavailable)
		},
		"by a close": func(w http.ResponseWriter, r *http.Request) {
			ws, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: []string{"gateway.v1"}})
			if err == nil {
				_ = ws.Close(client.CloseRestarting, "retry in 40000 ms")
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := script(t, serve)
				o.BackoffBase, o.BackoffMax = time.Second, 2*time.Second
				for _, wait := range waits(t, o, 20) {
					if wait < 40*time.Second || wait >= 42*time.Second {
						t.Errorf("waits %v, want 40 to 42 s", wait)
					}
				}
			})
		})
	}
}

// TestStreamThatLastsEndsTheBackoff: a stream that breaks before it has lasted an
// interval is as good as none.
func TestStreamThatLastsEndsTheBackoff(t *testing.T) {
	for beats, ceiling := range map[int]time.Duration{0: 32 * time.Second, 1: time.Second} {
		t.Run(fmt.Sprint(beats, " heartbeats"), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := stream(t, func(s *speaker) {
					stands := s.greet()
					for range beats {
						<-time.After(time.Second)
						s.say(beat(stands))
					}
				})
				o.BackoffBase, o.BackoffMax = time.Second, 32*time.Second
				longest := time.Duration(0)
				for _, wait := range waits(t, o, 40) {
					longest = max(longest, wait)
				}
				if longest >= ceiling || longest < ceiling/2 {
					t.Errorf("waited up to %v, want up to %v", longest, ceiling)
				}
			})
		})
	}
}

func TestRefusalsThatMayPass(t *testing.T) {
	for status, passes := range map[int]bool{
		400: false, 401: false, 403: false, 404: false, 422: false,
		408: true, 425: true, 426: true, 429: true, 500: true, 502: true, 503: true, 504: true, 200: true,
	} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := script(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) })
				ctx, stop := context.WithCancel(t.Context())
				defer stop()
				h := &timed{stop: stop, enough: func(h *timed) bool { return len(h.waits) == 3 }}
				err := client.Subscribe(ctx, o, h)
				refused, _ := errors.AsType[*client.RefusedError](err)
				switch {
				case passes && (!errors.Is(err, context.Canceled) || len(h.waits) != 3):
					t.Errorf("ended with %v after %d tries", err, len(h.waits))
				case !passes && (refused == nil || refused.Status != status || len(h.waits) != 1 || h.waits[0] >= 0 || h.lost[0] != err):
					t.Errorf("ended with %v, told %v, waits %v", err, h.lost, h.waits)
				}
			})
		})
	}
}

func TestContextEndsTheSubscription(t *testing.T) {
	cause := errors.New("enough")
	for name, serve := range map[string]http.HandlerFunc{
		"while it waits": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "3600")
			w.WriteHeader(http.StatusServiceUnavailable)
		},
		"while it opens": func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancelCause(t.Context())
				time.AfterFunc(10*time.Second, func() { cancel(cause) })
				start := time.Now()
				if err := client.Subscribe(ctx, script(t, serve), client.NewState()); err != cause || time.Since(start) != 10*time.Second {
					t.Errorf("ended with %v after %v", err, time.Since(start))
				}
			})
		})
	}
}

func TestOpeningIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		_, err := client.Dial(t.Context(), script(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != 15*time.Second {
			t.Errorf("%v after %v", err, time.Since(start))
		}
	})
}
