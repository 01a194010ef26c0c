package api_test

import (
	"bytes"
	"encoding/json"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	jsonv2 "github.com/go-json-experiment/json"
	"pgregory.net/rapid"

	"github.com/replication-gateway/gateway/internal/api"
	"github.com/replication-gateway/gateway/internal/directory"
)

func TestPointersAreEscaped(t *testing.T) {
	faults, err := api.Decode([]byte(`{"a/b~c":1,"network_id":7,"entries":[{"external_id":"x","\u0000":1}]}`), &directory.DirectorySyncRequest{}, 10)
	if want := []string{"/a~1b~0c unknown-field", "/entries/0/\x00 unknown-field"}; err != nil || !slices.Equal(faults, want) {
		t.Errorf("got %q, %v, want %q", faults, err, want)
	}
	long := strings.Repeat("x", 5000)
	faults, err = api.Decode([]byte(`{"`+long+`":1,"network_id":7,"entries":[{"external_id":"x"}]}`), &directory.DirectorySyncRequest{}, 10)
	if want := []string{" unknown-field"}; err != nil || !slices.Equal(faults, want) {
		t.Errorf("a long name: got %.100q, %v, want %q", faults, err, want)
	}
}

// A name may be written with escapes, and is the same name then, also beside itself.
func TestNamesMayBeEscaped(t *testing.T) {
	var r directory.DirectorySyncRequest
	faults, err := api.Decode([]byte(`{"network\u005fid":7,"entries":[{"\u0065xternal_id":"x"}]}`), &r, 10)
	if err != nil || len(faults) > 0 || r.NetworkID != 7 || len(r.Entries) != 1 || r.Entries[0].ExternalID != "x" {
		t.Errorf("read as %+v, with %q, %v", r, faults, err)
	}
	if _, err := api.Decode([]byte(`{"network_id":7,"network\u005fid":7,"entries":[]}`), &r, 10); err == nil {
		t.Error("a name that stands twice was taken")
	}
}

// What is far too long in a list that is not the body's own is a fault, and no more of
// it is kept than shows that.
func TestListsWithinAreNotTooLarge(t *testing.T) {
	groups := strings.Repeat(`"a",`, 100_001) + `"a"`
	var r directory.DirectorySyncRequest
	faults, err := api.Decode([]byte(`{"network_id":7,"entries":[{"external_id":"x","groups":[`+groups+`]},{"external_id":"y"}]}`), &r, 10)
	if want := []string{"/entries/0/groups max"}; err != nil || !slices.Equal(faults, want) || len(*r.Entries[0].Groups) > 100_000 {
		t.Errorf("got %q, %v, %d groups, want %q", faults, err, len(*r.Entries[0].Groups), want)
	}
}

// requests draws directory syncs that are as they should be.
var requests = rapid.Custom(func(t *rapid.T) directory.DirectorySyncRequest {
	text := rapid.StringMatching(`[a-zé漢"\\/<]{1,12}`)
	entry := rapid.Custom(func(t *rapid.T) directory.DirectoryEntry {
		e := directory.DirectoryEntry{ExternalID: text.Draw(t, "id"), Disabled: rapid.Bool().Draw(t, "disabled")}
		if rapid.Bool().Draw(t, "named") {
			name := text.Draw(t, "name")
			e.DisplayName = &name
		}
		if rapid.Bool().Draw(t, "grouped") {
			groups := rapid.SliceOfN(text, 0, 4).Draw(t, "groups")
			e.Groups = &groups
		}
		if rapid.Bool().Draw(t, "with a role") {
			role := rapid.SampledFrom([]string{"owner", "admin", "member"}).Draw(t, "role")
			e.Role = &role
		}
		return e
	})
	r := directory.DirectorySyncRequest{NetworkID: rapid.Uint16Min(1).Draw(t, "network"), Entries: rapid.SliceOfN(entry, 1, 5).Draw(t, "entries"),
		RemoveUnlisted: rapid.Bool().Draw(t, "remove"), ConfirmPlan: text.Draw(t, "plan")}
	if rapid.Bool().Draw(t, "with a time") {
		at := directory.Time(rapid.Int64Range(0, 4e12).Draw(t, "at"))
		r.SnapshotAt = &at
	}
	return r
})

func TestWhatIsEncodedIsDecodedTheSame(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := requests.Draw(t, "request")
		sent, err := jsonv2.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		var got directory.DirectorySyncRequest
		faults, err := api.Decode(sent, &got, 1000)
		if err != nil || len(faults) > 0 {
			t.Fatalf("%s: %v %q", sent, err, faults)
		}
		if again, _ := jsonv2.Marshal(got); !bytes.Equal(again, sent) {
			t.Fatalf("got  %s\nwant %s", again, sent)
		}
	})
}

// An entry that has something unknown goes another way through the decoder, and is
// read the same but for that.
func TestEntriesAreReadAlikeEitherWay(t *testing.T) {
	blank := regexp.MustCompile(`[{},:\[\]]`)
	rapid.Check(t, func(t *rapid.T) {
		var plain, odd directory.DirectorySyncRequest
		fields := []string{`"external_id":"A\u00e9\"b"`, `"display_name":"\ud83d\ude00 \\ \/"`, `"email":"é@b.example"`, `"groups":["x","a\tb","x"]`,
			`"role":"owner"`, `"disabled":true`}
		for i, other := range []string{`null`, `null`, `""`, `[]`, `null`, `false`} {
			if name, _, _ := strings.Cut(fields[i], ":"); rapid.Bool().Draw(t, "other") {
				fields[i] = name + ":" + other
			}
		}
		chosen := rapid.Permutation(fields).Draw(t, "fields")[:rapid.IntRange(0, len(fields)).Draw(t, "how many")]
		space := rapid.StringMatching(`[ \t\n\r]{0,2}`).Draw(t, "space")
		with := func(more ...string) []byte {
			entry := "{" + strings.Join(append(slices.Clone(chosen), more...), ",") + "}"
			entry = blank.ReplaceAllString(entry, space+"$0"+space) // none of these is in a string
			return []byte(`{"network_id":1,"entries":[{"external_id":"first"},` + entry + `]}`)
		}
		before, err := api.Decode(with(), &plain, 10)
		if err != nil {
			t.Fatal(err)
		}
		after, err := api.Decode(with(`"odd":1`), &odd, 10)
		if want := slices.Insert(before, 0, "/entries/1/odd unknown-field"); err != nil || !slices.Equal(after, want) {
			t.Fatalf("%s: %q, %v, want %q", with(), after, err, want)
		}
		a, _ := jsonv2.Marshal(plain)
		if b, _ := jsonv2.Marshal(odd); !bytes.Equal(a, b) {
			t.Fatalf("%s:\nby itself      %s\nbeside the odd %s", with(), a, b)
		}
	})
}

// FuzzDecode holds the decoder against the standard one: what either refuses as
// no JSON the strict one does, and what passes without a fault means the same
// to both.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{
		`{"network_id":7,"entries":[{"external_id":"a","groups":["x"],"role":"admin","email":"a@b.example","disabled":true}],"dry_run":true,"snapshot_at":"2026-01-02T03:04:05Z"}`,
		`{"network_id":7,"entries":[{"external_id":"a"},]}`, `{"network_id":7,"network_id":7}`, `{"entries":[[[null]]]}`, `[]`, `null`, ``, `{"network_id":1e2}`, "\"\xff\"",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var strict, standard directory.DirectorySyncRequest
		faults, err := api.Decode(b, &strict, 1000)
		if err != nil {
			return
		}
		if !json.Valid(b) {
			t.Fatalf("taken for JSON: %q", b)
		}
		if len(faults) > 0 {
			return
		}
		if err := json.Unmarshal(b, &standard); err != nil {
			t.Fatalf("without a fault: %q, and yet: %v", b, err)
		}
		got, _ := jsonv2.Marshal(strict)
		if want, _ := jsonv2.Marshal(standard); !bytes.Equal(got, want) {
			t.Fatalf("%q:\ngot  %s\nwant %s", b, got, want)
		}
	})
}

// TestMillionsOfFaultsTakeLittleMemory: no more are made than are listed.
func TestMillionsOfFaultsTakeLittleMemory(t *testing.T) {
	const entries, most = 4000, 100 << 20
	entry := `{"external_id":"a","groups":[` + strings.Repeat(`"",`, 255) + `""]}`
	body := []byte(`{"network_id":7,"entries":[` + strings.Repeat(entry+",", entries-1) + entry + `]}`)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	faults, err := api.Decode(body, &directory.DirectorySyncRequest{}, entries)
	runtime.ReadMemStats(&after)
	if err != nil || len(faults) != 100 || faults[0] != "/entries/0/groups/0 required" {
		t.Errorf("got %d faults, the first %q, %v", len(faults), faults[:1], err)
	}
	if got := after.TotalAlloc - before.TotalAlloc; got > most {
		t.Errorf("%d MB allocated for a body of %d MB with %d faults, want at most %d", got>>20, len(body)>>20, 256*entries, most>>20)
	}
}
