package server

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// ResetPeak begins a new measurement of Peak.
func (s *Server) ResetPeak() error {
	return os.WriteFile(s.proc("clear_refs"), []byte("5"), 0)
}

// Peak returns the most memory in RAM, in bytes, that the process has had at a time since ResetPeak, or since it began.
func (s *Server) Peak() (int64, error) {
	b, err := os.ReadFile(s.proc("status"))
	if err != nil {
		return 0, fmt.Errorf("%w: %w", ErrEnded, err)
	}
	for in := bufio.NewScanner(bytes.NewReader(b)); in.Scan(); {
		if rest, ok := strings.CutPrefix(in.Text(), "VmHWM:"); ok {
			kb, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(rest, "kB")), 10, 64)
			return kb << 10, err
		}
	}
	return 0, fmt.Errorf("%w: it has no memory any more", ErrEnded)
}

// proc names a file that the kernel shows of the process.
func (s *Server) proc(name string) string {
	return fmt.Sprintf("/proc/%d/%s", s.cmd.Process.Pid, name)
}
