package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// tokenCmd manages the tokens of a gateway.
type tokenCmd struct {
	Create tokenCreateCmd `cmd:"" help:"Make a token and print it, this once."`
	List   tokenListCmd   `cmd:"" help:"List all tokens, without what is secret of them."`
	Revoke tokenRevokeCmd `cmd:"" help:"Revoke a token; what it has open ends within a second."`
}

// tokenRecord is a token as the gateway shows it.
type tokenRecord struct {
	TokenID   string    `json:"token_id"`
	Name      string    `json:"name"`
	Role      string    `json:"role"`
	Networks  []uint16  `json:"networks"`
	ExpiresAt time.Time `json:"expires_at"`
	CreatedAt time.Time `json:"created_at"`
	Token     string    `json:"token"` // in the answer that makes it alone
}

// reach says which networks the token is for.
func (t *tokenRecord) reach() string {
	if len(t.Networks) == 0 {
		return "all"
	}
	return strings.ReplaceAll(strings.Trim(fmt.Sprint(t.Networks), "[]"), " ", ",")
}

// until says when the token expires.
func (t *tokenRecord) until() string { return atOr(t.ExpiresAt, "never") }

// atOr writes a time, and what to say in place of the zero one.
func atOr(t time.Time, none string) string {
	if t.IsZero() {
		return none
	}
	return t.UTC().Format(time.RFC3339)
}

// tokenCreateCmd makes a token.
type tokenCreateCmd struct {
	remoteFlags
	Name    string   `required:"" help:"What the token is for, for those who read the list."`
	Role    string   `required:"" enum:"admin,sync,viewer,replica" help:"One of ${enum}."`
	Network []uint16 `placeholder:"N" help:"Limit the token to this network; repeatable. Default: all networks."`
	Expires string   `placeholder:"WHEN" help:"After how long the token ends, as in 720h, or an RFC 3339 time. Default: never."`
	JSON    bool     `name:"json" help:"Print the gateway's answer as it is."`
}

// Validate checks every setting. Kong calls it after parsing.
func (c *tokenCreateCmd) Validate() error {
	_, err := expiry(c.Expires, time.Now())
	if err == nil && slices.Contains(c.Network, 0) {
		err = fmt.Errorf("--network: there is no network 0")
	}
	return cmp.Or(c.remoteFlags.Validate(), err)
}

// expiry reads a duration from now on, or a time; the zero time is for never.
func expiry(s string, now time.Time) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	if at, err := time.Parse(time.RFC3339Nano, s); err == nil {
		return at, nil
	}
	d, err := time.ParseDuration(s)
	if err != nil || d <= 0 {
		return time.Time{}, fmt.Errorf("--expires %q: want a duration such as 720h, or an RFC 3339 time", s)
	}
	return now.Add(d), nil
}

// Run makes the token. Standard output gets the token alone, so that a script
// need not look for it.
func (c *tokenCreateCmd) Run(ctx context.Context, std stdio) error {
	expires, err := expiry(c.Expires, time.Now())
	if err != nil {
		return err
	}
	body, err := json.Marshal(struct {
		Name      string    `json:"name"`
		Role      string    `json:"role"`
		Networks  []uint16  `json:"networks,omitempty"`
		ExpiresAt time.Time `json:"expires_at,omitzero"`
	}{c.Name, c.Role, c.Network, expires.UTC()})
	if err != nil {
		return err
	}
	answer, err := c.create(ctx, body)
	if err != nil {
		return err
	}
	if c.JSON {
		_, err := fmt.Fprintf(std.out, "%s\n", answer)
		return err
	}
	var made tokenRecord
	if err := json.Unmarshal(answer, &made); err != nil {
		return fmt.Errorf("answer of /tokens: %w", err)
	}
	fmt.Fprintf(std.err, "token %s, role %s, networks %s, expires %s; it is shown this once:\n", made.TokenID, made.Role, made.reach(), made.until())
	_, err = fmt.Fprintln(std.out, made.Token)
	return err
}

// create asks for the token and returns the answer. One that no standby has
// acknowledged yet is made all the same, and this is the only time it is seen.
func (c *tokenCreateCmd) create(ctx context.Context, body []byte) (answer []byte, err error) {
	resp, err := c.do(ctx, http.MethodPost, "/tokens", http.Header{"Content-Type": {"application/json"}}, bytes.NewReader(body))
	if refused, ok := errors.AsType[*refusedError](err); ok && refused.Code == "not-replicated" {
		return refused.Body, nil
	}
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	return io.ReadAll(resp.Body)
}

// tokenListCmd lists the tokens.
type tokenListCmd struct {
	remoteFlags
	JSON bool `name:"json" help:"Print the gateway's records, one a line."`
}

// Run reads the list page by page and prints it as a table.
func (c *tokenListCmd) Run(ctx context.Context, std stdio) error {
	t := tabwriter.NewWriter(std.out, 0, 0, 3, ' ', 0)
	if !c.JSON {
		fmt.Fprintf(t, "ID\tNAME\tROLE\tNETWORKS\tEXPIRES\tCREATED\n")
	}
	for after := ""; ; {
		var page struct {
			Items []json.RawMessage `json:"items"`
			Next  string            `json:"next"`
		}
		if err := c.get(ctx, "/tokens?limit=1000&after="+url.QueryEscape(after), &page); err != nil {
			return err
		}
		for _, item := range page.Items {
			if c.JSON {
				fmt.Fprintf(std.out, "%s\n", item)
				continue
			}
			var r tokenRecord
			if err := json.Unmarshal(item, &r); err != nil {
				return fmt.Errorf("answer of /tokens: %w", err)
			}
			fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\n", r.TokenID, r.Name, r.Role, r.reach(), r.until(), atOr(r.CreatedAt, "-"))
		}
		if after = page.Next; after == "" {
			return t.Flush()
		}
	}
}

// tokenRevokeCmd revokes a token.
type tokenRevokeCmd struct {
	remoteFlags
	ID string `arg:"" name:"id" help:"The token's id, as the list has it."`
}

// Run revokes the token.
func (c *tokenRevokeCmd) Run(ctx context.Context, std stdio) error {
	resp, err := c.do(ctx, http.MethodDelete, "/tokens/"+url.PathEscape(c.ID), nil, nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	var gone tokenRecord
	if err := json.NewDecoder(resp.Body).Decode(&gone); err != nil {
		return fmt.Errorf("answer of /tokens: %w", err)
	}
	_, err = fmt.Fprintf(std.out, "revoked %s (%s)\n", gone.TokenID, gone.Name)
	return err
}
