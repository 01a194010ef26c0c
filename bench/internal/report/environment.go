package report

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// ErrNotADisk says that a folder lies in memory, where syncs mean nothing.
var ErrNotADisk = errors.New("the folder is not on a disk")

// Environment is what the figures depend on and the programs cannot choose.
type Environment struct {
	Date     string            `json:"date"`
	Go       string            `json:"go"`
	CPU      string            `json:"cpu"`
	Cores    int               `json:"cores"`
	MemoryGB float64           `json:"memory_gb"`
	Kernel   string            `json:"kernel"`
	Disk     string            `json:"disk,omitempty"`
	Load     string            `json:"load"` // the load average when the run began
	Versions map[string]string `json:"versions,omitempty"`
}

// Describe looks at this machine. dir is where a program keeps its files, empty when it keeps none; a folder that is
// on no disk is refused with ErrNotADisk.
func Describe(dir string) (Environment, error) {
	e := Environment{
		Date:     time.Now().UTC().Format("2006-01-02 15:04 UTC"),
		Go:       runtime.Version() + " " + runtime.GOOS + "/" + runtime.GOARCH,
		CPU:      field("/proc/cpuinfo", "model name"),
		Cores:    runtime.GOMAXPROCS(0),
		Versions: map[string]string{},
	}
	kb, _, _ := strings.Cut(field("/proc/meminfo", "MemTotal"), " ")
	if n, err := strconv.ParseFloat(kb, 64); err == nil {
		e.MemoryGB = float64(int(n/(1<<20)*10+0.5)) / 10
	}
	if load, err := os.ReadFile("/proc/loadavg"); err == nil {
		e.Load = strings.Join(strings.Fields(string(load))[:3], " ")
	}
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return e, err
	}
	e.Kernel = unix.ByteSliceToString(u.Sysname[:]) + " " + unix.ByteSliceToString(u.Release[:])
	if dir == "" {
		return e, nil
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return e, err
	}
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		return e, err
	}
	e.Disk, err = disk(string(mounts), dir)
	return e, err
}

// disk names the file system and the device that a folder is on, given the lines of /proc/self/mounts and an absolute
// path.
func disk(mounts, dir string) (string, error) {
	var at, kind, device string
	for line := range strings.Lines(mounts) {
		f := strings.Fields(line)
		if len(f) < 3 || len(f[1]) < len(at) {
			continue
		}
		if rel, err := filepath.Rel(f[1], dir); err == nil && rel != ".." && !strings.HasPrefix(rel, "../") {
			device, at, kind = f[0], f[1], f[2]
		}
	}
	if kind == "tmpfs" || kind == "ramfs" || kind == "" {
		return "", fmt.Errorf("%w: %s is on %q", ErrNotADisk, dir, kind)
	}
	return kind + " on " + filepath.Base(device), nil
}

// field reads the first "name : value" of a file in /proc.
func field(path, name string) string {
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	for in := bufio.NewScanner(f); in.Scan(); {
		if k, v, ok := strings.Cut(in.Text(), ":"); ok && strings.TrimSpace(k) == name {
			return strings.TrimSpace(v)
		}
	}
	return ""
}

func (e Environment) markdown(w io.Writer) {
	t := Table{Head: []string{"", ""}}
	t.Add("date", e.Date)
	t.Add("machine", fmt.Sprintf("%s, %d cores, %s GB", e.CPU, e.Cores, Number(e.MemoryGB)))
	t.Add("kernel", e.Kernel)
	if e.Disk != "" {
		t.Add("disk", e.Disk)
	}
	t.Add("load when it began", e.Load)
	t.Add("Go", e.Go)
	for _, m := range slices.Sorted(maps.Keys(e.Versions)) {
		t.Add(m, e.Versions[m])
	}
	t.Markdown(w)
}
