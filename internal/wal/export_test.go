package wal

// NewTestDisk makes an empty file system in memory, for tests outside the package.
func NewTestDisk() FS { return newDisk(1) }
