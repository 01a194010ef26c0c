package hub

import (
	"fmt"
	"time"
)

// Disconnect says why a stream ends: a WebSocket close code and its reason.
// The zero value means that nobody but the subscriber itself ended it.
type Disconnect struct {
	Code   int
	Reason string
	Retry  time.Duration // when to come back, 0 if nothing is said of it
}

// The ends that subscribers know how to take.
var (
	ProtocolMisuse = Disconnect{Code: 1008, Reason: "protocol misuse"}
	Failed         = Disconnect{Code: 1011, Reason: "internal error"}
	TooMany        = Disconnect{Code: 1013, Reason: "too many subscribers"}
	TokenEnded     = Disconnect{Code: 4403, Reason: "token revoked or expired"}
	HistoryChanged = Disconnect{Code: 4409, Reason: "history changed"}
)

// Restarting tells a subscriber to come back after retry, rounded down to
// milliseconds.
func Restarting(retry time.Duration) Disconnect {
	return Disconnect{Code: 1012, Reason: fmt.Sprintf("retry in %d ms", retry.Milliseconds()), Retry: retry}
}

func (d Disconnect) String() string { return fmt.Sprintf("%d %s", d.Code, d.Reason) }
