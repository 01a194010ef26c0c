package main

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/replication-gateway/gateway/internal/load"
)

// benchFigures is what a bench found out. Times are in the units that the names
// say.
type benchFigures struct {
	Subscribers int     `json:"subscribers"`
	JoinSeconds float64 `json:"join_seconds"` // until all held a snapshot
	Writes      uint64  `json:"writes"`       // answered
	Rate        int     `json:"rate"`         // asked for, a second
	Seconds     float64 `json:"seconds"`      // from the first write due to the last delivery
	Deliveries  uint64  `json:"deliveries"`   // a write that reached a subscriber
	Expected    uint64  `json:"expected_deliveries"`
	PerSecond   float64 `json:"deliveries_per_second"`
	Uneven      int     `json:"uneven_subscribers"` // that did not receive every write once

	Frames struct {
		Delta     uint64 `json:"delta"`
		Snapshot  uint64 `json:"snapshot"` // more than subscribers: some fell out of the window
		Heartbeat uint64 `json:"heartbeat"`
		Bytes     uint64 `json:"bytes"`
	} `json:"frames"`

	DueToAnswered      quantiles `json:"due_to_answered_ms"`
	DueToReceived      quantiles `json:"due_to_received_ms"`
	AnsweredToReceived quantiles `json:"answered_to_received_ms"` // 0 for what arrived before the answer

	Server *serverFigures `json:"server,omitempty"`
	Unseen string         `json:"server_unseen,omitempty"` // why there is no server
}

type quantiles struct {
	P50 float64 `json:"p50"`
	P99 float64 `json:"p99"`
	Max float64 `json:"max"`
}

func quantilesOf(h *load.Histogram) quantiles {
	ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	return quantiles{ms(h.Quantile(0.5)), ms(h.Quantile(0.99)), ms(h.Max())}
}

// serverFigures is what could be seen of the gateway's process, and what the
// driver used beside it.
type serverFigures struct {
	PID                int     `json:"pid"`
	CPUPerDelivery     float64 `json:"cpu_us_per_delivery"`
	CPUShare           float64 `json:"cpu_cores"` // 1 is one core all the time
	DriverPerDelivery  float64 `json:"driver_cpu_us_per_delivery"`
	DriverShare        float64 `json:"driver_cpu_cores"`
	ResidentAlone      int64   `json:"resident_bytes_before"` // before the subscribers joined
	ResidentJoined     int64   `json:"resident_bytes_joined"`
	ResidentDone       int64   `json:"resident_bytes_after"` // after the last delivery
	ResidentSubscriber float64 `json:"resident_bytes_per_subscriber"`
}

func newBenchFigures(b *bench, seen load.Figures, ledger *load.Ledger, joined time.Duration) *benchFigures {
	answers, firstDue := ledger.Answers()
	f := &benchFigures{
		Subscribers: b.Subscribers, JoinSeconds: joined.Seconds(),
		Writes: answers.Count(), Rate: b.Rate,
		Deliveries: seen.Deliveries, Expected: uint64(b.writes()) * uint64(b.Subscribers),
		DueToAnswered: quantilesOf(&answers), DueToReceived: quantilesOf(&seen.SinceDue),
		AnsweredToReceived: quantilesOf(&seen.SinceAnswer),
	}
	f.Frames.Delta, f.Frames.Snapshot, f.Frames.Heartbeat, f.Frames.Bytes = seen.Deltas, seen.Snapshots, seen.Heartbeats, seen.Bytes
	if seen.Deliveries > 0 {
		f.Seconds = seen.Last.Sub(firstDue).Seconds()
		f.PerSecond = float64(seen.Deliveries) / f.Seconds
	}
	if b.unseen != nil {
		f.Unseen = b.unseen.Error()
		return f
	}
	f.Server = newServerFigures(b.usage, f.Seconds, seen.Deliveries, b.Subscribers)
	f.Server.PID = int(b.server)
	return f
}

func newServerFigures(u usage, seconds float64, deliveries uint64, subscribers int) *serverFigures {
	server, driver := u.done.server.CPU-u.joined.server.CPU, u.done.driver.CPU-u.joined.driver.CPU
	s := &serverFigures{
		ResidentAlone: u.alone.server.Resident, ResidentJoined: u.joined.server.Resident, ResidentDone: u.done.server.Resident,
		ResidentSubscriber: float64(u.joined.server.Resident-u.alone.server.Resident) / float64(subscribers),
	}
	if deliveries > 0 {
		s.CPUPerDelivery = float64(server.Microseconds()) / float64(deliveries)
		s.DriverPerDelivery = float64(driver.Microseconds()) / float64(deliveries)
		s.CPUShare, s.DriverShare = server.Seconds()/seconds, driver.Seconds()/seconds
	}
	return s
}

// print writes the figures as a table.
func (f *benchFigures) print(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
	line := func(name, format string, args ...any) {
		fmt.Fprintf(t, "%s\t%s\n", name, fmt.Sprintf(format, args...))
	}
	line("subscribers", "%d, all joined in %.2f s", f.Subscribers, f.JoinSeconds)
	line("writes", "%d answered, %d a second asked for", f.Writes, f.Rate)
	line("deliveries", "%d of %d in %.2f s: %.0f a second", f.Deliveries, f.Expected, f.Seconds, f.PerSecond)
	line("frames", "%d deltas, %d snapshots, %d heartbeats, %.1f MB in all", f.Frames.Delta, f.Frames.Snapshot, f.Frames.Heartbeat,
		float64(f.Frames.Bytes)/1e6)
	if s := f.Server; s != nil {
		line("gateway CPU", "%.1f µs a delivery, %.2f cores (process %d)", s.CPUPerDelivery, s.CPUShare, s.PID)
		line("driver CPU", "%.1f µs a delivery, %.2f cores", s.DriverPerDelivery, s.DriverShare)
		line("gateway memory", "%.1f MB alone, %.1f MB joined, %.1f MB after: %.1f KB a subscriber",
			float64(s.ResidentAlone)/1e6, float64(s.ResidentJoined)/1e6, float64(s.ResidentDone)/1e6, s.ResidentSubscriber/1e3)
	} else {
		line("gateway CPU, memory", "unknown: %s", f.Unseen)
	}
	fmt.Fprintln(t, "\nlatency, ms\tp50\tp99\tmax")
	for _, l := range []struct {
		name string
		quantiles
	}{
		{"write due → answered", f.DueToAnswered},
		{"write due → received", f.DueToReceived},
		{"write answered → received", f.AnsweredToReceived},
	} {
		fmt.Fprintf(t, "%s\t%.2f\t%.2f\t%.2f\n", l.name, l.P50, l.P99, l.Max)
	}
	return t.Flush()
}
