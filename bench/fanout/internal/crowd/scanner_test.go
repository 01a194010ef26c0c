package crowd

import (
	"encoding/binary"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/replication-gateway/gateway/bench/fanout/internal/tally"
)

// serverFrame makes a frame as a server sends it. first is the first byte.
func serverFrame(first byte, payload string) []byte {
	b := []byte{first}
	switch n := len(payload); {
	case n <= 125:
		b = append(b, byte(n))
	case n < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, 126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, 127), uint64(n))
	}
	return append(b, payload...)
}

const (
	text80    = 0x80 | opText
	deflate80 = 0x80 | 0x40 | opText
)

func snapshotOf(seq uint64, more bool) []byte {
	end := "}"
	if more {
		end = `,"more":true}`
	}
	// The mark of a row that is in the state is no delivery.
	return serverFrame(text80, fmt.Sprintf(`{"type":"snapshot","epoch":"EP","seq_no":%d,"snapshot":{"nodes":["%s"]}%s`, seq, tally.Mark(999), end))
}

func heartbeatOf(seq uint64, resumed string) []byte {
	return serverFrame(text80, fmt.Sprintf(`{"type":"heartbeat","epoch":"EP","seq_no":%d,"at":"2026-01-01T00:00:00.000Z","interval_ms":15000%s}`, seq, resumed))
}

func deltaOf(prev, seq uint64, writes ...int) string {
	s := fmt.Sprintf(`{"type":"delta","epoch":"EP","prev_seq_no":%d,"seq_no":%d,"entries":[`, prev, seq)
	for _, w := range writes {
		s += fmt.Sprintf(`{"hostname":"%s","pad":"%0100d"},`, tally.Mark(w), w)
	}
	return s[:len(s)-1] + "]}"
}

// hear feeds a subscriber of the gateway a stream in pieces of a size.
func hear(t *testing.T, stream []byte, size int) *subscriber {
	t.Helper()
	sub := &subscriber{crowd: &Crowd{options: Options{Dialect: Gateway}}, fd: -1}
	var marks []int
	var err error
	for piece := range slices.Chunk(stream, size) {
		if marks, err = sub.receive(piece, time.Time{}, marks); err != nil {
			t.Fatalf("in pieces of %d: %v", size, err)
		}
	}
	return sub
}

func TestAStreamIsReadHoweverItIsCut(t *testing.T) {
	var stream []byte
	stream = append(stream, heartbeatOf(0, `,"resumed":false`)...)
	stream = append(stream, snapshotOf(7, true)...)
	stream = append(stream, snapshotOf(7, false)...)
	stream = append(stream, serverFrame(text80, deltaOf(7, 8, 0))...)
	stream = append(stream, serverFrame(0x80|0xa, "pong")...)
	stream = append(stream, heartbeatOf(8, "")...)
	// A message in three frames, with a pong between them, cut inside a mark.
	whole := deltaOf(8, 600, 1, 2, 3)
	at := len(whole)/2 - 60
	stream = append(stream, serverFrame(opText, whole[:at])...)
	stream = append(stream, serverFrame(0x80|0xa, "")...)
	stream = append(stream, serverFrame(opContinuation, whole[at:at+3])...)
	stream = append(stream, serverFrame(0x80|opContinuation, whole[at+3:])...)
	many := make([]int, 700) // a frame with the longest header
	for i := range many {
		many[i] = 4 + i
	}
	stream = append(stream, serverFrame(text80, deltaOf(600, 1300, many...))...)

	sum := uint64(0)
	for w := range 704 {
		sum += fingerprint(uint64(w))
	}
	var order uint64
	for _, size := range []int{1, 2, 3, 7, 11, 12, 13, 64, 1000, 4096, len(stream)} {
		sub := hear(t, stream, size)
		if sub.writes != 704 || sub.sum != sum {
			t.Errorf("in pieces of %d: %d writes, want 704", size, sub.writes)
		}
		if order == 0 {
			order = sub.order
		}
		if !sub.joined || sub.seq != 1300 || sub.epoch != "EP" || sub.gaps != 0 || sub.resyncs != 0 || sub.order != order {
			t.Errorf("in pieces of %d: joined %t at %s:%d, %d gaps, %d resyncs, order %x, want %x",
				size, sub.joined, sub.epoch, sub.seq, sub.gaps, sub.resyncs, sub.order, order)
		}
	}
}

func TestWhatAStreamDoesWrongIsSeen(t *testing.T) {
	joined := slices.Concat(heartbeatOf(0, `,"resumed":false`), snapshotOf(7, false))
	for name, c := range map[string]struct {
		more          []byte
		gaps, resyncs int
	}{
		"nothing":    {serverFrame(text80, deltaOf(7, 8, 0)), 0, 0},
		"a gap":      {serverFrame(text80, deltaOf(8, 9, 0)), 1, 0},
		"a repeat":   {slices.Concat(serverFrame(text80, deltaOf(7, 8, 0)), serverFrame(text80, deltaOf(7, 8, 0))), 1, 0},
		"a snapshot": {snapshotOf(9, false), 0, 1},
	} {
		sub := hear(t, slices.Concat(joined, c.more), 50)
		if sub.gaps != c.gaps || sub.resyncs != c.resyncs {
			t.Errorf("%s: %d gaps, %d resyncs, want %d and %d", name, sub.gaps, sub.resyncs, c.gaps, c.resyncs)
		}
	}
}

func TestAMessageThatWasCutOffDoesNotCount(t *testing.T) {
	whole := serverFrame(text80, deltaOf(7, 9, 0, 1))
	stream := slices.Concat(heartbeatOf(0, `,"resumed":false`), snapshotOf(7, false), whole[:len(whole)-1])
	if sub := hear(t, stream, 30); sub.writes != 0 || sub.seq != 7 {
		t.Errorf("%d writes, at %d, want none, at 7", sub.writes, sub.seq)
	}
}

func TestPartsOfACompressedSnapshotAreCounted(t *testing.T) {
	stream := slices.Concat(heartbeatOf(0, `,"resumed":false`), serverFrame(deflate80, "xxxx"), serverFrame(deflate80, "yyyy"))
	for _, parts := range []int{2, 3} {
		sub := &subscriber{crowd: &Crowd{options: Options{Dialect: Gateway, Parts: parts}}, fd: -1}
		if _, err := sub.receive(stream, time.Time{}, nil); err != nil {
			t.Fatal(err)
		}
		if sub.joined != (parts == 2) {
			t.Errorf("2 parts came, %d make the snapshot: joined %t", parts, sub.joined)
		}
	}
}

func TestWhatNoServerSendsIsAnError(t *testing.T) {
	for name, stream := range map[string][]byte{
		"a masked frame":                   clientFrame(opText, "{}"),
		"a continuation of nothing":        serverFrame(0x80|opContinuation, "{}"),
		"a message inside another":         append(serverFrame(opText, "{"), serverFrame(text80, "{}")...),
		"an opcode that there is not":      serverFrame(0x80|0x3, ""),
		"a control frame that is too long": {0x80 | opPing, 126, 1, 0},
		"a control frame in two":           serverFrame(opPing, ""),
		"a close":                          serverFrame(0x80|opClose, ""),
	} {
		sub := &subscriber{crowd: &Crowd{options: Options{Dialect: Stream}}, fd: -1}
		if _, err := sub.receive(stream, time.Time{}, nil); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
}

func TestOutcomeTellsStreamsApart(t *testing.T) {
	of := func(writes ...int) *subscriber {
		sub := &subscriber{}
		for _, w := range writes {
			p := fingerprint(uint64(w))
			sub.writes++
			sub.sum += p
			sub.order = sub.order*31 + p
		}
		return sub
	}
	got := outcome([]*subscriber{of(0, 1, 2), of(0, 1, 2), of(1, 0, 2), of(0, 1), of(0, 0, 2), of(0, 1, 2, 2)}, 3)
	if got.Exact != 3 || got.Alike != 2 {
		t.Errorf("%d exact, %d alike, want 3 and 2", got.Exact, got.Alike)
	}
}
