package main

import (
	"net"
	"testing"
)

// Whoever has said what it wants is let in before one that came sooner and is
// silent.
func TestConnectionsAreAcceptedWithTheirRequest(t *testing.T) {
	l, err := listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	dial := func() net.Conn {
		conn, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		return conn
	}
	dial()
	asking := dial()
	if _, err := asking.Write([]byte("GET")); err != nil {
		t.Fatal(err)
	}
	first, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	if first.RemoteAddr().String() != asking.LocalAddr().String() {
		t.Error("the first one accepted has not asked for anything")
	}
}
