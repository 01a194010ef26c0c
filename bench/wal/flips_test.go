package main

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/replication-gateway/gateway/bench/internal/logs"
)

// lines is a reader that yields what a test says.
type lines struct {
	records [][]byte
	err     error
	panics  bool
}

func (l lines) Each(yield func([]byte) error) error {
	for _, r := range l.records {
		if err := yield(r); err != nil {
			return err
		}
	}
	if l.panics {
		panic("index out of range")
	}
	return l.err
}

func (lines) Close() error { return nil }

func TestJudge(t *testing.T) {
	a, b, c := []byte("a"), []byte("b"), []byte("c")
	want := [][]byte{a, b, c}
	said := func(logs.Reader) bool { return true }
	for name, x := range map[string]struct {
		reader  logs.Reader
		opening error
		cut     func(logs.Reader) bool
		outcome outcome
		intact  int
	}{
		"all there":             {lines{records: want}, nil, nil, harmless, 3},
		"all there, cut beyond": {lines{records: want}, nil, said, harmless, 3},
		"refused":               {nil, errors.New("no"), nil, reported, 0},
		"error while reading":   {lines{records: want[:1], err: errors.New("no")}, nil, nil, reported, 1},
		"error at the end":      {lines{records: want, err: errors.New("no")}, nil, nil, reported, 3},
		"panic":                 {lines{records: want[:2], panics: true}, nil, nil, reported, 2},
		"short":                 {lines{records: want[:2]}, nil, nil, cut, 2},
		"empty":                 {lines{}, nil, nil, cut, 0},
		"short, said so":        {lines{records: want[:2]}, nil, said, cutSaid, 2},
		"altered":               {lines{records: [][]byte{a, []byte("B"), c}}, nil, nil, wrong, 1},
		"one left out":          {lines{records: [][]byte{a, c}}, nil, nil, wrong, 1},
		"one twice":             {lines{records: [][]byte{a, a, b, c}}, nil, nil, wrong, 1},
		"one more":              {lines{records: [][]byte{a, b, c, a}}, nil, nil, wrong, 3},
	} {
		candidate := logs.Candidate{Cut: x.cut, Reader: func(string) (logs.Reader, error) { return x.reader, x.opening }}
		got, n, err := judge(candidate, "", want)
		if got != x.outcome || n != x.intact {
			t.Errorf("%s: %q after %d records, want %q after %d", name, got, n, x.outcome, x.intact)
		}
		if (err != nil) != (got == reported) {
			t.Errorf("%s: %q with error %v", name, got, err)
		}
	}
}

func TestLocate(t *testing.T) {
	im := &image{files: []imageFile{
		{"a", []byte("HEAD..one..two....")},
		{"b", []byte("HEAD..thr--ee..four..FIVE")},
	}}
	want := []place{
		{record: 0, file: 0, from: 6, body: 6, to: 9},
		{record: 1, file: 0, from: 9, body: 11, to: 14},
		{record: 3, file: 1, from: 15, body: 15, to: 19},
		{record: 4, file: 1, from: 19, body: 21, to: 25},
	}
	got := im.locate([][]byte{[]byte("one"), []byte("two"), []byte("three"), []byte("four"), []byte("FIVE")})
	if len(got) != len(want) {
		t.Fatalf("got %+v, want %+v", got, want)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("got %+v, want %+v", got[i], want[i])
		}
	}
}

func TestImageIsRestoredAsItWas(t *testing.T) {
	dir := t.TempDir()
	random := rand.New(rand.NewPCG(1, 1))
	want := map[string][]byte{"empty": {}, "sub/zeros": make([]byte, 3*pageSize+5), "sub/mixed": make([]byte, 5*pageSize+7)}
	for i := range want["sub/mixed"][2*pageSize:] {
		want["sub/mixed"][2*pageSize+i] = byte(random.Uint32())
	}
	if err := os.Mkdir(filepath.Join(dir, "sub"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, b := range want {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	im, err := takeImage(dir)
	if err != nil {
		t.Fatal(err)
	}
	other := t.TempDir()
	if err := im.restore(other); err != nil {
		t.Fatal(err)
	}
	for name, b := range want {
		if got, err := os.ReadFile(filepath.Join(other, name)); err != nil || !bytes.Equal(got, b) {
			t.Errorf("%s: %d bytes came back (%v), want the same %d", name, len(got), err, len(b))
		}
	}
	if len(im.files) != len(want) {
		t.Errorf("the image holds %d files, want %d", len(im.files), len(want))
	}
}

// What the flips show must be true of the logs, not of the tool: a log without checksums cannot notice, and an
// image without a flip is whole.
func TestFlipsTellLogsApart(t *testing.T) {
	b := &bench{options: options{Seed: 1, Flips: 25}, dir: t.TempDir()}
	for _, c := range logs.Peers() {
		im, records, err := b.writeImage(c, rand.New(rand.NewPCG(1, 3)))
		if err != nil {
			t.Fatal(err)
		}
		dir := t.TempDir()
		if err := im.restore(dir); err != nil {
			t.Fatal(err)
		}
		if got, n, err := judge(c, dir, records); got != harmless {
			t.Errorf("%s without a flip: %q after %d records (%v)", c.Name, got, n, err)
		}
		if c.Name != "gateway" && c.Name != "tidwall/wal" {
			continue
		}
		found, err := b.flipAll(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		count := map[outcome]int{}
		for _, f := range found {
			count[f.Outcome]++
		}
		if c.Name == "gateway" && count[wrong]+count[cut] > 0 || c.Name == "tidwall/wal" && count[wrong] == 0 {
			t.Errorf("%s: %v", c.Name, count)
		}
	}
}
