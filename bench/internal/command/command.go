// Package command is what the programs of this module have in common as commands: how they begin and end, what all of
// their flags are like, and how they say what is going on.
package command

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"
)

// ErrUsage says that the command line is of no use.
var ErrUsage = errors.New("wrong usage")

// Main runs a program, and exits: with 2 after ErrUsage, with 1 after any other error, both of which are said on stderr
// behind the name, else with 0. SIGINT and SIGTERM end the context of run; a second one ends the program at once.
func Main(name string, run func(ctx context.Context, args []string) error) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	err := run(ctx, os.Args[1:])
	if err == nil || errors.Is(err, flag.ErrHelp) {
		return
	}
	fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
	if errors.Is(err, ErrUsage) {
		os.Exit(2)
	}
	os.Exit(1)
}

// Parse reads the command line into f. The error is flag.ErrHelp or ErrUsage; f has said why.
func Parse(f *flag.FlagSet, args []string) error {
	err := f.Parse(args)
	if err == nil || errors.Is(err, flag.ErrHelp) {
		return err
	}
	return ErrUsage
}

// Again is the command, to be run in this module's folder, that does what f was told once more. Flags that name places
// of this machine are left out.
func Again(f *flag.FlagSet) string {
	line := "go run ./" + f.Name()
	f.Visit(func(x *flag.Flag) {
		if !slices.Contains([]string{"dir", "gateway", "out"}, x.Name) {
			line += fmt.Sprintf(" -%s=%s", x.Name, shellWord(x.Value.String()))
		}
	})
	return line
}

// shellWord quotes what a shell would take for more than a word.
func shellWord(s string) string {
	if strings.ContainsAny(s, " \t\n\"$`\\*?;&|<>()'") {
		return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
	}
	return s
}

// SetOthers sets flags by name, as far as they were not given.
func SetOthers(f *flag.FlagSet, values map[string]string) error {
	given := map[string]bool{}
	f.Visit(func(x *flag.Flag) { given[x.Name] = true })
	for name, value := range values {
		if given[name] {
			continue
		}
		if err := f.Set(name, value); err != nil {
			return err
		}
	}
	return nil
}

// Choose splits a list of names apart by commas, each of which must be one of those that there are: ErrUsage otherwise.
func Choose(what, list string, names []string) ([]string, error) {
	chosen := strings.Split(list, ",")
	for _, name := range chosen {
		if !slices.Contains(names, name) {
			return nil, fmt.Errorf("%w: no %s %q, there are %s", ErrUsage, what, name, strings.Join(names, ", "))
		}
	}
	return chosen, nil
}

var begun = time.Now()

// Progress says on stderr what is going on, and how long the run has taken so far.
func Progress(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "%7.1fs  %s\n", time.Since(begun).Seconds(), fmt.Sprintf(format, args...))
}
