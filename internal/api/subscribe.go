package api

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/coder/websocket"

	"github.com/replication-gateway/gateway/internal/directory"
	"github.com/replication-gateway/gateway/internal/gateway"
)

// subscribe opens a stream, which goes on when it has returned. Everything that can
// be refused is refused before the upgrade, and a plain GET learns the same as a
// handshake would have.
func (s *Server) subscribe(c *call) error {
	events := !isHandshake(c.Request) && wantsEvents(c.Header)
	filter, resume, standby := c.networkFilter(), c.resume(events), c.standbyID(events)
	if err := c.refusal(); err != nil {
		return err
	}
	if err := c.reach(filter...); err != nil {
		return err
	}
	if !s.originAllowed(c.Request) {
		return fmt.Errorf("%w: pages of this origin may not subscribe", errForbidden)
	}
	follows := !events && c.who.role == directory.AccessReplica && len(filter) == 0
	if s.sendsAway(follows) {
		return errDraining
	}
	if !s.watch.admit(c.who.tokenID) {
		return errTokenFull
	}
	sub, err := s.options.Gateway.Subscribe(gateway.SubscribeOptions{View: c.view(filter...), Resume: resume})
	if err != nil {
		s.watch.dismiss(c.who.tokenID)
		return err
	}
	opened := false
	st := &stream{sub: sub, id: c.id, token: c.who.tokenID}
	defer func() {
		if !opened {
			s.unfollow(st)
			s.options.Gateway.Unsubscribe(sub)
			s.watch.dismiss(c.who.tokenID)
		}
	}()
	switch {
	case isHandshake(c.Request):
		if follows {
			s.follow(st, standby, resume)
		}
		opened = s.openSocket(c, st)
		return nil
	case events:
		opened, err = s.openEvents(c, st)
		return err
	}
	return errUpgradeRequired
}

// openSocket makes st a WebSocket. If it cannot, the request has been answered or
// its connection is gone.
func (s *Server) openSocket(c *call, st *stream) bool {
	kind := plainSocket
	if s.options.Compression {
		if agreed, answer := agreeOnDeflate(c.Header); agreed != nil {
			kind = agreed
			c.header().Set("Sec-WebSocket-Extensions", answer)
		}
	}
	h := &hijacker{ResponseWriter: c.w}
	_, err := websocket.Accept(h, c.Request, &websocket.AcceptOptions{
		Subprotocols:       []string{subprotocol},
		InsecureSkipVerify: true,                          // the origin has been checked
		CompressionMode:    websocket.CompressionDisabled, // it has been agreed on, and is ours
	})
	if !errors.Is(err, errTaken) {
		return false
	}
	st.socket, st.kind = newSocket(h.conn, h.early, s.options.WriteTimeout, st.sub.Signal), kind
	s.begin(st)
	go s.readSocket(st)
	return true
}

// lastEventID is the header by which a reader of events resumes.
const lastEventID = "Last-Event-ID"

// resume returns the position that the request gives, nil for none. A reader of
// events repeats its first query whenever it reconnects, and so names the position
// it has come to in a header.
func (c *call) resume(events bool) *directory.Position {
	asked := c.resumeQuery()
	if last := c.Header.Get(lastEventID); events && last != "" {
		p, err := directory.ParsePosition(last)
		if err != nil {
			c.faults.add(pointer("", lastEventID), "position", "the header must be EPOCH:SEQ_NO")
		}
		return &p
	}
	return asked
}

func (c *call) resumeQuery() *directory.Position {
	epoch, hasEpoch := c.single("epoch")
	since, hasSince := c.single("since")
	switch {
	case !hasEpoch && !hasSince:
		return nil
	case !hasEpoch:
		c.faults.add("/epoch", "required", "the query parameters epoch and since go together")
	case !hasSince:
		c.faults.add("/since", "required", "the query parameters epoch and since go together")
	}
	if hasEpoch && !directory.ValidEpoch(epoch) {
		c.faults.add("/epoch", "epoch", "the query parameter must be letters, digits and hyphens")
	}
	p := &directory.Position{Epoch: epoch}
	var err error
	if p.SeqNo, err = strconv.ParseUint(since, 10, 64); hasSince && err != nil {
		c.faults.add("/since", "type", "the query parameter must be a seq_no")
	}
	return p
}

// isHandshake reports whether the request is one that websocket.Accept takes.
func isHandshake(r *http.Request) bool {
	keys := r.Header.Values("Sec-WebSocket-Key")
	if len(keys) != 1 || r.Method != http.MethodGet || !r.ProtoAtLeast(1, 1) {
		return false
	}
	key, err := base64.StdEncoding.DecodeString(strings.TrimSpace(keys[0]))
	return err == nil && len(key) == 16 && r.Header.Get("Sec-WebSocket-Version") == "13" &&
		names(r.Header, "Connection", "upgrade") && names(r.Header, "Upgrade", "websocket")
}

// names reports whether a header that lists tokens has one.
func names(h http.Header, header, token string) bool {
	for _, line := range h.Values(header) {
		for part := range strings.SplitSeq(line, ",") {
			if strings.EqualFold(strings.TrimSpace(part), token) {
				return true
			}
		}
	}
	return false
}
