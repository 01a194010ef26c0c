package main

import (
	"net"
	"runtime"
	"sync/atomic"
	"testing"
)

// crowded is a listener with somebody at the door at all times.
type crowded struct{ net.Listener }

func (crowded) Accept() (net.Conn, error) { return nil, nil }

// TestAcceptingGivesWay: those who have been accepted are served while others still
// come.
func TestAcceptingGivesWay(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	const crowd = 10 * acceptsInTurn
	l := &inTurns{Listener: crowded{}}
	var served atomic.Int64
	for range crowd {
		if _, err := l.Accept(); err != nil {
			t.Fatal(err)
		}
		go served.Add(1)
	}
	if got := served.Load(); got < crowd/2 {
		t.Errorf("of %d accepted, %d have been served meanwhile, want most", crowd, got)
	}
}
