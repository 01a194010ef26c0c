package directory

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// MaxExternalID is the longest external id in bytes.
const MaxExternalID = 256

// NormalizeExternalID returns the form in which external ids are compared. Two
// ids that differ in case alone are the same person.
func NormalizeExternalID(id string) string { return strings.ToLower(id) }

func isVisibleASCII(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] >= 0x7f {
			return false
		}
	}
	return s != ""
}

// CheckExternalID says what is wrong with an id that is to be stored, or nil.
// The id must survive lower-casing and storage unharmed: U+212A and U+0130
// are refused because they lower to letters that others already are.
func CheckExternalID(id string) error {
	if isVisibleASCII(id) && len(id) <= MaxExternalID {
		return nil // as nearly all are; none of the faults below can be
	}
	switch {
	case id == "":
		return errors.New("is required")
	case len(id) > MaxExternalID:
		return fmt.Errorf("is longer than %d bytes", MaxExternalID)
	case !utf8.ValidString(id):
		return errors.New("is not valid UTF-8")
	case strings.TrimSpace(id) == "":
		return errors.New("is blank")
	case strings.TrimSpace(id) != id:
		return errors.New("begins or ends with white space")
	case !norm.NFC.IsNormalString(id):
		return errors.New("is not in Unicode normalization form C")
	}
	for _, r := range id {
		switch {
		case r == '\u212A' || r == '\u0130':
			return fmt.Errorf("contains %U, which changes its identity in lower case", r)
		case unicode.In(r, unicode.Cc, unicode.Cf):
			return fmt.Errorf("contains the control or format character %U", r)
		}
	}
	return nil
}
