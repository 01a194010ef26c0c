package api

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/replication-gateway/gateway/internal/gateway"
	"github.com/replication-gateway/gateway/internal/hub"
)

// metrics are the figures of requests and streams. Times are in seconds.
type metrics struct {
	requests    *prometheus.HistogramVec
	syncs       *prometheus.CounterVec
	disconnects *prometheus.CounterVec
	delivery    prometheus.Histogram
}

func newMetrics(r prometheus.Registerer, s *streams, g *gateway.Gateway) *metrics {
	m := &metrics{
		requests: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "gateway_http_request_seconds", Help: "Requests, by route, method and status; streams count until they are open.",
			Buckets: prometheus.ExponentialBuckets(250e-6, 2.5, 12), // to 6 s
		}, []string{"route", "method", "status"}),
		syncs: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "gateway_directory_syncs_total", Help: "Directory syncs: applied, unchanged, repeated (given a stored answer), dry-run, or the code of the refusal."}, []string{"outcome"}),
		disconnects: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "gateway_disconnects_total", Help: "Ended streams, by close code; 1006 stands for a connection that broke or stalled."}, []string{"code"}),
		delivery: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "gateway_delivery_seconds", Help: "From a commit being durable to its frame being written to a socket.",
			Buckets: prometheus.ExponentialBuckets(50e-6, 2, 20), // to 26 s
		}),
	}
	// What is counted from 0 on shows its first increase.
	for _, outcome := range []string{"applied", "unchanged", "repeated", "dry-run"} {
		m.syncs.WithLabelValues(outcome)
	}
	for _, code := range []int{1000, 1001, 1005, abnormal, 1008, 1012, 1013, hub.TokenEnded.Code, hub.HistoryChanged.Code} {
		m.disconnects.WithLabelValues(closeLabel(code))
	}
	r.MustRegister(m.requests, m.syncs, m.disconnects, m.delivery, streamCollector{s, g})
	return m
}

// streamCollector tells of the open streams and the standbys at the time of asking.
type streamCollector struct {
	streams *streams
	gateway *gateway.Gateway
}

var (
	subscribersDesc = prometheus.NewDesc("gateway_subscribers", "Open streams, by kind.", []string{"kind"}, nil)
	standbyLagDesc  = prometheus.NewDesc("gateway_standby_lag_commits",
		"Commits that a standby has yet to acknowledge, also while it is gone.", []string{"standby"}, nil)
	standbyLagSecondsDesc = prometheus.NewDesc("gateway_standby_lag_seconds",
		"How long the oldest commit has been on disk that a standby has yet to acknowledge.", []string{"standby"}, nil)
)

// Describe implements prometheus.Collector.
func (streamCollector) Describe(ch chan<- *prometheus.Desc) {
	ch <- subscribersDesc
	ch <- standbyLagDesc
	ch <- standbyLagSecondsDesc
}

// Collect implements prometheus.Collector.
func (c streamCollector) Collect(ch chan<- prometheus.Metric) {
	kinds := map[string]int{plainSocket.name: 0, eventStream.name: 0, kindStandby: 0}
	for _, s := range c.streams.status() {
		kinds[s.Kind]++
	}
	for kind, n := range kinds {
		ch <- prometheus.MustNewConstMetric(subscribersDesc, prometheus.GaugeValue, float64(n), kind)
	}
	for _, s := range c.gateway.Standbys() {
		ch <- prometheus.MustNewConstMetric(standbyLagDesc, prometheus.GaugeValue, float64(s.Behind), s.ID)
		ch <- prometheus.MustNewConstMetric(standbyLagSecondsDesc, prometheus.GaugeValue, s.Lag.Seconds(), s.ID)
	}
}
