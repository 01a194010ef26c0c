// Command gateway is the replication gateway: a durable source of truth for
// who is on which network, in which role, that pushes every change to
// everything that watches.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

// stdio is what a command reads and writes besides files and sockets.
type stdio struct {
	in       io.Reader
	out, err io.Writer
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	err := run(ctx, os.Args[1:], stdio{in: os.Stdin, out: os.Stdout, err: os.Stderr})
	if err != nil {
		fmt.Fprintln(os.Stderr, "gateway:", err)
	}
	os.Exit(status(err))
}

// endAtOnce has the first signal end the program, for commands that leave nothing
// half done.
func endAtOnce() { signal.Reset(syscall.SIGINT, syscall.SIGTERM) }

// usageError is an error of whoever typed the command.
type usageError struct{ error }

// status maps the outcome of a command to the exit status: 0 done, 1 refused
// or failed, 2 wrong usage.
func status(err error) int {
	if _, usage := errors.AsType[usageError](err); usage {
		return 2
	}
	if err != nil {
		return 1
	}
	return 0
}
