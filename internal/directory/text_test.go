package directory

import (
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestParseRole(t *testing.T) {
	tests := []struct {
		text     string
		want     Role
		accepted bool
	}{
		{"owner", RoleOwner, true},
		{"admin", RoleAdmin, true},
		{"member", RoleMember, true},
		{"", NoRole, true},
		{"Owner", NoRole, false},
		{"ADMIN", NoRole, false},
		{" member", NoRole, false},
		{"members", NoRole, false},
		{"viewer", NoRole, false},
	}
	for _, test := range tests {
		got, err := ParseRole(test.text)
		if got != test.want || (err == nil) != test.accepted {
			t.Errorf("ParseRole(%q) = %v, %v, want %v, accepted: %v", test.text, got, err, test.want, test.accepted)
		}
		if test.accepted && got.String() != test.text {
			t.Errorf("%q is written as %q", test.text, got)
		}
	}
}

func TestRolesAreOrdered(t *testing.T) {
	order := []Role{NoRole, RoleMember, RoleAdmin, RoleOwner}
	for i, low := range order {
		for _, high := range order[i+1:] {
			if low >= high {
				t.Errorf("%q does not rank below %q", low, high)
			}
		}
	}
}

func TestTimeReadsRFC3339(t *testing.T) {
	tests := []struct {
		text, want string // want is empty when it is refused
	}{
		{"2026-01-02T03:04:05Z", "2026-01-02T03:04:05.000Z"},
		{"2026-01-02T03:04:05.678Z", "2026-01-02T03:04:05.678Z"},
		{"2026-01-02T03:04:05.6789Z", "2026-01-02T03:04:05.678Z"},
		{"2026-01-02T03:04:05.999999999Z", "2026-01-02T03:04:05.999Z"},
		{"2026-01-02T03:04:05+02:00", "2026-01-02T01:04:05.000Z"},
		{"2026-01-01T00:30:00+01:00", "2025-12-31T23:30:00.000Z"},
		{"1969-12-31T23:59:59.0005Z", "1969-12-31T23:59:59.000Z"},
		{"9999-12-31T23:59:59.999Z", "9999-12-31T23:59:59.999Z"},
		{"0001-01-01T00:00:00Z", "0001-01-01T00:00:00.000Z"},
		{"2026-01-02t03:04:05.678z", "2026-01-02T03:04:05.678Z"},
		{"2026-01-02t03:04:05+02:00", "2026-01-02T01:04:05.000Z"},
		{"", ""},
		{"now", ""},
		{"2026-01-02", ""},
		{"2026-01-02T03:04:05", ""},
		{"2026-01-02 03:04:05Z", ""},
		{"2026-02-30T00:00:00Z", ""},
		{"2026-01-02T3:04:05Z", ""},
		{"2026-01-02T03:04:05,5Z", ""},
		{"2026-01-02T03:04:05+24:00", ""},
		{"2026-01-02T03:04:05+01:60", ""},
		{"1767225600", ""},
	}
	for _, test := range tests {
		var got Time
		err := got.UnmarshalText([]byte(test.text))
		if (err == nil) != (test.want != "") || err == nil && got.String() != test.want {
			t.Errorf("%q reads as %v, %v, want %q", test.text, got, err, test.want)
		}
	}
}

func TestTimeIsCutToTheMillisecond(t *testing.T) {
	std := time.Date(2026, time.May, 4, 3, 2, 1, 987_654_321, time.FixedZone("", 3600))
	if got, want := TimeOf(std).String(), "2026-05-04T02:02:01.987Z"; got != want {
		t.Errorf("TimeOf(%v) = %s, want %s", std, got, want)
	}
}

func TestTimeRoundTrip(t *testing.T) {
	first, last := time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(9999, 12, 31, 23, 59, 59, 999e6, time.UTC)
	rapid.Check(t, func(t *rapid.T) {
		want := Time(rapid.Int64Range(int64(TimeOf(first)), int64(TimeOf(last))).Draw(t, "milliseconds"))
		text, _ := want.MarshalText()
		var got Time
		if err := got.UnmarshalText(text); err != nil || got != want {
			t.Errorf("%d is written as %s, which reads as %d, %v", want, text, got, err)
		}
		if len(text) != len(timeLayout) {
			t.Errorf("%s is no RFC 3339 time with three digits of milliseconds", text)
		}
	})
}

func TestParsePosition(t *testing.T) {
	tests := []struct {
		text     string
		want     Position
		accepted bool
	}{
		{"e-1:0", Position{"e-1", 0}, true},
		{"E9:18446744073709551615", Position{"E9", 1<<64 - 1}, true},
		{strings.Repeat("e", 64) + ":1", Position{strings.Repeat("e", 64), 1}, true},
		{"", Position{}, false},
		{"e", Position{}, false},
		{"e:", Position{}, false},
		{":1", Position{}, false},
		{"e:-1", Position{}, false},
		{"e:+1", Position{}, false},
		{"e:1.5", Position{}, false},
		{"e:1:2", Position{}, false},
		{"e:18446744073709551616", Position{}, false},
		{"e_1:1", Position{}, false},
		{"é:1", Position{}, false},
		{"e e:1", Position{}, false},
		{"[:1", Position{}, false},
		{"`:1", Position{}, false},
		{"{:1", Position{}, false},
		{"@:1", Position{}, false},
		{strings.Repeat("e", 65) + ":1", Position{}, false},
	}
	for _, test := range tests {
		got, err := ParsePosition(test.text)
		if got != test.want || (err == nil) != test.accepted {
			t.Errorf("ParsePosition(%q) = %v, %v, want %v, accepted: %v", test.text, got, err, test.want, test.accepted)
		}
		if test.accepted && got.String() != test.text {
			t.Errorf("%q is written as %q", test.text, got)
		}
	}
}

// A position of an older epoch lies on the line up to where the next began.
func TestLineageLocatesPositions(t *testing.T) {
	line := Lineage{{"a", 0}, {"b", 10}, {"c", 10}, {"d", 15}}
	const last = 20
	tests := []struct {
		at   Position
		want error
	}{
		{Position{"a", 0}, nil},
		{Position{"a", 10}, nil},
		{Position{"a", 11}, ErrAhead},
		{Position{"b", 10}, nil},
		{Position{"b", 11}, ErrAhead},
		{Position{"c", 15}, nil},
		{Position{"c", 16}, ErrAhead},
		{Position{"d", 20}, nil},
		{Position{"d", 21}, ErrAhead},
		{Position{"e", 1}, ErrUnknownEpoch},
		{Position{"", 1}, ErrUnknownEpoch},
		{Position{"A", 1}, ErrUnknownEpoch},
	}
	for _, test := range tests {
		if got := line.Locate(test.at, last); got != test.want {
			t.Errorf("Locate(%v) = %v, want %v", test.at, got, test.want)
		}
	}
	if got := line.Current(); got != "d" {
		t.Errorf("the newest epoch is %q, want d", got)
	}
}

func TestLineageAtACommit(t *testing.T) {
	line := Lineage{{"a", 5}, {"b", 10}, {"c", 10}, {"d", 15}}
	for _, test := range []struct {
		seqNo uint64
		upTo  int    // epochs that had begun
		epoch string // in which the commit was made
	}{
		{0, 1, "a"}, {9, 1, "a"}, {10, 3, "a"}, {11, 3, "c"}, {14, 3, "c"}, {15, 4, "c"}, {16, 4, "d"}, {99, 4, "d"},
	} {
		if got := line.UpTo(test.seqNo); len(got) != test.upTo {
			t.Errorf("%d epochs had begun at %d, want %d", len(got), test.seqNo, test.upTo)
		}
		if got, want := line.At(test.seqNo), (Position{test.epoch, test.seqNo}); got != want {
			t.Errorf("commit %d is at %v, want %v", test.seqNo, got, want)
		}
	}
}

// Each day of the calendar, and each part of a day, is written as the standard
// library writes it, and read again.
func TestTimesAreThoseOfTheCalendar(t *testing.T) {
	check := func(std time.Time) {
		want := std.Format("2006-01-02T15:04:05.000Z")
		if got := TimeOf(std).String(); got != want {
			t.Fatalf("%v is written as %s", std, got)
		}
		if got, ok := parseTime([]byte(want)); !ok || got != TimeOf(std) {
			t.Fatalf("%s is read as %v, %v", want, got, ok)
		}
	}
	for day := time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC); day.Year() < 10_000; day = day.AddDate(0, 0, 1) {
		if year := day.Year() % 400; year < 5 || 95 < year && year < 105 || year > 395 { // the rules of leap years, each both ways
			check(day)
		}
	}
	for ms := time.Duration(0); ms < 24*time.Hour; ms += 7_919 * time.Millisecond {
		check(time.Date(1969, 12, 31, 0, 0, 0, 0, time.UTC).Add(ms))
	}
	for _, bad := range []string{"2026-02-29", "2100-02-29", "2026-04-31", "2026-00-01", "2026-13-01", "2026-01-00", "2026-01-32", "2026-01-1:", "2O26-01-01"} {
		if got, ok := parseTime([]byte(bad + "T00:00:00.000Z")); ok {
			t.Errorf("%s is read as %v", bad, got)
		}
	}
	for _, bad := range []string{"24:00:00.000Z", "23:60:00.000Z", "23:59:60.000Z", "23:59:59.00Z", "23:59:59.0000Z", "23:59:59,000Z", "23:59:59.000z", "23:59:59.000"} {
		if got, ok := parseTime([]byte("2026-01-01T" + bad)); ok {
			t.Errorf("%s is read as %v", bad, got)
		}
	}
}

// Years with other than four digits have a text too, if none that is read.
func TestTimesOutsideTheCalendarAreWritten(t *testing.T) {
	for _, std := range []time.Time{time.Date(-1, 12, 31, 23, 59, 59, 0, time.UTC), time.Date(10_000, 1, 1, 0, 0, 0, 0, time.UTC)} {
		if got, want := TimeOf(std).String(), std.Format("2006-01-02T15:04:05.000Z"); got != want {
			t.Errorf("%v is written as %s, want %s", std, got, want)
		}
	}
}
