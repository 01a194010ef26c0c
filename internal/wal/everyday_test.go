//go:build !soak

package wal

// What an everyday run tries: one step in stride for each accident, with so many seeds. With -tags soak it is all.
const (
	stride = 3
	seeds  = 1
)
