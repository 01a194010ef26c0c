package main

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
)

// TestConnectionsLeaveDescriptors: what comes when the most are open is turned away,
// and let in when one has gone.
func TestConnectionsLeaveDescriptors(t *testing.T) {
	streams := 0
	d := newDoorkeeper(spareDescriptors+spareDescriptors+2, func() int { return streams })
	streams = d.most - 2
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.Config.ConnState = d.note // which the test server wraps
	server.Start()
	t.Cleanup(server.Close)
	ask := func() (net.Conn, error) {
		conn, err := net.Dial("tcp", server.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		_, _ = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err == nil {
			_ = resp.Body.Close()
		}
		return conn, err
	}
	first, err := ask()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ask(); err != nil {
		t.Error("the last one that fits:", err)
	}
	if _, err := ask(); err == nil {
		t.Error("one too many was let in")
	}
	_ = first.Close()
	for range 1000 {
		if _, err = ask(); err == nil {
			return
		}
	}
	t.Error("nobody is let in after one has gone:", err)
}
