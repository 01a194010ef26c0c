package server

import (
	"errors"
	"testing"
)

func TestPeak(t *testing.T) {
	s := start(t, "serve")
	if _, err := s.Await(t.Context(), "ready", 1); err != nil {
		t.Fatal(err)
	}
	if err := s.ResetPeak(); err != nil {
		t.Fatal(err)
	}
	u, err := s.Usage()
	if err != nil {
		t.Fatal(err)
	}
	// The kernel counts resident pages in batches for each thread, so the two differ a little.
	const batches = 1 << 20
	if peak, err := s.Peak(); err != nil || peak < u.Resident-batches {
		t.Errorf("the peak is %d, and %d are resident (%v)", peak, u.Resident, err)
	}
	s.Kill()
	if _, err := s.Peak(); !errors.Is(err, ErrEnded) {
		t.Errorf("the peak of one that is gone: %v", err)
	}
}
