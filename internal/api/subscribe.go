package api

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/coder/websocket"

	"github.com/replication-gateway/gateway/internal/directory"
	"github.com/replication-gateway/gateway/internal/gateway"
)

// subscribe opens a stream and stays until it ends. Everything that can be
// refused is refused before the upgrade, and a plain GET learns the same as a
// handshake would have.
func (s *Server) subscribe(c *call) error {
	filter, resume := c.networkFilter(), c.resume()
	if err := c.refusal(); err != nil {
		return err
	}
	if err := c.reach(filter...); err != nil {
		return err
	}
	if !s.originAllowed(c.Request) {
		return fmt.Errorf("%w: pages of this origin may not subscribe", errForbidden)
	}
	if s.draining.Load() {
		return errDraining
	}
	sub, err := s.options.Gateway.Subscribe(gateway.SubscribeOptions{View: c.view(filter...), Resume: resume})
	if err != nil {
		return err
	}
	defer s.options.Gateway.Unsubscribe(sub)
	if !isHandshake(c.Request) {
		return errUpgradeRequired
	}
	socket := &socket{timeout: s.options.WriteTimeout}
	conn, err := websocket.Accept(&hijacker{c.w, socket}, c.Request, &websocket.AcceptOptions{
		Subprotocols:       []string{subprotocol},
		InsecureSkipVerify: true, // the origin has been checked
		CompressionMode:    websocket.CompressionDisabled,
	})
	if err != nil {
		return nil // it has answered, or the connection is gone
	}
	s.stream(&stream{sub: sub, conn: conn, socket: socket}, c.who.tokenID)
	return nil
}

// resume returns the position that the query gives, nil for none.
func (c *call) resume() *directory.Position {
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
