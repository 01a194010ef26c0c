package api

import (
	"net/mail"
	"testing"

	"pgregory.net/rapid"
)

// What the short cut accepts the parser accepts, as it stands.
func TestDotAtomAddressesAreAddresses(t *testing.T) {
	accepted := 0
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.StringMatching("[a-z.!\"(+ =-]{0,4}@?[A-Z0-9.@\\[<-]{0,4}").Draw(t, "address")
		if !isDotAtomAddress(s) {
			return
		}
		accepted++
		if a, err := mail.ParseAddress(s); err != nil || a.Address != s {
			t.Fatalf("%q: the parser says %v, %v", s, a, err)
		}
	})
	if accepted == 0 {
		t.Error("no address was drawn")
	}
	for s, want := range map[string]bool{
		"alice@corp.example": true, "a+b@x": true, "": false, "@": false, "a@": false, "@b": false, ".a@b": false, "a.@b": false,
		"a..b@c": false, "a@b.": false, "a@@b": false, "a b@c": false, `"a"@b`: false, "ä@b": false,
	} {
		if got := isDotAtomAddress(s); got != want {
			t.Errorf("%q: %v, want %v", s, got, want)
		}
	}
}

func TestAddresses(t *testing.T) {
	for s, want := range map[string]bool{
		"alice@corp.example": true, "ä@b": true, "a@[1.2.3.4]": true, `"a b"@c`: true, `"a\"b"@c`: true,
		"": false, "a": false, "a b@c": false, "A <a@b>": false, "<a@b>": false, "a@b (c)": false, `"a b" <a@b>`: false, "a@b, c@d": false,
		` "a b"@c`: false, `"a b"@c (d)`: false,
		"a@b\u00a0": false, "\u3000a@b": false, "a\u200b@b": false, "\ufeffa@b": false, "a\u202e@b": false, "a@b\u0085": false, "漢字@例え.テスト": true,
	} {
		if got := isAddress(s); got != want {
			t.Errorf("%q: %v, want %v", s, got, want)
		}
	}
}
