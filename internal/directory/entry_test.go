package directory

import (
	"bytes"
	"strings"
	"testing"
)

// one of each kind, with every field set.
func fullRows() []Record {
	return []Record{
		&Network{NetworkID: 7, Name: "corp \"é\"", Enterprise: true, IdentifyBy: IdentifyByEmail, CreatedAt: minute(1),
			RoleMappings: []RoleMapping{{"Platform", RoleAdmin}, {"Ops", RoleOwner}}},
		&Node{NodeID: 4294967295, Hostname: "box", ExternalID: "Alice", Tags: []string{"a", "<b>"}, CreatedAt: minute(2)},
		&Member{NetworkID: 7, NodeID: 4294967295, Role: RoleOwner, JoinedAt: minute(3)},
		&Assignment{NetworkID: 7, ExternalID: "Bob", Role: RoleAdmin},
		&User{NetworkID: 7, ExternalID: "Alice", DisplayName: "Alice", Email: "a@corp.example", Groups: []string{"Ops"},
			Role: RoleMember, MappedRole: RoleOwner, Disabled: true, UpdatedAt: minute(4)},
		&Sync{NetworkID: 7, At: minute(5), Actor: tester, SeqNo: 1 << 60, SnapshotAt: minute(6), Updated: 1, Disabled: 2, Mapped: 3, Unmapped: 4},
		&Token{TokenID: "t1", Name: "ci", Role: AccessViewer, Networks: []uint16{7, 9}, Hash: "00ff", ExpiresAt: minute(7), CreatedAt: minute(8)},
		&Receipt{ReceiptID: "r1", BodyHash: "11ee", SeqNo: 8, At: minute(9), Answer: []byte(`{"updated":1,"actions":["é"]}`)},
	}
}

// keyOf returns the key of a record, as the entry that deletes it carries it.
func keyOf(r Record) *Key {
	k := &Key{Kind: r.kind(), NetworkID: r.network(), NodeID: r.node()}
	switch r := r.(type) {
	case *Assignment:
		k.ExternalID = r.ExternalID
	case *User:
		k.ExternalID = r.ExternalID
	case *Token:
		k.TokenID = r.TokenID
	case *Receipt:
		k.ReceiptID = r.ReceiptID
	}
	return k
}

// These are the words that other programs read; a field that is renamed or
// left out breaks them.
func TestEntriesOnTheWire(t *testing.T) {
	const at = `"at":"2026-01-01T00:00:00.000Z","actor":"token:test"`
	want := []string{
		`{"seq_no":9,"type":"network.put","network_id":7,` + at + `,"data":{"network_id":7,"name":"corp \"é\"","enterprise":true,"role_mappings":[{"group":"Platform","role":"admin"},{"group":"Ops","role":"owner"}],"identify_by":"email","created_at":"2026-01-01T00:01:00.000Z"}}`,
		`{"seq_no":9,"type":"node.put","node_id":4294967295,` + at + `,"data":{"node_id":4294967295,"hostname":"box","external_id":"Alice","tags":["a","<b>"],"created_at":"2026-01-01T00:02:00.000Z"}}`,
		`{"seq_no":9,"type":"member.put","network_id":7,"node_id":4294967295,` + at + `,"data":{"network_id":7,"node_id":4294967295,"role":"owner","joined_at":"2026-01-01T00:03:00.000Z"}}`,
		`{"seq_no":9,"type":"assignment.put","network_id":7,` + at + `,"data":{"network_id":7,"external_id":"Bob","role":"admin"}}`,
		`{"seq_no":9,"type":"user.put","network_id":7,` + at + `,"data":{"network_id":7,"external_id":"Alice","display_name":"Alice","email":"a@corp.example","groups":["Ops"],"role":"member","mapped_role":"owner","disabled":true,"updated_at":"2026-01-01T00:04:00.000Z"}}`,
		`{"seq_no":9,"type":"sync.put","network_id":7,` + at + `,"data":{"network_id":7,"at":"2026-01-01T00:05:00.000Z","actor":"token:test","seq_no":1152921504606846976,"snapshot_at":"2026-01-01T00:06:00.000Z","updated":1,"disabled":2,"mapped":3,"unmapped":4}}`,
		`{"seq_no":9,"type":"token.put",` + at + `,"data":{"token_id":"t1","name":"ci","role":"viewer","networks":[7,9],"hash":"00ff","expires_at":"2026-01-01T00:07:00.000Z","created_at":"2026-01-01T00:08:00.000Z"}}`,
		`{"seq_no":9,"type":"receipt.put",` + at + `,"data":{"receipt_id":"r1","body_hash":"11ee","seq_no":8,"at":"2026-01-01T00:09:00.000Z","answer":{"updated":1,"actions":["é"]}}}`,
		`{"seq_no":9,"type":"network.delete","network_id":7,` + at + `,"data":{"network_id":7}}`,
		`{"seq_no":9,"type":"node.delete","node_id":4294967295,` + at + `,"data":{"node_id":4294967295}}`,
		`{"seq_no":9,"type":"member.delete","network_id":7,"node_id":4294967295,` + at + `,"data":{"network_id":7,"node_id":4294967295}}`,
		`{"seq_no":9,"type":"assignment.delete","network_id":7,` + at + `,"data":{"network_id":7,"external_id":"Bob"}}`,
		`{"seq_no":9,"type":"user.delete","network_id":7,` + at + `,"data":{"network_id":7,"external_id":"Alice"}}`,
		`{"seq_no":9,"type":"sync.delete","network_id":7,` + at + `,"data":{"network_id":7}}`,
		`{"seq_no":9,"type":"token.delete",` + at + `,"data":{"token_id":"t1"}}`,
		`{"seq_no":9,"type":"receipt.delete",` + at + `,"data":{"receipt_id":"r1"}}`,
	}
	commit, record, err := encodeWhole(everyEntry())
	if err != nil {
		t.Fatal(err)
	}
	if len(commit.Encoded) != len(want) {
		t.Fatalf("%d entries are encoded, want %d", len(commit.Encoded), len(want))
	}
	for i, got := range commit.Encoded {
		if string(got) != want[i] {
			t.Errorf("entry %d\n got  %s\n want %s", i, got, want[i])
		}
	}
	if joined := "[" + strings.Join(want, ",") + "]"; string(record) != joined {
		t.Errorf("the record of the commit is %s", record)
	}
}

// everyEntry is a commit with a put and a delete of every kind.
func everyEntry() []DeltaEntry {
	var entries []DeltaEntry
	for _, r := range fullRows() {
		entries = append(entries, putOf(9, r))
	}
	for _, r := range fullRows() {
		k := keyOf(r)
		e := putOf(9, k)
		e.Type.Delete = true
		entries = append(entries, e)
	}
	return entries
}

func TestDecodeCommitRefuses(t *testing.T) {
	put := func(seqNo, data string) string {
		return `{"seq_no":` + seqNo + `,"type":"member.put","at":"2026-01-01T00:00:00.000Z","actor":"a","data":` + data + `}`
	}
	const member = `{"network_id":7,"node_id":1,"role":"owner","joined_at":"2026-01-01T00:00:00.000Z"}`
	if _, err := DecodeCommit([]byte("[" + put("1", member) + "," + put("1", member) + "]")); err != nil {
		t.Fatalf("a whole commit is refused: %v", err)
	}
	tests := map[string]string{
		"nothing":                      ``,
		"no list":                      put("1", member),
		"an empty list":                `[]`,
		"half a list":                  "[" + put("1", member),
		"more after the list":          "[" + put("1", member) + "][]",
		"entries of two commits":       "[" + put("1", member) + "," + put("2", member) + "]",
		"an unknown type":              strings.Replace("["+put("1", member)+"]", "member.put", "member.set", 1),
		"a type without a verb":        strings.Replace("["+put("1", member)+"]", "member.put", "member", 1),
		"an unknown role":              "[" + strings.Replace(put("1", member), "owner", "god", 1) + "]",
		"a network out of range":       "[" + strings.Replace(put("1", member), `"network_id":7`, `"network_id":65536`, 1) + "]",
		"a negative seq_no":            "[" + put("-1", member) + "]",
		"a time that is none":          "[" + strings.Replace(put("1", member), "2026-01-01T00:00:00.000Z", "yesterday", 1) + "]",
		"data of another shape":        "[" + put("1", `["owner"]`) + "]",
		"a key twice":                  "[" + strings.Replace(put("1", member), `"node_id":1`, `"node_id":1,"node_id":2`, 1) + "]",
		"bytes that are no UTF-8 text": "[" + strings.Replace(put("1", member), `"a"`, "\"\xff\"", 1) + "]",
	}
	for name, record := range tests {
		if c, err := DecodeCommit([]byte(record)); err == nil {
			t.Errorf("%s is read as %q", name, lines(c.Entries))
		}
	}
}

// A time that a caller may give can be read back from the log, or is refused
// when it comes: a commit that cannot be read would end every later start.
func TestTimesFromCallersCanBeReplayed(t *testing.T) {
	for _, text := range []string{
		"2026-01-01T00:00:00Z", "0000-01-01T00:00:00Z", "9999-12-31T23:59:59.999Z",
		"0000-01-01T00:00:00+00:01", "9999-12-31T23:59:59-00:01", // other years in UTC
	} {
		token := &Token{TokenID: "t1"}
		if err := token.ExpiresAt.UnmarshalText([]byte(text)); err != nil {
			continue
		}
		_, record, err := encodeWhole([]DeltaEntry{putOf(1, token)})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := DecodeCommit(record); err != nil {
			t.Errorf("%s is taken, and then not read from the log: %v", text, err)
		}
	}
}

// A decoded commit outlives the record that it was read from.
func TestDecodedCommitKeepsNothingOfTheRecord(t *testing.T) {
	want, record, err := encodeWhole(everyEntry())
	if err != nil {
		t.Fatal(err)
	}
	encoded := bytes.Join(want.Encoded, nil)
	expected := bytes.Clone(encoded)
	read := bytes.Clone(record)
	got, err := DecodeCommit(read)
	if err != nil {
		t.Fatal(err)
	}
	for i := range read {
		read[i] = 'x'
	}
	if !bytes.Equal(bytes.Join(got.Encoded, nil), expected) {
		t.Error("the encoded entries changed with the record")
	}
	if again, _, err := EncodeCommit(got.Entries); err != nil || !bytes.Equal(bytes.Join(again.Encoded, nil), expected) {
		t.Errorf("the entries changed with the record, %v", err)
	}
}

// What can be read can be carried out, and written and read again without a
// difference.
func FuzzDecodeCommit(f *testing.F) {
	_, record, err := encodeWhole(everyEntry())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(record)
	f.Add([]byte(`[]`))
	f.Add([]byte(`[null]`))
	f.Add([]byte(`[{"seq_no":1,"type":"node.put","data":null}]`))
	f.Add([]byte(`[{"data":{"node_id":1},"type":"node.put"},{"type":"node.delete","data":{"node_id":1}}]`))
	f.Add([]byte(`[{"type":"user.put","network_id":7,"data":{"external_id":"É","groups":null}}]`))
	f.Fuzz(func(t *testing.T, record []byte) {
		c, err := DecodeCommit(record)
		if err != nil {
			return
		}
		if len(c.Entries) == 0 || len(c.Encoded) != len(c.Entries) || c.Entries[0].SeqNo != c.SeqNo {
			t.Fatalf("commit %d has %d entries, %d encoded", c.SeqNo, len(c.Entries), len(c.Encoded))
		}
		s := NewState()
		s.Apply(c.Entries)
		written, rewritten, err := encodeWhole(c.Entries)
		if err != nil {
			t.Fatalf("what was read cannot be written: %v", err)
		}
		again, err := DecodeCommit(rewritten)
		if err != nil {
			t.Fatalf("what was written cannot be read: %v\n%s", err, rewritten)
		}
		if twice, _, err := EncodeCommit(again.Entries); err != nil || !bytes.Equal(bytes.Join(twice.Encoded, nil), bytes.Join(written.Encoded, nil)) {
			t.Errorf("written again it differs, %v:\n%s", err, rewritten)
		}
		replayed := NewState()
		replayed.Apply(again.Entries)
		if s.Digest() != replayed.Digest() || s.SeqNo() != replayed.SeqNo() {
			t.Errorf("read again it leads to another state:\n%s", rewritten)
		}
	})
}
