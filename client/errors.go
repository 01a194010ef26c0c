package client

import (
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"time"
)

// What a caller may want to act on. They come wrapped, in a *RefusedError or a
// *CloseError where the gateway said more.
var (
	// ErrOptions: the Options cannot be used.
	ErrOptions = errors.New("unusable options")
	// ErrUnauthorized: the token is not good at this gateway.
	ErrUnauthorized = errors.New("the token is not accepted")
	// ErrForbidden: the token may not follow this.
	ErrForbidden = errors.New("the token may not follow this")
	// ErrTokenEnded: the token was revoked or has expired while it was in use.
	ErrTokenEnded = errors.New("the token was revoked or has expired")
	// ErrHistoryChanged: another history holds here now. A new stream takes up
	// what there is, as a rule by resuming.
	ErrHistoryChanged = errors.New("the history changed")
	// ErrRestarting: the gateway is about to stop.
	ErrRestarting = errors.New("the gateway is restarting")
	// ErrUnavailable: the gateway takes no more subscribers, or none at present.
	ErrUnavailable = errors.New("the gateway is not available")
	// ErrMisuse: the gateway did not understand what this side sent.
	ErrMisuse = errors.New("the gateway was sent what it does not take")
	// ErrSilent: nothing was heard for two intervals, so the gateway is gone
	// whatever TCP still believes.
	ErrSilent = errors.New("nothing was heard for two intervals")
	// ErrProtocol: the stream broke the protocol. What came before it holds.
	ErrProtocol = errors.New("the stream broke the protocol")
	// ErrClosed: this side closed the connection.
	ErrClosed = errors.New("the connection is closed")
	// ErrUnknownKind: a record is of a kind that this version does not know.
	ErrUnknownKind = errors.New("a kind of record that is not known here")
)

// RefusedError is a stream that the gateway did not open. It unwraps to
// ErrUnauthorized, ErrForbidden or ErrUnavailable where that is what Status says.
type RefusedError struct {
	Status     int           // of HTTP
	Code       string        // the gateway's word for it; empty if somebody else answered
	Detail     string        // with what is wrong with the request; may be empty
	RetryAfter time.Duration // 0 if nothing was said of it
}

func (e *RefusedError) Error() string {
	text := fmt.Sprintf("refused: %d", e.Status)
	if e.Code != "" {
		text += " " + e.Code
	} else if name := http.StatusText(e.Status); name != "" {
		text += " " + name
	}
	if e.Detail != "" {
		text += ": " + e.Detail
	}
	return text
}

// Unwrap returns the sentinel, or nil.
func (e *RefusedError) Unwrap() error {
	switch e.Status {
	case http.StatusUnauthorized:
		return ErrUnauthorized
	case http.StatusForbidden:
		return ErrForbidden
	case http.StatusServiceUnavailable, http.StatusTooManyRequests:
		return ErrUnavailable
	}
	return nil
}

// The close codes of a stream.
const (
	CloseMisuse         = 1008
	CloseRestarting     = 1012
	CloseUnavailable    = 1013
	CloseTokenEnded     = 4403
	CloseHistoryChanged = 4409
)

// CloseError is a stream that the gateway ended. It unwraps to the sentinel that
// says the same as Code, or to nothing.
type CloseError struct {
	Code       int
	Reason     string        // may be empty
	RetryAfter time.Duration // 0 if nothing was said of it
}

func (e *CloseError) Error() string {
	if e.Reason == "" {
		return fmt.Sprintf("closed by the gateway: %d", e.Code)
	}
	return fmt.Sprintf("closed by the gateway: %d %s", e.Code, e.Reason)
}

// Unwrap returns the sentinel, or nil.
func (e *CloseError) Unwrap() error {
	switch e.Code {
	case CloseMisuse:
		return ErrMisuse
	case CloseRestarting:
		return ErrRestarting
	case CloseUnavailable:
		return ErrUnavailable
	case CloseTokenEnded:
		return ErrTokenEnded
	case CloseHistoryChanged:
		return ErrHistoryChanged
	}
	return nil
}

var retryReason = regexp.MustCompile(`^retry in (\d{1,9}) ms$`)

// retryIn returns the time that the reason of a close names, 0 for none.
func retryIn(reason string) time.Duration {
	found := retryReason.FindStringSubmatch(reason)
	if found == nil {
		return 0
	}
	ms, _ := strconv.Atoi(found[1]) // a few digits
	return time.Duration(ms) * time.Millisecond
}

// retryAfter returns the time that the header of an answer names, 0 for none.
func retryAfter(h http.Header, now time.Time) time.Duration {
	value := h.Get("Retry-After")
	if seconds, err := strconv.ParseUint(value, 10, 32); err == nil {
		return time.Duration(seconds) * time.Second
	}
	if at, err := http.ParseTime(value); err == nil {
		return max(0, at.Sub(now))
	}
	return 0
}
