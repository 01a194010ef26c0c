package directory

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestNormalizeExternalID(t *testing.T) {
	tests := []struct{ id, want string }{
		{"alice@corp.example", "alice@corp.example"},
		{"Alice@CORP.example", "alice@corp.example"},
		{"ÉVA", "éva"},
		{"ΟΔΟΣ", "οδοσ"},
		{"STRASSE", "strasse"},
		{"straße", "straße"},
		{"00uAbC-9", "00uabc-9"},
		{"李雷", "李雷"},
	}
	for _, test := range tests {
		if got := NormalizeExternalID(test.id); got != test.want {
			t.Errorf("NormalizeExternalID(%q) = %q, want %q", test.id, got, test.want)
		}
	}
}

func TestCheckExternalID(t *testing.T) {
	tests := []struct {
		name, id string
		accepted bool
	}{
		{"an address", "Alice@corp.example", true},
		{"white space inside", "CN=Alice Smith", true},
		{"letters of any script", "Éva 李雷", true},
		{"256 bytes", strings.Repeat("a", 256), true},
		{"256 bytes of wider letters", strings.Repeat("é", 128), true},

		{"missing", "", false},
		{"blank", " \t\u00a0", false},
		{"257 bytes", strings.Repeat("a", 257), false},
		{"258 bytes in 129 letters", strings.Repeat("é", 129), false},
		{"white space before", " alice", false},
		{"white space after", "alice\n", false},
		{"wide white space after", "alice\u2003", false},
		{"control character", "al\x00ice", false},
		{"control character of the upper half", "al\u0085ice", false},
		{"zero width joiner", "al\u200dice", false},
		{"byte order mark", "\ufeffalice", false},
		{"right-to-left override", "al\u202eice", false},
		{"soft hyphen", "al\u00adice", false},
		{"not NFC", "e\u0301va", false},
		{"Kelvin sign", "\u212aarl", false},
		{"dotted capital I", "\u0130lker", false},
		{"not UTF-8", "al\xffice", false},
		{"a surrogate", "al\xed\xa0\x80ice", false},
	}
	for _, test := range tests {
		if err := CheckExternalID(test.id); (err == nil) != test.accepted {
			t.Errorf("%s: CheckExternalID(%q) = %v, want accepted: %v", test.name, test.id, err, test.accepted)
		}
	}
}

// What is accepted lowers to valid text that lowers to itself, so that the form
// in which ids are compared is one and the same wherever it is taken.
func FuzzNormalizeExternalID(f *testing.F) {
	for _, seed := range []string{"alice", "ÉVA", "ΟΔΟΣ", "ẞ", "ǅ", "\u212a", "\u0130", "Ⱥ", "Ꭰ", "e\u0301", "\xff", "ϴ", "Ა"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, id string) {
		if CheckExternalID(id) != nil {
			return
		}
		once := NormalizeExternalID(id)
		if twice := NormalizeExternalID(once); twice != once {
			t.Errorf("%q normalises to %q and that to %q", id, once, twice)
		}
		if once == "" || !utf8.ValidString(once) || strings.TrimSpace(once) != once {
			t.Errorf("%q normalises to %q", id, once)
		}
	})
}
