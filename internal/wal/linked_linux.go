package wal

import (
	"os"

	"golang.org/x/sys/unix"
)

// linked tells whether an open file has a name. It asks for nothing but that: since Linux 6.13 a look at a file's times
// has the next write set new ones, and its sync wait for the journal, which costs a third of a commit.
func linked(f *os.File) (bool, error) {
	var s unix.Statx_t
	err := unix.Statx(int(f.Fd()), "", unix.AT_EMPTY_PATH, unix.STATX_NLINK, &s)
	if err != nil || s.Mask&unix.STATX_NLINK == 0 { // where it is not known, or not allowed
		return linkedByStat(f)
	}
	return s.Nlink > 0, nil
}
