// Command bench measures Belfry as its users run it: the built binary, a configuration file, SQLite on a disk, feeds and
// receivers over HTTP. It writes the medians with their spread, the machine and the way of measuring to bench/RESULTS.md,
// and a figure that misses its goal is written as missed.
//
//	go run ./bench                          all measures, five runs each
//	go run ./bench -yardsticks FOLDER       in turn with the yardsticks feedpull and httpload of that folder
//	go run ./bench -only feeds,pages -quick a short look, printed and not written
//	go run ./bench -only messages           the messages to people, which are not among "all"
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// measure is one chapter of the bench.
type measure struct {
	name string
	do   func(context.Context, *bench) error
	// how says in a paragraph what is measured.
	how string
	// yard is the yardstick that it is measured in turn with; empty for none.
	yard string
	// apart is only measured when it is asked for, because it takes long.
	apart bool
}

func measures() []measure {
	return []measure{
		{name: "feeds", do: measureFeeds, how: howFeeds, yard: "feedpull"},
		{name: "posts", do: measurePosts, how: howPosts, yard: "httpload"},
		{name: "latency", do: measureLatency, how: howLatency},
		{name: "one-bad", do: measureOneBad, how: howOneBad},
		{name: "memory", do: measureMemory, how: howMemory},
		{name: "pages", do: measurePages, how: howPages},
		{name: "hooks", do: measureHooks, how: howHooks, apart: true},
		{name: "messages/rate", do: measureMessages, how: howMessages, yard: "pipeline", apart: true},
		{name: "messages/slow", do: measureSlow, how: howSlow, apart: true},
		{name: "messages/kill", do: measureKill, how: howKill, apart: true},
		{name: "messages/million", do: measureMillion, how: howMillion, apart: true},
	}
}

// bench is one run of the program.
type bench struct {
	belfry string // absolute
	dir    string // for stores and logs, absolute
	runs   int
	quick  bool
	yard   yardsticks
	rows   []*row
	busy   sample // what others used of the machine before each part, in per cent
}

func run(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	belfry := flags.String("belfry", "bin/belfry", "the program that is measured")
	yard := flags.String("yardsticks", "", "folder of the yardsticks feedpull, httpload and pipeline; without it Belfry is measured alone")
	only := flags.String("only", "", "measures, by comma: feeds, posts, latency, one-bad, memory, pages; messages, or a part of them as messages/kill")
	runs := flags.Int("runs", 5, "runs of each measure")
	quick := flags.Bool("quick", false, "smaller and shorter, to see that everything works; its figures mean little")
	dir := flags.String("dir", filepath.Join(".run", "bench"), "folder for the stores, on the disk that is to be measured")
	out := flags.String("out", "", "where the results go; bench/RESULTS.md unless -only or -quick is given, which print them")
	if err := flags.Parse(args); err != nil {
		return err
	}
	chosen, err := choose(*only)
	if err != nil {
		return err
	}
	if flags.NArg() > 0 || *runs < 1 {
		return errors.New("flags only, and at least one run; see -help")
	}
	b := &bench{runs: *runs, quick: *quick}
	if b.belfry, err = program(*belfry); err != nil {
		return err
	}
	if b.yard, err = findYardsticks(*yard, chosen); err != nil {
		return err
	}
	if b.dir, err = filepath.Abs(*dir); err != nil {
		return err
	}
	if err := os.MkdirAll(b.dir, 0o700); err != nil {
		return err
	}
	if *out == "" && *only == "" && !*quick {
		*out = filepath.Join("bench", "RESULTS.md")
	}
	begun := time.Now()
	var failed error
	for _, m := range chosen {
		b.say("%s: %d runs", m.name, b.runs)
		if err := m.do(ctx, b); err != nil {
			failed = fmt.Errorf("%s: %w", m.name, err)
			break
		}
	}
	if failed != nil {
		// Half a result is printed, so that a long run is not lost, and never written.
		_ = writeTable(os.Stdout, b.rows)
		return failed
	}
	r := report{Begun: begun, Took: time.Since(begun), Machine: machine(ctx, b), Command: commandLine(args), Measures: chosen, Rows: b.rows, Quick: *quick}
	if *out == "" {
		return r.write(os.Stdout)
	}
	f, err := os.Create(*out)
	if err != nil {
		return err
	}
	if err := errors.Join(r.write(f), f.Close()); err != nil {
		return err
	}
	b.say("written to %s", *out)
	return nil
}

func choose(only string) ([]measure, error) {
	all := measures()
	if only == "" {
		return slices.DeleteFunc(all, func(m measure) bool { return m.apart }), nil
	}
	var out []measure
	for name := range strings.SplitSeq(only, ",") {
		before := len(out)
		name = strings.TrimSpace(name)
		for _, m := range all {
			if m.name == name || strings.HasPrefix(m.name, name+"/") {
				out = append(out, m)
			}
		}
		if len(out) == before {
			return nil, fmt.Errorf("-only: there is no measure %q; there are feeds, posts, latency, one-bad, memory, pages and messages", name)
		}
	}
	return out, nil
}

func program(path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil || info.IsDir() {
		return "", fmt.Errorf("there is no program %s; build it with make build, or name it with -belfry", path)
	}
	return filepath.Abs(path)
}

// commandLine is how the run can be repeated. The folders of this machine are of no use to others.
func commandLine(args []string) string {
	out := []string{"go run ./bench"}
	place := map[string]string{"yardsticks": "FOLDER", "belfry": "PROGRAM", "dir": "FOLDER", "out": "FILE"}
	for i := 0; i < len(args); i++ {
		name, _, joined := strings.Cut(strings.TrimLeft(args[i], "-"), "=")
		hidden, hide := place[name]
		switch {
		case !hide:
			out = append(out, args[i])
			continue
		case !joined:
			i++
		}
		if i < len(args) && args[i] != "" {
			out = append(out, "-"+name, hidden)
		}
	}
	return strings.Join(out, " ")
}

// say tells whoever waits what is going on.
func (b *bench) say(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "%s  %s\n", time.Now().Format("15:04:05"), fmt.Sprintf(format, args...))
}

// row adds a line to the table.
func (b *bench) row(what, unit string, g goal) *row {
	r := &row{What: what, Unit: unit, Goal: g}
	b.rows = append(b.rows, r)
	return r
}

// pick gives the size of a full or of a quick run.
func pick[T any](b *bench, full, quick T) T {
	if b.quick {
		return quick
	}
	return full
}

// pause waits unless the bench is interrupted.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// await looks every so often until something is so.
func await(ctx context.Context, every, most time.Duration, what string, look func() (bool, error)) error {
	for end := time.Now().Add(most); ; {
		ok, err := look()
		if err != nil || ok {
			return err
		}
		if time.Now().After(end) {
			return fmt.Errorf("waited %s in vain until %s", most, what)
		}
		if err := pause(ctx, every); err != nil {
			return err
		}
	}
}
