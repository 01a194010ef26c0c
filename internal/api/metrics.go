package api

import "github.com/prometheus/client_golang/prometheus"

// metrics are the figures of requests and streams. Times are in seconds.
type metrics struct {
	requests    *prometheus.HistogramVec
	syncs       *prometheus.CounterVec
	disconnects *prometheus.CounterVec
	delivery    prometheus.Histogram
}

func newMetrics(r prometheus.Registerer) *metrics {
	m := &metrics{
		requests: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "gateway_http_request_seconds", Help: "Requests, by route, method and status; streams count until they are open.",
			Buckets: prometheus.ExponentialBuckets(250e-6, 2.5, 12), // to 6 s
		}, []string{"route", "method", "status"}),
		syncs: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "gateway_directory_syncs_total", Help: "Directory syncs: applied, unchanged, dry-run, or the code of the refusal."}, []string{"outcome"}),
		disconnects: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "gateway_disconnects_total", Help: "Ended streams, by close code; 1006 stands for a connection that broke or stalled."}, []string{"code"}),
		delivery: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "gateway_delivery_seconds", Help: "From a commit being durable to its frame being written to a socket.",
			Buckets: prometheus.ExponentialBuckets(50e-6, 2, 20), // to 26 s
		}),
	}
	r.MustRegister(m.requests, m.syncs, m.disconnects, m.delivery)
	return m
}
