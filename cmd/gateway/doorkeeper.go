package main

import (
	"net"
	"net/http"
	"sync/atomic"
)

// spareDescriptors is how many open files are kept for others than connections: the
// log, its snapshots, the folder.
const spareDescriptors = 256

// doorkeeper closes connections for which no descriptors are left. Whoever accepts
// takes every one that becomes free, and then the log finds none for its next segment.
type doorkeeper struct {
	most   int        // connections at a time, 0 for no limit
	beside func() int // those of them that net/http does not know of

	known atomic.Int64 // to net/http
}

// newDoorkeeper returns one for so many descriptors, 0 when that is not known.
func newDoorkeeper(descriptors int, beside func() int) *doorkeeper {
	d := &doorkeeper{beside: beside}
	if descriptors > 0 {
		d.most = max(descriptors-spareDescriptors, descriptors/2)
	}
	return d
}

// note is an http.Server's ConnState.
func (d *doorkeeper) note(conn net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		if n := int(d.known.Add(1)) + d.beside(); d.most > 0 && n > d.most {
			_ = conn.Close()
		}
	case http.StateHijacked, http.StateClosed:
		d.known.Add(-1)
	}
}
