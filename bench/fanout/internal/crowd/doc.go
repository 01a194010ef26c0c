// Package crowd is the other end of a fan-out: thousands of subscribers that cost little beside the server they are
// served by, so that both fit on one machine.
//
// One goroutine reads all of them with epoll, out of one buffer. Of a stream it looks at the headers of frames, the
// first bytes of messages and the marks of writes, never at the JSON around them. The same code reads the streams of
// all servers; a Dialect says what little they differ in. A write counts as received when the message that carries it
// has been taken from the kernel whole.
//
// It needs Linux.
package crowd
