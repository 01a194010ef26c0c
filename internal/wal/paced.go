package wal

import (
	"errors"
	"fmt"
	"os"
)

// pace is how many bytes of a file are written between two syncs of it: little enough that a sync of the log never
// has to wait for a mountain of them.
const pace = 512 << 10

// pacedFile is a large file under construction, written from its beginning to its end. Until it is finished it has
// a temporary name.
type pacedFile struct {
	fs     FS
	temp   string
	file   Handle
	goOn   func() error // asked at each sync; an error ends the writing
	end    int64
	synced int64
}

func startFile(fsys FS, temp string, goOn func() error) (*pacedFile, error) {
	f, err := fsys.Open(temp, os.O_RDWR|os.O_CREATE|os.O_TRUNC)
	if err != nil {
		return nil, err
	}
	return &pacedFile{fs: fsys, temp: temp, file: f, goOn: goOn}, nil
}

// Write appends to the file.
func (p *pacedFile) Write(b []byte) (int, error) {
	if err := writeFull(p.file, b, p.end); err != nil {
		return 0, fmt.Errorf("write %s: %w", p.temp, err)
	}
	p.end += int64(len(b))
	if p.end-p.synced < pace {
		return len(b), nil
	}
	p.synced = p.end
	if err := p.goOn(); err != nil {
		return len(b), err
	}
	if err := p.file.Sync(); err != nil {
		return len(b), fmt.Errorf("sync %s: %w", p.temp, err)
	}
	return len(b), nil
}

// finish makes the file durable and gives it its name. When that fails, the file is not there under its temporary
// name and may be there, whole, under the other.
func (p *pacedFile) finish(path string) error {
	err := p.goOn()
	if err == nil {
		err = p.file.Sync()
	}
	err = errors.Join(err, p.file.Close())
	if err == nil {
		err = place(p.fs, p.temp, path)
	}
	if err != nil {
		_ = p.fs.Remove(p.temp)
		return fmt.Errorf("finish %s: %w", path, err)
	}
	return nil
}

// abandon removes the file. Where that fails too, the next Open clears it away.
func (p *pacedFile) abandon() {
	_ = p.file.Close()
	_ = p.fs.Remove(p.temp)
}
