package client

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/coder/websocket"
)

// handshakeTimeout bounds the opening of a stream.
const handshakeTimeout = 15 * time.Second

// subprotocol is what a stream speaks.
const subprotocol = "gateway.v1"

// Dial opens a stream. ctx bounds the opening, for which there are 15 seconds at
// most. The error is ErrOptions, a *RefusedError if there was an answer, the cause
// of ctx, or what became of the network.
//
// The caller calls Next until it fails, or Close.
func Dial(ctx context.Context, o Options) (*Conn, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	compression := websocket.CompressionDisabled
	if o.Compression {
		// Each frame is compressed for itself, as the gateway does it, once for all
		// who read it.
		compression = websocket.CompressionNoContextTakeover
	}
	opening, cancel := context.WithTimeout(ctx, handshakeTimeout)
	defer cancel()
	httpClient, linking := linked(o.httpClient())
	ws, answer, err := websocket.Dial(opening, o.subscribeURL(), &websocket.DialOptions{
		HTTPClient:      httpClient,
		HTTPHeader:      http.Header{"Authorization": {"Bearer " + o.Token}},
		Subprotocols:    []string{subprotocol},
		CompressionMode: compression,
	})
	switch {
	case err == nil:
		return newConn(ws, linking.link, o.Since), nil
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case answer != nil && answer.StatusCode != http.StatusSwitchingProtocols:
		return nil, refusal(answer, time.Now())
	}
	if request, ok := errors.AsType[*url.Error](err); ok {
		err = request.Err // the rest repeats what was asked for
	}
	return nil, fmt.Errorf("cannot connect: %w", err)
}

// refusal says what an answer means that opens no stream.
func refusal(answer *http.Response, now time.Time) *RefusedError {
	refused := &RefusedError{Status: answer.StatusCode, RetryAfter: retryAfter(answer.Header, now)}
	var problem struct {
		Title, Detail, Code string
		Errors              []struct{ Pointer, Detail string }
	}
	if body, err := io.ReadAll(answer.Body); err == nil && json.Unmarshal(body, &problem) == nil {
		refused.Code, refused.Detail = problem.Code, cmp.Or(problem.Detail, problem.Title)
		for _, fault := range problem.Errors {
			refused.Detail += fmt.Sprintf("; %s: %s", fault.Pointer, fault.Detail)
		}
	}
	return refused
}
