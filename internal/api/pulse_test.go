package api_test

import (
	"io"
	"net/http"
	"testing"
	"testing/synctest"
	"time"
)

const (
	heartbeat    = 15 * time.Second
	writeTimeout = 10 * time.Second
)

// rawPipe opens a WebSocket in a bubble and leaves it to its test.
func (b *bubble) rawPipe() *raw {
	b.t.Helper()
	conn, err := b.listener.dial(b.t.Context(), "", "")
	if err != nil {
		b.t.Fatal(err)
	}
	return rawRequest(b.t, conn, "GET /subscribe HTTP/1.1", handshakeOf(adminToken)...)
}

// TestPeersThatAreGoneAreFound within two heartbeats of their last sign of life,
// whenever that was.
func TestPeersThatAreGoneAreFound(t *testing.T) {
	for _, lived := range []time.Duration{0, time.Second, heartbeat - time.Second, heartbeat + time.Second, 10*heartbeat + 7*time.Second} {
		synctest.Test(t, func(t *testing.T) {
			b := newBubble(t, heartbeat)
			defer b.stop()
			<-time.After(3 * time.Second) // so that the stream does not begin with a heartbeat of the others
			r := b.rawPipe()
			dies := time.Now().Add(lived)
			for {
				first, _, err := r.frame()
				if err != nil {
					break
				}
				if first == rawFinal|rawPing && time.Now().Before(dies) {
					r.send(rawFinal|rawPong, nil)
				}
			}
			silent := time.Since(dies)
			if silent > 2*heartbeat || silent < 0 {
				t.Errorf("a peer that lived for %v was cut after %v of silence, want it within %v", lived, silent, 2*heartbeat)
			}
		})
	}
}

// TestSilenceIsLongerThanTheWriteTimeout: a peer that is long about something, and
// does not read meanwhile, has that time, however short the heartbeat is.
func TestSilenceIsLongerThanTheWriteTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, heartbeat/100)
		defer b.stop()
		r := b.rawPipe()
		begun := time.Now()
		for {
			if _, _, err := r.frame(); err != nil {
				break
			}
		}
		if silent := time.Since(begun); silent < writeTimeout || silent > writeTimeout+heartbeat/10 {
			t.Errorf("a silent peer was cut after %v, want it soon after %v", silent, writeTimeout)
		}
	})
}

// TestPeersThatLiveAreKept: those who answer pings, those who only send something
// now and then, and readers of events, who can do neither.
func TestPeersThatLiveAreKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, heartbeat)
		defer b.stop()
		conn := b.subscribe()
		go func() {
			for {
				if _, _, err := conn.Read(t.Context()); err != nil {
					return
				}
			}
		}()
		req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://gateway/subscribe", nil)
		req.Header = http.Header{"Authorization": {"Bearer " + adminToken}, "Accept": {"text/event-stream"}}
		events, err := b.client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		go func() { _, _ = io.Copy(io.Discard, events.Body) }()
		talker := b.rawPipe()
		go func() {
			for range time.Tick(heartbeat * 2 / 3) {
				if _, err := talker.conn.Write(masked(rawFinal|rawPing, nil)); err != nil {
					return
				}
			}
		}()
		go func() { _, _ = io.Copy(io.Discard, talker.in) }()
		<-time.After(time.Hour)
		if got := b.gateway.SubCount(); got != 3 {
			t.Errorf("%d streams are left after an hour, want all three", got)
		}
		_ = conn.CloseNow()
		_ = events.Body.Close()
		_ = talker.conn.Close()
		synctest.Wait()
		<-time.After(heartbeat)
	})
}
