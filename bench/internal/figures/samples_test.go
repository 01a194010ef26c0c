package figures

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
)

func TestSeriesOfOneValue(t *testing.T) {
	var s Samples
	s.Note("f", "a", 0, map[string]float64{"v": 1, "w": 5})
	s.Note("f", "b", 0, map[string]float64{"v": 2})
	s.Note("g", "a", 0, map[string]float64{"v": 3})
	s.Note("f", "a", 1, map[string]float64{"v": 4})
	if got, want := s.Series("f", "a", "v"), (Series{1, 4}); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if got := s.Series("f", "b", "w"); got != nil {
		t.Errorf("a value that nobody noted: %v", got)
	}
}

func TestEveryCandidateHasItsTurnInEachRound(t *testing.T) {
	var order strings.Builder
	err := Turns(t.Context(), 3, []string{"a", "b", "c"}, func(_ int, c string) error {
		order.WriteString(c)
		return nil
	})
	if want := "abcbcacab"; err != nil || order.String() != want {
		t.Errorf("the turns were %s (%v), want %s", order.String(), err, want)
	}
}

func TestTurnsEnd(t *testing.T) {
	broken, turns := errors.New("broken"), 0
	fail := func(int, string) error { turns++; return broken }
	if err := Turns(t.Context(), 3, []string{"a", "b"}, fail); !errors.Is(err, broken) || turns != 1 {
		t.Errorf("%d turns and %v after one that failed", turns, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := Turns(ctx, 3, []string{"a", "b"}, fail); !errors.Is(err, context.Canceled) || turns != 1 {
		t.Errorf("%d turns and %v after the context ended", turns, err)
	}
}
