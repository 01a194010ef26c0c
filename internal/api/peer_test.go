package api

import (
	"bytes"
	"fmt"
	"testing"
)

// frames feeds p with b, piece by piece, and returns what comes of it as text.
func (p *peer) frames(b []byte, piece func() int) (list []string) {
	for len(b) > 0 {
		head := b[:min(len(b), piece())]
		b = b[len(head):]
		for len(head) > 0 {
			n, f, complete, err := p.feed(head)
			if err != nil {
				return append(list, err.Error())
			}
			if complete {
				list = append(list, fmt.Sprintf("%x %q", f.opcode(), f.payload))
			}
			head = head[n:]
		}
	}
	return list
}

// FuzzPeer: however the bytes of a peer are cut on their way, the same frames come of
// them, and no frame keeps more than a control frame may have.
func FuzzPeer(f *testing.F) {
	f.Add([]byte{0x89, 0x85, 1, 2, 3, 4, 'h' ^ 1, 'e' ^ 2, 'l' ^ 3, 'l' ^ 4, 'o' ^ 1, 0x8a, 0x80, 1, 2, 3, 4}, byte(3))
	f.Add([]byte{0x81, 0xfe, 0, 126, 1, 2, 3, 4, 5, 6, 7}, byte(1))
	f.Add([]byte{0x01, 0xff, 0, 0, 0, 0, 0, 0, 0, 2, 1, 2, 3, 4, 5, 6, 0x88, 0x82, 0, 0, 0, 0, 3, 0xe8}, byte(2))
	f.Fuzz(func(t *testing.T, b []byte, step byte) {
		var whole, pieces peer
		want := whole.frames(b, func() int { return max(1, len(b)) })
		next := int(step)
		got := pieces.frames(b, func() int { next = next*7%11 + 1; return next })
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("got  %q\nwant %q", got, want)
		}
		if whole.have > len(whole.head) || len(whole.payload) > maxControlPayload {
			t.Errorf("%d bytes of a head and %d of a payload kept", whole.have, len(whole.payload))
		}
	})
}

// TestPeerKeepsNothingOfMessages, however long they are.
func TestPeerKeepsNothingOfMessages(t *testing.T) {
	var p peer
	head := []byte{0x82, 0xff, 0, 0, 0, 1, 0, 0, 0, 0, 1, 2, 3, 4} // 4 GiB
	if got := p.frames(head, func() int { return 5 }); len(got) != 0 {
		t.Errorf("came %q", got)
	}
	if got := p.frames(bytes.Repeat([]byte{7}, 1<<20), func() int { return 64 }); len(got) != 0 || p.payload != nil || p.left != 1<<32-1<<20 {
		t.Errorf("came %q, %d bytes kept, %d to come", got, len(p.payload), p.left)
	}
}
