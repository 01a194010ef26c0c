package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/alecthomas/kong"
)

// cli is the command line. Every flag has an environment variable: --data is
// GATEWAY_DATA, and so on.
type cli struct {
	Serve   serveCmd   `cmd:"" default:"withargs" help:"Run a gateway."`
	Version versionCmd `cmd:"" help:"Print version, commit and Go version."`
	Health  healthCmd  `cmd:"" help:"Ask a gateway whether it is ready; for container health checks."`
}

// errHelp ends the parser after it printed the help that was asked for.
var errHelp = errors.New("help was asked for")

// run parses args and runs the command they name.
func run(ctx context.Context, args []string, io stdio) (err error) {
	defer func() {
		if r := recover(); r == errHelp {
			err = nil
		} else if r != nil {
			panic(r)
		}
	}()
	var c cli
	parser, err := kong.New(&c,
		kong.Name("gateway"),
		kong.Description("A durable source of truth for who is on which network, in which role."),
		kong.DefaultEnvars("GATEWAY"),
		kong.Writers(io.out, io.err),
		kong.Exit(func(int) { panic(errHelp) }),
		kong.BindTo(ctx, (*context.Context)(nil)),
		kong.Bind(io),
	)
	if err != nil {
		return err
	}
	command, err := parser.Parse(slices.Clone(args))
	if err != nil {
		return usageError{err}
	}
	if err := command.Run(); err != nil {
		return fmt.Errorf("%s: %w", command.Command(), err)
	}
	return nil
}
