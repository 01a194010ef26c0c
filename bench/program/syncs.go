package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"time"

	jsonv2 "github.com/go-json-experiment/json"

	"github.com/replication-gateway/gateway/bench/internal/command"
	"github.com/replication-gateway/gateway/bench/internal/grouping"
	"github.com/replication-gateway/gateway/bench/internal/rawhttp"
	"github.com/replication-gateway/gateway/bench/internal/report"
	"github.com/replication-gateway/gateway/bench/internal/server"
	"github.com/replication-gateway/gateway/internal/directory"
)

// edition is one of the directory syncs that are measured, in the order in which a network gets them.
type edition struct {
	name     string
	sentence string          // the same within one
	says     func(i int) int // of the i-th person
	commits  uint64          // that it must make
}

var editions = []edition{
	{"all new", "all are new", func(int) int { return 0 }, 1},
	{"nothing changes", "nothing changes", func(int) int { return 0 }, 0},
	{"1 % changes", "1 % change", func(i int) int { return oneIn(i, 100) }, 1},
}

// oneIn is 1 for every n-th, and 0 for the others.
func oneIn(i, n int) int {
	if i%n == 0 {
		return 1
	}
	return 0
}

// firstSync is the name of the first of all syncs, which finds hardly any memory that the process has used before.
const firstSync = "all new, the first of the process"

// syncs measures directory syncs beside the bare decoding of their bodies. Each round has a network of its own, which is
// deleted behind it: the state does not grow from round to round, and the memory of one serves the next, as that of the
// decoding does. The first of all rounds is for warming up.
func syncs(ctx context.Context, b *bench) (sections []report.Section, err error) {
	err = b.onGateway(ctx, "sync", func(s *server.Server) error {
		c, err := rawhttp.Dial(s.Addr)
		if err != nil {
			return err
		}
		defer c.Close()
		command.Progress("%s: making %d nodes", syncFigure, b.Entries)
		if err := batches(c, b.Entries, func(o *ops, i int) { o.putNode(1+i, 0) }); err != nil {
			return err
		}
		warm := func(e edition, values map[string]float64) {
			if e.name == editions[0].name {
				b.samples.Note(syncFigure, firstSync, 0, values)
			}
		}
		if err := b.syncRound(ctx, s, c, "warming up", warm); err != nil {
			return err
		}
		for round := range b.Rounds {
			note := func(e edition, values map[string]float64) { b.samples.Note(syncFigure, e.name, round, values) }
			if err := b.syncRound(ctx, s, c, fmt.Sprintf("round %d", round+1), note); err != nil {
				return err
			}
		}
		return nil
	})
	return []report.Section{b.syncSection()}, err
}

// syncRound makes a network whose members are all nodes, sends it the editions, and deletes it again.
func (b *bench) syncRound(ctx context.Context, s *server.Server, c *rawhttp.Conn, name string, note func(edition, map[string]float64)) error {
	const network = 1
	if err := batches(c, 1, func(o *ops, _ int) { o.putNetwork(network) }); err != nil {
		return err
	}
	if err := batches(c, b.Entries, func(o *ops, i int) { o.putMember(network, 1+i) }); err != nil {
		return err
	}
	persons := make([]int, b.Entries)
	for i := range persons {
		persons[i] = 1 + i
	}
	for _, e := range editions {
		if err := ctx.Err(); err != nil {
			return err
		}
		body := directorySync(network, persons, e.says)
		values, err := decodeBare(body, b.Entries)
		if err != nil {
			return err
		}
		before, err := tallyOf(ctx, s)
		if err != nil {
			return err
		}
		if err := b.syncOnce(s, c, body, values); err != nil {
			return fmt.Errorf("%s: %w", e.name, err)
		}
		after, err := tallyOf(ctx, s)
		if err != nil {
			return err
		}
		if made := after.seqNo - before.seqNo; made != e.commits {
			return fmt.Errorf("%s: %d commits, want %d", e.name, made, e.commits)
		}
		note(e, values)
		command.Progress("%s, %s, %s: %.0f ms, decoding alone %.0f ms", syncFigure, name, e.name, values["ms"], values["decode_ms"])
	}
	_, err := request(c, "DELETE", fmt.Sprintf("/networks/%d", network), nil)
	return err
}

// decodeBare decodes a body as a library does that knows nothing but the struct, and notes what that took. The body is
// in memory already.
func decodeBare(body []byte, entries int) (map[string]float64, error) {
	runtime.GC()
	var request directory.DirectorySyncRequest
	start, cpu := time.Now(), grouping.CPUTime()
	if err := jsonv2.Unmarshal(body, &request); err != nil {
		return nil, fmt.Errorf("decode: %w", err)
	}
	values := map[string]float64{
		"decode_ms": millis(time.Since(start)), "decode_cpu_ms": millis(grouping.CPUTime() - cpu), "body_bytes": float64(len(body)),
	}
	if len(request.Entries) != entries {
		return nil, fmt.Errorf("decoded %d entries of %d", len(request.Entries), entries)
	}
	return values, nil
}

// syncOnce posts a directory sync and adds what it took.
func (b *bench) syncOnce(s *server.Server, c *rawhttp.Conn, body []byte, values map[string]float64) error {
	post := rawhttp.Request("POST", "/directory-sync", server.Token, body)
	runtime.GC() // so that reading the answer waits for no collection of ours
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	before, err := s.Usage()
	if err != nil {
		return err
	}
	start := time.Now()
	a, err := c.Do(post)
	took := time.Since(start)
	if err != nil {
		return err
	}
	after, err := s.Usage()
	if err != nil {
		return err
	}
	var says directory.DirectorySyncResult
	if err := errors.Join(granted(a), json.Unmarshal(a.Body, &says)); err != nil {
		return err
	}
	if len(says.Items) != b.Entries || says.Mapped != b.Entries {
		return fmt.Errorf("%d items and %d mapped of %d entries", len(says.Items), says.Mapped, b.Entries)
	}
	values["ms"], values["first_byte_ms"] = millis(took), millis(a.First.Sub(start))
	values["cpu_ms"], values["answer_bytes"] = millis(after.CPU-before.CPU), float64(len(a.Body))
	return nil
}
