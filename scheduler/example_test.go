package scheduler_test

import (
	"fmt"
	"time"

	"github.com/belfry-news/belfry/scheduler"
)

func ExampleSpec_Between() {
	paris, err := scheduler.LoadZone("Europe/Paris")
	if err != nil {
		fmt.Println(err)
		return
	}
	spec, err := scheduler.Parse("30 2 * * *", paris)
	if err != nil {
		fmt.Println(err)
		return
	}
	from := time.Date(2026, 3, 28, 0, 0, 0, 0, time.UTC)
	for o := range spec.Between(from, from.AddDate(0, 0, 3)) {
		fmt.Printf("%s fires at %s %q\n", o.Key, o.Local.Format(time.RFC3339), o.Shift)
	}
	// Output:
	// 2026-03-28T02:30 fires at 2026-03-28T02:30:00+01:00 ""
	// 2026-03-29T02:30 fires at 2026-03-29T03:00:00+02:00 "gap"
	// 2026-03-30T02:30 fires at 2026-03-30T02:30:00+02:00 ""
}

func ExampleParse_error() {
	_, err := scheduler.Parse("0 9 31 2 *", time.UTC)
	fmt.Println(err)
	// Output:
	// cron "0 9 31 2 *", column 5: February has no day 31, so this would never fire; write a day up to 29, or another month
}

func ExampleRule_Due() {
	spec, err := scheduler.Parse("0 7 * * *", time.UTC)
	if err != nil {
		fmt.Println(err)
		return
	}
	digest := scheduler.Rule{Spec: spec, CatchUp: scheduler.CatchUpLast, Window: 3 * time.Hour}
	stopped := time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
	started := time.Date(2026, 6, 4, 9, 30, 0, 0, time.UTC)
	d := digest.Due(stopped, started)
	for _, f := range d.Fire {
		fmt.Println("fire", f.Key, "late:", f.Late)
	}
	for _, m := range d.Missed {
		fmt.Println("missed", m.Key, m.Reason)
	}
	fmt.Println("look again at", d.NextLook.Format(time.RFC3339))
	// Output:
	// fire 2026-06-04T07:00 late: true
	// missed 2026-06-02T07:00 window
	// missed 2026-06-03T07:00 window
	// look again at 2026-06-05T07:00:00Z
}
