package server

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// Get asks the server for a path, with the gateway's admin token, and has its answer read. Any status but 200 is an
// error.
func (s *Server) Get(ctx context.Context, path string, read func(io.Reader) error) (err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.Addr+path, nil)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+Token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, resp.Body.Close()) }()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("GET %s: %s", path, resp.Status)
	}
	return read(resp.Body)
}

// Metrics asks the server for its metrics: values by name, labels and all.
func (s *Server) Metrics(ctx context.Context) (m Metrics, err error) {
	err = s.Get(ctx, "/metrics", func(r io.Reader) (err error) {
		m, err = parseMetrics(r)
		return err
	})
	return m, err
}

// Metrics are the values of one look, by name with labels as they stand there.
type Metrics map[string]float64

// Value returns the value of a metric, and an error when it is not there.
func (m Metrics) Value(name string) (float64, error) {
	v, ok := m[name]
	if !ok {
		return 0, fmt.Errorf("no metric %s", name)
	}
	return v, nil
}

// parseMetrics reads the text format of Prometheus, without timestamps.
func parseMetrics(r io.Reader) (Metrics, error) {
	m := Metrics{}
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		line := lines.Text()
		if line == "" || line[0] == '#' {
			continue
		}
		at := strings.LastIndexByte(line, ' ')
		v, err := strconv.ParseFloat(line[at+1:], 64)
		if at < 0 || err != nil {
			return nil, fmt.Errorf("not a metric: %q", line)
		}
		m[line[:at]] = v
	}
	return m, lines.Err()
}
