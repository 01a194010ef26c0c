//go:build !linux

package wal

import "os"

func linked(f *os.File) (bool, error) { return linkedByStat(f) }
