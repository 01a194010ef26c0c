package server

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/replication-gateway/gateway/bench/internal/command"
)

// module is the one that the gateway's program is in.
const module = "github.com/replication-gateway/gateway"

// Token is the admin token of the gateways under test.
const Token = "bench-admin-token"

// Program returns the path of the program to measure: the one that is given, or one that it builds into a folder.
func Program(ctx context.Context, given, dir string) (string, error) {
	if given != "" {
		return filepath.Abs(given)
	}
	command.Progress("building the gateway")
	return Build(ctx, dir)
}

// Build builds the gateway's program into a folder and returns its path.
func Build(ctx context.Context, dir string) (string, error) {
	root, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", module).Output()
	if err != nil {
		return "", fmt.Errorf("look for the gateway: %w", err)
	}
	program := filepath.Join(dir, "gateway")
	build := exec.CommandContext(ctx, "go", "build", "-o", program, "./cmd/gateway")
	build.Dir = strings.TrimSpace(string(root))
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the gateway: %w\n%s", err, out)
	}
	return program, nil
}

// Gateway starts a gateway on a data folder and waits until it is ready. args are more flags of it.
func Gateway(ctx context.Context, program, data string, args ...string) (*Server, error) {
	s, err := Start(gatewayCommand(ctx, program, data, args...))
	if err != nil {
		return nil, err
	}
	if _, err := s.Await(ctx, "ready", 1); err != nil {
		s.Kill()
		return nil, err
	}
	return s, nil
}

// GatewayThatWarns is Gateway for one that logs where it listens, and then only what is wrong: no line for each request.
func GatewayThatWarns(ctx context.Context, program, data string) (*Server, error) {
	s, err := Start(gatewayCommand(ctx, program, data, "--log-level", "warn"))
	if err != nil {
		return nil, err
	}
	if err := s.answers(ctx, "/readyz"); err != nil {
		s.Kill()
		return nil, err
	}
	return s, nil
}

func gatewayCommand(ctx context.Context, program, data string, args ...string) *exec.Cmd {
	args = append([]string{"serve", "--listen", "127.0.0.1:0", "--data", data, "--log-format", "json", "--drain", "0s"}, args...)
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Env = append(os.Environ(), "GATEWAY_ADMIN_TOKEN="+Token)
	return cmd
}

// answers waits until a path is answered with 200.
func (s *Server) answers(ctx context.Context, path string) error {
	const every = 10 * time.Millisecond
	for {
		resp, err := http.Get("http://" + s.Addr + path)
		if err == nil {
			err = resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return err
			}
		}
		select {
		case <-s.exited:
			return fmt.Errorf("%w before it was ready: %w\n%s", ErrEnded, errors.Join(s.status, err), s.last())
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(every):
		}
	}
}
