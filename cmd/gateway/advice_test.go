package main

import (
	"fmt"
	"io/fs"
	"strings"
	"syscall"
	"testing"

	"github.com/replication-gateway/gateway/internal/wal"
)

// Whatever a start is refused for, the refusal keeps what is wrong and says what
// helps.
func TestRefusalsSayWhatHelps(t *testing.T) {
	for want, err := range map[string]error{
		"must be writable":                        &fs.PathError{Op: "open", Path: "/d/lock", Err: syscall.EROFS},
		"must be writable for who runs":           &fs.PathError{Op: "open", Path: "/d/lock", Err: fs.ErrPermission},
		"make room on the disk":                   &fs.PathError{Op: "write", Path: "/d/1.log", Err: syscall.ENOSPC},
		"stop the other gateway":                  wal.ErrLocked,
		"restore the backup again":                wal.ErrUnfinished,
		"start the gateway on the folder once":    wal.ErrReplacing,
		"gateway wal verify '/d e'":               &wal.DamageError{File: "/d e/1.log", Offset: 544, SeqNo: 2, Reason: "why"},
		"gateway wal dump '/d e'":                 wal.ErrDamaged,
		"gateway snapshot restore BACKUP":         wal.ErrDamaged,
		"gateway serve --data NEWFOLDER --follow": wal.ErrDamaged,
	} {
		advice := advised(fmt.Errorf("open: %w", err), "/d e").Error()
		if !strings.HasPrefix(advice, "open: "+err.Error()+"\n") || !strings.Contains(advice, want) {
			t.Errorf("%v: %q is not in\n%s", err, want, advice)
		}
	}
}
