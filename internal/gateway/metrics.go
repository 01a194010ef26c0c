package gateway

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/replication-gateway/gateway/internal/directory"
	"github.com/replication-gateway/gateway/internal/hub"
)

// metrics are the figures of the writer and the fan-out. Times are in seconds.
type metrics struct {
	commits       prometheus.Counter
	commitSeconds prometheus.Histogram
	entries       *prometheus.CounterVec
	walAppend     prometheus.Histogram
	snapshot      prometheus.Histogram
	frames        *prometheus.CounterVec
	bytes         prometheus.Counter
	resyncs       *prometheus.CounterVec
	differences   prometheus.Counter
}

func newMetrics() *metrics {
	disk := prometheus.ExponentialBuckets(50e-6, 2, 18) // 50 µs to 6.5 s
	m := &metrics{
		commits: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "gateway_commits_total", Help: "Commits made here; those of a standby are its primary's."}),
		commitSeconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "gateway_commit_seconds", Help: "From the first command of a group to its commits being durable, and visible without --sync-standbys.", Buckets: disk}),
		entries: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "gateway_entries_total", Help: "Entries committed here, by type."}, []string{"type"}),
		walAppend: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "gateway_wal_append_seconds", Help: "Write and sync of one group.", Buckets: disk}),
		snapshot: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "gateway_snapshot_seconds", Help: "Storing the state as a whole, and cutting the log behind it.",
			Buckets: prometheus.ExponentialBuckets(5e-3, 2, 14)}), // 5 ms to 41 s
		frames: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "gateway_frames_sent_total", Help: "Frames handed to subscribers, by type."}, []string{"type"}),
		bytes: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "gateway_bytes_sent_total", Help: "Bytes of frames handed to subscribers."}),
		differences: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "gateway_digest_differences_total", Help: "Heartbeats whose digest was not that of the state here."}),
		resyncs: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "gateway_resyncs_total", Help: "Snapshots sent to subscribers that had a position, by reason."}, []string{"reason"}),
	}
	// What is counted from 0 on shows its first increase.
	for t := range directory.EntryTypes() {
		m.entries.WithLabelValues(t.String())
	}
	for _, t := range []hub.FrameType{hub.Snapshot, hub.Delta, hub.Heartbeat} {
		m.frames.WithLabelValues(string(t))
	}
	for _, reason := range []string{hub.UnknownEpoch, hub.WindowExceeded, hub.Ahead, hub.StateReplaced} {
		m.resyncs.WithLabelValues(reason)
	}
	return m
}

// register registers the metrics; logSize returns the bytes of the log on disk.
func (m *metrics) register(r prometheus.Registerer, g *Gateway, logSize func() int64) {
	r.MustRegister(m.commits, m.commitSeconds, m.entries, m.walAppend, m.snapshot, m.frames, m.bytes, m.resyncs, m.differences,
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "gateway_wal_bytes", Help: "Bytes of the log on disk.",
		}, func() float64 { return float64(logSize()) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "gateway_primary_up", Help: "Whether this gateway is primary, or hears of the one that it follows.",
		}, func() float64 {
			if g.Role() == Primary || g.Upstream().Up {
				return 1
			}
			return 0
		}))
}

func (m *metrics) committed(b *group, took time.Duration) {
	m.commits.Add(float64(len(b.commits)))
	m.commitSeconds.Observe(took.Seconds())
	types := make(map[directory.EntryType]int) // looking a label up for each entry would hold up a large group's answers
	for _, entries := range b.entries {
		for i := range entries {
			types[entries[i].Type]++
		}
	}
	for t, n := range types {
		m.entries.WithLabelValues(t.String()).Add(float64(n))
	}
}

func (m *metrics) observe() hub.Observe {
	return hub.Observe{
		Frames: func(t hub.FrameType, frames, bytes int) {
			m.frames.WithLabelValues(string(t)).Add(float64(frames))
			m.bytes.Add(float64(bytes))
		},
		Resync: func(reason string) { m.resyncs.WithLabelValues(reason).Inc() },
	}
}
