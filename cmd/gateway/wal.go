package main

import (
	"bufio"
	"errors"
	"fmt"
	"path/filepath"
	"text/tabwriter"

	"github.com/replication-gateway/gateway/internal/directory"
	"github.com/replication-gateway/gateway/internal/gateway"
	"github.com/replication-gateway/gateway/internal/wal"
)

// walCmd is about the data folder of a stopped gateway.
type walCmd struct {
	Verify walVerifyCmd `cmd:"" help:"Check the data of a stopped gateway. Exits 1 on damage and says where it is."`
	Dump   walDumpCmd   `cmd:"" help:"Print the commits in the log of a stopped gateway as JSON lines."`
}

// walVerifyCmd checks a data folder.
type walVerifyCmd struct {
	Dir string `arg:"" help:"Data folder. Nothing in it is changed."`
}

// Run prints a line for each file, and then what is wrong.
func (c walVerifyCmd) Run(std stdio) error {
	endAtOnce()
	meter := newMeter(std, "bytes")
	table := tabwriter.NewWriter(std.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "FILE\tHOLDS\tBYTES\tSTATE")
	var damage []*wal.DamageError
	startable, standIn := true, false // damage ends no start; something takes the place of what is damaged
	err := gateway.Verify(c.Dir, func(f wal.Checked) {
		if !f.Done {
			meter.show(uint64(f.Bytes), uint64(f.Size))
			return
		}
		if f.Damage != nil {
			damage = append(damage, f.Damage)
			startable = startable && f.Kind == wal.SnapshotFile
		}
		standIn = standIn || f.Kind == wal.SnapshotFile && f.Damage == nil || f.First == 1
		if f.Kind != wal.WholeLog {
			fmt.Fprintf(table, "%s\t%s\t%d\t%s\n", filepath.Base(f.Path), holds(f), f.Size, stateOf(f))
		}
	})
	meter.wipe()
	if len(damage) == 0 && err != nil {
		return advised(err, c.Dir)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	for _, d := range damage {
		fmt.Fprintf(std.out, "\n%s\n  offset %d, seq_no %d: %s\n", d.File, d.Offset, d.SeqNo, d.Reason)
	}
	if len(damage) == 0 {
		return nil
	}
	advice := remedies(c.Dir)
	if startable && standIn {
		advice = "The gateway starts all the same, and loses nothing: it does without the snapshot."
	}
	return withAdvice(fmt.Errorf("%s is damaged in %d places", c.Dir, len(damage)), advice)
}

func holds(f wal.Checked) string {
	switch {
	case f.Kind == wal.SnapshotFile:
		return fmt.Sprintf("%d rows at commit %d", f.Records, f.Last)
	case f.Kind == wal.CommittedFile:
		return fmt.Sprintf("shown up to commit %d", f.Last)
	case f.Records == 0:
		return "no commits"
	default:
		return fmt.Sprintf("commits %d to %d", f.First, f.Last)
	}
}

func stateOf(f wal.Checked) string {
	switch {
	case f.Damage != nil:
		return "DAMAGED"
	case f.Torn != nil:
		return fmt.Sprintf("sound; a last write at offset %d was never finished and will be cut off", f.Torn.Offset)
	default:
		return "sound"
	}
}

// walDumpCmd prints a data folder.
type walDumpCmd struct {
	Dir string `arg:"" help:"Data folder. Nothing in it is changed."`
}

// Run prints each commit as an object with its seq_no and its entries. On
// damage it ends with what could be read.
func (c walDumpCmd) Run(std stdio) error {
	endAtOnce()
	out := bufio.NewWriterSize(std.out, 64<<10)
	var line []byte
	recovery, err := gateway.Dump(c.Dir, func(commit directory.Commit) error {
		line = commit.AppendLine(line[:0])
		_, err := out.Write(line)
		return err
	})
	err = errors.Join(err, out.Flush())
	if err != nil {
		return advised(err, c.Dir)
	}
	if recovery.Torn != nil {
		fmt.Fprintf(std.err, "a last write, with seq_no %d at offset %d of %s, was never finished and is not printed\n",
			recovery.Torn.SeqNo, recovery.Torn.Offset, recovery.Torn.File)
	}
	return nil
}
