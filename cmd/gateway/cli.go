package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/alecthomas/kong"
)

// cli is the command line. Every flag has an environment variable: --data is
// GATEWAY_DATA, and so on.
type cli struct {
	Serve    serveCmd    `cmd:"" default:"withargs" help:"Run a gateway."`
	Watch    watchCmd    `cmd:"" help:"Print what a gateway sends, frame by frame; reconnects and resumes."`
	Sync     syncCmd     `cmd:"" help:"Bring a network in line with a file: JSON, NDJSON or CSV."`
	Token    tokenCmd    `cmd:"" help:"Make, list and revoke tokens."`
	Wal      walCmd      `cmd:"" help:"Check or print the data of a stopped gateway."`
	Snapshot snapshotCmd `cmd:"" help:"Back a gateway up and restore it."`
	Promote  promoteCmd  `cmd:"" help:"Ask a standby to become primary."`
	Version  versionCmd  `cmd:"" help:"Print version, commit and Go version."`
	Health   healthCmd   `cmd:"" help:"Ask a gateway whether it is ready; for container health checks."`
	Status   statusCmd   `cmd:"" help:"Show role, position, subscribers and lag of a gateway."`
	Bench    benchCmd    `cmd:"" help:"Drive load against a running gateway and print figures."`
}

// errHelp ends the parser after it printed the help that was asked for.
var errHelp = errors.New("help was asked for")

// run parses args and runs the command they name.
func run(ctx context.Context, args []string, std stdio) (err error) {
	defer func() {
		if r := recover(); r == errHelp {
			err = nil
		} else if r != nil {
			panic(r)
		}
	}()
	var c cli
	command, err := parse(&c, args, kong.Writers(std.out, std.err), kong.BindTo(ctx, (*context.Context)(nil)), kong.Bind(std))
	if err != nil {
		return usageError{err}
	}
	if err := command.Run(); err != nil {
		name, _, _ := strings.Cut(command.Command(), " <") // without its arguments
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// parse reads args and the environment into c.
func parse(c *cli, args []string, more ...kong.Option) (*kong.Context, error) {
	parser, err := kong.New(c, append(more,
		kong.Name("gateway"),
		kong.Description("A durable source of truth for who is on which network, in which role."),
		kong.DefaultEnvars("GATEWAY"),
		kong.Exit(func(int) { panic(errHelp) }),
	)...)
	if err != nil {
		return nil, err
	}
	return parser.Parse(args)
}
