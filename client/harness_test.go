package client_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
	"go.uber.org/goleak"

	"github.com/replication-gateway/gateway/client"
	"github.com/replication-gateway/gateway/internal/api"
	"github.com/replication-gateway/gateway/internal/directory"
	"github.com/replication-gateway/gateway/internal/gateway"
	"github.com/replication-gateway/gateway/internal/hub/hubtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const adminToken = "the-admin-token"

// harness is a gateway with a data folder of its own, behind a proxy whose
// address outlives restarts.
type harness struct {
	t            testing.TB
	options      gateway.Options
	writeTimeout time.Duration
	gateway      *gateway.Gateway
	api          *api.Server
	http         *httptest.Server
	proxy        *proxy
	url          string
}

// start opens a gateway; options change how.
func start(t testing.TB, options ...func(*gateway.Options)) *harness {
	t.Helper()
	return startWithin(t, 10*time.Second, options...)
}

// startWithin is start with a write timeout of its own.
func startWithin(t testing.TB, writeTimeout time.Duration, options ...func(*gateway.Options)) *harness {
	t.Helper()
	h := &harness{t: t, options: gateway.Options{Dir: t.TempDir(), Heartbeat: 15 * time.Second, Logger: zerolog.Nop()}, writeTimeout: writeTimeout}
	for _, option := range options {
		option(&h.options)
	}
	h.proxy = newProxy(t)
	h.url = "http://" + h.proxy.listener.Addr().String()
	h.open()
	t.Cleanup(h.close)
	return h
}

func (h *harness) open() {
	h.t.Helper()
	h.gateway = gateway.New(h.options)
	if err := h.gateway.Open(); err != nil {
		h.t.Fatalf("open: %v", err)
	}
	h.api = api.New(api.Options{Gateway: h.gateway, Logger: zerolog.Nop(), Registry: prometheus.NewRegistry(),
		WriteTimeout: h.writeTimeout, Compression: true, Assets: os.DirFS("../web")})
	h.api.Open(adminToken)
	h.http = httptest.NewServer(h.api.Handler())
	h.proxy.lead(h.http.Listener.Addr().String())
}

func (h *harness) close() {
	if err := errors.Join(h.api.Drain(context.Background(), 0), h.api.DismissStandbys(context.Background(), 0)); err != nil {
		h.t.Errorf("drain: %v", err)
	}
	h.http.Close()
	if err := h.gateway.Close(); err != nil {
		h.t.Errorf("close: %v", err)
	}
}

// restart stops the gateway as SIGTERM does and starts it again on its data.
func (h *harness) restart() {
	h.t.Helper()
	h.close()
	h.open()
}

// options returns the options of a client that is quick to come back.
func (h *harness) client(token string) client.Options {
	return client.Options{URL: h.url, Token: token, HTTPClient: httpClient(h.t), BackoffBase: time.Millisecond, BackoffMax: 10 * time.Millisecond}
}

// httpClient returns a client whose connections end with the test.
func httpClient(t testing.TB) *http.Client {
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// do carries out a command and returns the position it led to.
func do[R any](h *harness, c directory.Command[R]) client.Position {
	h.t.Helper()
	_, outcome, err := gateway.Do(context.Background(), h.gateway, "token:admin", c)
	if err != nil {
		h.t.Fatalf("%T: %v", c, err)
	}
	return outcome.Position
}

func putNode(id uint32, hostname string) directory.PutNode {
	return directory.PutNode{Node: directory.Node{NodeID: id, Hostname: hostname}}
}

func putNetwork(id uint16) directory.PutNetwork {
	return directory.PutNetwork{Network: directory.Network{NetworkID: id, Name: fmt.Sprint("network ", id)}}
}

func join(network uint16, node uint32) directory.PutMember {
	return directory.PutMember{NetworkID: network, NodeID: node}
}

// batch puts n nodes in one commit. size is about how large each is.
func batch(first, n int, size int) directory.Batch {
	var b directory.Batch
	for i := range n {
		b.Ops = append(b.Ops, directory.OpOf(putNode(uint32(first+i), strings.Repeat("h", size))))
	}
	return b
}

// token makes a token of a role.
func (h *harness) token(role directory.AccessRole, networks ...uint16) (token, id string) {
	h.t.Helper()
	id = fmt.Sprintf("%016d", len(slices.Collect(h.tokens())))
	token = "gw_" + id + "_secret"
	sum := sha256.Sum256([]byte(token))
	do(h, directory.CreateToken{Token: directory.Token{TokenID: id, Name: "test", Role: role, Networks: networks, Hash: hex.EncodeToString(sum[:])}})
	return token, id
}

func (h *harness) tokens() func(func(*directory.Token) bool) {
	state, _ := h.gateway.State()
	return state.Tokens("")
}

// same fails the test unless the view is at the gateway's position, and holds what
// a reader of that role and these networks may see.
func (h *harness) same(v *client.View, role directory.AccessRole, networks ...uint16) {
	h.t.Helper()
	state, position := h.gateway.State()
	if v.Position() != position {
		h.t.Errorf("view at %v, gateway at %v", v.Position(), position)
	}
	var want []string
	for _, row := range directory.NewView(role, networks...).Rows(state) {
		want = append(want, string(directory.AppendRow(nil, row)))
	}
	if got := lines(v); !slices.Equal(got, want) {
		h.t.Errorf("got  %.2000q\nwant %.2000q", got, want)
	}
}

func lines(v *client.View) (list []string) {
	for _, row := range v.Rows() {
		list = append(list, string(directory.AppendRow(nil, row)))
	}
	return list
}

// proxy passes TCP on to wherever it was led last. It can cut what it carries.
type proxy struct {
	listener net.Listener
	running  sync.WaitGroup

	mu     sync.Mutex
	target string
	conns  map[net.Conn]bool
	budget func() int64 // bytes to the client, of each new connection; nil for no end
	cut    int          // connections that had no bytes left
}

func newProxy(t testing.TB) *proxy {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{listener: listener, conns: make(map[net.Conn]bool)}
	p.running.Go(p.serve)
	t.Cleanup(func() {
		_ = listener.Close()
		p.cutAll()
		p.running.Wait()
	})
	return p
}

func (p *proxy) lead(target string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.target = target
}

// limit has each connection from now on end after so many bytes as budget says.
func (p *proxy) limit(budget func() int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.budget = budget
}

func (p *proxy) cuts() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.cut
}

// cutAll ends all connections as they are.
func (p *proxy) cutAll() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		_ = c.Close()
	}
}

func (p *proxy) serve() {
	for {
		c, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.running.Go(func() { p.carry(c) })
	}
}

func (p *proxy) carry(c net.Conn) {
	p.mu.Lock()
	target, budget := p.target, int64(-1)
	if p.budget != nil {
		budget = p.budget()
	}
	p.mu.Unlock()
	s, err := net.Dial("tcp", target)
	if err != nil {
		_ = c.Close()
		return
	}
	defer p.hold(c, s)()
	p.running.Go(func() {
		_, _ = io.Copy(s, c)
		_ = s.Close()
	})
	if budget < 0 {
		_, _ = io.Copy(c, s)
	} else if n, _ := io.CopyN(c, s, budget); n == budget {
		p.mu.Lock()
		p.cut++
		p.mu.Unlock()
	}
	_ = c.Close()
}

// hold makes connections known to cutAll until the returned func is called.
func (p *proxy) hold(conns ...net.Conn) (release func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range conns {
		p.conns[c] = true
	}
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		for _, c := range conns {
			_ = c.Close()
			delete(p.conns, c)
		}
	}
}

// watched is a Handler that has each frame checked by the validator of streams
// before another Handler gets it.
type watched struct {
	client.Handler
	t         testing.TB
	validator *hubtest.Validator // nil for none
	dials     atomic.Int32
	snapshots atomic.Int32

	mu   sync.Mutex
	lost []error
}

func watch(t testing.TB, h client.Handler) *watched {
	return &watched{Handler: h, t: t, validator: hubtest.New(hubtest.Options{})}
}

func (w *watched) check(f client.Frame) {
	w.t.Helper()
	if w.validator == nil {
		return
	}
	if err := w.validator.Frame(f.Raw()); err != nil {
		w.t.Errorf("%v", err)
		w.validator = nil // of no use any more
	}
}

// losses returns what streams ended with so far.
func (w *watched) losses() []error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.lost)
}

func (w *watched) Connected(ctx context.Context, c *client.Conn, first *client.Heartbeat) error {
	w.dials.Add(1)
	if w.validator == nil {
		return w.Handler.Connected(ctx, c, first)
	}
	if *first.Resumed || first.Reason != "" {
		held, _ := w.validator.Position()
		w.validator.ConnectAt(held)
	} else {
		w.validator.Connect()
	}
	w.check(first)
	return w.Handler.Connected(ctx, c, first)
}

func (w *watched) Snapshot(ctx context.Context, part *client.SnapshotPart) error {
	w.check(part)
	if part.First {
		w.snapshots.Add(1)
	}
	return w.Handler.Snapshot(ctx, part)
}

func (w *watched) Delta(ctx context.Context, delta *client.Delta) error {
	w.check(delta)
	return w.Handler.Delta(ctx, delta)
}

func (w *watched) Heartbeat(ctx context.Context, beat *client.Heartbeat) error {
	w.check(beat)
	return w.Handler.Heartbeat(ctx, beat)
}

func (w *watched) Disconnected(err error, retryIn time.Duration) {
	w.mu.Lock()
	w.lost = append(w.lost, err)
	w.mu.Unlock()
	w.Handler.Disconnected(err, retryIn)
}

// follow runs Subscribe until stop is called, which returns how it ended.
func follow(t testing.TB, o client.Options, h client.Handler) (stop func() error) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- client.Subscribe(ctx, o, h) }()
	stop = sync.OnceValue(func() error {
		cancel()
		return <-ended
	})
	t.Cleanup(func() { _ = stop() })
	return stop
}

// reached waits until the state has come to p. It fails the test if that takes
// unreasonably long, since something hangs then.
func reached(t testing.TB, s *client.State, p client.Position) *client.View {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	v, err := s.Reached(ctx, p)
	if err != nil {
		t.Fatalf("waiting for %v at %v: %v (stale: %v)", p, s.View().Position(), err, s.Stale())
	}
	return v
}

// atMost limits the subscribers.
func atMost(n int) func(*gateway.Options) { return func(o *gateway.Options) { o.MaxSubscribers = n } }
