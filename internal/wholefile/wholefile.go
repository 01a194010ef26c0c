// Package wholefile writes files that are whole or not there.
package wholefile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// unfinished ends the name of a file that Write is not through with, behind the
// name that it is to have and a number.
const unfinished = ".unfinished"

// Write writes a file with mode 0600, in place of one of that name. When it returns
// nil the file is durable. Otherwise what was there before still is, unless syncing
// the folder is what failed: then the new file is there, whole, and a power cut may
// take it back.
func Write(path string, content func(io.Writer) error) error {
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, filepath.Base(path)+".*"+unfinished) // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // after the rename there is nothing to remove
	err = content(f)
	if err == nil {
		err = f.Sync()
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	folder, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}

// Sweep removes from a folder what processes left there that died over a Write.
// Nobody may be writing there meanwhile.
func Sweep(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		name, left := strings.CutSuffix(e.Name(), unfinished)
		if number := strings.TrimPrefix(filepath.Ext(name), "."); !left || number == "" || strings.Trim(number, "0123456789") != "" {
			continue
		}
		if err := os.Remove(filepath.Join(dir, e.Name())); err != nil {
			return err
		}
	}
	return nil
}

// Word returns the word that a file holds, white space around it apart. A file
// that is not there is made with what draw returns; one without a word is
// refused.
func Word(path string, draw func() string) (string, error) {
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		word := draw()
		return word, WriteString(path, word+"\n")
	}
	if err != nil {
		return "", err
	}
	word := strings.TrimSpace(string(b))
	if word == "" {
		return "", fmt.Errorf("%s is empty: delete it to have a new one made", path)
	}
	return word, nil
}

// WriteString is Write for a content that is at hand.
func WriteString(path, content string) error {
	return Write(path, func(w io.Writer) error {
		_, err := io.WriteString(w, content)
		return err
	})
}
