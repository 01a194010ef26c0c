package api

import (
	"bytes"
	"compress/flate"
	"crypto/rand"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/replication-gateway/gateway/internal/hub"
)

// travel returns what an encoding makes of JSON.
func travel(e *hub.Encoding, typ hub.FrameType, json string) []byte {
	b := append(make([]byte, e.Room), json...)
	return e.Wrap(hub.Header{Type: typ, Epoch: "e-1", SeqNo: 7, Resumable: true}, b)
}

// payload takes a frame apart. What follows it is returned as well.
func payload(t *testing.T, b []byte) (first byte, body, rest []byte) {
	t.Helper()
	head, n := 2, int(b[1])
	switch n {
	case 126:
		head, n = 4, int(b[2])<<8|int(b[3])
	case 127:
		head, n = 10, int(b[6])<<24|int(b[7])<<16|int(b[8])<<8|int(b[9])
	}
	if len(b) < head+n {
		t.Fatalf("%d bytes for a frame of %d and %d", len(b), head, n)
	}
	return b[0], b[head : head+n], b[head+n:]
}

// whole returns what a body was before it was deflated.
func whole(body []byte) (string, error) {
	b, err := io.ReadAll(flate.NewReader(io.MultiReader(bytes.NewReader(body), strings.NewReader(flushed+"\x01\x00\x00\xff\xff"))))
	return string(b), err
}

func TestTextFrames(t *testing.T) {
	for n, head := range map[int]int{0: 2, 125: 2, 126: 4, 65535: 4, 65536: 10, 300_000: 10} {
		json := strings.Repeat("x", n)
		got := travel(textFrames, hub.Delta, json)
		first, body, rest := payload(t, got)
		if len(got) != head+n || first != 0x81 || string(body) != json || len(rest) != 0 {
			t.Errorf("%d bytes became %d, beginning %x, %d in the frame and %d behind it", n, len(got), first, len(body), len(rest))
		}
	}
	if _, _, rest := payload(t, travel(textFrames, hub.Heartbeat, "{}")); !bytes.Equal(rest, []byte{0x89, 0}) {
		t.Errorf("behind a heartbeat stands %x, want a ping", rest)
	}
}

// TestDeflatedFramesStandForThemselves: each can be read without any before it, as
// has been negotiated.
func TestDeflatedFramesStandForThemselves(t *testing.T) {
	for _, encoding := range []*hub.Encoding{deflatedFrames, narrowFrames, deflatedFrames, narrowFrames} {
		for _, n := range []int{minDeflated, 2000, 70_000, 300_000} {
			json := strings.Repeat(`{"node_id":42,"hostname":"alpha"},`, n/30+1)[:n]
			got := travel(encoding, hub.Delta, json)
			first, body, rest := payload(t, got)
			inflated, err := whole(body)
			if err != nil || inflated != json || first != 0xc1 || len(rest) != 0 || len(got) > n/4 {
				t.Errorf("%d bytes became %d, beginning %x; back to %d bytes, %v", n, len(got), first, len(inflated), err)
			}
		}
	}
}

// TestNarrowFramesReachNotFarBack: what stands in a frame twice is found the second
// time by the wide window alone, if there is more between than the narrow one holds.
func TestNarrowFramesReachNotFarBack(t *testing.T) {
	noise := make([]byte, 1000)
	_, _ = rand.Read(noise)
	for between, narrow := range map[int]int{1000: 1200, 5000: 2200} {
		json := string(noise) + strings.Repeat(" ", between) + string(noise)
		for encoding, most := range map[*hub.Encoding]int{deflatedFrames: 1200, narrowFrames: narrow} {
			if n := len(travel(encoding, hub.Delta, json)); n > most || n < most-250 {
				t.Errorf("a thousand bytes, %d spaces and the same again became %d, want about %d", between, n, most-100)
			}
		}
	}
}

// TestWhatDeflatesBadlyGoesAsItIs: small frames, and those that would only grow.
func TestWhatDeflatesBadlyGoesAsItIs(t *testing.T) {
	noise := make([]byte, 10_000)
	_, _ = rand.Read(noise)
	for _, json := range []string{strings.Repeat("x", minDeflated-1), string(noise)} {
		if first, body, _ := payload(t, travel(deflatedFrames, hub.Delta, json)); first != 0x81 || string(body) != json {
			t.Errorf("%d bytes became a frame of %d that begins with %x", len(json), len(body), first)
		}
	}
	large := strings.Repeat("x", 1000)
	first, _, rest := payload(t, travel(deflatedFrames, hub.Heartbeat, large))
	if first != 0xc1 || !bytes.Equal(rest, ping) {
		t.Errorf("a large heartbeat begins with %x, and behind it stands %x", first, rest)
	}
}

// TestDraftsAreNoPartOfFrames: memory that is used again holds nothing that still
// travels.
func TestDraftsAreNoPartOfFrames(t *testing.T) {
	noise := make([]byte, 2*minDraft)
	_, _ = rand.Read(noise)
	for name, content := range map[string]string{"deflated": strings.Repeat("0123456789", minDraft/5), "as it is": string(noise)} {
		var kept [][]byte
		for range 3 {
			b := append(deflatedFrames.Memory(maxHeader + len(content))[:maxHeader], content...)
			kept = append(kept, deflatedFrames.Wrap(hub.Header{Type: hub.Snapshot}, b))
			again := deflatedFrames.Memory(maxHeader + len(content))
			clear(again[:cap(again)])
		}
		for _, b := range kept {
			first, body, _ := payload(t, b)
			got := string(body)
			if first&deflated != 0 {
				got, _ = whole(body)
			}
			if got != content {
				t.Errorf("%s: a frame of %d bytes changed behind its back", name, len(b))
			}
		}
	}
}

func TestEventFrames(t *testing.T) {
	if got, want := string(travel(eventFrames, hub.Delta, `{"a":1}`)), "event: delta\nid: e-1:7\ndata: {\"a\":1}\n\n"; got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	long := hub.Header{Type: hub.Heartbeat, Epoch: strings.Repeat("e", maxEpoch), SeqNo: 1<<64 - 1, Resumable: true}
	got := string(eventFrames.Wrap(long, append(make([]byte, eventRoom), "{}"...)))
	if want := fmt.Sprintf("event: heartbeat\nid: %s:18446744073709551615\ndata: {}\n\n", long.Epoch); got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	part := hub.Header{Type: hub.Snapshot, Epoch: "e-1", SeqNo: 7}
	if got := string(eventFrames.Wrap(part, append(make([]byte, eventRoom), "{}"...))); got != "event: snapshot\ndata: {}\n\n" {
		t.Errorf("a part became %q", got)
	}
}

// BenchmarkDeflate is what a frame costs once, and how small it becomes.
func BenchmarkDeflate(b *testing.B) {
	var rows strings.Builder
	for i := 0; rows.Len() < 256<<10; i++ {
		fmt.Fprintf(&rows, `{"node_id":%d,"hostname":"node-%d.site-%d.example.org","external_id":"user%d@corp.example","tags":["rack-%d","linux"]},`,
			i, i, i%97, i*7919, i%311)
	}
	for _, n := range []int{600, 4 << 10, 64 << 10, 256 << 10} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			json, d := []byte(rows.String()[:n]), newDeflater(wideWindow)
			var got []byte
			b.SetBytes(int64(n))
			b.ReportAllocs()
			for b.Loop() {
				got = d.deflate(json)
			}
			b.ReportMetric(float64(n)/float64(len(got)), "ratio")
		})
	}
}
