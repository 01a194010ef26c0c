package main

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"

	"github.com/replication-gateway/gateway/internal/wal"
)

// advised adds to an error about a data folder what helps against it.
func advised(err error, dir string) error {
	var advice string
	switch {
	case errors.Is(err, wal.ErrLocked):
		advice = "stop the other gateway, or give this one a --data folder of its own"
	case errors.Is(err, wal.ErrDamaged):
		advice = fmt.Sprintf("all that is wrong:        gateway wal verify %s\n%s\n"+
			"Nothing that was acknowledged has been changed.", quoted(dir), remedies(dir))
	case errors.Is(err, wal.ErrUnfinished):
		advice = "delete the folder and restore the backup again"
	case errors.Is(err, wal.ErrReplacing):
		advice = "start the gateway on the folder once: it finishes what was interrupted"
	case errors.Is(err, syscall.ENOSPC):
		advice = "make room on the disk; the files of the log are not to be deleted by hand"
	case errors.Is(err, syscall.EROFS), errors.Is(err, fs.ErrPermission):
		advice = "the folder and its files must be writable for who runs the gateway"
	default:
		return err
	}
	return withAdvice(err, advice)
}

// remedies says how to go on when a data folder is damaged.
func remedies(dir string) string {
	return fmt.Sprintf("what can still be read:   gateway wal dump %s\n"+
		"to go on from a backup:   gateway snapshot restore BACKUP NEWFOLDER, then serve --data NEWFOLDER\n"+
		"if it is a standby:       gateway serve --data NEWFOLDER --follow PRIMARY", quoted(dir))
}

func withAdvice(err error, advice string) error {
	return fmt.Errorf("%w\n  %s", err, strings.ReplaceAll(advice, "\n", "\n  "))
}

// quoted writes a path so that a shell takes it for one word.
func quoted(path string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("/._-+", r)
	}
	if path != "" && !strings.ContainsFunc(path, func(r rune) bool { return !plain(r) }) {
		return path
	}
	return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
}
