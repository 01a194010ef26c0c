package gateway

import (
	"io"

	"github.com/replication-gateway/gateway/internal/directory"
	"github.com/replication-gateway/gateway/internal/wal"
)

// Backup says what a backup is a backup of.
type Backup struct {
	Position directory.Position
	Rows     uint64
}

func backupOf(s wal.Snapshot) Backup {
	return Backup{Position: lineageOf(s.Lineage).At(s.SeqNo), Rows: s.Rows}
}

// CheckBackup reads a backup to its end and checks all of it, as Restore would.
// What is wrong with it is wal.ErrDamaged. progress is told now and then how
// many rows of how many are read.
func CheckBackup(from io.Reader, progress func(rows, total uint64)) (Backup, error) {
	var b Backup
	err := wal.DecodeSnapshot(from, func(s wal.Snapshot, rows io.Reader) error {
		b = backupOf(s)
		_, err := readRows(s, rows, func(n uint64) { progress(n, s.Rows) })
		return err
	})
	return b, err
}

// Restore makes a data folder of a backup: dir must be empty or not there
// (wal.ErrNotEmpty). A new epoch begins there; readers of the backup's history
// who stood at or before its position may go on. The backup is checked as
// CheckBackup does before the folder can be opened.
func Restore(dir string, from io.Reader, progress func(rows, total uint64)) (b Backup, epoch string, err error) {
	restored, err := wal.Restore(dir, wal.Options{}, from, func(s wal.Snapshot, rows io.Reader) error {
		_, err := readRows(s, rows, func(n uint64) { progress(n, s.Rows) })
		return err
	})
	if err != nil {
		return Backup{}, "", err
	}
	newest := len(restored.Lineage) - 1
	epoch = restored.Lineage[newest].Name
	restored.Lineage = restored.Lineage[:newest]
	return backupOf(restored), epoch, nil
}
