package main

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// serveCmd is the configuration of a gateway: flags over environment over
// defaults. Validate checks all of it before anything is opened.
type serveCmd struct {
	Listen         string        `default:"127.0.0.1:8080" placeholder:"ADDR" help:"Address to serve at; port 0 picks one. The first log line names it."`
	Data           string        `default:"./data" placeholder:"DIR" help:"Data folder, locked against a second process."`
	AdminToken     string        `placeholder:"TOKEN" help:"Admin token. Without one it is made at the first start and kept in DATA/admin-token; one that is given is written nowhere."`
	Demo           bool          `help:"Fill an empty data folder with a small fleet and keep changing it."`
	Heartbeat      time.Duration `default:"15s" help:"Time between the heartbeats of a stream."`
	Follow         string        `placeholder:"URL" help:"Run as a standby of the gateway there, until promoted."`
	FollowToken    string        `placeholder:"TOKEN" help:"Token with the role replica to follow with."`
	SyncStandbys   int           `default:"0" placeholder:"N" help:"Standbys that must have a write on disk before it is acknowledged and shown. Of a standby, from its promotion on."`
	AckTimeout     time.Duration `default:"5s" help:"How long a write waits for them; then 504, and it is shown once they have it."`
	Compression    string        `default:"on" placeholder:"on|off" help:"permessage-deflate for subscribers that offer it: each frame is compressed once for all of them."`
	AllowedOrigin  []string      `placeholder:"ORIGIN" sep:"," help:"Origin, beside the gateway's own, whose pages may read and subscribe. Repeatable."`
	MaxSubscribers int           `default:"50000" help:"Open streams; beyond it 503."`
	WriteTimeout   time.Duration `default:"10s" help:"A subscriber that takes no byte for so long is dropped."`
	MaxBody        byteSize      `default:"64MiB" help:"Size of one directory sync."`
	MaxEntries     int           `default:"100000" help:"Entries of one directory sync."`
	RemovalPercent int           `default:"20" help:"Safety threshold of a sync: percent of the members with an external id. 0 and 0 turn it off."`
	RemovalCount   int           `default:"5" help:"Safety threshold of a sync: members. A sync that removes more than both is refused until its plan is confirmed."`
	Drain          time.Duration `default:"10s" help:"Time over which streams are closed at SIGTERM or SIGINT. A second signal ends at once."`
	LogLevel       string        `default:"info" placeholder:"LEVEL" help:"trace, debug, info, warn or error."`
	LogFormat      string        `placeholder:"FORMAT" help:"json or console. Default: console on a terminal, else json."`
}

// logLevels are those that leave errors and the first line in the log. zerolog knows
// others, and numbers.
var logLevels = []string{"trace", "debug", "info", "warn", "error"}

// Validate checks every setting. Kong calls it after parsing.
func (c *serveCmd) Validate() error {
	_, port, err := net.SplitHostPort(c.Listen)
	if err != nil {
		return fmt.Errorf("--listen %q: want HOST:PORT", c.Listen)
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return fmt.Errorf("--listen %q: the port %q is no number from 0 to 65535", c.Listen, port)
	}
	if c.Data == "" {
		return errors.New("--data: want a folder")
	}
	if err := validateToken("--admin-token", c.AdminToken); err != nil {
		return err
	}
	if err := c.validateFollow(); err != nil {
		return err
	}
	for _, origin := range c.AllowedOrigin {
		u, err := url.Parse(origin)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || origin != u.Scheme+"://"+u.Host {
			return fmt.Errorf("--allowed-origin %q: want an origin such as https://ops.example", origin)
		}
	}
	if !slices.Contains(logLevels, strings.ToLower(c.LogLevel)) {
		return fmt.Errorf("--log-level %q: want trace, debug, info, warn or error", c.LogLevel)
	}
	if c.Compression != "on" && c.Compression != "off" {
		return fmt.Errorf("--compression %q: want on or off", c.Compression)
	}
	if c.LogFormat != "" && c.LogFormat != "json" && c.LogFormat != "console" {
		return fmt.Errorf("--log-format %q: want json or console", c.LogFormat)
	}
	return cmp.Or(
		atLeast("--heartbeat", c.Heartbeat, 10*time.Millisecond),
		atLeast("--write-timeout", c.WriteTimeout, time.Millisecond),
		atLeast("--drain", c.Drain, 0),
		atLeast("--sync-standbys", c.SyncStandbys, 0),
		atLeast("--ack-timeout", c.AckTimeout, time.Millisecond),
		atLeast("--max-subscribers", c.MaxSubscribers, 1),
		atLeast("--max-body", c.MaxBody, 1),
		atLeast("--max-entries", c.MaxEntries, 1),
		atLeast("--removal-count", c.RemovalCount, 0),
		within("--removal-percent", c.RemovalPercent, 0, 100),
	)
}

// validateFollow checks whom to follow, and how.
func (c *serveCmd) validateFollow() error {
	if c.Follow == "" {
		if c.FollowToken != "" {
			return errors.New("--follow-token: needs --follow")
		}
		return nil
	}
	if c.FollowToken == "" {
		return errors.New("--follow: needs --follow-token, with a token of the role replica")
	}
	if c.Demo {
		return errors.New("--demo: a standby changes nothing by itself")
	}
	if err := validateURL("--follow", c.Follow); err != nil {
		return err
	}
	return validateToken("--follow-token", c.FollowToken)
}

func atLeast[T int | byteSize | time.Duration](flag string, v, least T) error {
	if v < least {
		return fmt.Errorf("%s %v: want at least %v", flag, v, least)
	}
	return nil
}

func within(flag string, v, least, most int) error {
	if v < least || v > most {
		return fmt.Errorf("%s %d: want %d to %d", flag, v, least, most)
	}
	return nil
}

// byteSize is a number of bytes, written with or without a unit.
type byteSize int64

// UnmarshalText reads 1048576, 64MiB, 1GiB, 500kB and the like.
func (b *byteSize) UnmarshalText(text []byte) error {
	s := string(text)
	digits := strings.TrimRight(s, "BKMGTikb")
	units := map[string]int64{"": 1, "B": 1, "kB": 1e3, "KB": 1e3, "MB": 1e6, "GB": 1e9,
		"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}
	unit, known := units[s[len(digits):]]
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || !known || n < 0 || n > 1<<40/unit {
		return fmt.Errorf("%q is no size: want a number of bytes, or one with KiB, MiB or GiB", s)
	}
	*b = byteSize(n * unit)
	return nil
}

func (b byteSize) String() string { return strconv.FormatInt(int64(b), 10) + " bytes" }
