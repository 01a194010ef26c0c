package main

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/replication-gateway/gateway/internal/directory"
)

// syncRequest is the body of a directory sync, by member. What a file says in JSON
// goes on as it stands there, for the gateway to judge.
type syncRequest map[string]jsontext.Value

// set gives a member a value, which must be one that JSON has.
func (r syncRequest) set(name string, value any) {
	b, err := json.Marshal(value)
	if err != nil {
		panic(fmt.Sprintf("%s of a directory sync: %v", name, err))
	}
	r[name] = b
}

// is reports whether a member is true.
func (r syncRequest) is(name string) bool { return string(r[name]) == "true" }

func (r syncRequest) encode() ([]byte, error) { return json.Marshal(r, json.Deterministic(true)) }

// readSync makes a request of a file. Its beginning tells what the file is: that
// of JSON is a bracket or a brace, that of CSV the name of a column.
func readSync(file []byte) (syncRequest, error) {
	const byteOrderMark = "\uFEFF"
	file = bytes.TrimPrefix(file, []byte(byteOrderMark))
	if !utf8.Valid(file) {
		return nil, errors.New("it is not in UTF-8")
	}
	content := bytes.TrimLeft(file, " \t\r\n")
	switch {
	case len(content) == 0:
		return nil, errors.New("it is empty")
	case content[0] == '[' || content[0] == '{':
		return readJSON(file)
	}
	return readCSV(file)
}

// readJSON reads a list of entries, a whole request, or entries one after the
// other.
func readJSON(file []byte) (syncRequest, error) {
	values, err := readValues(file)
	if err != nil {
		return nil, err
	}
	request := syncRequest{"entries": values[0]}
	if values[0].Kind() == '{' {
		request = nil
		if err := json.Unmarshal(values[0], &request); err != nil {
			return nil, err
		}
		if request["entries"] == nil && request["network_id"] == nil {
			return syncRequest{"entries": listOf(values)}, nil
		}
	}
	if len(values) > 1 {
		return nil, errors.New("something follows the list or the request")
	}
	return request, nil
}

// readValues reads one JSON value after the other, at least one.
func readValues(file []byte) (values []jsontext.Value, err error) {
	in := jsontext.NewDecoder(bytes.NewReader(file))
	for {
		value, err := in.ReadValue()
		if err == io.EOF {
			return values, nil
		}
		if syntax, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
			line := 1 + bytes.Count(file[:min(int(syntax.ByteOffset), len(file))], []byte("\n"))
			return nil, fmt.Errorf("line %d: no good JSON: %w", line, syntax.Err)
		}
		if err != nil {
			return nil, err
		}
		values = append(values, value.Clone())
	}
}

func listOf(values []jsontext.Value) jsontext.Value {
	list := []byte("[")
	for i, v := range values {
		if i > 0 {
			list = append(list, ',')
		}
		list = append(list, v...)
	}
	return append(list, ']')
}

// columns are those that a CSV file may have.
var columns = []string{"external_id", "display_name", "email", "groups", "role", "disabled"}

// readCSV reads entries, a row each, below a row that names the columns.
func readCSV(file []byte) (syncRequest, error) {
	in := csv.NewReader(bytes.NewReader(file))
	header, err := in.Read()
	if err != nil {
		return nil, err
	}
	for i, name := range header {
		header[i] = strings.ToLower(strings.TrimSpace(name))
		if !slices.Contains(columns, header[i]) {
			return nil, fmt.Errorf("column %q: want columns of %s", name, strings.Join(columns, ", "))
		}
		if slices.Contains(header[:i], header[i]) {
			return nil, fmt.Errorf("column %q stands twice", name)
		}
	}
	if !slices.Contains(header, "external_id") {
		return nil, errors.New("there is no column external_id")
	}
	entries := []directory.DirectoryEntry{}
	for {
		row, err := in.Read()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, err
		}
		var e directory.DirectoryEntry
		for i, cell := range row {
			if err := readCell(&e, header[i], cell); err != nil {
				line, _ := in.FieldPos(i)
				return nil, fmt.Errorf("line %d: %w", line, err)
			}
		}
		entries = append(entries, e)
	}
	request := syncRequest{}
	request.set("entries", entries)
	return request, nil
}

// readCell takes what a cell says of a person.
func readCell(e *directory.DirectoryEntry, column, cell string) (err error) {
	switch {
	case column == "groups":
		e.Groups = new(splitGroups(cell))
	case cell == "": // nothing was said
	case column == "external_id":
		e.ExternalID = cell
	case column == "display_name":
		e.DisplayName = &cell
	case column == "email":
		e.Email = &cell
	case column == "role":
		e.Role = &cell
	case column == "disabled":
		if e.Disabled, err = strconv.ParseBool(strings.ToLower(cell)); err != nil {
			return fmt.Errorf("disabled is %q: want true or false", cell)
		}
	}
	return nil
}

// splitGroups returns the groups of a cell, without the space around them.
func splitGroups(cell string) []string {
	groups := []string{}
	for group := range strings.SplitSeq(cell, ";") {
		if group = strings.TrimSpace(group); group != "" {
			groups = append(groups, group)
		}
	}
	return groups
}
