package scheduler

import (
	"testing"
	"time"
)

func BenchmarkNext(b *testing.B) {
	paris := mustZone(b, "Europe/Paris")
	for name, expr := range map[string]string{
		"daily": "0 7 * * mon-fri", "every minute": "* * * * *", "yearly": "@yearly", "29 February": "0 0 29 2 *", "interval": "@every 15m",
	} {
		b.Run(name, func(b *testing.B) {
			spec, after := mustParse(b, expr, paris), time.Unix(1_795_000_000, 0)
			b.ReportAllocs()
			for b.Loop() {
				if _, ok := spec.Next(after); !ok {
					b.Fatal("never")
				}
			}
		})
	}
	b.Run("over a gap", func(b *testing.B) {
		spec, after := mustParse(b, "30 2 * * *", paris), time.Date(2026, 3, 28, 12, 0, 0, 0, time.UTC)
		for b.Loop() {
			if o, _ := spec.Next(after); o.Shift != Gap {
				b.Fatal("no gap")
			}
		}
	})
	b.Run("29 February over 2100", func(b *testing.B) {
		spec, after := mustParse(b, "0 0 29 2 *", paris), time.Date(2096, 3, 1, 0, 0, 0, 0, time.UTC)
		for b.Loop() {
			if o, _ := spec.Next(after); o.At.Year() != 2104 {
				b.Fatal(o.At)
			}
		}
	})
}

func BenchmarkDue(b *testing.B) {
	paris := mustZone(b, "Europe/Paris")
	now := time.Date(2026, 6, 1, 12, 0, 30, 0, time.UTC)
	night := mustHours(b, "22:00-06:30", nil)
	for _, bench := range []struct {
		name, expr string
		from       time.Time
	}{
		{"nothing due", "0 7 * * *", now.Add(-time.Second)},
		{"one due", "0 14 * * *", now.Add(-time.Minute)},
		{"ten years of minutes", "* * * * *", now.AddDate(-10, 0, 0)},
		{"ten years of days", "0 7 * * *", now.AddDate(-10, 0, 0)},
	} {
		for _, catchUp := range []CatchUp{CatchUpNone, CatchUpLast, CatchUpAll} {
			b.Run(bench.name+", "+string(catchUp), func(b *testing.B) {
				rule := Rule{Spec: mustParse(b, bench.expr, paris), CatchUp: catchUp, Window: 3 * time.Hour, Blackouts: night}
				b.ReportAllocs()
				for b.Loop() {
					rule.Due(bench.from, now)
				}
			})
		}
	}
}

func BenchmarkParse(b *testing.B) {
	for b.Loop() {
		if _, err := Parse("*/15 8-18 * * mon-fri", time.UTC); err != nil {
			b.Fatal(err)
		}
	}
}
