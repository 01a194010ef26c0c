package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"text/tabwriter"
	"time"
)

// promoteCmd makes a standby primary.
type promoteCmd struct {
	remoteFlags
}

// Run asks for the promotion, and prints where the gateway stands then and what
// may be missing there, by what the standby knew before.
func (c promoteCmd) Run(ctx context.Context, std stdio) error {
	var before, now replication
	if err := c.get(ctx, "/replication", &before); err != nil {
		return err
	}
	resp, err := c.do(ctx, http.MethodPost, "/replication/promote", nil, nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(&now); err != nil {
		return fmt.Errorf("answer: %w", err)
	}
	if _, err := fmt.Fprintf(std.out, "%s is %s at %s:%d\n", c.URL, now.Role, now.Epoch, now.SeqNo); err != nil {
		return err
	}
	if before.Epoch == now.Epoch {
		_, err := fmt.Fprintln(std.out, "it was before: nothing was done")
		return err
	}
	return now.printPromoted(std.out, &before, time.Now())
}

// printPromoted writes what became of the standby that stood at before, as a table.
func (r *replication) printPromoted(w io.Writer, before *replication, now time.Time) error {
	t := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
	fmt.Fprintf(t, "new epoch\t%s\n", r.Epoch)
	fmt.Fprintf(t, "goes on from\t%s:%d, the newest commit it had on disk\n", before.Epoch, r.SeqNo)
	fmt.Fprintf(t, "old primary\t%s%s\n", before.Primary, before.Upstream.sentence(now))
	if before.Upstream != nil && before.Upstream.Up {
		fmt.Fprintf(t, "\tSTOP IT: what it acknowledges from now on is lost to this history\n")
	}
	fmt.Fprintf(t, "MAY BE MISSING\t%s\n", before.Upstream.missing(now))
	fmt.Fprintf(t, "not missing\twhat waited for this standby's acknowledgement (--sync-standbys)\n")
	return t.Flush()
}

// missing says which acknowledged writes of the primary a standby may lack.
func (u *upstream) missing(now time.Time) string {
	if u == nil || u.SilentMS == nil {
		return "all that the old primary acknowledged after that commit: it was not heard of since this gateway was started"
	}
	at := now.Add(-time.Duration(*u.SilentMS) * time.Millisecond)
	return fmt.Sprintf("what the old primary acknowledged and had not sent when it was last heard of, at %s", at.UTC().Format(time.RFC3339))
}
