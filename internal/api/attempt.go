package api

// noDescriptor stands for that of a connection which cannot be written to past its
// Write, as with TLS.
const noDescriptor = -1

// attempt writes frames to a descriptor as far as the kernel takes them now, and
// returns how many bytes that were. A peer that takes nothing is no error.
func attempt(fd int, frames [][]byte) (n int, err error) {
	for at := 0; at < len(frames); {
		group := frames[at:min(at+maxGather, len(frames))]
		taken, err := writeNow(fd, group)
		n += taken
		if err != nil || taken < size(group) {
			return n, err
		}
		at += len(group)
	}
	return n, nil
}

func size(frames [][]byte) (n int) {
	for _, f := range frames {
		n += len(f)
	}
	return n
}
