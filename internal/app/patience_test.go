package app

import (
	"errors"
	"testing"
	"time"

	"github.com/belfry-news/belfry/internal/outbox"
	"github.com/belfry-news/belfry/sdk"
)

// A place that cannot take an alert is left alone for as long as it asks for, and never for longer than a day.
func TestPatience(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 20, 7, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		err      error
		failures int
		want     time.Duration
	}{
		"at first":               {errors.New("down"), 0, 5 * time.Second},
		"later":                  {errors.New("down"), 100, 10 * time.Minute},
		"it asks for an hour":    {&sdk.Error{Code: sdk.CodeRateLimited, RetryAfter: time.Hour}, 0, time.Hour},
		"it asks for a moment":   {&sdk.Error{Code: sdk.CodeRateLimited, RetryAfter: time.Second}, 3, 40 * time.Second},
		"it asks for a lifetime": {&sdk.Error{Code: sdk.CodeRateLimited, RetryAfter: sdk.Forever / 2}, 0, outbox.LongestWait},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := &patience{failures: c.failures}
			p.failed(c.err, now)
			if got := p.until.Sub(now); got != c.want {
				t.Errorf("it is left alone for %s, want %s", got, c.want)
			}
		})
	}
}
