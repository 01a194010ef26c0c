//go:build !linux

package wal

import "os"

// datasync makes a file's bytes and size durable.
func datasync(f *os.File) error { return f.Sync() }
