package load

import (
	"encoding/binary"
	"fmt"
	"reflect"
	"strings"
	"testing"
)

// run is the mark of the tests.
var run = Mark{[]byte("bench-00c0ffee-")}

// frame encodes a frame as a server sends it.
func frame(first byte, payload string) []byte {
	b := []byte{first}
	switch n := len(payload); {
	case n < 126:
		b = append(b, byte(n))
	case n < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, 126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, 127), uint64(n))
	}
	return append(b, payload...)
}

const final = 0x80

func text(payload string) []byte { return frame(final|opText, payload) }

func deltaOf(indexes ...int) string {
	s := `{"type":"delta","epoch":"e","prev_seq_no":1,"seq_no":2,"entries":[`
	for _, i := range indexes {
		s += fmt.Sprintf(`{"type":"network.put","data":{"name":%q}},`, run.Text(i))
	}
	return strings.TrimSuffix(s, ",") + "]}"
}

// result is what a stream held, in a form that compares.
type result struct {
	Deltas, Snapshots, Heartbeats int
	Marks                         []int
	Pings                         []string
	Closed                        string
	Err                           error
}

// scan feeds a stream in pieces that end at the given offsets.
func scan(stream []byte, cuts ...int) (r result) {
	var s scanner
	var f found
	from := 0
	for _, to := range append(cuts, len(stream)) {
		f.reset()
		piece := append([]byte(nil), stream[from:to]...)
		err := s.feed(piece, run, &f)
		clear(piece) // it is not the scanner's any more
		r.Deltas, r.Snapshots, r.Heartbeats = r.Deltas+f.deltas, r.Snapshots+f.snapshots, r.Heartbeats+f.heartbeats
		r.Marks = append(r.Marks, f.marks...)
		for _, p := range f.pings {
			r.Pings = append(r.Pings, string(p))
		}
		if f.closed != nil {
			r.Closed = f.closed.Error()
		}
		if err != nil {
			r.Err = errFrame
			return r
		}
		from = to
	}
	return r
}

// wholeStream has every kind of frame and of length, and marks in every place.
func wholeStream() (stream []byte, want result) {
	whole := deltaOf(7)
	seam := strings.Index(whole, run.Text(7)) + 10
	for _, f := range [][]byte{
		text(`{"type":"heartbeat","epoch":"e","seq_no":0,"resumed":false}`),
		text(`{"type":"snapshot","snapshot":{"networks":[{"name":"` + run.Text(1) + `"}]}}`), // no delivery
		text(deltaOf(2)),
		text(deltaOf(3, 4)),
		text(deltaOf()),
		text(deltaOf(5)[:60] + "bench-00c0ffee-12345x7, bench-00c0ffe-0000001, bench-bench-00c0ffee-0000006"),
		frame(opText, whole[:seam]),
		frame(final|opPing, "are you there"),
		frame(opContinuation, ""),
		frame(final|opPong, ""),
		frame(final|opContinuation, whole[seam:]),
		text(""),
		text(`{"type":"d bench-00c0ffee-`), // no mark goes over from one message to the next
		text("0000001  d"),
		text(`{"type":"`),
		frame(final|opPing, ""),
		text(`{"type":"heartbeat"}`),
		text(deltaOf(8, 9, 10, 11, 12, 13, 14, 15, 9_999_999)),
		frame(final|opClose, "\x03\xf4retry in 5 ms"),
	} {
		stream = append(stream, f...)
	}
	return stream, result{
		Deltas: 8, Snapshots: 1, Heartbeats: 2,
		Marks:  []int{2, 3, 4, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 9_999_999},
		Pings:  []string{"are you there", ""},
		Closed: "the gateway closed the stream: 1012 retry in 5 ms",
	}
}

func TestFramesAreCountedWhereverTheStreamIsCut(t *testing.T) {
	stream, want := wholeStream()
	check := func(name string, cuts ...int) {
		t.Helper()
		if got := scan(stream, cuts...); !reflect.DeepEqual(got, want) {
			t.Fatalf("%s:\ngot  %+v\nwant %+v", name, got, want)
		}
	}
	check("whole")
	for i := range stream {
		check(fmt.Sprintf("cut at %d", i), i)
	}
	for size := 1; size <= 2*markLen; size++ {
		var cuts []int
		for i := size; i < len(stream); i += size {
			cuts = append(cuts, i)
		}
		check(fmt.Sprintf("in pieces of %d", size), cuts...)
	}
}

func TestLongFrames(t *testing.T) {
	for _, length := range []int{125, 126, 127, 65_535, 65_536, 300_000} {
		padded := `{"type":"delta",` + strings.Repeat(" ", length-len(`{"type":"delta",`)-markLen) + run.Text(1)
		stream := append(text(padded), text(deltaOf(2))...)
		want := result{Deltas: 2, Marks: []int{1, 2}}
		for _, cuts := range [][]int{nil, {1}, {2}, {3}, {5}, {9}, {10}, {length}, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}} {
			if got := scan(stream, cuts...); !reflect.DeepEqual(got, want) {
				t.Errorf("length %d, cuts %v:\ngot  %+v\nwant %+v", length, cuts, got, want)
			}
		}
	}
}

func TestWhatNoGatewaySends(t *testing.T) {
	for name, stream := range map[string][]byte{
		"masked":                     {final | opText, 0x80 | 1, 0, 0, 0, 0, 'x'},
		"compressed":                 {final | 0x40 | opText, 1, 'x'},
		"binary":                     {final | 0x2, 1, 'x'},
		"unknown control frame":      {final | 0xB, 0},
		"control frame in pieces":    {opPing, 0},
		"long control frame":         frame(final|opPing, strings.Repeat("x", 126)),
		"continuation of nothing":    frame(final|opContinuation, "x"),
		"message within a message":   append(frame(opText, "x"), frame(final|opText, "x")...),
		"continuation after its end": append(append(frame(opText, "x"), frame(final|opContinuation, "x")...), frame(final|opContinuation, "x")...),
		"length of a control frame":  {final | opPing, 127, 255, 255, 255, 255, 255, 255, 255, 255},
	} {
		for i := range stream {
			if got := scan(stream, i); got.Err == nil {
				t.Errorf("%s: cut at %d: got %+v, want an error", name, i, got)
			}
		}
	}
}

func TestControlFramesOfTheClient(t *testing.T) {
	got := appendControl([]byte("x"), opPong, []byte("hi"))
	if want := "x\x8a\x82\x00\x00\x00\x00hi"; string(got) != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// FuzzScanner looks for a cut that changes what is found.
func FuzzScanner(f *testing.F) {
	stream, _ := wholeStream()
	f.Add(stream, uint16(100), uint16(101))
	f.Add(append(frame(opText, "x"), frame(final|opText, "x")...), uint16(1), uint16(3))
	f.Add(text(`{"type":"`+"\x00"+strings.Repeat("0", 60)), uint16(30), uint16(50))
	f.Fuzz(func(t *testing.T, stream []byte, a, b uint16) {
		first, second := int(min(a, b)), int(max(a, b))
		if second > len(stream) {
			return
		}
		whole, cut := scan(stream), scan(stream, first, second)
		if !reflect.DeepEqual(whole, cut) {
			t.Errorf("cut at %d and %d:\ngot  %+v\nwant %+v", first, second, cut, whole)
		}
	})
}

func BenchmarkScanner(b *testing.B) {
	stream := text(deltaOf(1) + strings.Repeat(" ", 200))
	b.SetBytes(int64(len(stream)))
	b.ReportAllocs()
	var s scanner
	var f found
	for b.Loop() {
		f.reset()
		if err := s.feed(stream, run, &f); err != nil || len(f.marks) != 1 {
			b.Fatal(err, f.marks)
		}
	}
}
