package report

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/replication-gateway/gateway/bench/internal/figures"
)

func TestTableIsAligned(t *testing.T) {
	table := Table{Head: []string{"candidate", "µs"}}
	table.Add("a", "1,234")
	table.Add("longer name", "–")
	var b strings.Builder
	table.Markdown(&b)
	want := `| candidate   |    µs |
| ----------- | ----: |
| a           | 1,234 |
| longer name |     – |
`
	if b.String() != want {
		t.Errorf("got\n%swant\n%s", b.String(), want)
	}
}

func TestNumbers(t *testing.T) {
	for v, want := range map[float64]string{0: "0", 7: "7", 999.6: "1,000", 1234567: "1,234,567", -1234: "-1,234"} {
		if got := Count(v); got != want {
			t.Errorf("Count(%v) is %q, want %q", v, got, want)
		}
	}
	for v, want := range map[float64]string{0.126: "0.13", 12.34: "12.3", 123.4: "123", 12345: "12,345"} {
		if got := Number(v); got != want {
			t.Errorf("Number(%v) is %q, want %q", v, got, want)
		}
	}
	if got, want := Spread(figures.Series{3, 1, 2}, Count), "2 (1–3)"; got != want {
		t.Errorf("Spread is %q, want %q", got, want)
	}
	if got := Spread(nil, Count); got != "–" {
		t.Errorf("the spread of nothing is %q", got)
	}
}

func TestDiskIsTheInnermostMount(t *testing.T) {
	const mounts = "/dev/vda / ext4 rw 0 0\ntmpfs /dev/shm tmpfs rw 0 0\n/dev/vdb /srv xfs rw 0 0\n/dev/vdc /srv/data btrfs rw 0 0\n"
	for dir, want := range map[string]string{
		"/tmp/x":         "ext4 on vda",
		"/srv/x":         "xfs on vdb",
		"/srv/data":      "btrfs on vdc",
		"/srv/data/deep": "btrfs on vdc",
		"/srv/database":  "xfs on vdb",
	} {
		if got, err := disk(mounts, dir); got != want || err != nil {
			t.Errorf("%s: %q and %v, want %q", dir, got, err, want)
		}
	}
	if got, err := disk(mounts, "/dev/shm/x"); !errors.Is(err, ErrNotADisk) {
		t.Errorf("a folder in memory: %q and %v, want ErrNotADisk", got, err)
	}
}

func TestReportIsWrittenWithItsSamples(t *testing.T) {
	environment, err := Describe("")
	if err != nil {
		t.Fatal(err)
	}
	if environment.Cores < 1 || environment.Kernel == "" || environment.Go == "" {
		t.Errorf("this machine is described as %+v", environment)
	}
	r := Report{
		Title: "T", Command: "go run ./t", Intro: "I.", Environment: environment, Samples: []int{1, 2},
		Sections: []Section{{Title: "S", Table: Table{Head: []string{"h"}, Rows: [][]string{{"c"}}}, Notes: []string{"n"}}},
	}
	dir := t.TempDir()
	if err := r.Write(dir, "R"); err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(filepath.Join(dir, "R.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{"# T\n", "`go run ./t`", "## S\n", "| c   |", "- n\n", "R.json"} {
		if !strings.Contains(string(page), part) {
			t.Errorf("the page lacks %q:\n%s", part, page)
		}
	}
	raw, err := os.ReadFile(filepath.Join(dir, "R.json"))
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Samples []int `json:"samples"`
	}
	if err := json.Unmarshal(raw, &got); err != nil || len(got.Samples) != 2 {
		t.Errorf("the raw data is %s (%v)", raw, err)
	}
}
