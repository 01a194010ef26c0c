package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"

	"github.com/replication-gateway/gateway/internal/gateway"
	"github.com/replication-gateway/gateway/internal/wal"
	"github.com/replication-gateway/gateway/internal/wholefile"
)

// snapshotCmd is about backups.
type snapshotCmd struct {
	Save    snapshotSaveCmd    `cmd:"" help:"Back a running gateway up to a file, without stopping it."`
	Restore snapshotRestoreCmd `cmd:"" help:"Make a data folder of a backup. A new epoch begins there."`
}

// snapshotSaveCmd writes a backup.
type snapshotSaveCmd struct {
	remoteFlags `embed:""`
	File        string `arg:"" help:"File to write: mode 0600, whole or not at all. It holds the hashes of tokens and stored answers."`
}

// Run fetches the backup and checks it on its way to the disk, so that no file
// is left that cannot be restored.
func (c snapshotSaveCmd) Run(ctx context.Context, stdio stdio) error {
	resp, err := c.do(ctx, http.MethodGet, "/backup", nil, nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	meter := newMeter(stdio, "rows")
	var backup gateway.Backup
	err = wholefile.Write(c.File, func(w io.Writer) (err error) {
		backup, err = gateway.CheckBackup(io.TeeReader(resp.Body, w), meter.show)
		return err
	})
	meter.wipe()
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(stdio.out, "%s: %d rows at %v\n", c.File, backup.Rows, backup.Position)
	return err
}

// snapshotRestoreCmd makes a data folder of a backup.
type snapshotRestoreCmd struct {
	File string `arg:"" help:"Backup to read."`
	Dir  string `arg:"" help:"Data folder to make; empty, or not there yet."`
}

// Run restores the backup.
func (c snapshotRestoreCmd) Run(stdio stdio) error {
	f, err := os.Open(c.File)
	if err != nil {
		return err
	}
	defer f.Close()
	meter := newMeter(stdio, "rows")
	backup, epoch, err := gateway.Restore(c.Dir, f, meter.show)
	meter.wipe()
	if errors.Is(err, wal.ErrDamaged) {
		return withAdvice(fmt.Errorf("%s: %w", c.File, err), "nothing was restored; take another backup")
	}
	if err != nil {
		return advised(err, c.Dir)
	}
	_, err = fmt.Fprintf(stdio.out, "%s: %d rows of %v; epoch %s begins here\n", c.Dir, backup.Rows, backup.Position, epoch)
	return err
}
