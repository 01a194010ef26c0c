package api

import (
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"unicode"

	"github.com/go-playground/validator/v10"

	"github.com/replication-gateway/gateway/internal/directory"
)

// validate knows, beside the library's own tags:
//
//   - external_id: what directory.CheckExternalID accepts
//   - address: an e-mail address without a display name
//   - plain: no control characters
var validate = newValidator()

func newValidator() *validator.Validate {
	v := validator.New(validator.WithRequiredStructEnabled())
	v.RegisterTagNameFunc(jsonName)
	for tag, good := range map[string]func(string) bool{
		"external_id": func(s string) bool { return directory.CheckExternalID(s) == nil },
		"address":     isAddress,
		"plain":       func(s string) bool { return !strings.ContainsFunc(s, unicode.IsControl) },
	} {
		err := v.RegisterValidation(tag, func(fl validator.FieldLevel) bool { return good(fl.Field().String()) }, true)
		if err != nil {
			panic(fmt.Sprintf("api: validation %s: %v", tag, err))
		}
	}
	return v
}

// validateInto checks v, a pointer to a struct, by its tags.
func validateInto(v any, base string, f *faults) {
	if r, ok := v.(*directory.DirectorySyncRequest); ok {
		validateSync(r, base, f)
		return
	}
	validateByTags(v, base, f)
}

// validateSync checks a directory sync, entry by entry: the library lists all that
// is wrong before it returns, which may be millions of faults. Nearly all entries
// are valid at first sight and never come to it.
func validateSync(r *directory.DirectorySyncRequest, base string, f *faults) {
	head := *r
	if len(r.Entries) > 0 {
		head.Entries = []directory.DirectoryEntry{{ExternalID: "good"}} // which stands for all of them
	}
	validateByTags(&head, base, f)
	for i := range r.Entries {
		if e := &r.Entries[i]; !obviousEntry(e) {
			validateByTags(e, fmt.Sprint(base, "/entries/", i), f)
		}
	}
}

// validateByTags does nothing when no more faults are listed.
func validateByTags(v any, base string, f *faults) {
	if f.full() {
		f.more = true // perhaps
		return
	}
	err := validate.Struct(v)
	found, ok := errors.AsType[validator.ValidationErrors](err)
	if err != nil && !ok {
		panic(fmt.Sprintf("api: validate %T: %v", v, err))
	}
	for _, e := range found {
		f.add(pointerOf(e, base), codeOf(e), detailOf(e))
	}
}

// pointerOf turns the likes of Request.entries[3].role into base/entries/3/role.
func pointerOf(e validator.FieldError, base string) string {
	_, path, _ := strings.Cut(e.Namespace(), ".")
	return base + "/" + namespaceParts.Replace(path)
}

// namespaceParts writes a path of the validator as a pointer.
var namespaceParts = strings.NewReplacer(".", "/", "[", "/", "]", "")

func codeOf(e validator.FieldError) string {
	if s, ok := e.Value().(string); ok && s == "" && e.Tag() == "external_id" {
		return "required"
	}
	return e.Tag()
}

func detailOf(e validator.FieldError) string {
	switch e.Tag() {
	case "required":
		return "is required"
	case "external_id":
		return directory.CheckExternalID(e.Value().(string)).Error()
	case "address":
		return "must be an e-mail address"
	case "plain":
		return "must not have control characters"
	case "oneof":
		return "must be one of " + strings.Join(strings.Fields(e.Param()), ", ")
	case "max", "min":
		return fmt.Sprintf("must be %s %s%s", map[string]string{"max": "at most", "min": "at least"}[e.Tag()], e.Param(), unitOf(e))
	}
	return "is not valid"
}

// unitOf says what a bound counts.
func unitOf(e validator.FieldError) string {
	unit := map[reflect.Kind]string{reflect.String: " character", reflect.Slice: " element"}[e.Kind()]
	if n, err := strconv.Atoi(e.Param()); unit != "" && (err != nil || n != 1) {
		unit += "s"
	}
	return unit
}
