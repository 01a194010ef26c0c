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
	remoteFlags
	File string `arg:"" help:"File to write: mode 0600, whole or not at all. It holds the hashes of tokens and stored answers."`
}

// Run fetches the backup and checks it on its way to the disk, so that no file
// is left that cannot be restored.
func (c snapshotSaveCmd) Run(ctx context.Context, std stdio) error {
	resp, err := c.do(ctx, http.MethodGet, "/backup", nil, nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	meter := newMeter(std, "rows")
	var backup gateway.Backup
	body := &brokenOff{from: resp.Body}
	err = wholefile.Write(c.File, func(w io.Writer) (err error) {
		backup, err = gateway.CheckBackup(io.TeeReader(body, w), meter.show)
		return err
	})
	meter.wipe()
	if body.err != nil { // which the check takes for a backup that is cut short
		return fmt.Errorf("the gateway broke the backup off, nothing was saved: %w", body.err)
	}
	if err != nil {
		return fmt.Errorf("nothing was saved: %w", err)
	}
	_, err = fmt.Fprintf(std.out, "%s: %d rows at %v\n", c.File, backup.Rows, backup.Position)
	return err
}

// brokenOff remembers why no more came.
type brokenOff struct {
	from io.Reader
	err  error // nil at a proper end
}

func (b *brokenOff) Read(p []byte) (int, error) {
	n, err := b.from.Read(p)
	if err != nil && err != io.EOF {
		b.err = err
	}
	return n, err
}

// snapshotRestoreCmd makes a data folder of a backup.
type snapshotRestoreCmd struct {
	File string `arg:"" help:"Backup to read."`
	Dir  string `arg:"" help:"Data folder to make; empty, or not there yet."`
}

// Run restores the backup.
func (c snapshotRestoreCmd) Run(std stdio) error {
	endAtOnce() // a folder that is not whole says so
	f, err := os.Open(c.File)
	if err != nil {
		return err
	}
	defer f.Close()
	meter := newMeter(std, "rows")
	backup, epoch, err := gateway.Restore(c.Dir, f, meter.show)
	meter.wipe()
	if errors.Is(err, wal.ErrDamaged) {
		return withAdvice(fmt.Errorf("%s: %w", c.File, err), "nothing was restored; take another backup")
	}
	if err != nil {
		return advised(err, c.Dir)
	}
	_, err = fmt.Fprintf(std.out, "%s: %d rows of %v; epoch %s begins here\n", c.Dir, backup.Rows, backup.Position, epoch)
	return err
}
