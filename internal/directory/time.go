package directory

import (
	"bytes"
	"fmt"
	"time"
)

// Time is a moment in milliseconds since the Unix epoch, zero when unset. Its
// text form is RFC 3339 in UTC with exactly three fractional digits.
type Time int64

const timeLayout = "2006-01-02T15:04:05.000Z"

// TimeOf cuts t to the millisecond.
func TimeOf(t time.Time) Time { return Time(t.UnixMilli()) }

// Std returns t as a time.Time in UTC.
func (t Time) Std() time.Time { return time.UnixMilli(int64(t)).UTC() }

func (t Time) String() string { return string(t.append(nil)) }

// AppendText implements encoding.TextAppender.
func (t Time) AppendText(b []byte) ([]byte, error) { return t.append(b), nil }

// MarshalText implements encoding.TextMarshaler.
func (t Time) MarshalText() ([]byte, error) { return t.append(nil), nil }

// UnmarshalText accepts any RFC 3339 time; what is finer than a millisecond is
// cut off.
func (t *Time) UnmarshalText(b []byte) error {
	if fast, ok := parseTime(b); ok {
		*t = fast
		return nil
	}
	capitals := bytes.ToUpper(b) // RFC 3339 section 5.6 has T and Z in either case
	std, err := time.Parse(time.RFC3339Nano, string(capitals))
	if err != nil || !looksRFC3339(capitals) {
		return fmt.Errorf("not an RFC 3339 time: %q", b)
	}
	if year := std.UTC().Year(); year < 0 || year > 9999 {
		return fmt.Errorf("not in the years 0 to 9999 in UTC: %q", b) // an offset carried it over the edge
	}
	*t = TimeOf(std)
	return nil
}

// looksRFC3339 is for what time.Parse takes, which is more than RFC 3339 has: hours
// of one digit, a comma before the fraction, offsets of a day and more.
func looksRFC3339(b []byte) bool {
	const seconds, offset = len("2006-01-02T15:04:05"), len("+00:00")
	if len(b) <= seconds || b[seconds-len(":04:05")] != ':' || b[seconds] == ',' {
		return false
	}
	if b[len(b)-1] == 'Z' {
		return true
	}
	hours, ok1 := digits(b[len(b)-offset+1 : len(b)-3])
	minutes, ok2 := digits(b[len(b)-2:])
	return ok1 && ok2 && hours < 24 && minutes < 60
}

const (
	perSecond Time = 1000
	perMinute      = 60 * perSecond
	perHour        = 60 * perMinute
	perDay         = 24 * perHour

	// The days whose year has four digits.
	firstDay = -719_528  // 0000-01-01
	lastDay  = 2_932_896 // 9999-12-31
)

// append writes t as timeLayout says. It is what logs and snapshots are full
// of, hence by hand.
func (t Time) append(b []byte) []byte {
	day := t / perDay
	if t%perDay < 0 {
		day--
	}
	if day < firstDay || day > lastDay {
		return t.Std().AppendFormat(b, timeLayout)
	}
	year, month, dom := dateOf(int(day))
	ms := int(t - day*perDay)
	b = append(b, timeLayout...)
	text := b[len(b)-len(timeLayout):]
	putDigits(text[0:4], year)
	putDigits(text[5:7], month)
	putDigits(text[8:10], dom)
	putDigits(text[11:13], ms/int(perHour))
	putDigits(text[14:16], ms/int(perMinute)%60)
	putDigits(text[17:19], ms/int(perSecond)%60)
	putDigits(text[20:23], ms%int(perSecond))
	return b
}

// parseTime reads what append writes, and nothing else.
func parseTime(b []byte) (Time, bool) {
	if len(b) != len(timeLayout) {
		return 0, false
	}
	for i := range b {
		if d := timeLayout[i]; (d < '0' || d > '9') && b[i] != d {
			return 0, false
		}
	}
	year, ok1 := digits(b[0:4])
	month, ok2 := digits(b[5:7])
	dom, ok3 := digits(b[8:10])
	hour, ok4 := digits(b[11:13])
	minute, ok5 := digits(b[14:16])
	second, ok6 := digits(b[17:19])
	ms, ok7 := digits(b[20:23])
	if !(ok1 && ok2 && ok3 && ok4 && ok5 && ok6 && ok7) || hour > 23 || minute > 59 || second > 59 ||
		month < 1 || month > 12 || dom < 1 || dom > daysIn(year, month) {
		return 0, false
	}
	return Time(dayOf(year, month, dom))*perDay + Time(hour)*perHour + Time(minute)*perMinute + Time(second)*perSecond + Time(ms), true
}

func putDigits(b []byte, n int) {
	for i := len(b) - 1; i >= 0; i-- {
		b[i] = byte('0' + n%10)
		n /= 10
	}
}

func digits(b []byte) (n int, ok bool) {
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = 10*n + int(c-'0')
	}
	return n, true
}

// Days are counted from 1970-01-01. Inside, years begin in March, so that the
// leap day comes last: day 0 of this count is the first of March of year 0.
const (
	daysToEpoch  = 719_468
	daysPer400   = 146_097
	daysPer100   = 36_524
	daysPer4     = 1_461
	daysPerYear  = 365
	daysPer5Mons = 153 // from March on, five months and five months have as many
)

func dateOf(day int) (year, month, dom int) {
	d := day + daysToEpoch + daysPer400 // so that year 0 begins above zero
	era := d / daysPer400
	d %= daysPer400
	y := (d - d/(daysPer4-1) + d/daysPer100 - d/(daysPer400-1)) / daysPerYear
	d -= daysPerYear*y + y/4 - y/100
	m := (5*d + 2) / daysPer5Mons
	dom = d - (daysPer5Mons*m+2)/5 + 1
	year, month = 400*(era-1)+y, m+3
	if month > 12 {
		year, month = year+1, month-12
	}
	return year, month, dom
}

func dayOf(year, month, dom int) int {
	if month -= 3; month < 0 {
		year, month = year-1, month+12
	}
	year += 400
	era, y := year/400, year%400
	d := daysPerYear*y + y/4 - y/100 + (daysPer5Mons*month+2)/5 + dom - 1
	return (era-1)*daysPer400 + d - daysToEpoch
}

func daysIn(year, month int) int {
	switch month {
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	case 4, 6, 9, 11:
		return 30
	}
	return 31
}
