// Package logs puts the gateway's log and its peers behind one small interface, so that they can be measured doing the
// same work.
//
// The work is that of the gateway's writer: groups of records, each group durable before the next begins. Each peer is
// set up as its own documentation or its own product sets it up for that: preallocation on, the batch call where there
// is one, one sync for each group and none more.
package logs

import (
	"runtime/debug"
	"strings"
)

// Log takes groups of records.
type Log interface {
	// Append makes records durable as one group, numbered first, first+1, …; first is one more than the last record
	// appended. It keeps none of the slices.
	Append(first uint64, records [][]byte) error
	Close() error
}

// Reader reads a log that was closed, or whose process was killed, from its beginning.
type Reader interface {
	// Each yields the records in order. A record is valid during the call only. The error of yield is returned.
	Each(yield func(record []byte) error) error
	Close() error
}

// Candidate is one way to keep a log.
type Candidate struct {
	Name   string
	Module string // whose version is reported; empty for our own
	About  string // how it is set up
	Open   func(dir string) (Log, error)
	Reader func(dir string) (Reader, error) // does what a program that starts on this folder does first
	Cut    func(Reader) bool                // whether the reader said that it cut off an unfinished write; nil if it never says
}

// Peers are the candidates that keep records and give them back, our own first.
func Peers() []Candidate {
	return []Candidate{gatewayLog, etcdLog, raftLog, tidwallLog, pebbleLog}
}

// Writers are all that can be written to: the raw limit, then Peers, then variants that only writing tells apart.
func Writers() []Candidate {
	return append(append([]Candidate{rawFile}, Peers()...), pebbleRecycled)
}

// Version is the version of the candidate's module in this program.
func (c Candidate) Version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	for _, m := range info.Deps {
		if m.Path == c.Module {
			return strings.TrimSpace(m.Version)
		}
	}
	return ""
}
