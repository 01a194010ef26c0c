package api

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/replication-gateway/gateway/internal/directory"
	"github.com/replication-gateway/gateway/internal/gateway"
	"github.com/replication-gateway/gateway/internal/hub"
)

// Refusals of this package. Those of packages directory, gateway and hub stand
// beside them in refusals.
var (
	errUnauthorized     = errors.New("the request carries no credential that is good here")
	errForbidden        = errors.New("not allowed")
	errNotFound         = errors.New("there is nothing at this path")
	errMethodNotAllowed = errors.New("the path does not take this method")
	errUnsupported      = errors.New("the body must be application/json in UTF-8")
	errTooLarge         = errors.New("the request is too large")
	errMalformed        = errors.New("the body is not one well-formed JSON value")
	errUpgradeRequired  = errors.New("this path speaks WebSocket, version 13, and server-sent events")
	errDraining         = errors.New("the gateway is about to stop")
	errTokenFull        = errors.New("as many streams are open with this token as one may have")
	errNotPromotable    = errors.New("the standby cannot be promoted")
	errNotReady         = errors.New("the gateway is not ready")
)

// refusals maps what can go wrong to what the client is told. The first line
// that fits counts; an error without one is internal, and its text is not told.
// Where detail is given it is told in place of the error's own text.
var refusals = []struct {
	err    error
	status int
	code   string
	detail string
}{
	{errUnauthorized, http.StatusUnauthorized, "unauthorized", ""},
	{gateway.ErrTokenEnded, http.StatusUnauthorized, "unauthorized", ""},
	{errForbidden, http.StatusForbidden, "forbidden", ""},
	{errUnsupported, http.StatusUnsupportedMediaType, "unsupported-media-type", ""},
	{errTooLarge, http.StatusRequestEntityTooLarge, "too-large", ""},
	{gateway.ErrTooLarge, http.StatusRequestEntityTooLarge, "too-large", "the change is too large for one commit"},
	{errMalformed, http.StatusBadRequest, "malformed-json", ""},
	{errUnknownField, http.StatusUnprocessableEntity, "unknown-field", ""},
	{errInvalid, http.StatusUnprocessableEntity, "validation", ""},
	{directory.ErrConflictingEntries, http.StatusUnprocessableEntity, "conflicting-entries", ""},
	{directory.ErrKeyReused, http.StatusUnprocessableEntity, "idempotency-key-reused", ""},
	{directory.ErrNetworkNotFound, http.StatusNotFound, "network-not-found", ""},
	{directory.ErrNodeNotFound, http.StatusNotFound, "node-not-found", ""},
	{directory.ErrMemberNotFound, http.StatusNotFound, "member-not-found", ""},
	{directory.ErrNotFound, http.StatusNotFound, "not-found", ""},
	{errNotFound, http.StatusNotFound, "not-found", ""},
	{errMethodNotAllowed, http.StatusMethodNotAllowed, "method-not-allowed", ""},
	{errUpgradeRequired, http.StatusUpgradeRequired, "upgrade-required", ""},
	{directory.ErrNetworkNotEnterprise, http.StatusConflict, "network-not-enterprise", ""},
	{directory.ErrStaleSnapshot, http.StatusConflict, "stale-snapshot", ""},
	{directory.ErrLastOwner, http.StatusConflict, "last-owner", ""},
	{directory.ErrRemovalThreshold, http.StatusConflict, "removal-threshold", ""},
	{directory.ErrPlanChanged, http.StatusConflict, "plan-changed", ""},
	{errNotPromotable, http.StatusConflict, "not-ready", ""},
	{gateway.ErrCannotFollow, http.StatusServiceUnavailable, "not-ready", "this standby cannot follow its primary; its log says why, and so does GET /replication"},
	{errNotReady, http.StatusServiceUnavailable, "not-ready", ""},
	{gateway.ErrStorageFailed, http.StatusServiceUnavailable, "storage-failed", "the gateway cannot write; whether this change was made shows after its restart"},
	{hub.ErrNoState, http.StatusServiceUnavailable, "not-ready", "the gateway has no state to start from yet"},
	{hub.ErrFull, http.StatusServiceUnavailable, "too-many-subscribers", "the gateway has as many subscribers as it takes"},
	{errTokenFull, http.StatusServiceUnavailable, "too-many-subscribers", ""},
	{errDraining, http.StatusServiceUnavailable, "draining", ""},
	{hub.ErrClosed, http.StatusServiceUnavailable, "draining", "the gateway is about to stop"},
	{gateway.ErrClosed, http.StatusServiceUnavailable, "draining", "the gateway is about to stop"},
	{gateway.ErrNoState, http.StatusServiceUnavailable, "not-ready", ""},
	{gateway.ErrStandby, http.StatusServiceUnavailable, "primary-unreachable", "this gateway has just become a standby"},
	{gateway.ErrStandbysBehind, http.StatusServiceUnavailable, "standbys-behind", "what waits for the standbys fills the window; the change was not made"},
	{errPrimaryUnreachable, http.StatusServiceUnavailable, "primary-unreachable", ""},
	{gateway.ErrNotReplicated, http.StatusGatewayTimeout, "not-replicated", "the change is durable here, and not enough standbys have acknowledged it in time"},
	{gateway.ErrPositionNotReached, http.StatusGatewayTimeout, "position-not-reached", "the gateway has not reached this position in time"},
	{context.Canceled, http.StatusServiceUnavailable, "canceled", "the request was given up"}, // who asked is gone
}

// problem is RFC 9457's problem details.
type problem struct {
	Type      string  `json:"type"`
	Title     string  `json:"title"`
	Status    int     `json:"status"`
	Detail    string  `json:"detail"`
	Code      string  `json:"code"`
	RequestID string  `json:"request_id"`
	Errors    []fault `json:"errors,omitempty"`
	Plan      *plan   `json:",embed"`
	Made      *made   `json:",embed"`
}

// made is what a change left that is durable and not replicated yet.
type made struct {
	SeqNo uint64          `json:"seq_no"`
	Epoch string          `json:"epoch"`
	Token *newTokenRecord `json:",embed"` // shown this once, whatever becomes of it
}

// unreplicatedError is ErrNotReplicated with what the change left.
type unreplicatedError struct{ made }

func (e *unreplicatedError) Error() string { return gateway.ErrNotReplicated.Error() }
func (e *unreplicatedError) Unwrap() error { return gateway.ErrNotReplicated }

// unreplicated adds to ErrNotReplicated where the change is; other errors stay.
func (c *call) unreplicated(err error, p directory.Position, token *newTokenRecord) error {
	if !errors.Is(err, gateway.ErrNotReplicated) {
		return err
	}
	c.setPosition(p)
	return &unreplicatedError{made{p.SeqNo, p.Epoch, token}}
}

// plan is what a directory sync that wants a confirmation would do.
type plan struct {
	PlanDigest string   `json:"plan_digest"`
	Actions    []string `json:"actions"`
	Removed    int      `json:"removed"`
	Members    int      `json:"members"` // with an external id
	Updated    int      `json:"updated"`
	Disabled   int      `json:"disabled"`
	Mapped     int      `json:"mapped"`
	Unmapped   int      `json:"unmapped"`
}

// problemOf says what an error is to the client.
func problemOf(err error) problem {
	p := problem{Status: http.StatusInternalServerError, Code: "internal", Detail: "the gateway failed; its log says why"}
	for _, r := range refusals {
		if errors.Is(err, r.err) {
			p.Status, p.Code, p.Detail = r.status, r.code, cmp.Or(r.detail, err.Error())
			break
		}
	}
	p.Type, p.Title = "about:blank", http.StatusText(p.Status)
	if f, ok := errors.AsType[*faultsError](err); ok {
		p.Errors = f.list
	}
	if f, ok := errors.AsType[*directory.ConflictError](err); ok {
		p.Errors = conflicts(f)
	}
	if f, ok := errors.AsType[*directory.OpError](err); ok {
		p.Errors = []fault{{Pointer: pointer("/ops", f.Index), Code: p.Code, Detail: f.Err.Error()}}
	}
	if f, ok := errors.AsType[*unreplicatedError](err); ok {
		p.Made = &f.made
	}
	if f, ok := errors.AsType[*directory.PlanError](err); ok {
		r := f.Plan
		p.Plan = &plan{r.PlanDigest, r.Actions, r.Removed, r.Identified, r.Updated, r.Disabled, r.Mapped, r.Unmapped}
	}
	return p
}

func conflicts(e *directory.ConflictError) []fault {
	var f faults
	for _, i := range e.Indexes {
		f.add(pointer("/entries", i), "conflicting-entries", "differs from an earlier entry of the same external id")
	}
	return f.list
}

// retryAfter is the hint, in seconds, of answers that a later try may better.
const retryAfter = "1"

// refuse answers with the problem that err is, unless an answer has begun.
func (s *Server) refuse(c *call, err error) {
	p := problemOf(err)
	p.RequestID = c.id
	if p.Status == http.StatusInternalServerError {
		s.options.Logger.Error().Err(err).Str("request_id", c.id).Str("route", c.route).Msg("internal error")
	}
	if c.w.status != 0 {
		return
	}
	switch p.Status {
	case http.StatusUnauthorized:
		c.header().Set("WWW-Authenticate", "Bearer")
	case http.StatusUpgradeRequired:
		c.header().Set("Upgrade", "websocket")
		c.header().Set("Connection", "Upgrade")
		c.header().Set("Sec-WebSocket-Version", "13")
	case http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		c.header().Set("Retry-After", retryAfter)
	}
	if err := c.write(p.Status, "application/problem+json", p); err != nil {
		panic(fmt.Sprintf("api: a problem that does not encode: %v", err))
	}
}
