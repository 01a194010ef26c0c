// Package load drives load against a running gateway and takes its figures. It
// has to cost little beside what it measures: one goroutine reads all
// subscribers with epoll, out of one buffer, and looks at the headers of frames
// and for the marks of its own writes, never at the JSON around them.
//
// A delivery is one write of the driver that reached one subscriber. Each write
// carries a Mark, so that every delivery is told apart from other traffic of the
// gateway, whatever else shares its frame. Latencies count from the moment a
// write was due, not from when it was sent: a gateway that keeps the driver
// waiting cannot hide it. Received is when the driver has taken the bytes from
// the kernel.
//
// Subscribers need Linux. Elsewhere Start refuses with ErrNeedsLinux, and
// processes cannot be looked at.
package load
