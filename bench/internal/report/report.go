// Package report writes what was measured: a Markdown page to read, and the raw samples as JSON to judge it by.
package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"
)

// Report is one run of one program.
type Report struct {
	Title       string
	Command     string // that makes this report again, to be run in this module's folder
	Intro       string
	Environment Environment
	Parameters  any // what the run was asked to do; in the raw data only
	Sections    []Section
	Samples     any // every single measurement; in the raw data only
}

// Section is one figure, usually a table.
type Section struct {
	Title string
	Text  string // what is measured and how, before the table
	Table Table
	Notes []string // after the table
}

// Table is a head and rows of as many cells.
type Table struct {
	Head []string
	Rows [][]string
}

// Add adds a row.
func (t *Table) Add(cells ...string) { t.Rows = append(t.Rows, cells) }

// Write writes NAME.md and NAME.json into a folder.
func (r *Report) Write(dir, name string) error {
	raw, err := json.MarshalIndent(map[string]any{
		"title": r.Title, "environment": r.Environment, "parameters": r.Parameters, "samples": r.Samples,
	}, "", "\t")
	if err != nil {
		return fmt.Errorf("encode the samples: %w", err)
	}
	var page bytes.Buffer
	r.Markdown(&page, name+".json")
	if err := os.WriteFile(filepath.Join(dir, name+".json"), append(raw, '\n'), 0o644); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, name+".md"), page.Bytes(), 0o644)
}

// Markdown writes the page. raw names the file of the samples.
func (r *Report) Markdown(w io.Writer, raw string) {
	fmt.Fprintf(w, "# %s\n\n%s\n\n", r.Title, r.Intro)
	fmt.Fprintf(w, "Made by `%s`. Every sample is in `%s`.\n\n", r.Command, raw)
	r.Environment.markdown(w)
	for _, s := range r.Sections {
		fmt.Fprintf(w, "\n## %s\n\n", s.Title)
		if s.Text != "" {
			fmt.Fprintf(w, "%s\n\n", s.Text)
		}
		s.Table.Markdown(w)
		if len(s.Notes) > 0 && len(s.Table.Head) > 0 {
			fmt.Fprintln(w)
		}
		for _, n := range s.Notes {
			fmt.Fprintf(w, "- %s\n", n)
		}
	}
}

// Markdown writes the table with its columns aligned; all but the first to the right.
func (t Table) Markdown(w io.Writer) {
	if len(t.Head) == 0 {
		return
	}
	width := make([]int, len(t.Head))
	for _, row := range append([][]string{t.Head}, t.Rows...) {
		for i, cell := range row {
			width[i] = max(width[i], utf8.RuneCountInString(cell), 3)
		}
	}
	line := func(row []string) {
		for i, cell := range row {
			pad := strings.Repeat(" ", width[i]-utf8.RuneCountInString(cell))
			if i == 0 {
				fmt.Fprintf(w, "| %s%s ", cell, pad)
			} else {
				fmt.Fprintf(w, "| %s%s ", pad, cell)
			}
		}
		fmt.Fprintln(w, "|")
	}
	line(t.Head)
	for i, n := range width {
		if i == 0 {
			fmt.Fprintf(w, "| %s ", strings.Repeat("-", n))
		} else {
			fmt.Fprintf(w, "| %s: ", strings.Repeat("-", n-1))
		}
	}
	fmt.Fprintln(w, "|")
	for _, row := range t.Rows {
		line(row)
	}
}
