package main

import (
	"strings"
	"testing"
)

func TestReadSync(t *testing.T) {
	for name, tt := range map[string]struct{ file, want string }{
		"what JSON says goes on as it is": {`[{"external_id":"a","new":[1,1.50]}]`, `{"entries":[{"external_id":"a","new":[1,1.50]}]}`},
		"a request, with all it has":      {` {"entries":null,"dry_run":true,"new":1}`, `{"dry_run":true,"entries":null,"new":1}`},
		"a single entry":                  {`{"external_id":"a"}`, `{"entries":[{"external_id":"a"}]}`},
		"NDJSON with empty lines":         {"{\"external_id\":\"a\"}\n\n{\"external_id\":\"b\"}\r\n", `{"entries":[{"external_id":"a"},{"external_id":"b"}]}`},
		"every column": {"external_id,display_name,email,groups,role,disabled\na,Ann,a@x,G1;G2,owner,true\n",
			`{"entries":[{"external_id":"a","display_name":"Ann","email":"a@x","groups":["G1","G2"],"role":"owner","disabled":true}]}`},
		"empty cells say nothing, but of groups": {"external_id,display_name,email,groups,role,disabled\na,,,,,\n",
			`{"entries":[{"external_id":"a","groups":[],"disabled":false}]}`},
		"groups with space and nothing between": {"groups,external_id\n\" G 1 ;;G2;\",a\n", `{"entries":[{"external_id":"a","groups":["G 1","G2"],"disabled":false}]}`},
		"a cell with everything in it":          {"external_id,display_name\na,\"O'Hara, \"\"Ann\"\"\nÉ\"\n", `{"entries":[{"external_id":"a","display_name":"O'Hara, \"Ann\"\nÉ","disabled":false}]}`},
		"cells keep their space":                {"external_id\n a \n", `{"entries":[{"external_id":" a ","disabled":false}]}`},
		"a header alone":                        {"external_id\n", `{"entries":[]}`},
	} {
		request, err := readSync([]byte(tt.file))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got, err := request.encode(); err != nil || string(got) != tt.want {
			t.Errorf("%s: %s (%v), want %s", name, got, err, tt.want)
		}
	}
}

func TestReadSyncRefuses(t *testing.T) {
	for name, tt := range map[string]struct{ file, want string }{
		"an empty file":           {"\uFEFF \n", "empty"},
		"another encoding":        {"external_id\nM\xfcller\n", "UTF-8"},
		"a list that ends early":  {"[{\"external_id\":\"a\"},\n", "line 2"},
		"a name twice":            {"{\"external_id\":\"a\"}\n{\"external_id\":\"b\",\"external_id\":\"c\"}", "line 2"},
		"two lists":               {"[][]", "follows"},
		"two requests":            {`{"entries":[]}{"entries":[]}`, "follows"},
		"an entry behind a list":  {"[]\n{\"external_id\":\"a\"}", "follows"},
		"an unknown column":       {"external_id,telephone\na,1\n", `"telephone"`},
		"a column twice":          {"external_id,External_ID\na,b\n", "twice"},
		"no column of ids":        {"display_name\nAnn\n", "external_id"},
		"a row that is too short": {"external_id,role\na,owner\nb\n", "line 3"},
		"a quote that is open":    {"external_id\n\"a\n", "line"},
		"neither true nor false":  {"external_id,disabled\na,true\nb,gone\n", "line 3"},
	} {
		request, err := readSync([]byte(tt.file))
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, %v; want an error that says %q", name, request, err, tt.want)
		}
	}
}
