package main

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// pageSize is the piece in which an image leaves out what is zero.
const pageSize = 4096

// image is what a folder holds at one moment, as another process would find it after kill -9.
type image struct {
	files []imageFile
	dirs  []string
}

type imageFile struct {
	path string // below the folder
	b    []byte
}

// takeImage reads a folder into memory.
func takeImage(dir string) (*image, error) {
	im := &image{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		if d.IsDir() {
			im.dirs = append(im.dirs, rel)
			return nil
		}
		b, err := os.ReadFile(path)
		im.files = append(im.files, imageFile{rel, b})
		return err
	})
	return im, err
}

// restore lays the image out in a folder. Pages of zeros become holes, which read the same.
func (im *image) restore(dir string) error {
	for _, d := range im.dirs {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o700); err != nil {
			return err
		}
	}
	for _, f := range im.files {
		if err := f.restore(dir); err != nil {
			return err
		}
	}
	return nil
}

var zeroPage [pageSize]byte

func (f imageFile) restore(dir string) (err error) {
	out, err := os.OpenFile(filepath.Join(dir, f.path), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	if err := out.Truncate(int64(len(f.b))); err != nil {
		return err
	}
	for at := 0; at < len(f.b); at += pageSize {
		page := f.b[at:min(at+pageSize, len(f.b))]
		if bytes.Equal(page, zeroPage[:len(page)]) {
			continue
		}
		if _, err := out.WriteAt(page, int64(at)); err != nil {
			return err
		}
	}
	return nil
}

// place is where an acknowledged record lies in an image: its own bytes, and before them what frames it.
type place struct {
	record int // from 0
	file   int // in the image
	from   int // where the framing begins
	body   int // where the record itself begins
	to     int
}

// locate finds records in an image by their bytes, in order, each behind the one before in the same file. The framing of
// a record is what lies between it and the record before, at most maxFraming bytes. A record that the format cut in pieces is left out.
func (im *image) locate(records [][]byte) []place {
	const maxFraming = 256
	var places []place
	file, at := 0, 0
	previous := -1 // the record that ends at at, when there is one in this file
	for i, r := range records {
		f, body := im.find(r, file, at)
		if f < 0 {
			continue
		}
		from := body
		if f == file && previous == i-1 && i > 0 && body-at <= maxFraming {
			from = at
		}
		file, at, previous = f, body+len(r), i
		places = append(places, place{record: i, file: f, from: from, body: body, to: at})
	}
	return places
}

// find finds bytes in the files from an offset of one of them on; -1 when they are nowhere.
func (im *image) find(b []byte, file, at int) (int, int) {
	for f := file; f < len(im.files); f++ {
		if i := bytes.Index(im.files[f].b[at:], b); i >= 0 {
			return f, at + i
		}
		at = 0
	}
	return -1, -1
}
