package directory

import (
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

// Add returns t moved by d, cut to the millisecond.
func (t Time) Add(d time.Duration) Time { return t + Time(d.Milliseconds()) }

func (t Time) String() string { return t.Std().Format(timeLayout) }

// AppendText implements encoding.TextAppender.
func (t Time) AppendText(b []byte) ([]byte, error) { return t.Std().AppendFormat(b, timeLayout), nil }

// MarshalText implements encoding.TextMarshaler.
func (t Time) MarshalText() ([]byte, error) { return t.AppendText(nil) }

// UnmarshalText accepts any RFC 3339 time; what is finer than a millisecond is
// cut off.
func (t *Time) UnmarshalText(b []byte) error {
	std, err := time.Parse(time.RFC3339Nano, string(b))
	if err != nil {
		return fmt.Errorf("not an RFC 3339 time: %q", b)
	}
	if year := std.UTC().Year(); year < 0 || year > 9999 {
		return fmt.Errorf("not in the years 0 to 9999 in UTC: %q", b) // an offset carried it over the edge
	}
	*t = TimeOf(std)
	return nil
}
