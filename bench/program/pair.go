package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/replication-gateway/gateway/bench/internal/rawhttp"
	"github.com/replication-gateway/gateway/bench/internal/server"
)

// pair is a primary, and a standby that follows it unless there is none.
type pair struct {
	name             string
	follow, required bool // whether there is a standby, and whether writes wait for it

	primary, standby *server.Server
	token            string // to follow the primary with
	folders          []string
	turns            int
}

// start starts both on empty data folders, and waits until the standby has the primary's state. args are more flags of
// both. The caller ends the pair, also when there is an error.
func (p *pair) start(ctx context.Context, b *bench, args ...string) (err error) {
	var required []string
	if p.required {
		required = []string{"--sync-standbys", "1"}
	}
	if p.primary, err = p.gateway(ctx, b, "primary", args, required); err != nil || !p.follow {
		return err
	}
	if p.token, err = replicaToken(p.primary); err != nil {
		return err
	}
	following := []string{"--follow", "http://" + p.primary.Addr, "--follow-token", p.token}
	if p.standby, err = p.gateway(ctx, b, "standby", args, following); err != nil {
		return err
	}
	c, err := rawhttp.Dial(p.standby.Addr)
	if err != nil {
		return err
	}
	defer c.Close()
	return until(ctx, pollEvery, func() (bool, error) {
		at, err := replicationOf(c)
		return at.Upstream.Up, err
	})
}

func (p *pair) gateway(ctx context.Context, b *bench, name string, flags ...[]string) (*server.Server, error) {
	data, err := b.newFolder(name)
	if err != nil {
		return nil, err
	}
	p.folders = append(p.folders, data)
	var args []string
	for _, f := range flags {
		args = append(args, f...)
	}
	return server.Gateway(ctx, b.program, data, args...)
}

// end kills what runs and removes its data.
func (p *pair) end() error {
	var errs []error
	for _, s := range []*server.Server{p.standby, p.primary} {
		if s != nil {
			s.Kill()
		}
	}
	for _, data := range p.folders {
		errs = append(errs, os.RemoveAll(data))
	}
	return errors.Join(errs...)
}

// nextMade is above the number of puts of every turn of the pair before.
func (p *pair) nextMade() int {
	p.turns++
	return p.turns * streamMade
}

// replicaToken makes a token to follow with. A primary that needs a standby has none yet, and says so beside the token.
func replicaToken(s *server.Server) (string, error) {
	c, err := rawhttp.Dial(s.Addr)
	if err != nil {
		return "", err
	}
	defer c.Close()
	a, err := c.Do(rawhttp.Request("POST", "/tokens", server.Token, []byte(`{"name":"standby","role":"replica"}`)))
	if err != nil {
		return "", err
	}
	var made struct{ Token string }
	if err := json.Unmarshal(a.Body, &made); err != nil || made.Token == "" {
		return "", fmt.Errorf("make a token: status %d: %.300s", a.Status, a.Body)
	}
	return made.Token, nil
}

// replication is what GET /replication says of a gateway, as far as it is looked at.
type replication struct {
	SeqNo    uint64            `json:"seq_no"`
	Upstream struct{ Up bool } // of a standby
	Standbys []struct {
		Behind uint64 // commits on the primary's disk that it has not acknowledged
	}
}

func replicationOf(c *rawhttp.Conn) (r replication, err error) {
	a, err := request(c, "GET", "/replication", nil)
	if err != nil {
		return r, err
	}
	if err := json.Unmarshal(a.Body, &r); err != nil {
		return r, fmt.Errorf("/replication: %w", err)
	}
	return r, nil
}
