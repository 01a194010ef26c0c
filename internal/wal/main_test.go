package wal

import (
	"os"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(holdFolder); dir != "" {
		os.Exit(hold(dir))
	}
	goleak.VerifyTestMain(m)
}
