package main

import (
	"bytes"
	"fmt"
	"time"

	"github.com/replication-gateway/gateway/bench/internal/rawhttp"
	"github.com/replication-gateway/gateway/bench/internal/server"
	"github.com/replication-gateway/gateway/internal/directory"
	"github.com/replication-gateway/gateway/internal/wal"
)

const (
	// firstPut is the first node that puts go to, all with as many digits.
	firstPut = 1_000_000
	// putNodes is how many there are, as a rule.
	putNodes = 100_000
)

// puts makes requests that put one node after the other, each time with another hostname, so that every one of them is
// a commit. It writes the digits that change into bytes made beforehand.
type puts struct {
	request    []byte
	path       []byte // the digits of the node in the path
	person     []byte // those of its person
	count      []byte // those of its hostname
	node, step int
	nodes      int // how many there are
	made       int
}

// The digits as they are looked for in a request made beforehand.
const (
	pathDigits   = "0000000"
	personDigits = "1111111"
	countDigits  = "2222222222"
)

// newPuts returns the puts of one of several writers, which share some nodes so that each has its own.
func newPuts(writer, writers, nodes int) *puts {
	body := fmt.Appendf(nil, `{"hostname":"host-%s.corp.example","external_id":"person-%s@corp.example","tags":["linux","rack-%02d"]}`,
		countDigits, personDigits, writer%100)
	p := &puts{request: rawhttp.Request("PUT", "/nodes/"+pathDigits, server.Token, body), node: writer, step: writers, nodes: nodes}
	place := func(digits string) []byte {
		at := bytes.Index(p.request, []byte(digits))
		return p.request[at : at+len(digits)]
	}
	p.path, p.person, p.count = place(pathDigits), place(personDigits), place(countDigits)
	return p
}

// next returns the next request, valid until the one after it.
func (p *puts) next() []byte {
	setDigits(p.path, firstPut+p.node)
	setDigits(p.person, firstPut+p.node)
	setDigits(p.count, p.made)
	if p.node += p.step; p.node >= p.nodes {
		p.node %= p.step // its first one
	}
	p.made++
	return p.request
}

// setDigits writes n right-aligned into b, with leading zeros.
func setDigits(b []byte, n int) {
	for i := len(b) - 1; i >= 0; i-- {
		b[i] = '0' + byte(n%10)
		n /= 10
	}
}

// putRecord is how many bytes the commit of one put has in the log.
func putRecord() (int, error) {
	now := directory.TimeOf(time.Now())
	_, record, err := directory.EncodeCommit([]directory.DeltaEntry{{
		SeqNo: 1_000_000, Type: directory.EntryType{Kind: directory.KindNode}, NodeID: firstPut, At: now, Actor: "token:admin",
		Data: &directory.Node{NodeID: firstPut, Hostname: "host-0000000000.corp.example", ExternalID: "person-1000000@corp.example",
			Tags: []string{"linux", "rack-00"}, CreatedAt: now},
	}})
	return wal.Record(record).Len(), err
}
