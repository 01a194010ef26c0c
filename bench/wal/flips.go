package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"

	"github.com/replication-gateway/gateway/bench/internal/command"
	"github.com/replication-gateway/gateway/bench/internal/logs"
	"github.com/replication-gateway/gateway/bench/internal/report"
)

const (
	flipRecords = 2000
	flipsFigure = "flips"
)

// outcome is what a log with one bit flipped led to when it was opened and read.
type outcome string

const (
	reported outcome = "reported"           // an error, or a panic
	cut      outcome = "cut in silence"     // no error, and acknowledged records at the end are missing
	cutSaid  outcome = "cut, said so"       // the same, but the log says that it cut off an unfinished write
	wrong    outcome = "served as good"     // no error, and a record that differs, is out of its place or was never written
	harmless outcome = "all records intact" // no error, and every record as it was written
)

var outcomes = []outcome{reported, cutSaid, cut, wrong, harmless}

// flip is one bit, and what came of it.
type flip struct {
	Record  int     `json:"record"` // from 0
	Framing bool    `json:"framing"`
	Offset  int     `json:"offset"` // in the file
	Bit     int     `json:"bit"`
	Outcome outcome `json:"outcome"`
	Lost    int     `json:"lost,omitempty"` // acknowledged records that were cut
	Said    string  `json:"said,omitempty"`
}

// flips flips bits of acknowledged records, one at a time, and opens and reads the log.
func flips(ctx context.Context, b *bench) ([]report.Section, error) {
	s := report.Section{
		Title: "A flipped bit in an acknowledged record",
		Text: fmt.Sprintf("%s records of 120 to 300 bytes are written and acknowledged in groups of 1 to 20. The folder is "+
			"kept as kill -9 leaves it. Then one bit is flipped, in the record or in what the format puts before it, "+
			"at %d places, each in a fresh copy, and the log is opened and read as a program that starts on it does. Worst cut: the most acknowledged records that one bit cost.",
			report.Count(flipRecords), b.Flips),
	}
	s.Table.Head = []string{"candidate"}
	for _, o := range outcomes {
		s.Table.Head = append(s.Table.Head, string(o))
	}
	s.Table.Head = append(s.Table.Head, "worst cut")
	for _, c := range logs.Peers() {
		found, err := b.flipAll(ctx, c)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", c.Name, err)
		}
		count, worst := map[outcome]int{}, 0
		for i := range found {
			count[found[i].Outcome]++
			worst = max(worst, found[i].Lost)
		}
		b.flips[c.Name] = found
		row := []string{c.Name}
		for _, o := range outcomes {
			row = append(row, fmt.Sprint(count[o]))
		}
		s.Table.Add(append(row, fmt.Sprint(worst))...)
		command.Progress("%s, %s: %v", flipsFigure, c.Name, count)
	}
	return []report.Section{s}, nil
}

// flipAll writes a log, flips its bits and returns what came of each.
func (b *bench) flipAll(ctx context.Context, c logs.Candidate) ([]flip, error) {
	random := rand.New(rand.NewPCG(b.Seed, 3)) // the same records and groups for all
	im, records, err := b.writeImage(c, random)
	if err != nil {
		return nil, err
	}
	places := im.locate(records)
	if len(places) < len(records)*9/10 {
		return nil, fmt.Errorf("only %d of %d records can be found in the files", len(places), len(records))
	}
	found := make([]flip, 0, b.Flips)
	for range b.Flips {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		p := places[random.IntN(len(places))]
		f := flip{Record: p.record, Offset: p.from + random.IntN(p.to-p.from), Bit: random.IntN(8)}
		f.Framing = f.Offset < p.body
		if err := b.tryFlip(c, im, p.file, records, &f); err != nil {
			return nil, err
		}
		found = append(found, f)
	}
	return found, nil
}

// writeImage writes records and returns the folder as it is while the log is still open.
func (b *bench) writeImage(c logs.Candidate, random *rand.Rand) (_ *image, _ [][]byte, err error) {
	opened, err := b.open([]logs.Candidate{c})
	if err != nil {
		return nil, nil, err
	}
	defer func() { err = errors.Join(err, closeAll(opened)) }()
	records := make([][]byte, flipRecords)
	for i := range records {
		records[i] = logs.Record(random, i, 120+random.IntN(181))
	}
	for done := 0; done < len(records); {
		n := min(1+random.IntN(20), len(records)-done)
		if err := opened[0].log.Append(uint64(done)+1, records[done:done+n]); err != nil {
			return nil, nil, err
		}
		done += n
	}
	im, err := takeImage(opened[0].dir)
	return im, records, err
}

// tryFlip reads a copy of the image with one bit flipped, and fills in what came of it.
func (b *bench) tryFlip(c logs.Candidate, im *image, file int, records [][]byte, f *flip) (err error) {
	dir, err := os.MkdirTemp(b.dir, "flip-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	im.files[file].b[f.Offset] ^= 1 << f.Bit
	err = im.restore(dir)
	im.files[file].b[f.Offset] ^= 1 << f.Bit
	if err != nil {
		return err
	}
	o, n, said := judge(c, dir, records)
	f.Outcome = o
	if o == cut || o == cutSaid {
		f.Lost = len(records) - n
	}
	if said != nil {
		f.Said = strings.ReplaceAll(said.Error(), dir, "DIR")
	}
	return nil
}

var errDiffers = errors.New("not what was written")

// judge opens and reads a log and compares it with what was acknowledged. It returns how many records came as they
// were written, and the error of the log, if any.
func judge(c logs.Candidate, dir string, want [][]byte) (came outcome, n int, said error) {
	defer func() {
		if r := recover(); r != nil {
			came, said = reported, fmt.Errorf("panic: %v", r)
		}
	}()
	r, err := c.Reader(dir)
	if err != nil {
		return reported, 0, err
	}
	defer func() { _ = r.Close() }() // what was read counts
	err = r.Each(func(record []byte) error {
		if n >= len(want) || !bytes.Equal(record, want[n]) {
			return errDiffers
		}
		n++
		return nil
	})
	switch {
	case errors.Is(err, errDiffers):
		return wrong, n, nil
	case err != nil:
		return reported, n, err
	case n == len(want):
		return harmless, n, nil
	case c.Cut != nil && c.Cut(r):
		return cutSaid, n, nil
	default:
		return cut, n, nil
	}
}
