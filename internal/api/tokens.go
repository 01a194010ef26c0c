package api

import (
	"net/http"

	"github.com/go-chi/chi/v5"

	"github.com/replication-gateway/gateway/internal/directory"
	"github.com/replication-gateway/gateway/internal/gateway"
)

type tokenBody struct {
	Name      string          `json:"name" validate:"required,max=256,plain"`
	Role      string          `json:"role" validate:"required,oneof=admin sync viewer replica"`
	Networks  []uint16        `json:"networks" validate:"dive,min=1"`
	ExpiresAt *directory.Time `json:"expires_at"`
}

// tokenRecord is a token as answers show it, without its hash.
type tokenRecord struct {
	TokenID   string               `json:"token_id"`
	Name      string               `json:"name"`
	Role      directory.AccessRole `json:"role"`
	Networks  []uint16             `json:"networks"`
	ExpiresAt directory.Time       `json:"expires_at,omitzero"`
	CreatedAt directory.Time       `json:"created_at"`
}

// newTokenRecord shows the token itself, this once.
type newTokenRecord struct {
	tokenRecord `json:",embed"`
	Token       string `json:"token"`
}

func tokenRecordOf(t *directory.Token) tokenRecord {
	return tokenRecord{t.TokenID, t.Name, t.Role, t.Networks, t.ExpiresAt, t.CreatedAt}
}

func (s *Server) listTokens(c *call) error {
	limit := c.limit()
	after, _ := c.single("after")
	state, _, err := s.read(c)
	if err != nil {
		return err
	}
	rows := func(yield func(tokenRecord) bool) {
		for t := range state.Tokens(after) {
			if !yield(tokenRecordOf(t)) {
				return
			}
		}
	}
	return c.answer(http.StatusOK, pageOf(rows, limit, func(t tokenRecord) string { return t.TokenID }))
}

func (s *Server) createToken(c *call) error {
	var b tokenBody
	c.body(&b, maxSmallBody, maxListed)
	access := directory.AccessRole(b.Role)
	if len(b.Networks) > 0 && (access == directory.AccessAdmin || access == directory.AccessReplica) {
		c.faults.add("/networks", "role", "a token of this role reaches all networks")
	}
	record := directory.Token{Name: b.Name, Role: access, Networks: b.Networks}
	if b.ExpiresAt != nil {
		record.ExpiresAt = *b.ExpiresAt
		if *b.ExpiresAt <= directory.TimeOf(s.options.Gateway.Now()) {
			c.faults.add("/expires_at", "future", "must be in the future")
		}
	}
	if err := c.refusal(); err != nil {
		return err
	}
	var token string
	record.TokenID, token, record.Hash = newToken()
	made, outcome, err := gateway.Do(c.Context(), s.options.Gateway, c.who.actor, directory.CreateToken{Token: record})
	if err != nil && made == nil {
		return err
	}
	answer := newTokenRecord{tokenRecordOf(made), token}
	if err != nil {
		return c.unreplicated(err, outcome.Position, &answer)
	}
	return answerWritten(s, c, http.StatusCreated, answer, outcome.Position)
}

func (s *Server) revokeToken(c *call) error {
	if err := c.refusal(); err != nil {
		return err
	}
	command := directory.RevokeToken{TokenID: chi.URLParam(c.Request, "token_id")}
	gone, outcome, err := gateway.Do(c.Context(), s.options.Gateway, c.who.actor, command)
	if err != nil {
		return c.unreplicated(err, outcome.Position, nil)
	}
	return answerWritten(s, c, http.StatusOK, tokenRecordOf(gone), outcome.Position)
}
