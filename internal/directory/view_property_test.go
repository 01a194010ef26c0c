package directory

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"pgregory.net/rapid"
)

// sightOf says, apart from the package, which kinds each role may see.
var sightOf = map[AccessRole]string{
	AccessAdmin:   "network node member assignment user sync",
	AccessViewer:  "network node member assignment sync",
	AccessReplica: "network node member assignment user sync token receipt",
}

// drawView draws a view of a role that reads, in half the cases limited to
// some networks, of which not all need exist.
func drawView(t *rapid.T) View {
	role := rapid.SampledFrom([]AccessRole{AccessAdmin, AccessViewer, AccessReplica}).Draw(t, "role")
	if rapid.Bool().Draw(t, "limited") {
		return NewView(role, rapid.SliceOfN(rapid.Uint16Range(1, 4), 1, 3).Draw(t, "networks")...)
	}
	return NewView(role)
}

// follower holds rows as one who reads a stream does: by kind and key, as the
// bytes that came. It knows no rule but to put and to delete.
type follower struct {
	t    *rapid.T
	rows map[string]string
}

// keyed are the fields that may make up a key, of any kind.
type keyed struct {
	NetworkID  uint16 `json:"network_id"`
	NodeID     uint32 `json:"node_id"`
	ExternalID string `json:"external_id"`
	TokenID    string `json:"token_id"`
	ReceiptID  string `json:"receipt_id"`
}

func (f *follower) key(kind string, data jsontext.Value) string {
	var k keyed
	if err := json.Unmarshal(data, &k); err != nil {
		f.t.Fatalf("%s %s: %v", kind, data, err)
	}
	switch kind {
	case "network", "sync":
		return fmt.Sprint(kind, " ", k.NetworkID)
	case "node":
		return fmt.Sprint(kind, " ", k.NodeID)
	case "member":
		return fmt.Sprint(kind, " ", k.NetworkID, "/", k.NodeID)
	case "assignment", "user":
		return fmt.Sprint(kind, " ", k.NetworkID, "/", strings.ToLower(k.ExternalID))
	case "token":
		return fmt.Sprint(kind, " ", k.TokenID)
	case "receipt":
		return fmt.Sprint(kind, " ", k.ReceiptID)
	}
	f.t.Fatalf("an unknown kind %q", kind)
	return ""
}

// snapshot replaces everything with the rows of the parts.
func (f *follower) snapshot(parts [][]byte) {
	f.rows = map[string]string{}
	for _, part := range parts {
		var lists map[string][]jsontext.Value
		if err := json.Unmarshal(part, &lists); err != nil {
			f.t.Fatalf("part %s: %v", part, err)
		}
		for plural, rows := range lists {
			kind := strings.TrimSuffix(plural, "s")
			for _, row := range rows {
				key := f.key(kind, row)
				if _, twice := f.rows[key]; twice {
					f.t.Fatalf("%s stands twice in a snapshot", key)
				}
				f.rows[key] = string(row)
			}
		}
	}
}

// wireEntry is an entry as a reader gets it.
type wireEntry struct {
	SeqNo uint64         `json:"seq_no"`
	Type  string         `json:"type"`
	Data  jsontext.Value `json:"data"`
}

func (f *follower) entry(encoded []byte) wireEntry {
	var e wireEntry
	if err := json.Unmarshal(encoded, &e); err != nil {
		f.t.Fatalf("entry %s: %v", encoded, err)
	}
	kind, verb, _ := strings.Cut(e.Type, ".")
	key := f.key(kind, e.Data)
	switch _, held := f.rows[key]; {
	case verb == "put":
		f.rows[key] = string(e.Data)
	case !held:
		f.t.Fatalf("%s deletes %s, which the reader never had", e.Type, key)
	default:
		delete(f.rows, key)
	}
	return e
}

func (f *follower) lines() []string {
	var out []string
	for key, row := range f.rows {
		out = append(out, key+" = "+row)
	}
	slices.Sort(out)
	return out
}

// visible says, row by row and without a look at the package's own rules, what
// a view sees of a state, as a follower would hold it.
func visible(t *rapid.T, v View, s *State) []string {
	rows := rowsOf(s)
	inSight := map[uint32]bool{}
	for _, r := range rows {
		if m, ok := r.(*Member); ok && slices.Contains(v.Networks(), m.NetworkID) {
			inSight[m.NodeID] = true
		}
	}
	f := follower{t: t, rows: map[string]string{}}
	for _, r := range rows {
		kind := r.kind().String()
		if !slices.Contains(strings.Fields(sightOf[v.Role()]), kind) {
			continue
		}
		if limited := len(v.Networks()) > 0; limited {
			if kind == "token" || kind == "node" && !inSight[r.node()] || kind != "node" && !slices.Contains(v.Networks(), r.network()) {
				continue
			}
		}
		encoded := generalJSON(t, r)
		f.rows[f.key(kind, encoded)] = string(encoded)
	}
	return f.lines()
}

// Whoever starts from a snapshot of any commit and does as the entries say
// holds at each later commit exactly what a fresh snapshot of it would show,
// and that is what the view may see.
func TestFollowerHoldsWhatAFreshSnapshotShows(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		history, v := drawHistory(t, 12), drawView(t)
		if len(history) == 0 {
			return
		}
		start := rapid.IntRange(0, len(history)-1).Draw(t, "start")
		f, fresh := follower{t: t}, follower{t: t}
		f.snapshot(partsOf(v, history[start].before, 600))
		for _, c := range history[start:] {
			for _, encoded := range v.Entries(&c.commit, c.footprint) {
				if e := f.entry(encoded); e.SeqNo != c.commit.SeqNo {
					t.Fatalf("commit %d brings %s", c.commit.SeqNo, encoded)
				}
			}
			fresh.snapshot(partsOf(v, c.after, 600))
			if diff := differ(fresh.lines(), f.lines()); diff != "" {
				t.Fatalf("view %s after commit %d, %q:%s", v, c.commit.SeqNo, lines(c.commit.Entries), diff)
			}
			if diff := differ(visible(t, v, c.after), fresh.lines()); diff != "" {
				t.Fatalf("view %s of commit %d is not what it may see:%s", v, c.commit.SeqNo, diff)
			}
		}
	})
}

// No entry is about a kind, a network or a node that is hidden, before the
// commit, after it and at every point inside.
func TestNothingHiddenLeaks(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		history, v := drawHistory(t, 12), drawView(t)
		for _, c := range history {
			inSight := nodesInSight(v, &c)
			for _, encoded := range v.Entries(&c.commit, c.footprint) {
				var e wireEntry
				var k keyed
				if err := json.Unmarshal(encoded, &e); err != nil {
					t.Fatal(err)
				}
				if err := json.Unmarshal(e.Data, &k); err != nil {
					t.Fatal(err)
				}
				kind, _, _ := strings.Cut(e.Type, ".")
				if !slices.Contains(strings.Fields(sightOf[v.Role()]), kind) {
					t.Fatalf("view %s gets %s", v, encoded)
				}
				if len(v.Networks()) == 0 {
					continue
				}
				if kind == "token" || k.NetworkID != 0 && !slices.Contains(v.Networks(), k.NetworkID) || kind == "node" && !inSight[k.NodeID] {
					t.Fatalf("view %s gets %s", v, encoded)
				}
			}
		}
	})
}

// nodesInSight returns the nodes that are members of a network of the view
// before a commit or at any point inside it.
func nodesInSight(v View, c *change) map[uint32]bool {
	nodes := map[uint32]bool{}
	note := func(s *State) {
		for _, network := range v.Networks() {
			for m := range s.Members(network, 0) {
				nodes[m.NodeID] = true
			}
		}
	}
	s := c.before.Clone()
	note(s)
	for _, e := range c.commit.Entries {
		s.Apply([]DeltaEntry{e})
		note(s)
	}
	return nodes
}

// Commits of which a view sees nothing bring it no entry, and an unlimited view
// of everything gets each commit as it is.
func TestReplicaSeesTheCommitAsItIs(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		for _, c := range drawHistory(t, 12) {
			got := NewView(AccessReplica).Entries(&c.commit, c.footprint)
			if !slices.EqualFunc(got, c.commit.Encoded, slices.Equal[[]byte]) {
				t.Fatalf("commit %d comes as %q", c.commit.SeqNo, got)
			}
			if got := NewView(AccessAdmin, 9).Entries(&c.commit, c.footprint); len(got) > 0 {
				t.Fatalf("a view of a network that never was gets %q", got)
			}
		}
	})
}

// A part is no longer than the limit unless its one row is, and the parts hold
// every row once, in the order of a snapshot, whatever the limit.
func TestSnapshotPartsRespectTheLimit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		history, v := drawHistory(t, 8), drawView(t)
		s := NewState()
		if len(history) > 0 {
			s = history[len(history)-1].after
		}
		whole := partsOf(v, s, 1<<30)
		if len(whole) != 1 {
			t.Fatalf("without a limit there are %d parts", len(whole))
		}
		var want, got []string
		limit := rapid.IntRange(1, 1500).Draw(t, "limit")
		want = append(want, rowsOfPart(t, v, whole[0])...)
		for _, part := range partsOf(v, s, limit) {
			rows := rowsOfPart(t, v, part)
			if len(part) > limit && len(rows) > 1 {
				t.Fatalf("a part of %d rows is %d bytes long, limit %d:\n%s", len(rows), len(part), limit, part)
			}
			got = append(got, rows...)
		}
		if !slices.Equal(want, got) {
			t.Fatalf("in parts of %d bytes:%s", limit, differ(want, got))
		}
	})
}

// partsOf returns the parts of a snapshot, to be kept.
func partsOf(v View, s *State, limit int) (parts [][]byte) {
	for part := range v.SnapshotParts(s, limit) {
		parts = append(parts, bytes.Clone(part))
	}
	return parts
}

// rowsOfPart returns the rows of a part in the order in which they stand, each
// with its kind. A part names every kind in sight, and no other.
func rowsOfPart(t *rapid.T, v View, part []byte) []string {
	var lists map[string][]jsontext.Value
	if err := json.Unmarshal(part, &lists); err != nil {
		t.Fatalf("part %s: %v", part, err)
	}
	var rows []string
	for kind := range numKinds {
		list, named := lists[kind.Plural()]
		limited := len(v.Networks()) > 0 && (kind == KindToken || kind == KindReceipt)
		if want := slices.Contains(strings.Fields(sightOf[v.Role()]), kind.String()) && !limited; named != want {
			t.Fatalf("view %s: %s named: %v, want %v, in %s", v, kind.Plural(), named, want, part)
		}
		delete(lists, kind.Plural())
		for _, row := range list {
			rows = append(rows, kind.String()+string(row))
		}
	}
	if len(lists) > 0 {
		t.Fatalf("unknown lists %q in %s", slices.Collect(maps.Keys(lists)), part)
	}
	return rows
}

// The name of a view says all of it, and each view has one name.
func TestViewRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		role := rapid.SampledFrom([]AccessRole{AccessAdmin, AccessViewer, AccessReplica, AccessSync}).Draw(t, "role")
		networks := rapid.SliceOfN(rapid.Uint16(), 0, 5).Draw(t, "networks")
		v := NewView(role, networks...)
		want := string(role) + ":" + strings.Trim(strings.ReplaceAll(fmt.Sprint(setOf(networks)), " ", ","), "[]")
		if v.String() != want {
			t.Fatalf("the view of %v is named %s, want %s", networks, v, want)
		}
		read, err := ParseView(v.String())
		if err != nil || read.String() != v.String() || read.Role() != role || !slices.Equal(read.Networks(), v.Networks()) {
			t.Fatalf("view %s is read as %s, %v", v, read, err)
		}
		for _, network := range append(networks, rapid.Uint16().Draw(t, "another")) {
			want := len(networks) == 0 || slices.Contains(networks, network)
			if v.SeesNetwork(network) != want || read.SeesNetwork(network) != want {
				t.Fatalf("view %s sees network %d: %v, read from its name %v, want %v", v, network, v.SeesNetwork(network), read.SeesNetwork(network), want)
			}
		}
	})
}
