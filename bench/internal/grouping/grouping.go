// Package grouping makes records durable as the gateway's writer does, on any log: one goroutine takes what is waiting as
// one group, makes it durable with one append and answers each writer; meanwhile the next group gathers in the queue.
package grouping

import (
	"sync"
	"sync/atomic"

	"github.com/replication-gateway/gateway/bench/internal/logs"
)

const (
	// queueLen and maxGroup are those of the gateway's writer.
	queueLen = 1024
	maxGroup = 16 << 20
)

// Proposal is one record on its way to the log. Whoever commits one after the other may use it again and again.
type Proposal struct {
	record []byte
	done   chan error
}

// NewProposal makes a proposal of a record, which must not change while it is committed.
func NewProposal(record []byte) *Proposal {
	return &Proposal{record: record, done: make(chan error, 1)}
}

// Writer writes groups of records to a log, between Start and Stop. It may be started again after it was stopped.
type Writer struct {
	log  logs.Log
	next uint64 // the number of the next record

	queue   chan *Proposal
	writing sync.WaitGroup
	commits atomic.Uint64
	groups  atomic.Uint64
}

// NewWriter returns a writer for a log that is empty.
func NewWriter(l logs.Log) *Writer { return &Writer{log: l, next: 1} }

// Start lets commits in.
func (w *Writer) Start() {
	w.queue = make(chan *Proposal, queueLen)
	w.writing.Go(w.write)
}

// Stop waits until all is written. Nobody may commit any more.
func (w *Writer) Stop() {
	close(w.queue)
	w.writing.Wait()
}

// Commit returns when the record is durable. After an append that failed everybody gets its error until the next Start.
func (w *Writer) Commit(p *Proposal) error {
	w.queue <- p
	return <-p.done
}

func (w *Writer) write() {
	var group []*Proposal
	var records [][]byte
	var failed error
	for p := range w.queue {
		group, records = append(group[:0], p), append(records[:0], p.record)
		for size := len(p.record); size < maxGroup; {
			next, ok := poll(w.queue)
			if !ok {
				break
			}
			group, records = append(group, next), append(records, next.record)
			size += len(next.record)
		}
		if failed == nil {
			failed = w.log.Append(w.next, records)
			w.next += uint64(len(records))
		}
		if failed == nil {
			w.commits.Add(uint64(len(group)))
			w.groups.Add(1)
		}
		for _, p := range group {
			p.done <- failed
		}
	}
}

func poll(queue chan *Proposal) (*Proposal, bool) {
	select {
	case p, ok := <-queue:
		return p, ok
	default:
		return nil, false
	}
}
