package client_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"

	"github.com/replication-gateway/gateway/client"
	"github.com/replication-gateway/gateway/internal/directory"
)

func TestUnusableOptions(t *testing.T) {
	good := client.Options{URL: "https://gateway.example/behind/a/proxy/", Token: "token"}
	for name, spoil := range map[string]func(*client.Options){
		"no URL":               func(o *client.Options) { o.URL = "" },
		"no host":              func(o *client.Options) { o.URL = "https:///subscribe" },
		"no scheme":            func(o *client.Options) { o.URL = "gateway.example:80" },
		"another scheme":       func(o *client.Options) { o.URL = "ftp://gateway.example" },
		"a query":              func(o *client.Options) { o.URL += "?token=1" },
		"a password":           func(o *client.Options) { o.URL = "https://a:b@gateway.example" },
		"no token":             func(o *client.Options) { o.Token = "" },
		"a token with a space": func(o *client.Options) { o.Token = "a b" },
		"a token in two lines": func(o *client.Options) { o.Token = "a\nb" },
		"network 0":            func(o *client.Options) { o.Networks = []uint16{1, 0} },
		"no epoch":             func(o *client.Options) { o.Since = &client.Position{SeqNo: 1} },
		"a bad epoch":          func(o *client.Options) { o.Since = &client.Position{Epoch: "a&b"} },
		"a bad standby":        func(o *client.Options) { o.Standby = "a b" },
		"base below 0":         func(o *client.Options) { o.BackoffBase = -1 },
		"max below base":       func(o *client.Options) { o.BackoffBase, o.BackoffMax = time.Second, time.Millisecond },
	} {
		t.Run(name, func(t *testing.T) {
			o := good
			spoil(&o)
			if _, err := client.Dial(t.Context(), o); !errors.Is(err, client.ErrOptions) {
				t.Errorf("Dial: %v", err)
			}
			if err := client.Subscribe(t.Context(), o, client.NewState()); !errors.Is(err, client.ErrOptions) {
				t.Errorf("Subscribe: %v", err)
			}
		})
	}
}

func TestRequestSaysWhatIsWanted(t *testing.T) {
	requests := make(chan *http.Request, 1)
	o := script(t, func(w http.ResponseWriter, r *http.Request) {
		requests <- r
		w.WriteHeader(http.StatusTeapot)
	})
	for name, tt := range map[string]struct {
		set       func(*client.Options)
		path      string
		query     url.Values
		extension string
	}{
		"plain":      {func(*client.Options) {}, "/subscribe", url.Values{}, ""},
		"in a path":  {func(o *client.Options) { o.URL = "ws://gateway/a/b/" }, "/a/b/subscribe", url.Values{}, ""},
		"narrowed":   {func(o *client.Options) { o.Networks = []uint16{7, 8} }, "/subscribe", url.Values{"network_id": {"7", "8"}}, ""},
		"resumed":    {func(o *client.Options) { o.Since = &client.Position{Epoch: "e-1"} }, "/subscribe", url.Values{"epoch": {"e-1"}, "since": {"0"}}, ""},
		"standby":    {func(o *client.Options) { o.Standby = "s&1" }, "/subscribe", url.Values{"standby": {"s&1"}}, ""},
		"compressed": {func(o *client.Options) { o.Compression = true }, "/subscribe", url.Values{}, "permessage-deflate; client_no_context_takeover; server_no_context_takeover"},
	} {
		t.Run(name, func(t *testing.T) {
			o := o
			tt.set(&o)
			_, err := client.Dial(t.Context(), o)
			if refused, ok := errors.AsType[*client.RefusedError](err); !ok || refused.Status != http.StatusTeapot {
				t.Errorf("got %v", err)
			}
			r := <-requests
			if r.URL.Path != tt.path || r.URL.RawQuery != tt.query.Encode() {
				t.Errorf("asked for %s, want %s?%s", r.URL, tt.path, tt.query.Encode())
			}
			if got := r.Header.Get("Authorization"); got != "Bearer token" {
				t.Errorf("Authorization: %s", got)
			}
			if got := r.Header.Get("Sec-WebSocket-Protocol"); got != "gateway.v1" {
				t.Errorf("Sec-WebSocket-Protocol: %s", got)
			}
			if got := r.Header.Get("Sec-WebSocket-Extensions"); got != tt.extension {
				t.Errorf("Sec-WebSocket-Extensions: %s", got)
			}
		})
	}
}

func TestRefusals(t *testing.T) {
	h := start(t, atMost(1))
	viewer, _ := h.token(directory.AccessViewer, 7)
	syncer, _ := h.token(directory.AccessSync)
	for name, tt := range map[string]struct {
		token    string
		networks []uint16
		sentinel error
		status   int
		code     string
	}{
		"no such token":   {"nobody", nil, client.ErrUnauthorized, 401, "unauthorized"},
		"another network": {viewer, []uint16{8}, client.ErrForbidden, 403, "forbidden"},
		"another role":    {syncer, nil, client.ErrForbidden, 403, "forbidden"},
	} {
		t.Run(name, func(t *testing.T) {
			o := h.client(tt.token)
			o.Networks = tt.networks
			_, err := client.Dial(t.Context(), o)
			refused, ok := errors.AsType[*client.RefusedError](err)
			if !ok || !errors.Is(err, tt.sentinel) || refused.Status != tt.status || refused.Code != tt.code || refused.Detail == "" {
				t.Errorf("Dial: %#v", err)
			}
			if err := client.Subscribe(t.Context(), o, silence{}); !errors.Is(err, tt.sentinel) {
				t.Errorf("Subscribe: %v", err)
			}
		})
	}
	t.Run("too many", func(t *testing.T) {
		next(t, dial(t, h.client(adminToken)))
		_, err := client.Dial(t.Context(), h.client(adminToken))
		refused, ok := errors.AsType[*client.RefusedError](err)
		if !ok || !errors.Is(err, client.ErrUnavailable) || refused.Status != 503 || refused.RetryAfter != time.Second {
			t.Errorf("got %#v", err)
		}
	})
	t.Run("nobody there", func(t *testing.T) {
		o := h.client(adminToken)
		_ = h.proxy.listener.Close()
		_, err := client.Dial(t.Context(), o)
		if _, refused := errors.AsType[*client.RefusedError](err); err == nil || refused {
			t.Errorf("got %v", err)
		}
	})
}

func TestRetryAfterIsReadInBothForms(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for header, want := range map[string]time.Duration{
			"7": 7 * time.Second,
			time.Now().Add(time.Minute).UTC().Format(http.TimeFormat):  time.Minute,
			time.Now().Add(-time.Minute).UTC().Format(http.TimeFormat): 0,
			"":     0,
			"soon": 0,
			"-1":   0,
		} {
			o := script(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Retry-After", header)
				w.WriteHeader(http.StatusServiceUnavailable)
			})
			_, err := client.Dial(t.Context(), o)
			if refused, ok := errors.AsType[*client.RefusedError](err); !ok || refused.RetryAfter != want {
				t.Errorf("%q: %#v, want %v", header, err, want)
			}
		}
	})
}

func TestCloseCodes(t *testing.T) {
	for _, tt := range []struct {
		code     int
		reason   string
		sentinel error
		after    time.Duration
	}{
		{1008, "protocol misuse", client.ErrMisuse, 0},
		{1012, "retry in 1500 ms", client.ErrRestarting, 1500 * time.Millisecond},
		{1012, "soon", client.ErrRestarting, 0},
		{1012, "retry in 99999999999999999999 ms", client.ErrRestarting, 0},
		{1013, "", client.ErrUnavailable, 0},
		{4403, "token revoked or expired", client.ErrTokenEnded, 0},
		{4409, "history changed", client.ErrHistoryChanged, 0},
		{1011, "internal error", nil, 0},
	} {
		t.Run(fmt.Sprint(tt.code, " ", tt.reason), func(t *testing.T) {
			c := dial(t, stream(t, func(s *speaker) {
				s.greet()
				_ = s.ws.Close(websocket.StatusCode(tt.code), tt.reason)
			}))
			err := failure(t, c)
			closed, ok := errors.AsType[*client.CloseError](err)
			if !ok || closed.Code != tt.code || closed.Reason != tt.reason || closed.RetryAfter != tt.after {
				t.Fatalf("got %#v", err)
			}
			if tt.sentinel != nil && !errors.Is(err, tt.sentinel) {
				t.Errorf("%v is not %v", err, tt.sentinel)
			}
			if again := failure(t, c); again != err {
				t.Errorf("the next time: %v", again)
			}
		})
	}
}

func TestSilenceOfTwoIntervalsIsTheEnd(t *testing.T) {
	for name, tt := range map[string]struct {
		speak func(*speaker)
		lasts time.Duration
	}{
		"from the beginning": {func(s *speaker) { s.listen() }, 30 * time.Second},
		"after a while": {func(s *speaker) {
			s.greet()
			for range 3 { // an interval and nine tenths apart
				<-time.After(1900 * time.Millisecond)
				s.say(beat(1))
			}
			s.listen()
		}, 3*1900*time.Millisecond + 2*time.Second},
		"in the middle of a frame that comes slowly": {func(s *speaker) {
			s.greet()
			w, err := s.ws.Writer(context.Background(), websocket.MessageText)
			if err != nil {
				s.t.Error(err)
				return
			}
			for range 5 { // each larger than a chunk
				<-time.After(1900 * time.Millisecond)
				_, _ = w.Write([]byte(strings.Repeat(" ", 20<<10)))
			}
			s.listen()
		}, 5*1900*time.Millisecond + 2*time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := dial(t, stream(t, tt.speak))
				start := time.Now()
				if err := failure(t, c); !errors.Is(err, client.ErrSilent) {
					t.Fatal(err)
				}
				if lasted := time.Since(start); lasted != tt.lasts {
					t.Errorf("after %v, want %v", lasted, tt.lasts)
				}
			})
		})
	}
}

// TestOnlyTimeInNextCounts: a caller that is slow itself does not take the
// gateway for gone.
func TestOnlyTimeInNextCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := dial(t, stream(t, func(s *speaker) {
			s.greet()
			s.say(beat(1), beat(1))
			s.listen()
		}))
		for range 4 {
			next(t, c)
			<-time.After(time.Minute)
		}
	})
}

func TestContextEndsNext(t *testing.T) {
	left := make(chan error, 1)
	c := dial(t, stream(t, func(s *speaker) {
		s.greet()
		_, err := s.listen()
		left <- err
	}))
	next(t, c)
	next(t, c)
	ctx, cancel := context.WithCancelCause(t.Context())
	cause := errors.New("enough")
	time.AfterFunc(time.Millisecond, func() { cancel(cause) })
	if _, err := c.Next(ctx); !errors.Is(err, cause) {
		t.Errorf("Next: %v", err)
	}
	if code := websocket.CloseStatus(<-left); code != websocket.StatusNormalClosure {
		t.Errorf("the gateway was left with %v", code)
	}
	if err := failure(t, c); !errors.Is(err, cause) {
		t.Errorf("the next time: %v", err)
	}
}

// TestTheDeadAreLeftSoon: a gateway that answers nothing does not hold up who
// leaves it.
func TestTheDeadAreLeftSoon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gone := make(chan struct{})
		defer close(gone)
		c := dial(t, stream(t, func(s *speaker) {
			s.greet()
			<-gone
		}))
		next(t, c)
		next(t, c)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second/2)
		defer cancel()
		start := time.Now()
		if _, err := c.Next(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Next: %v", err)
		}
		if took := time.Since(start); took != 3*time.Second/2 {
			t.Errorf("took %v, want 1.5s", took)
		}
	})
}

func TestCloseEndsNext(t *testing.T) {
	left := make(chan error, 1)
	c := dial(t, stream(t, func(s *speaker) {
		s.greet()
		_, err := s.listen()
		left <- err
	}))
	next(t, c)
	time.AfterFunc(time.Millisecond, func() { _ = c.Close() })
	if err := failure(t, c); !errors.Is(err, client.ErrClosed) {
		t.Errorf("Next: %v", err)
	}
	if code := websocket.CloseStatus(<-left); code != websocket.StatusNormalClosure {
		t.Errorf("the gateway was left with %v", code)
	}
	if err := c.Ack(t.Context(), client.Position{Epoch: "e", SeqNo: 1}); !errors.Is(err, client.ErrClosed) {
		t.Errorf("Ack: %v", err)
	}
}

func TestAck(t *testing.T) {
	heard := make(chan []string, 1)
	c := dial(t, stream(t, func(s *speaker) {
		s.greet()
		messages, _ := s.listen()
		heard <- messages
	}))
	next(t, c)
	next(t, c)
	for _, p := range []client.Position{{Epoch: "e", SeqNo: 1}, {Epoch: "e-2", SeqNo: 18446744073709551615}} {
		if err := c.Ack(t.Context(), p); err != nil {
			t.Error(err)
		}
	}
	if err := c.Ack(t.Context(), client.Position{Epoch: `"`}); !errors.Is(err, client.ErrOptions) {
		t.Errorf("a bad epoch: %v", err)
	}
	_ = c.Close()
	want := []string{`{"type":"ack","epoch":"e","seq_no":1}`, `{"type":"ack","epoch":"e-2","seq_no":18446744073709551615}`}
	if got := <-heard; !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
}

// TestAFrameThatIsCutIsALostConnection: wherever in a frame the connection ends,
// compressed or not, that is no fault of what the gateway said.
func TestAFrameThatIsCutIsALostConnection(t *testing.T) {
	h := start(t)
	var b directory.Batch
	for id := range uint32(1000) {
		b.Ops = append(b.Ops, directory.OpOf(putNode(id+1, rand.Text()+rand.Text()))) // hard to compress
	}
	do(h, b)
	for _, compression := range []bool{false, true} {
		for _, bytes := range []int64{2_000, 10_000, 20_000} { // all in the snapshot's one frame
			h.proxy.limit(func() int64 { return bytes })
			o := h.client(adminToken)
			o.Compression = compression
			c := dial(t, o)
			next(t, c)
			if err := failure(t, c); errors.Is(err, client.ErrProtocol) || !strings.Contains(err.Error(), "connection lost") {
				t.Errorf("compression %t, cut after %d bytes: %v", compression, bytes, err)
			}
		}
	}
}

func TestBrokenStreams(t *testing.T) {
	for name, speak := range map[string]func(*speaker){
		"a gap":          func(s *speaker) { s.greet(); s.say(delta(2, 3, entryOf(3, 1), false)) },
		"no JSON":        func(s *speaker) { s.say("hello") },
		"binary":         func(s *speaker) { _ = s.ws.Write(context.Background(), websocket.MessageBinary, []byte(hello)) },
		"not UTF-8":      func(s *speaker) { s.say(strings.Replace(hello, "false", "false,\"x\":\"\xff\"", 1)) },
		"another epoch":  func(s *speaker) { s.greet(); s.say(strings.Replace(beat(1), `"e"`, `"f"`, 1)) },
		"parts mixed up": func(s *speaker) { s.greet(); s.say(delta(1, 2, entryOf(2, 1), true), beat(2)) },
	} {
		t.Run(name, func(t *testing.T) {
			c := dial(t, stream(t, func(s *speaker) {
				speak(s)
				s.listen()
			}))
			if err := failure(t, c); !errors.Is(err, client.ErrProtocol) {
				t.Errorf("got %v", err)
			}
		})
	}
}
