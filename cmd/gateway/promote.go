package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
)

// promoteCmd makes a standby primary.
type promoteCmd struct {
	remoteFlags `embed:""`
}

// Run asks for the promotion and prints where the gateway stands then.
func (c promoteCmd) Run(ctx context.Context, io stdio) error {
	resp, err := c.do(ctx, http.MethodPost, "/replication/promote", nil, nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	var status struct {
		Role  string `json:"role"`
		Epoch string `json:"epoch"`
		SeqNo uint64 `json:"seq_no"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&status); err != nil {
		return fmt.Errorf("answer: %w", err)
	}
	_, err = fmt.Fprintf(io.out, "%s is %s at %s:%d\n", c.URL, status.Role, status.Epoch, status.SeqNo)
	return err
}
