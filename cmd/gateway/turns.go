package main

import (
	"net"
	"runtime"
)

// acceptsInTurn is how many connections are accepted before others have their turn.
// Fewer take less memory, and with processors that are never idle keep a crowd
// waiting for longer.
const acceptsInTurn = 32

// inTurns is a listener that gives way now and then, without waiting for anybody: to
// those who have been let in. They hold net/http's buffers and a large stack until
// they are served, and whoever accepts is quicker than that.
type inTurns struct {
	net.Listener
	accepted int // by the one goroutine that accepts
}

// Accept implements net.Listener.
func (l *inTurns) Accept() (net.Conn, error) {
	if l.accepted++; l.accepted%acceptsInTurn == 0 {
		runtime.Gosched()
	}
	return l.Listener.Accept()
}
