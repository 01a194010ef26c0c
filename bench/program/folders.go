package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/replication-gateway/gateway/bench/internal/server"
)

// copyFolder copies a data folder that no gateway runs on.
func (b *bench) copyFolder(from, name string) (string, error) {
	to, err := b.newFolder(name)
	if err != nil {
		return "", err
	}
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		return to, err
	}
	return to, syncDisk(to)
}

// syncDisk waits until a disk has what was written to it, so that nothing of that disturbs what is measured next.
func syncDisk(dir string) (err error) {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return unix.Syncfs(int(f.Fd()))
}

// restoreBackup makes a data folder of the backup of another one, on which a gateway stopped cleanly.
func (b *bench) restoreBackup(ctx context.Context, from string) (string, error) {
	s, err := server.Gateway(ctx, b.program, from)
	if err != nil {
		return "", err
	}
	defer s.Kill()
	file := filepath.Join(b.dir, "backup")
	defer os.Remove(file)
	if err := s.Get(ctx, "/backup", func(r io.Reader) error { return writeFile(file, r) }); err != nil {
		return "", err
	}
	if err := s.Stop(ctx); err != nil {
		return "", err
	}
	to, err := b.newFolder("restored")
	if err != nil {
		return "", err
	}
	if out, err := exec.CommandContext(ctx, b.program, "snapshot", "restore", file, to).CombinedOutput(); err != nil {
		return to, fmt.Errorf("restore: %w\n%s", err, out)
	}
	return to, syncDisk(to)
}

func writeFile(path string, from io.Reader) (err error) {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	_, err = io.Copy(f, from)
	return err
}
