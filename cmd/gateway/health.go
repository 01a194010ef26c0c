package main

import (
	"context"
	"fmt"
	"net/http"
	"time"
)

// healthCmd lets a container without a shell ask for its own health.
type healthCmd struct {
	URL string `default:"http://127.0.0.1:8080" placeholder:"URL" help:"Where the gateway is."`
}

// Validate checks every setting. Kong calls it after parsing.
func (c healthCmd) Validate() error { return validateURL("--url", c.URL) }

// Run succeeds when the gateway says that it is ready.
func (c healthCmd) Run(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, remoteFlags{URL: c.URL}.endpoint("/readyz"), nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("not ready: %s", resp.Status)
	}
	return nil
}
