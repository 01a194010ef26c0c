package wal

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// datasync makes a file's bytes and size durable, and leaves out what a reader does not need, such as its times: a
// write inside a zero-filled segment then costs no journal entry.
func datasync(f *os.File) error {
	for {
		if err := unix.Fdatasync(int(f.Fd())); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}
