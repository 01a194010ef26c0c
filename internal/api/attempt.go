package api

import "syscall"

// attempt is a write that does not wait for the peer. It is used again and again,
// by one goroutine at a time, so that a delivery allocates nothing.
type attempt struct {
	frames [][]byte
	n      int
	err    error
	do     func(fd uintptr) bool
}

// write writes frames as far as the kernel takes them now, and returns how many
// bytes that were. A peer that takes nothing is no error.
func (a *attempt) write(raw syscall.RawConn, frames [][]byte) (n int, err error) {
	if a.do == nil {
		a.do = a.try
	}
	a.frames, a.n, a.err = frames, 0, nil
	err = raw.Write(a.do)
	a.frames = nil
	if err == nil {
		err = a.err
	}
	return a.n, err
}

// try is given the descriptor and returns true: the attempt is over.
func (a *attempt) try(fd uintptr) bool {
	for at := 0; at < len(a.frames); {
		group := a.frames[at:min(at+maxGather, len(a.frames))]
		n, err := writeNow(int(fd), group)
		if err != nil {
			a.err = err
			return true
		}
		a.n += n
		if n < size(group) {
			return true
		}
		at += len(group)
	}
	return true
}

func size(frames [][]byte) (n int) {
	for _, f := range frames {
		n += len(f)
	}
	return n
}
