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
	"os"
)

// syncCmd brings a network in line with a file.
type syncCmd struct {
	remoteFlags
	File           string `arg:"" help:"What the directory says; - reads standard input."`
	Network        uint16 `required:"" placeholder:"N" help:"Network to bring in line."`
	DryRun         bool   `help:"Show the plan and change nothing."`
	RemoveUnlisted bool   `help:"Remove the members whom the file does not name."`
	Yes            bool   `help:"Do not ask. A sync past the removal threshold is refused all the same."`
}

// Help says, under gateway sync --help, what the file may be and how it goes on.
func (syncCmd) Help() string {
	return `The file is JSON, either a list of entries or a whole request as POST /directory-sync takes it; or NDJSON, an entry a
line; or CSV in UTF-8, whose first row names its columns: external_id, and of display_name, email, groups, role and
disabled those that there are. Groups are split at ";". An empty cell says nothing, so that what is recorded stays;
but an empty cell of groups says that the person is in none, and one of disabled that they are enabled.

The plan is shown first, and carried out when the question is answered with y or yes: that plan and no other, also
past the removal threshold. No answer is a no.`
}

// Validate checks every setting. Kong calls it after parsing.
func (c *syncCmd) Validate() error {
	var network error
	if c.Network == 0 {
		network = errors.New("--network: want a network from 1 to 65535")
	}
	return cmp.Or(c.remoteFlags.Validate(), network)
}

// Run shows the plan, asks, and has it carried out. Who does not want to be asked
// is shown what was done.
func (c *syncCmd) Run(ctx context.Context, std stdio) error {
	request, err := c.request(ctx, std.in)
	if err != nil {
		return err
	}
	dryRun := c.DryRun || request.is("dry_run")
	request.set("dry_run", dryRun || !c.Yes)
	answer, err := c.post(ctx, std, request)
	err = errors.Join(err, answer.print(std.out))
	if !dryRun && !c.Yes {
		answer, err = c.confirm(ctx, std, request, answer, err)
	}
	if err != nil || dryRun {
		return err
	}
	_, err = fmt.Fprintf(std.out, "done at %s:%d\n", answer.Epoch, answer.SeqNo)
	return err
}

// confirm asks whether the plan that was shown is to be carried out, and has that
// done. A plan was refused unless refusal is nil; one past the removal threshold
// can be confirmed.
func (c *syncCmd) confirm(ctx context.Context, std stdio, request syncRequest, plan *syncAnswer, refusal error) (*syncAnswer, error) {
	question := fmt.Sprintf("Carry this out in network %d?", c.Network)
	if refusal != nil {
		if plan == nil || plan.Code != "removal-threshold" {
			return nil, refusal
		}
		question = fmt.Sprintf("This removes %d of %d members with an external id, more than the removal threshold allows. Carry it out in network %d?",
			plan.Removed, plan.Members, c.Network)
	}
	if !std.confirms(ctx, question) {
		return nil, errors.New("not confirmed: nothing was changed")
	}
	request.set("dry_run", false)
	request.set("confirm_plan", plan.PlanDigest)
	return c.post(ctx, std, request)
}

// request reads the file and makes the request that it and the flags ask for.
func (c *syncCmd) request(ctx context.Context, in io.Reader) (syncRequest, error) {
	file, err := c.read(ctx, in)
	if err != nil {
		return nil, err
	}
	request, err := readSync(file)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.File, err)
	}
	if given := request["network_id"]; given != nil && given.Kind() != 'n' && string(given) != fmt.Sprint(c.Network) {
		return nil, fmt.Errorf("%s: it is for network %s, and --network says %d", c.File, given, c.Network)
	}
	request.set("network_id", c.Network)
	if c.RemoveUnlisted {
		request.set("remove_unlisted", true)
	}
	return request, nil
}

func (c *syncCmd) read(ctx context.Context, in io.Reader) ([]byte, error) {
	if c.File != "-" {
		return os.ReadFile(c.File)
	}
	return awaitInput(ctx, func() ([]byte, error) { return io.ReadAll(in) })
}

// syncAnswer is what the gateway says of a sync, or of the plan of one that it
// refuses.
type syncAnswer struct {
	Updated    int      `json:"updated"`
	Disabled   int      `json:"disabled"`
	Mapped     int      `json:"mapped"`
	Unmapped   int      `json:"unmapped"`
	Actions    []string `json:"actions"`
	Warnings   []string `json:"warnings"`
	Skipped    int      `json:"skipped_no_external_id"`
	PlanDigest string   `json:"plan_digest"`
	Epoch      string   `json:"epoch"`
	SeqNo      uint64   `json:"seq_no"`

	// Of a plan that was refused.
	Code    string `json:"code"`
	Removed int    `json:"removed"`
	Members int    `json:"members"` // with an external id
}

// post sends the request, and shows on a terminal how far it is. The answer is nil
// when the gateway made no plan; with a plan that it refused there is an error,
// too.
func (c *syncCmd) post(ctx context.Context, std stdio, request syncRequest) (*syncAnswer, error) {
	body, err := request.encode()
	if err != nil {
		return nil, err
	}
	meter := newMeter(std, "bytes")
	resp, err := c.do(ctx, http.MethodPost, "/directory-sync", http.Header{"Content-Type": {"application/json"}},
		&metered{bytes.NewReader(body), meter})
	meter.wipe()
	var answer syncAnswer
	if refused, ok := errors.AsType[*refusedError](err); ok {
		if json.Unmarshal(refused.Body, &answer) != nil || answer.PlanDigest == "" {
			return nil, err
		}
		return &answer, err
	}
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		return nil, fmt.Errorf("answer of /directory-sync: %w", err)
	}
	return &answer, nil
}

// print writes what is to change, or has been, a line for each change and one for
// their numbers. A nil answer has nothing to say.
func (a *syncAnswer) print(w io.Writer) error {
	if a == nil {
		return nil
	}
	var b bytes.Buffer
	for _, action := range a.Actions {
		fmt.Fprintln(&b, action)
	}
	for _, warning := range a.Warnings {
		fmt.Fprintln(&b, "warning:", warning)
	}
	fmt.Fprintf(&b, "updated %d, disabled %d, mapped %d, unmapped %d", a.Updated, a.Disabled, a.Mapped, a.Unmapped)
	if a.Skipped > 0 {
		fmt.Fprintf(&b, ", skipped without an external id %d", a.Skipped)
	}
	fmt.Fprintln(&b)
	_, err := b.WriteTo(w)
	return err
}

// metered is a body that shows on a meter how much of it has been sent.
type metered struct {
	body  *bytes.Reader
	meter *meter
}

// Read implements io.Reader.
func (m *metered) Read(p []byte) (int, error) {
	n, err := m.body.Read(p)
	m.meter.show(uint64(m.body.Size())-uint64(m.body.Len()), uint64(m.body.Size()))
	return n, err
}

// Len is how many bytes are still to come.
func (m *metered) Len() int { return m.body.Len() }
