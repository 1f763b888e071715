package demo

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"
)

// screen prints what there is to see, once. Nothing follows it but trouble.
func (d *Demo) screen(ctx context.Context) {
	p := printer{bold: isTerminal(d.o.Out)}
	p.line("")
	p.line("  %s", p.strong("Belfry rings the news."))
	p.line("")
	what := "the front page of an invented newspaper"
	if d.own != nil {
		what = "the page of your feed"
	}
	p.line("  %s  %s", p.strong(d.base), what)
	p.line("  %s  watch an article ring: page, Telegram, webhook, a reader’s inbox", p.strong(d.base+"/demo"))
	p.line("")
	if d.own != nil {
		d.ownLines(ctx, &p)
	} else {
		p.line("  %d articles (%s)", d.found, strings.Join(desks[:], ", "))
		p.line("  next digest in %d s", d.untilDigest(time.Now()))
		p.line("  your feed: %s", d.command("FEED=", "--feed ", "https://…"))
	}
	p.line("  stop: Ctrl-C")
	p.line("")
	fmt.Fprint(d.o.Out, p.b.String())
}

// ownLines says what became of somebody's own feed.
func (d *Demo) ownLines(ctx context.Context, p *printer) {
	st, err := d.own.State(ctx)
	switch {
	case err != nil:
		p.line("  your feed: %s", err)
	case st.Trouble != "" && !st.Read:
		p.line("  your feed cannot be read: %s", st.Trouble)
		p.line("  it is tried again; another one: %s", d.command("FEED=", "--feed ", "https://…"))
	case !st.Read:
		p.line("  your feed is being read: %s", st.Address)
	default:
		p.line("  %s, none posted; the page has a button that rings the newest three", plural(st.Found, "item"))
		p.line("  nothing leaves this machine but polite requests to %s", hostName(st.Address))
	}
	p.line("  the invented newspaper: %s", d.command("", "", ""))
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun + " found"
	}
	return fmt.Sprintf("%d %ss found", n, noun)
}

// command writes how the demonstration is started differently.
func (d *Demo) command(makeFlag, flag, value string) string {
	if d.o.Make {
		return strings.TrimSpace("make run " + makeFlag + value)
	}
	return strings.TrimSpace("belfry demo " + flag + value)
}

// untilDigest is how many seconds there are until the next digest.
func (d *Demo) untilDigest(now time.Time) int {
	var first time.Time
	for _, spec := range d.digests {
		if o, ok := spec.Next(now); ok && (first.IsZero() || o.At.Before(first)) {
			first = o.At
		}
	}
	if first.IsZero() {
		return 0
	}
	return int(first.Sub(now).Seconds()) + 1
}

// printer collects the lines of a screen.
type printer struct {
	b    strings.Builder
	bold bool
}

func (p *printer) line(format string, args ...any) { fmt.Fprintf(&p.b, format+"\n", args...) }

func (p *printer) strong(s string) string {
	if p.bold {
		return "\x1b[1m" + s + "\x1b[0m"
	}
	return s
}

// isTerminal reports whether somebody reads the output as it comes, and wants more than plain letters.
func isTerminal(out any) bool {
	f, ok := out.(*os.File)
	if !ok || os.Getenv("NO_COLOR") != "" || os.Getenv("TERM") == "dumb" {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
