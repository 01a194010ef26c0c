package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/replication-gateway/gateway/bench/internal/command"
	"github.com/replication-gateway/gateway/bench/internal/rawhttp"
	"github.com/replication-gateway/gateway/bench/internal/server"
)

// batches posts as many ops as it takes for n things, in batches as large as may be. add adds the one op of the i-th.
func batches(c *rawhttp.Conn, n int, add func(o *ops, i int)) error {
	var o ops
	for i := 0; i < n; {
		o.reset()
		for ; o.count < maxOps && i < n; i++ {
			add(&o, i)
		}
		if _, err := request(c, "POST", "/batch", o.batch()); err != nil {
			return err
		}
	}
	return nil
}

// stage is a part of loading the fleet.
type stage struct {
	name  string
	rows  int
	posts int
	load  func(*rawhttp.Conn) (posting time.Duration, err error)
}

// stages are those of a fleet, in order.
func (f fleet) stages() []stage {
	batched := func(n int, add func(o *ops, i int)) func(*rawhttp.Conn) (time.Duration, error) {
		return func(c *rawhttp.Conn) (posting time.Duration, err error) {
			start := time.Now()
			err = batches(c, n, add)
			return time.Since(start), err
		}
	}
	batchCount := func(n int) int { return (n + maxOps - 1) / maxOps }
	return []stage{
		{"networks", f.Networks, 1, batched(f.Networks, func(o *ops, i int) { o.putNetwork(1 + i) })},
		{"nodes", f.Nodes, batchCount(f.Nodes), batched(f.Nodes, func(o *ops, i int) { o.putNode(1+i, 0) })},
		{"members", f.Nodes, batchCount(f.Nodes), batched(f.Nodes, func(o *ops, i int) { o.putMember(1+i%f.Networks, 1+i) })},
		{"users", f.Users + 1, 1, f.loadUsers},
	}
}

func (f fleet) loadUsers(c *rawhttp.Conn) (time.Duration, error) {
	persons := make([]int, f.Users)
	for k := range persons {
		persons[k] = f.personOf(k)
	}
	body := directorySync(1, persons, func(int) int { return 0 })
	start := time.Now()
	_, err := request(c, "POST", "/directory-sync", body)
	return time.Since(start), err
}

// loadedFleet is the fleet as three data folders, which figures start gateways on.
type loadedFleet struct {
	killed   string // as kill -9 left it right after the last write
	stopped  string // stopped cleanly
	restored string // made of a backup: one snapshot, no log
}

const loadFigure = "load"

// theFleet returns the loaded fleet, and loads it when nobody has before.
func (b *bench) theFleet(ctx context.Context) (*loadedFleet, error) {
	if b.loaded != nil {
		return b.loaded, nil
	}
	killed, err := b.newFolder("killed")
	if err != nil {
		return nil, err
	}
	b.loaded = &loadedFleet{killed: killed}
	if err := b.load(ctx, killed); err != nil {
		return nil, fmt.Errorf("load the fleet: %w", err)
	}
	if b.loaded.stopped, err = b.copyFolder(killed, "stopped"); err != nil {
		return nil, err
	}
	if err := b.stopCleanly(ctx, b.loaded.stopped); err != nil {
		return nil, err
	}
	b.loaded.restored, err = b.restoreBackup(ctx, b.loaded.stopped)
	return b.loaded, err
}

// load fills an empty data folder with the fleet, and ends with kill -9.
func (b *bench) load(ctx context.Context, data string) error {
	s, err := server.Gateway(ctx, b.program, data)
	if err != nil {
		return err
	}
	defer s.Kill()
	c, err := rawhttp.Dial(s.Addr)
	if err != nil {
		return err
	}
	defer c.Close()
	if err := b.noteMemory(ctx, s, emptyMemory); err != nil {
		return err
	}
	for _, x := range b.Fleet.stages() {
		command.Progress("%s: %d %s", loadFigure, x.rows, x.name)
		before, err := s.Usage()
		if err != nil {
			return err
		}
		took, err := x.load(c)
		if err != nil {
			return err
		}
		after, err := s.Usage()
		if err != nil {
			return err
		}
		b.samples.Note(loadFigure, x.name, 0, map[string]float64{
			"rows": float64(x.rows), "posts": float64(x.posts), "seconds": took.Seconds(), "cpu_seconds": (after.CPU - before.CPU).Seconds(),
		})
	}
	if err := settled(ctx, data); err != nil {
		return err
	}
	if err := b.noteMemory(ctx, s, loadedMemory); err != nil {
		return err
	}
	return b.noteHeap(ctx, s, c, loadedMemory)
}

// stopCleanly starts a gateway on a data folder and stops it, so that it stores a last snapshot.
func (b *bench) stopCleanly(ctx context.Context, data string) error {
	s, err := server.Gateway(ctx, b.program, data)
	if err != nil {
		return err
	}
	defer s.Kill()
	if err := changeOne(s); err != nil {
		return err
	}
	if err := s.Stop(ctx); err != nil {
		return err
	}
	if len(s.Said(snapshotStored)) == 0 {
		return errors.New("a clean stop stored no snapshot")
	}
	return b.noteSnapshots(s, cleanStop, 0, 0)
}

// changeOne changes a node: the last snapshot that fell due may have all that came before.
func changeOne(s *server.Server) error {
	c, err := rawhttp.Dial(s.Addr)
	if err != nil {
		return err
	}
	defer c.Close()
	return batches(c, 1, func(o *ops, _ int) { o.putNode(1, 1) })
}
