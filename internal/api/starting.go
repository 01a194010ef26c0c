package api

import (
	"context"
	"crypto/sha256"
	"fmt"
	"time"
)

// startPatience is how long a request that needs the state waits for a start to
// come to its end.
const startPatience = 5 * time.Second

// Open lets requests in. Until it is called, which is when the gateway has read
// its data, only the open routes are answered; the others wait for a while.
// adminToken may be empty: then there is no such token.
func (s *Server) Open(adminToken string) {
	if adminToken != "" {
		hash := sha256.Sum256([]byte(adminToken))
		s.adminHash = &hash
	}
	close(s.opened)
}

func (s *Server) isOpen() bool {
	select {
	case <-s.opened:
		return true
	default:
		return false
	}
}

// started waits until requests are let in, for a while.
func (s *Server) started(ctx context.Context) error {
	if s.isOpen() {
		return nil
	}
	patience := time.NewTimer(startPatience)
	defer patience.Stop()
	select {
	case <-s.opened:
		return nil
	case <-patience.C:
		return s.starting()
	case <-ctx.Done():
		return ctx.Err()
	}
}

// starting says what the start waits for.
func (s *Server) starting() error {
	if err := s.options.Gateway.Ready(); err != nil {
		return fmt.Errorf("%w: %w", errNotReady, err)
	}
	return errNotReady // the data is read, and the door about to open
}
