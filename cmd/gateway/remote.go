package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// remoteFlags say which gateway a command speaks to, and as whom.
type remoteFlags struct {
	URL   string `name:"url" default:"http://127.0.0.1:8080" placeholder:"URL" help:"Where the gateway is."`
	Token string `placeholder:"TOKEN" help:"Token to speak with. Default: what ./data/admin-token holds."`
}

// Validate checks the flags. Kong calls it after parsing.
func (r remoteFlags) Validate() error {
	if err := validateURL("--url", r.URL); err != nil {
		return err
	}
	return validateToken("--token", r.Token)
}

// validateURL reports whether s can be where a gateway is.
func validateURL(flag, s string) error {
	const want = "want a URL such as http://127.0.0.1:8080"
	u, err := url.Parse(s)
	switch {
	case strings.Contains(s, "@"): // there may be a password, which nobody should see
		return fmt.Errorf("%s: %s, without a user", flag, want)
	case err != nil, u.Scheme != "http" && u.Scheme != "https", u.Hostname() == "", u.RawQuery != "", u.ForceQuery, u.Fragment != "":
		return fmt.Errorf("%s %q: %s", flag, s, want)
	}
	if port := u.Port(); port != "" {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return fmt.Errorf("%s %q: there is no port %s", flag, s, port)
		}
	}
	return nil
}

// validateToken reports whether s can travel in a header.
func validateToken(flag, s string) error {
	if strings.ContainsFunc(s, func(c rune) bool { return c <= ' ' || c >= 0x7f }) {
		return fmt.Errorf("%s: want visible ASCII characters only", flag)
	}
	return nil
}

// token returns the token to speak with.
func (r remoteFlags) token() (string, error) {
	if r.Token != "" {
		return r.Token, nil
	}
	path := filepath.Join("data", adminTokenFile)
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", usageError{fmt.Errorf("no --token, and no file %s", path)}
	}
	return strings.TrimSpace(string(b)), err
}

// endpoint returns the URL of a path of the gateway; path may hold a query.
func (r remoteFlags) endpoint(path string) string { return strings.TrimSuffix(r.URL, "/") + path }

// maxRefusal bounds in bytes what is read of a refusal. That of a plan has a line for
// each change.
const maxRefusal = 64 << 20

// do sends a request. The response's body is the caller's to close. An answer
// that is no success is returned as a *refusedError.
func (r remoteFlags) do(ctx context.Context, method, path string, header http.Header, body io.Reader) (*http.Response, error) {
	token, err := r.token()
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, method, r.endpoint(path), body)
	if err != nil {
		return nil, err
	}
	if sized, ok := body.(interface{ Len() int }); ok {
		req.ContentLength = int64(sized.Len())
	}
	for name, values := range header {
		req.Header[name] = values
	}
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode/100 == 2 {
		return resp, nil
	}
	defer resp.Body.Close()
	refused := &refusedError{Status: resp.StatusCode}
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxRefusal))
	if err != nil {
		return nil, err
	}
	_ = json.Unmarshal(answer, refused) // what is no problem document leaves the status to speak
	refused.Body = answer
	return nil, refused
}

// answerTime is how long a gateway may take to answer a question. One that hangs
// takes requests like any other.
const answerTime = 30 * time.Second

// get decodes the JSON that the gateway answers at path.
func (r remoteFlags) get(ctx context.Context, path string, into any) error {
	answer, err := r.read(ctx, path)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(answer, into); err != nil {
		return fmt.Errorf("answer of %s: %w", path, err)
	}
	return nil
}

// read returns what the gateway answers at path.
func (r remoteFlags) read(ctx context.Context, path string) ([]byte, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, answerTime, fmt.Errorf("no answer within %v", answerTime))
	defer cancel()
	resp, err := r.do(ctx, http.MethodGet, path, nil, nil)
	if err == nil {
		defer resp.Body.Close()
		var answer []byte
		if answer, err = io.ReadAll(resp.Body); err == nil {
			return answer, nil
		}
	}
	if errors.Is(err, context.DeadlineExceeded) {
		err = fmt.Errorf("%s: %w", r.URL, context.Cause(ctx))
	}
	return nil, err
}

// refusedError is a problem that the gateway answered with.
type refusedError struct {
	Status int    `json:"-"`
	Body   []byte `json:"-"` // the problem as it came
	Code   string `json:"code"`
	Detail string `json:"detail"`
	Errors []struct {
		Pointer string `json:"pointer"`
		Detail  string `json:"detail"`
	} `json:"errors"`
}

func (e *refusedError) Error() string {
	text := fmt.Sprintf("the gateway answered %d %s", e.Status, cmp.Or(e.Code, http.StatusText(e.Status)))
	if e.Detail != "" {
		text += ": " + e.Detail
	}
	for _, f := range e.Errors {
		text += fmt.Sprintf("\n  %s: %s", f.Pointer, f.Detail)
	}
	return text
}
