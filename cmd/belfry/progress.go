package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/belfry-news/belfry/internal/desk"
)

// progress shows on a terminal how far long work is; on anything else it says nothing.
func progress(w io.Writer, what string, amount func(int64) string) func(done, total int64) {
	f, ok := w.(*os.File)
	if !ok {
		return nil
	}
	if info, err := f.Stat(); err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return nil
	}
	return meter(w, what, amount, time.Second)
}

// meter draws a bar for work that is not over within some time.
func meter(w io.Writer, what string, amount func(int64) string, patience time.Duration) func(done, total int64) {
	began, shown := time.Now(), false
	return func(done, total int64) {
		done = min(done, total) // what is told of a database that grows meanwhile may be more
		if !shown && (done >= total || time.Since(began) < patience) {
			return
		}
		shown = true
		const width = 30
		full := int(width * done / max(1, total))
		fmt.Fprintf(w, "\r%s [%s%s] %s of about %s ", what, strings.Repeat("=", full), strings.Repeat(" ", width-full), amount(done), amount(total))
		if done == total {
			fmt.Fprintln(w)
		}
	}
}

// ofPeople is an amount of people.
func ofPeople(n int64) string { return desk.Thousands(int(n)) + " people" }
