package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/replication-gateway/gateway/bench/internal/figures"
	"github.com/replication-gateway/gateway/bench/internal/logs"
)

// bench is one run: its folder, and the samples so far.
type bench struct {
	options
	dir     string // of this run
	samples figures.Samples
	flips   map[string][]flip // by candidate
}

// openLog is a candidate's log in a folder of its own.
type openLog struct {
	logs.Candidate
	dir string
	log logs.Log
}

// open opens a log for each candidate. The caller ends them with closeAll.
func (b *bench) open(candidates []logs.Candidate) ([]*openLog, error) {
	var all []*openLog
	for _, c := range candidates {
		dir, err := os.MkdirTemp(b.dir, fileName(c.Name)+"-")
		if err != nil {
			return nil, errors.Join(err, closeAll(all))
		}
		l, err := c.Open(dir)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("open %s: %w", c.Name, err), closeAll(all))
		}
		all = append(all, &openLog{c, dir, l})
	}
	return all, nil
}

// closeAll closes the logs and removes their folders.
func closeAll(all []*openLog) error {
	var errs []error
	for _, o := range all {
		errs = append(errs, o.close(), os.RemoveAll(o.dir))
	}
	return errors.Join(errs...)
}

// close closes the log and leaves its folder.
func (o *openLog) close() error {
	if o.log == nil {
		return nil
	}
	l := o.log
	o.log = nil
	return l.Close()
}

// fileName turns a candidate's name into one of a folder.
func fileName(name string) string {
	return filepath.Base(strings.Map(func(r rune) rune {
		if r == ' ' || r == '/' || r == ',' {
			return '-'
		}
		return r
	}, name))
}
