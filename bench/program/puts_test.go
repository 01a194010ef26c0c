package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"testing"
)

func TestPutsAreRequestsThatDiffer(t *testing.T) {
	const writers, nodes, each = 3, 10, 12
	owner := map[string]int{}
	hosts := map[string]bool{}
	for w := range writers {
		p := newPuts(w, writers, nodes)
		for range each {
			r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(p.next())))
			if err != nil {
				t.Fatal(err)
			}
			var node struct {
				Hostname   string `json:"hostname"`
				ExternalID string `json:"external_id"`
			}
			b, err := io.ReadAll(r.Body)
			if err != nil {
				t.Fatal(err)
			}
			if err := json.Unmarshal(b, &node); err != nil {
				t.Fatalf("%s: %v", b, err)
			}
			path := r.URL.Path
			if w2, taken := owner[path]; taken && w2 != w {
				t.Errorf("%s is put by the writers %d and %d", path, w2, w)
			}
			owner[path] = w
			if hosts[path+node.Hostname] {
				t.Errorf("%s gets the hostname %s twice: no commit", path, node.Hostname)
			}
			hosts[path+node.Hostname] = true
			if want := "person-" + path[len("/nodes/"):] + "@corp.example"; node.ExternalID != want || r.Method != "PUT" {
				t.Errorf("%s %s is of %s, want %s", r.Method, path, node.ExternalID, want)
			}
		}
	}
	if len(owner) != nodes || owner["/nodes/1000000"] != 0 || owner["/nodes/1000009"] != 0 {
		t.Errorf("the nodes are %v, want %d", owner, nodes)
	}
}

func TestSetDigits(t *testing.T) {
	b := []byte("xxxxx")
	for n, want := range map[int]string{0: "00000", 7: "00007", 12345: "12345"} {
		if setDigits(b, n); string(b) != want {
			t.Errorf("%d is %s, want %s", n, b, want)
		}
	}
}

func TestGrowerNeverRepeatsItself(t *testing.T) {
	// A fleet that does not divide a batch: every op must still change its node.
	last := map[string]string{}
	g := grower{nodes: 7}
	for range 3 {
		g.fill()
		var body struct {
			Ops []struct {
				Type string
				Data struct {
					NodeID   json.Number `json:"node_id"`
					Hostname string
				}
			}
		}
		if err := json.Unmarshal(g.ops.batch(), &body); err != nil {
			t.Fatal(err)
		}
		if len(body.Ops) != maxOps {
			t.Fatalf("%d ops", len(body.Ops))
		}
		for _, o := range body.Ops {
			id := o.Data.NodeID.String()
			if o.Type != "node.put" || o.Data.Hostname == last[id] {
				t.Fatalf("%s of node %s with the hostname %s that it has", o.Type, id, o.Data.Hostname)
			}
			last[id] = o.Data.Hostname
		}
	}
	if len(last) != 7 {
		t.Errorf("%d nodes, want 7", len(last))
	}
}
