package client

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/replication-gateway/gateway/internal/directory"
)

// Options say which gateway to follow, as whom, and from where on. URL and Token
// are needed.
type Options struct {
	// URL is where the gateway is, such as https://gateway.example. A path is
	// kept, as for a gateway behind a proxy. ws and wss mean http and https.
	URL   string
	Token string

	// Networks narrow the stream to these networks and what belongs to them;
	// none means all that the token reaches.
	Networks []uint16

	// Since is the position to be resumed at, nil for none. It must be one that
	// the same token and Networks led to.
	Since *Position

	// Standby names a standby, for a stream opened with a replica token: what is
	// acknowledged counts once for a name. Empty for everybody else.
	Standby string

	// Compression asks for compressed frames. It saves about four bytes of five
	// of a snapshot and costs this side some CPU.
	Compression bool

	// HTTPClient opens the connection; nil for http.DefaultClient. Its transport
	// has the TLS settings and the proxy.
	HTTPClient *http.Client

	// Subscribe waits between two tries a random time of less than BackoffBase at
	// first, then of less than twice as much each time, up to BackoffMax. Zero
	// values stand for half a second and half a minute.
	BackoffBase, BackoffMax time.Duration
}

// What Options stand for that leave the backoff to us.
const (
	DefaultBackoffBase = 500 * time.Millisecond
	DefaultBackoffMax  = 30 * time.Second
)

// check returns what is wrong with o, as ErrOptions.
func (o *Options) check() error {
	u, err := url.Parse(o.URL)
	switch {
	case err != nil || u.Host == "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil || httpScheme(u.Scheme) == "":
		return fmt.Errorf("%w: URL %q: want one such as https://gateway.example", ErrOptions, o.URL)
	case o.Token == "" || strings.ContainsFunc(o.Token, invisible):
		return fmt.Errorf("%w: Token: want visible ASCII characters", ErrOptions)
	case strings.ContainsFunc(o.Standby, invisible):
		return fmt.Errorf("%w: Standby %q: want visible ASCII characters", ErrOptions, o.Standby)
	case o.Since != nil && !directory.ValidEpoch(o.Since.Epoch):
		return fmt.Errorf("%w: Since %q: the epoch must be letters, digits and hyphens", ErrOptions, o.Since)
	case o.BackoffBase < 0 || o.BackoffMax < 0 || o.backoffMax() < o.backoffBase():
		return fmt.Errorf("%w: backoff from %v up to %v", ErrOptions, o.backoffBase(), o.backoffMax())
	}
	for _, id := range o.Networks {
		if id == 0 {
			return fmt.Errorf("%w: Networks: there is no network 0", ErrOptions)
		}
	}
	return nil
}

// invisible reports whether c cannot travel in a header.
func invisible(c rune) bool { return c <= ' ' || c >= 0x7f }

// httpScheme returns what HTTP calls a scheme, empty for one that is not ours.
func httpScheme(scheme string) string {
	switch scheme {
	case "http", "ws":
		return "http"
	case "https", "wss":
		return "https"
	}
	return ""
}

// subscribeURL returns the URL of the stream. o has been checked.
func (o *Options) subscribeURL() string {
	u, err := url.Parse(o.URL)
	if err != nil {
		panic(err)
	}
	u.Scheme = httpScheme(u.Scheme)
	u = u.JoinPath("subscribe")
	query := url.Values{}
	for _, id := range o.Networks {
		query.Add("network_id", strconv.Itoa(int(id)))
	}
	if o.Since != nil {
		query.Set("epoch", o.Since.Epoch)
		query.Set("since", strconv.FormatUint(o.Since.SeqNo, 10))
	}
	if o.Standby != "" {
		query.Set("standby", o.Standby)
	}
	u.RawQuery = query.Encode()
	return u.String()
}

func (o *Options) httpClient() *http.Client {
	if o.HTTPClient != nil {
		return o.HTTPClient
	}
	return http.DefaultClient
}

func (o *Options) backoffBase() time.Duration {
	if o.BackoffBase != 0 {
		return o.BackoffBase
	}
	return DefaultBackoffBase
}

// backoffMax is never less than a base that was left to us.
func (o *Options) backoffMax() time.Duration {
	if o.BackoffMax != 0 {
		return o.BackoffMax
	}
	return max(DefaultBackoffMax, o.backoffBase())
}
