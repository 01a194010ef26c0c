package api

import (
	"net/mail"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxAddress is the longest e-mail address that mail can carry, in bytes.
const maxAddress = 254

// isAddress reports whether s is an e-mail address and nothing else (RFC 5322,
// addr-spec).
func isAddress(s string) bool {
	if len(s) > maxAddress {
		return false
	}
	if isDotAtomAddress(s) {
		return true
	}
	if strings.ContainsFunc(s, isUnseen) {
		return false
	}
	a, err := mail.ParseAddress(s)
	return err == nil && (a.Address == s || a.Name == "" && a.String() == "<"+s+">") // a local part may need quotes
}

// isUnseen reports whether r leaves no ink, as white space and control characters do.
// Of those beyond ASCII the parser knows nothing.
func isUnseen(r rune) bool {
	return r >= utf8.RuneSelf && (unicode.IsSpace(r) || !unicode.IsGraphic(r))
}

// isDotAtomAddress recognises the addresses that nearly everybody has, two
// dot-atoms around an @, a hundred times as fast as the parser.
func isDotAtomAddress(s string) bool {
	local, domain, found := strings.Cut(s, "@")
	return found && isDotAtom(local) && isDotAtom(domain)
}

// isDotAtom reports whether s is an ASCII dot-atom of RFC 5322: atoms with a
// single dot between them.
func isDotAtom(s string) bool {
	dot := true // before s, so to say
	for i := range len(s) {
		c := s[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', strings.IndexByte("!#$%&'*+-/=?^_`{|}~", c) >= 0:
			dot = false
		case c == '.' && !dot:
			dot = true
		default:
			return false
		}
	}
	return !dot
}
