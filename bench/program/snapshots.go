package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/replication-gateway/gateway/bench/internal/command"
	"github.com/replication-gateway/gateway/bench/internal/figures"
	"github.com/replication-gateway/gateway/bench/internal/rawhttp"
	"github.com/replication-gateway/gateway/bench/internal/report"
	"github.com/replication-gateway/gateway/bench/internal/server"
)

const (
	besideFigure   = "commit latency"
	snapshotFigure = "snapshot"
	cleanStop      = "clean stop"

	// snapshotStored is what the gateway says when it has stored a snapshot.
	snapshotStored = "snapshot stored"

	// streamMade sets the puts of one stream apart from those of all others.
	streamMade = 10_000_000
)

// storedReport is what it says of it.
type storedReport struct {
	Rows, Bytes float64
	DurationMS  float64 `json:"duration_ms"`
	Time        time.Time
}

// noteSnapshots notes the snapshots that a gateway has said it stored, from the n-th on, counted from 0.
func (b *bench) noteSnapshots(s *server.Server, candidate string, round, n int) error {
	for _, line := range s.Said(snapshotStored)[n:] {
		var says storedReport
		if err := line.Decode(&says); err != nil {
			return err
		}
		b.samples.Note(snapshotFigure, candidate, round, map[string]float64{
			"seconds": says.DurationMS / 1e3, "rows": says.Rows, "bytes": says.Bytes,
		})
	}
	return nil
}

// beside is something that goes on beside a stream of puts. It returns from when to when.
type beside struct {
	name string
	do   func(context.Context, *besideRun) (from, to time.Time, err error)
}

var besides = []beside{
	{"nothing else", nothingElse},
	{"a snapshot is stored", whileStoring},
	{"a backup is fetched", whileBackup},
}

// besideRun is the gateway that all of it happens to.
type besideRun struct {
	*bench
	server *server.Server
	data   string
	conn   *rawhttp.Conn
	grow   grower
	turns  int
}

// snapshots measures how long commits take while the state is being stored.
func snapshots(ctx context.Context, b *bench) ([]report.Section, error) {
	loaded, err := b.theFleet(ctx)
	if err != nil {
		return nil, err
	}
	r := besideRun{bench: b, grow: grower{nodes: b.Fleet.Nodes}}
	if r.data, err = b.copyFolder(loaded.stopped, "snapshots"); err != nil {
		return nil, err
	}
	if r.server, err = server.Gateway(ctx, b.program, r.data); err != nil {
		return nil, err
	}
	defer r.server.Kill()
	if r.conn, err = rawhttp.Dial(r.server.Addr); err != nil {
		return nil, err
	}
	defer r.conn.Close()
	if err := figures.Turns(ctx, b.Rounds, besides, func(round int, x beside) error { return r.turn(ctx, round, x) }); err != nil {
		return nil, err
	}
	if err := b.noteSnapshots(r.server, besideFigure, 0, 0); err != nil {
		return nil, err
	}
	return []report.Section{b.besideSection()}, nil
}

// turn measures once. What was over before a put was due is done again: a small state is stored within a moment.
func (r *besideRun) turn(ctx context.Context, round int, x beside) error {
	const most = 10
	for range most {
		from, to, took, err := r.observe(ctx, x)
		if err != nil {
			return fmt.Errorf("%s: %w", x.name, err)
		}
		if took.Len() > 0 {
			r.noteBeside(round, x, from, to, took)
			return nil
		}
	}
	return fmt.Errorf("%s: it is over before a put is due; put more often", x.name)
}

// observe lets a stream of puts go on beside x.
func (r *besideRun) observe(ctx context.Context, x beside) (from, to time.Time, took *figures.Latencies, err error) {
	if err := settled(ctx, r.data); err != nil {
		return from, to, nil, err
	}
	r.turns++
	puts, err := startStream(r.server, r.Rate, pacedConnections, r.turns*streamMade)
	if err != nil {
		return from, to, nil, err
	}
	time.Sleep(r.Warm)
	from, to, err = x.do(ctx, r)
	all, streamErr := puts.end()
	return from, to, during(all, from, to), errors.Join(err, streamErr)
}

func (r *besideRun) noteBeside(round int, x beside, from, to time.Time, took *figures.Latencies) {
	r.samples.Note(besideFigure, x.name, round, map[string]float64{
		"p50_ms": millis(took.Quantile(0.5)), "p99_ms": millis(took.Quantile(0.99)), "max_ms": millis(took.Max()),
		"commits": float64(took.Len()), "seconds": to.Sub(from).Seconds(),
	})
	command.Progress("%s, round %d, %s: p50 %s ms, p99 %s ms of %d", besideFigure, round+1, x.name,
		report.Number(millis(took.Quantile(0.5))), report.Number(millis(took.Quantile(0.99))), took.Len())
}

func nothingElse(_ context.Context, r *besideRun) (from, to time.Time, err error) {
	from = time.Now()
	time.Sleep(r.For)
	return from, time.Now(), nil
}

// whileStoring makes the log grow until the gateway stores a snapshot by itself, and waits until it is stored.
func whileStoring(ctx context.Context, r *besideRun) (from, to time.Time, err error) {
	begun, heard := time.Now(), len(r.server.Said(snapshotStored))
	for {
		if err := r.grow.post(r.conn); err != nil {
			return from, to, err
		}
		// The gateway begins right after it has answered the batch that was enough.
		time.Sleep(20 * time.Millisecond)
		under, err := storing(r.data)
		if err != nil {
			return from, to, err
		}
		for under || len(r.server.Said(snapshotStored)) > heard {
			line, err := r.server.Await(ctx, snapshotStored, heard+1)
			if err != nil {
				return from, to, err
			}
			heard++
			// It is said only when the log has been cut as well, so the first to come may be of a snapshot before this turn.
			if from, to, err = storedWhen(line); err != nil || !from.Before(begun) {
				return from, to, err
			}
		}
		if err := ctx.Err(); err != nil {
			return from, to, err
		}
	}
}

// storedWhen is from when to when a snapshot was stored, as the gateway tells it.
func storedWhen(line server.Line) (from, to time.Time, err error) {
	var says storedReport
	err = line.Decode(&says)
	return says.Time.Add(-time.Duration(says.DurationMS * float64(time.Millisecond))), says.Time, err
}

// whileBackup fetches a backup, which encodes the state as a snapshot does and goes out over HTTP.
func whileBackup(ctx context.Context, r *besideRun) (from, to time.Time, err error) {
	from = time.Now()
	err = r.server.Get(ctx, "/backup", func(body io.Reader) error {
		_, err := io.Copy(io.Discard, body)
		return err
	})
	return from, time.Now(), err
}

// grower changes the nodes of the fleet over and over, so that the log grows and the state does not.
type grower struct {
	nodes            int
	next, generation int
	ops              ops
}

// post changes as many nodes as a batch takes.
func (g *grower) post(c *rawhttp.Conn) error {
	g.fill()
	_, err := request(c, "POST", "/batch", g.ops.batch())
	return err
}

// fill fills the batch.
func (g *grower) fill() {
	g.ops.reset()
	for g.ops.count < maxOps {
		if g.next%g.nodes == 0 {
			g.next, g.generation = 0, g.generation%999+1
		}
		g.next++
		g.ops.putNode(g.next, g.generation)
	}
}
