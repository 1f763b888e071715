package app

import (
	"flag"
	"os"
	"testing"

	"go.uber.org/goleak"

	"github.com/belfry-news/belfry/internal/sandbox"
)

func TestMain(m *testing.M) {
	sandbox.Main()
	// These tests wait more than they work.
	if err := flag.Set("test.parallel", "8"); err != nil {
		os.Exit(2)
	}
	goleak.VerifyTestMain(m)
}
