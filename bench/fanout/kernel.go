package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// narrowlyFull is what the kernel holds, in bytes, for a narrow subscriber that does not read, at least. A subscriber
// that reads has less than this for moments only.
const narrowlyFull = 8 << 10

// unsent counts the sockets of a local port for which the kernel holds at least so many bytes that the other end has not
// taken.
func unsent(port uint16, least uint64) (int, error) {
	count := 0
	for _, name := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		table, err := os.ReadFile(name)
		if os.IsNotExist(err) {
			continue
		}
		if err != nil {
			return 0, err
		}
		count += unsentIn(string(table), port, least)
	}
	return count, nil
}

// unsentIn does so in the text of a table of the kernel. Its columns are, from the second on, the local address, the
// remote one, the state, and the bytes of the two queues as TX:RX, all in hex.
func unsentIn(table string, port uint16, least uint64) (count int) {
	suffix := fmt.Sprintf(":%04X", port)
	for line := range strings.Lines(table) {
		columns := strings.Fields(line)
		if len(columns) < 5 || !strings.HasSuffix(columns[1], suffix) {
			continue
		}
		tx, _, _ := strings.Cut(columns[4], ":")
		if n, err := strconv.ParseUint(tx, 16, 64); err == nil && n >= least {
			count++
		}
	}
	return count
}

// watchSockets looks now and then at the memory that all TCP sockets of this machine hold, until ctx ends, and returns
// the most of it in bytes.
func watchSockets(ctx context.Context) int64 {
	const every = 20 * time.Millisecond
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	most := int64(0)
	for {
		if b, err := os.ReadFile("/proc/net/sockstat"); err == nil {
			most = max(most, socketMemory(b))
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return most
		}
	}
}

var pageSize = os.Getpagesize()

// socketMemory reads the line "TCP: inuse … mem PAGES".
func socketMemory(sockstat []byte) int64 {
	for line := range bytes.Lines(sockstat) {
		fields := strings.Fields(string(line))
		if len(fields) < 2 || fields[0] != "TCP:" {
			continue
		}
		for i := 1; i+1 < len(fields); i += 2 {
			if fields[i] == "mem" {
				pages, _ := strconv.ParseInt(fields[i+1], 10, 64)
				return pages * int64(pageSize)
			}
		}
	}
	return 0
}

// enoughMemory returns an error if this machine has less than so many bytes to give without taking them from others.
func enoughMemory(need int64) error {
	b, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return err
	}
	if free := available(b); free < need {
		return fmt.Errorf("it may take %d MB of memory, and %d MB are to be had", need>>20, free>>20)
	}
	return nil
}

// available reads the line "MemAvailable: KB kB".
func available(meminfo []byte) int64 {
	for line := range bytes.Lines(meminfo) {
		if fields := strings.Fields(string(line)); len(fields) > 1 && fields[0] == "MemAvailable:" {
			kb, _ := strconv.ParseInt(fields[1], 10, 64)
			return kb << 10
		}
	}
	return 0
}
