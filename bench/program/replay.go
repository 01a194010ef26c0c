package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/replication-gateway/gateway/bench/internal/command"
	"github.com/replication-gateway/gateway/bench/internal/rawhttp"
	"github.com/replication-gateway/gateway/bench/internal/report"
	"github.com/replication-gateway/gateway/bench/internal/server"
)

const (
	replayFigure = "replay"

	// maxReplay keeps the log below the 64 MiB at which a gateway stores a snapshot.
	maxReplay = 250_000
	// replayConnections write the commits of one row.
	replayConnections = 64
)

// replay measures starts of the same rows from a log of small commits, a log of large ones, and a snapshot.
func replay(ctx context.Context, b *bench) ([]report.Section, error) {
	var folders []startable
	for _, x := range []struct {
		name  string
		write func(*server.Server) error
	}{
		{"log, one row a commit", b.writeRows},
		{fmt.Sprintf("log, %s rows a commit", report.Count(maxOps)), b.writeBatches},
	} {
		command.Progress("%s: writing %s", replayFigure, x.name)
		data, err := b.newFolder("replay")
		if err != nil {
			return nil, err
		}
		folders = append(folders, startable{name: x.name, data: data, rows: b.Replay, intact: logAlone})
		if err := b.writeAndKill(ctx, data, x.write); err != nil {
			return nil, fmt.Errorf("%s: %w", x.name, err)
		}
	}
	stopped, err := b.copyFolder(folders[1].data, "stopped")
	if err != nil {
		return nil, err
	}
	restored, err := b.restoreBackup(ctx, stopped)
	if err != nil {
		return nil, err
	}
	folders = append(folders, startable{name: "snapshot", data: restored, rows: b.Replay, intact: snapshotAlone})
	if err := b.starts(ctx, replayFigure, folders); err != nil {
		return nil, err
	}
	return []report.Section{{
		Title: "Replay",
		Text: fmt.Sprintf("Starts on %s nodes that a gateway took and was ended with kill -9 before its first snapshot was due, and on the same rows "+
			"restored from a backup. Without a snapshot every commit is decoded and applied from the log alone.", report.Count(float64(b.Replay))),
		Table: b.startTable(replayFigure, folders),
	}}, nil
}

// writeAndKill runs a gateway on an empty data folder until write is through, and kills it.
func (b *bench) writeAndKill(ctx context.Context, data string, write func(*server.Server) error) error {
	s, err := server.Gateway(ctx, b.program, data)
	if err != nil {
		return err
	}
	defer s.Kill()
	return write(s)
}

// writeBatches puts the rows in batches.
func (b *bench) writeBatches(s *server.Server) error {
	c, err := rawhttp.Dial(s.Addr)
	if err != nil {
		return err
	}
	defer c.Close()
	return batches(c, b.Replay, func(o *ops, i int) { o.putNode(1+i, 0) })
}

// writeRows puts the rows one by one.
func (b *bench) writeRows(s *server.Server) error {
	connections := min(replayConnections, b.Replay)
	writers, err := dialAll(s, connections, b.Replay, 0, 10*time.Minute)
	if err != nil {
		return err
	}
	defer closeAll(writers)
	var running sync.WaitGroup
	for i, w := range writers {
		running.Go(func() {
			for n := i; n < b.Replay && w.err == nil; n += connections {
				w.err = w.put()
			}
		})
	}
	running.Wait()
	var errs []error
	for _, w := range writers {
		errs = append(errs, w.err)
	}
	return errors.Join(errs...)
}
