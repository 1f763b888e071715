package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// yardsticks are programs that do a part of the work without Belfry, to measure the machine by. The zero value has none.
type yardsticks struct {
	folder string
	used   []string // by the measures that were chosen
}

func findYardsticks(folder string, chosen []measure) (yardsticks, error) {
	if folder == "" {
		return yardsticks{}, nil
	}
	y := yardsticks{folder: folder}
	for _, m := range chosen {
		if m.yard != "" && !slices.Contains(y.used, m.yard) {
			y.used = append(y.used, m.yard)
		}
	}
	for _, name := range y.used {
		if _, err := os.Stat(y.path(name)); err != nil {
			return y, fmt.Errorf("-yardsticks: there is no program %s in that folder; build the yardsticks into it", name)
		}
	}
	return y, nil
}

func (y yardsticks) path(name string) string { return filepath.Join(y.folder, name) }

func (y yardsticks) run(ctx context.Context, name string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, y.path(name), args...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("yardstick %s: %w: %s", name, err, strings.TrimSpace(errs.String()))
	}
	return out.Bytes(), nil
}

// printed finds the figure of a line "name … figure unit [least .. greatest] n=…" that a yardstick prints.
func printed(out []byte, name, unit string) (float64, error) {
	line := regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(name) + `\s+([0-9.]+) ` + regexp.QuoteMeta(unit) + `\s`)
	m := line.FindSubmatch(out)
	if m == nil {
		return 0, fmt.Errorf("the yardstick printed no line %q in %s:\n%s", name, unit, out)
	}
	return strconv.ParseFloat(string(m[1]), 64)
}

// pulled is what the yardstick took: feeds a second, and milliseconds of processor time a feed.
type pulled struct{ rate, cpu float64 }

// feedpull fetches the feeds, parses them with the same library and keeps the items in SQLite, without anything else:
// first all of them, then five fresh items of each, then nothing new.
func (y yardsticks) feedpull(ctx context.Context, addr, dir string, feeds int) (passes [3]pulled, err error) {
	out, err := y.run(ctx, "feedpull", "-addr", addr, "-n", strconv.Itoa(feeds), "-workers", "16", "-runs", "1", "-dir", dir)
	if err != nil {
		return passes, err
	}
	for i, pass := range []string{"cold", "fresh5", "304"} {
		if passes[i].rate, err = printed(out, "feedpull gofeed "+pass+" workers=16", "feeds/s"); err != nil {
			return passes, err
		}
		if passes[i].cpu, err = printed(out, "feedpull gofeed "+pass+" cpu", "ms/feed"); err != nil {
			return passes, err
		}
	}
	return passes, nil
}

// httpload posts bodies of a size to a sink and remembers nothing.
func (y yardsticks) httpload(ctx context.Context, addr string, calls, conns, size int) (float64, error) {
	out, err := y.run(ctx, "httpload", "-addr", addr, "-n", strconv.Itoa(calls), "-conns", strconv.Itoa(conns), "-size", strconv.Itoa(size), "-runs", "1")
	if err != nil {
		return 0, err
	}
	line := regexp.MustCompile(`(?m)^(http std POST \d+ B conns=\d+)\s`).FindSubmatch(out)
	if line == nil {
		return 0, fmt.Errorf("the yardstick httpload printed no rate:\n%s", out)
	}
	return printed(out, string(line[1]), "req/s")
}

// piped is what the yardstick took: mails a second, and microseconds of processor time a mail.
type piped struct{ rate, cpu float64 }

// pipeline sends mails from a queue in SQLite, which it makes first, and marks each when it was accepted.
func (y yardsticks) pipeline(ctx context.Context, addr, dir string, mails int) (p piped, err error) {
	out, err := y.run(ctx, "pipeline", "-addr", addr, "-n", strconv.Itoa(mails), "-conns", strconv.Itoa(mailConnections), "-runs", "1", "-dir", dir)
	if err != nil {
		return p, err
	}
	line := regexp.MustCompile(`(?m)^(pipeline .* size=\d+)\s`).FindSubmatch(out)
	if line == nil {
		return p, fmt.Errorf("the yardstick pipeline printed no rate:\n%s", out)
	}
	if p.rate, err = printed(out, string(line[1]), "mails/s"); err != nil {
		return p, err
	}
	p.cpu, err = printed(out, string(line[1])+" cpu", "us/mail")
	return p, err
}
