package desk

import (
	"testing"
	"time"

	"github.com/belfry-news/belfry/configs"
)

func TestWords(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 20, 7, 0, 0, 0, time.UTC)
	d := &Desk{Config: &configs.Loaded{Config: configs.Default()}, Now: now}
	for want, got := range map[string]string{
		"1,204":                      Thousands(1204),
		"-1,204,000":                 Thousands(-1204000),
		"204":                        Thousands(204),
		"a b c":                      Plain("a\nb\t\u0085c"),
		"[31mb":                      Plain("\x1b[31mb"),
		"a gnp.exe b":                Plain("a \u202egnp.exe\u202c \u2066b\u2069"),
		"never":                      d.Ago(time.Time{}),
		"5 s ago":                    d.Ago(now.Add(-5 * time.Second)),
		"59 min ago":                 d.Ago(now.Add(-59*time.Minute - time.Second)),
		"2026-11-20 05:00 UTC":       d.Ago(now.Add(-2 * time.Hour)),
		"for 5 s":                    d.Lasting(now.Add(-5 * time.Second)),
		"since 2026-11-20 05:00 UTC": d.Lasting(now.Add(-2 * time.Hour)),
		"now":                        d.Until(now),
		"in 1 s":                     d.Until(now.Add(time.Millisecond)),
		"in 30 min":                  d.Until(now.Add(30 * time.Minute)),
		"2026-11-21 07:00 UTC":       d.Until(now.Add(24 * time.Hour)),
		"1 there · 2 for a person":   CopyCounts([]Copy{{State: CopyByHand}, {State: CopyThere}, {State: CopyByHand}}),
		"on its own page only":       CopyCounts(nil),
	} {
		if want != got {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
