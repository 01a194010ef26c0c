package api

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"strings"

	"github.com/replication-gateway/gateway/internal/directory"
)

// caller is who asks, as the credential says.
type caller struct {
	actor    string // token:ID or token:admin
	role     directory.AccessRole
	networks []uint16 // reached; empty for all
	tokenID  string   // empty for the admin token, which never ends
}

// The subprotocols of a WebSocket. Browsers cannot set headers on one, so the
// token travels as a subprotocol that the server never selects.
const (
	subprotocol      = "gateway.v1"
	tokenSubprotocol = "gateway.token."
)

// authenticate finds out who asks, by what is durable now. Subprotocols count
// only for streams, and only when there is no Authorization header.
func (s *Server) authenticate(r *http.Request, stream bool) (caller, error) {
	token, ok := bearer(r.Header)
	if !ok && stream && len(r.Header.Values("Authorization")) == 0 {
		token, ok = offeredToken(r.Header)
	}
	if !ok || token == "" {
		return caller{}, errUnauthorized
	}
	hash := sha256.Sum256([]byte(token))
	if s.adminHash != nil && subtle.ConstantTimeCompare(hash[:], s.adminHash[:]) == 1 {
		return caller{actor: directory.AdminActor, role: directory.AccessAdmin}, nil
	}
	state, _ := s.options.Gateway.Durable()
	t := state.Token(tokenID(token))
	if t == nil || !matches(t, hash) || t.Expired(directory.TimeOf(s.options.Gateway.Now())) {
		return caller{}, errUnauthorized
	}
	return caller{actor: directory.TokenActor(t.TokenID), role: t.Role, networks: t.Networks, tokenID: t.TokenID}, nil
}

// mayStillAct reports whether the token of a call, which was good at its head, has not
// ended since.
func (s *Server) mayStillAct(c *call) bool {
	state, _ := s.options.Gateway.Durable()
	return state.MayAct(c.who.actor, directory.TimeOf(s.options.Gateway.Now()))
}

func matches(t *directory.Token, hash [sha256.Size]byte) bool {
	return subtle.ConstantTimeCompare([]byte(t.Hash), []byte(hex.EncodeToString(hash[:]))) == 1
}

func bearer(h http.Header) (string, bool) {
	values := h.Values("Authorization")
	if len(values) != 1 {
		return "", false
	}
	scheme, token, ok := strings.Cut(values[0], " ")
	return strings.TrimSpace(token), ok && strings.EqualFold(scheme, "Bearer")
}

func offeredToken(h http.Header) (string, bool) {
	for _, line := range h.Values("Sec-WebSocket-Protocol") {
		for offer := range strings.SplitSeq(line, ",") {
			encoded, ok := strings.CutPrefix(strings.TrimSpace(offer), tokenSubprotocol)
			if !ok {
				continue
			}
			token, err := base64.RawURLEncoding.DecodeString(encoded)
			return string(token), err == nil
		}
	}
	return "", false
}

// newToken makes a credential, gw_ID_SECRET. Nobody but its bearer ever has it
// again: the record keeps a hash.
func newToken() (id, token, hash string) {
	id = strings.ToLower(rand.Text()[:16]) // 80 bits, so that ids do not meet
	token = "gw_" + id + "_" + rand.Text() // at least 128 bits
	sum := sha256.Sum256([]byte(token))
	return id, token, hex.EncodeToString(sum[:])
}

// tokenID returns the id that a credential names, empty when it has none.
func tokenID(token string) string {
	rest, ok := strings.CutPrefix(token, "gw_")
	if !ok {
		return ""
	}
	id, _, _ := strings.Cut(rest, "_")
	return id
}
