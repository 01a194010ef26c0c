package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"
)

// version is the release, set by the build: -ldflags "-X main.version=…".
var version = "devel"

type versionCmd struct{}

// Run prints the version on one line.
func (versionCmd) Run(std stdio) error {
	_, err := fmt.Fprintf(std.out, "gateway %s commit %s %s\n", version, commit(), runtime.Version())
	return err
}

// commit returns the commit that the binary was built from, as far as the
// build recorded it.
func commit() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	revision, dirty := "unknown", ""
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			revision = s.Value
		case s.Key == "vcs.modified" && s.Value == "true":
			dirty = "-dirty"
		}
	}
	return strings.TrimSpace(revision + dirty)
}
