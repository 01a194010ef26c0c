//go:build soak

package wal

const (
	stride = 1
	seeds  = 8
)
