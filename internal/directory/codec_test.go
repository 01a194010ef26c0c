package directory

import (
	"bytes"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"pgregory.net/rapid"
)

// Every record is written as the general encoder writes it, byte for byte, and
// what is read from that is what the general decoder reads.
func TestCanonicalJSONIsThatOfTheGeneralCodec(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := drawRecord(t)
		want := generalJSON(t, r)
		got := appendRecord([]byte("before"), r)
		if string(got) != "before"+string(want) {
			t.Fatalf("\nwant before%s\n got %s", want, got)
		}
		e := &DeltaEntry{SeqNo: rapid.Uint64().Draw(t, "seq_no"), Type: typeOf(r), NetworkID: r.network(), NodeID: r.node(),
			At: drawTime(t), Actor: drawText(t), Data: r}
		if want, got := generalJSON(t, e), appendEntry(nil, e); !bytes.Equal(want, got) {
			t.Fatalf("\nwant %s\n got %s", want, got)
		}
		if isCanonical(r) {
			sameAsGeneral(t, typeOf(r), want)
		}
	})
}

// isCanonical reports whether the JSON of r is read without the general
// decoder. An answer that is no object, list or string is not.
func isCanonical(r Record) bool {
	receipt, ok := r.(*Receipt)
	return !ok || strings.ContainsRune(`{["`, rune(receipt.Answer.Kind()))
}

// sameAsGeneral fails unless canonical JSON is recognised, and read as the
// general decoder reads it.
func sameAsGeneral(t rapid.TB, typ EntryType, encoded []byte) {
	t.Helper()
	want := newRecord(typ)
	if err := json.Unmarshal(encoded, want); err != nil {
		t.Fatalf("the general decoder refuses %s: %v", encoded, err)
	}
	c := codec{direction: reading, buf: encoded}
	got := newRecord(typ)
	c.record(got)
	if c.failed || c.pos != len(encoded) {
		t.Fatalf("not recognised: %s", encoded)
	}
	if !reflect.DeepEqual(want, got) {
		t.Fatalf("%s\nis read as %+v\nwant       %+v", encoded, got, want)
	}
}

// Whole commits are recognised too, whatever is in their strings.
func TestCommitsAreReadWithoutTheGeneralDecoder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var entries []DeltaEntry
		for range rapid.IntRange(1, 5).Draw(t, "entries") {
			r := drawRecord(t)
			if !isCanonical(r) {
				continue
			}
			entries = append(entries, DeltaEntry{SeqNo: 7, Type: typeOf(r), NetworkID: r.network(), NodeID: r.node(), At: drawTime(t), Actor: drawText(t), Data: r})
		}
		if len(entries) == 0 {
			return
		}
		commit, record, err := encodeWhole(entries)
		if err != nil {
			t.Fatal(err)
		}
		fast := Commit{Encoded: [][]byte{}}
		if !fast.read(record) {
			t.Fatalf("not recognised: %s", record)
		}
		general, err := decodeCommit(record)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(fast, general) {
			t.Fatalf("%s\nis read as %+v\nwant       %+v", record, fast, general)
		}
		if !reflect.DeepEqual(fast.Encoded, commit.Encoded) {
			t.Fatalf("the encoded entries are %q, want %q", fast.Encoded, commit.Encoded)
		}
	})
}

// Where both read something they agree, and what only one reads is nothing
// that EncodeCommit writes.
func FuzzReadCommit(f *testing.F) {
	_, record, err := encodeWhole(everyEntry())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(record)
	for _, e := range everyEntry() {
		f.Add(append(appendEntry([]byte{'['}, &e), ']'))
	}
	f.Add([]byte(`[{"seq_no":1,"type":"user.delete","network_id":7,"at":"2024-02-29T23:59:59.999Z","actor":"\u00e9\ud83d\ude00","data":{"network_id":7,"external_id":"a\\\"b"}}]`))
	token := func(name string) []byte {
		return []byte(`[{"seq_no":1,"type":"token.put","at":"2024-02-29T23:59:59.999Z","actor":"a","data":{"token_id":"t","name":"` + name + `","role":"admin","networks":[],"hash":"","created_at":"0000-01-01T00:00:00.000Z"}}]`)
	}
	for _, name := range []string{"ci", "tab\there", "line\nbreak", "nul\x00", "\x7f", "\xff", "\xed\xa0\x80", `\ud800`, `\x`, `\`, `\"`, "é", `\u00e9`, `a\/b`} {
		f.Add(token(name))
	}
	for _, answer := range []string{`{"a":1,"a":2}`, `{"a":}`, `[1,]`, `{"a":"\q"}`, `["\xff"]`, `[01]`, `[]]`, `[}`, `"a"`, `1`, `12`, `null`, ``, ` {}`, `{} `, `{ "a" : [ 1 ] }`} {
		f.Add([]byte(`[{"seq_no":1,"type":"receipt.put","at":"2024-02-29T23:59:59.999Z","actor":"a","data":{"receipt_id":"r","body_hash":"","seq_no":1,"at":"0000-01-01T00:00:00.000Z","answer":` + answer + `}}]`))
	}
	f.Add([]byte(`[{"seq_no":1,"type":"receipt.put","at":"2024-02-29T23:59:59.999Z","actor":"a","data":{"receipt_id":"r","body_hash":"","seq_no":1,"at":"0000-01-01T00:00:00.000Z","answer":{"a":[1,"]"]}}}]`))
	f.Fuzz(func(t *testing.T, record []byte) {
		fast := Commit{Encoded: [][]byte{}}
		if !fast.read(record) {
			return
		}
		general, err := decodeCommit(record)
		if err != nil {
			t.Fatalf("the general decoder refuses it: %v\n%q", err, record)
		}
		if !reflect.DeepEqual(fast, general) {
			t.Fatalf("%q\nis read as %+v\nwant       %+v", record, fast, general)
		}
	})
}

// What is not canonical is no fault: the general decoder reads it.
func TestOtherSpellingsAreReadByTheGeneralDecoder(t *testing.T) {
	want := &Member{NetworkID: 7, NodeID: 9, Role: RoleAdmin, JoinedAt: minute(0)}
	const canonical = `{"network_id":7,"node_id":9,"role":"admin","joined_at":"2026-01-01T00:00:00.000Z"}`
	sameAsGeneral(t, EntryType{Kind: KindMember}, []byte(canonical))
	for name, other := range map[string]string{
		"spaces":         strings.ReplaceAll(canonical, ",", " , "),
		"another order":  `{"node_id":9,"network_id":7,"role":"admin","joined_at":"2026-01-01T00:00:00.000Z"}`,
		"an escape":      strings.Replace(canonical, `"role"`, `"\u0072ole"`, 1),
		"another zone":   strings.Replace(canonical, "00:00:00.000Z", "01:00:00+01:00", 1),
		"more members":   strings.Replace(canonical, `"role"`, `"new":[{}],"role"`, 1),
		"one at the end": strings.Replace(canonical, `}`, `,"new":1}`, 1),
	} {
		if got, err := parseRecord(EntryType{Kind: KindMember}, []byte(other)); err != nil || !reflect.DeepEqual(got, Record(want)) {
			t.Errorf("%s: %s is read as %+v, %v", name, other, got, err)
		}
	}
	for name, bad := range map[string]string{
		"a name twice":      strings.Replace(canonical, `"role"`, `"node_id":9,"role"`, 1),
		"a leading zero":    strings.Replace(canonical, "9", "09", 1),
		"a number too big":  strings.Replace(canonical, "7", "65536", 1),
		"a day too many":    strings.Replace(canonical, "2026-01-01", "2026-02-29", 1),
		"an hour too many":  strings.Replace(canonical, "T00", "T24", 1),
		"more after it":     canonical + " {}",
		"half of it":        canonical[:len(canonical)-1],
		"an unknown role":   strings.Replace(canonical, "admin", "god", 1),
		"a byte not UTF-8":  strings.Replace(canonical, "admin", "adm\xffin", 1),
		"nothing":           "",
		"a role in numbers": strings.Replace(canonical, `"admin"`, "2", 1),
	} {
		if got, err := parseRecord(EntryType{Kind: KindMember}, []byte(bad)); err == nil {
			t.Errorf("%s: %s is read as %+v", name, bad, got)
		}
	}
}

// What could not be read again is refused when it is written.
func TestEncodeCommitRefusesWhatIsNotUTF8(t *testing.T) {
	for name, r := range map[string]Record{
		"a string":              &Node{NodeID: 1, Hostname: "a\xff"},
		"an item":               &Node{NodeID: 1, Tags: []string{"a", "\xed\xa0\x80"}},
		"a string with escapes": &Node{NodeID: 1, Hostname: "\"\xff"},
		"an answer":             &Receipt{ReceiptID: "r", Answer: jsontext.Value("\"\xff\"")},
	} {
		if _, record, err := EncodeCommit([]DeltaEntry{putOf(1, r)}); err == nil {
			t.Errorf("%s is written: %q", name, record)
		}
	}
}

// Rows are written with no garbage but that of strings that need escapes.
func TestWritingAllocatesNothing(t *testing.T) {
	buf := make([]byte, 0, 1<<10)
	for _, r := range fullRows() {
		if _, isReceipt := r.(*Receipt); isReceipt {
			continue // an answer passes through the general encoder
		}
		if network, ok := r.(*Network); ok {
			network.Name = "corp é"
		}
		if n := testing.AllocsPerRun(10, func() { buf = AppendRow(buf[:0], r) }); n != 0 {
			t.Errorf("to write a %v takes %v allocations", r.kind(), n)
		}
	}
}

// generalJSON is the judge: what the general encoder makes of v.
func generalJSON(t rapid.TB, v any) []byte {
	t.Helper()
	b, err := json.Marshal(v, json.Deterministic(true))
	if err != nil {
		t.Fatalf("encode %T: %v", v, err)
	}
	return b
}

func typeOf(r Record) EntryType {
	_, isKey := r.(*Key)
	return EntryType{Kind: r.kind(), Delete: isKey}
}

// drawRecord draws a record of any kind, or a key, with any values that its
// fields can hold.
func drawRecord(t *rapid.T) Record {
	kind := Kind(rapid.IntRange(0, int(numKinds)-1).Draw(t, "kind"))
	r := newRecord(EntryType{Kind: kind, Delete: rapid.IntRange(0, 4).Draw(t, "key") == 0})
	fields := reflect.ValueOf(r).Elem()
	for i := range fields.NumField() {
		f := fields.Field(i)
		switch v := f.Addr().Interface().(type) {
		case *string:
			*v = drawText(t)
		case *AccessRole:
			*v = AccessRole(drawText(t))
		case *bool:
			*v = rapid.Bool().Draw(t, "bool")
		case *uint16:
			*v = rapid.Uint16().Draw(t, "uint16")
		case *uint32:
			*v = rapid.Uint32().Draw(t, "uint32")
		case *uint64:
			*v = rapid.Uint64().Draw(t, "uint64")
		case *int:
			*v = rapid.Int().Draw(t, "int")
		case *Time:
			*v = drawTime(t)
		case *Role:
			*v = Role(rapid.IntRange(0, int(RoleOwner)).Draw(t, "role"))
		case *[]string:
			*v = drawList(t, drawText)
		case *[]uint16:
			*v = drawList(t, func(t *rapid.T) uint16 { return rapid.Uint16().Draw(t, "uint16") })
		case *[]RoleMapping:
			*v = drawList(t, func(t *rapid.T) RoleMapping { return RoleMapping{drawText(t), drawRole(t)} })
		case *jsontext.Value:
			*v = drawJSON(t)
		case *Kind:
		default:
			t.Fatalf("no values for the %T of a %v", v, kind)
		}
	}
	return r
}

func drawList[T any](t *rapid.T, item func(*rapid.T) T) []T {
	n := rapid.IntRange(-1, 3).Draw(t, "items")
	if n < 0 {
		return nil
	}
	list := make([]T, n)
	for i := range list {
		list[i] = item(t)
	}
	return list
}

// drawText draws a string with what is special in JSON.
func drawText(t *rapid.T) string {
	return rapid.OneOf(
		rapid.SampledFrom([]string{"", "alice@corp.example", `CORP\Domain Users`, `a "b" c`, "é", "\u2028<&>\x7f", "\x00\x1f\t\n\r\b\f", "😀", "�", "]},{["}),
		rapid.StringMatching(`[ -~]{0,20}`), rapid.String()).Draw(t, "text")
}

// drawTime draws a time whose year has four digits.
func drawTime(t *rapid.T) Time {
	var edges []Time
	for _, text := range []string{"0000-01-01T00:00:00Z", "0000-02-29T23:59:59.999Z", "1900-03-01T00:00:00Z", "1969-12-31T23:59:59.999Z", "1970-01-01T00:00:00Z",
		"1970-01-01T00:00:00.001Z", "2024-02-29T12:00:00Z", "2100-02-28T23:59:59.999Z", "9999-12-31T23:59:59.999Z"} {
		edges = append(edges, timeOf(text))
	}
	return rapid.OneOf(rapid.SampledFrom(edges), rapid.Map(rapid.Int64Range(int64(edges[0]), int64(edges[len(edges)-1])), func(ms int64) Time { return Time(ms) })).Draw(t, "time")
}

func timeOf(text string) Time {
	std, err := time.Parse(time.RFC3339, text)
	if err != nil {
		panic(err)
	}
	return TimeOf(std)
}

func drawJSON(t *rapid.T) jsontext.Value {
	return jsontext.Value(rapid.SampledFrom([]string{`{}`, `[]`, `{"a":[1,2.50,{"b":"]}\\\""}],"c":null}`, `"x,y"`, `true`, `12`, `null`, `[[[]],[{}]]`}).Draw(t, "json"))
}
