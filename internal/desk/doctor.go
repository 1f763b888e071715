package desk

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/belfry-news/belfry/configs"
	"github.com/belfry-news/belfry/internal/alert"
	"github.com/belfry-news/belfry/internal/disk"
	"github.com/belfry-news/belfry/internal/store"
)

// Level says how much a finding wants of a person.
type Level string

// The levels, the worst first.
const (
	// Trouble does not work, or waits for a person.
	Trouble Level = "trouble"
	// Advice works, and could go wrong one day.
	Advice Level = "advice"
	// Fine needs nobody.
	Fine Level = "fine"
)

// Finding is one thing that the doctor found. About names what was looked at; Sentence says what is so and what it means,
// Mend what to do, empty when there is nothing to do.
type Finding struct {
	Level    Level  `json:"level"`
	About    string `json:"about"`
	Sentence string `json:"sentence"`
	Mend     string `json:"mend"`
}

// Diagnosis is everything that was found, the worst first. Healthy says that nothing needs a person.
type Diagnosis struct {
	Healthy  bool      `json:"healthy"`
	Findings []Finding `json:"findings"`
}

// Examination is what the doctor needs to look at besides the desk.
type Examination struct {
	// Path is the configuration, and Problems is what is wrong with it. Where it cannot be read at all, the desk has no
	// configuration, and nothing else is looked at.
	Path     string
	Problems []configs.Located
	// OpenError is why the desk has no store; fs.ErrNotExist when there is none yet.
	OpenError error
	// Inspect looks at the files of the store.
	Inspect func(ctx context.Context) (store.Inspection, error)
	// StartPlugin starts the process of a kind and asks it what it is.
	StartPlugin func(ctx context.Context, kind string) error
	// Open opens destinations to ask their platforms; nil when nothing is to be asked of others.
	Open Open
	// Root is where /proc and /sys lie; empty is /.
	Root string
}

// doctor collects findings.
type doctor struct {
	*Desk
	x        Examination
	findings []Finding
	// alerted are the open alerts, and mute the destinations that take none: what was said of them is not said again.
	alerted map[alert.Key]bool
	mute    map[string]bool
}

func (d *doctor) note(level Level, about, sentence, mend string) {
	d.findings = append(d.findings, Finding{level, about, Plain(sentence), mend})
}

// fine says that one thing is as it should be.
func (d *doctor) fine(about, format string, args ...any) {
	d.note(Fine, about, fmt.Sprintf(format, args...), "")
}

// failed says that something could not be looked at.
func (d *doctor) failed(about string, err error) {
	d.note(Trouble, about, "this could not be looked at: "+err.Error(), "belfry doctor --log debug")
}

// Examine looks at everything that an operator would be asked about. It changes nothing.
func (d *Desk) Examine(ctx context.Context, x Examination) Diagnosis {
	doc := &doctor{Desk: d, x: x, alerted: map[alert.Key]bool{}, mute: map[string]bool{}}
	doc.lookAtConfiguration()
	if d.Config != nil {
		for _, look := range []func(context.Context){doc.lookAtAlerts, doc.lookAtData, doc.lookAtStore, doc.lookAtDaemon, doc.lookAtClock, doc.lookAtPages,
			doc.lookAtPlugins, doc.lookAtSources, doc.lookAtDestinations, doc.lookAtChannels, doc.lookAtService} {
			look(ctx)
		}
	}
	order := []Level{Trouble, Advice, Fine}
	slices.SortStableFunc(doc.findings, func(a, b Finding) int { return cmp.Compare(slices.Index(order, a.Level), slices.Index(order, b.Level)) })
	return Diagnosis{Healthy: len(doc.findings) > 0 && doc.findings[0].Level != Trouble, Findings: doc.findings}
}

func (d *doctor) lookAtConfiguration() {
	for _, p := range d.x.Problems {
		what := p.What
		if p.File != "" {
			what = p.Position.String() + ": " + what
		}
		d.note(Trouble, "configuration", what, p.Fix)
	}
	if d.Config == nil {
		d.note(Trouble, "everything else", "nothing else can be looked at until the configuration can be read; a daemon that runs goes on by the one it has",
			"belfry check --config "+d.x.Path)
		return
	}
	for _, w := range d.Config.Warnings {
		d.note(Advice, "configuration", w.Position.String()+": "+w.What, w.Fix)
	}
	if len(d.x.Problems) == 0 {
		d.fine("configuration", "%s can be used", d.x.Path)
	}
}

// lookAtAlerts takes up what is open, and whether anybody is told.
func (d *doctor) lookAtAlerts(ctx context.Context) {
	a := d.Config.Alerts
	switch {
	case len(a.To) == 0 && !a.Off: // a problem of the configuration
	case a.Off:
		d.note(Advice, "alerts", "nobody is told of trouble: the configuration says alerts: none",
			"name a destination of operators, alerts: {to: [ops]}, and then: belfry alert test")
	case a.Heartbeat.URL.Empty():
		d.note(Advice, "alerts", "nobody would notice that Belfry itself is gone: there is no heartbeat",
			"let a dead man's switch wait for it: alerts: {heartbeat: {url: \"${env:HEARTBEAT_URL}\"}}")
	}
	if d.Store == nil {
		d.fineAlerts(Telling{})
		return
	}
	telling, err := d.Telling(ctx)
	if err != nil {
		d.failed("alerts", err)
		return
	}
	d.fineAlerts(telling)
	for _, p := range telling.Failing() {
		d.mute[p.Destination] = true
		sentence, mend := d.Untold(telling, p)
		d.note(Trouble, "alerts", sentence, mend)
	}
	rows, err := d.Store.Alerts(ctx)
	if err != nil {
		d.failed("alerts", err)
		return
	}
	for _, r := range rows {
		d.alerted[r.Key()] = true
		d.note(Trouble, string(r.Code), fmt.Sprintf("%s (%s)", r.Sentence, d.Lasting(r.First)), r.Mend)
	}
}

// fineAlerts says who is told, where that is as it should be.
func (d *doctor) fineAlerts(t Telling) {
	a := d.Config.Alerts
	if len(a.To) == 0 || a.Heartbeat.URL.Empty() || len(t.Failing()) > 0 {
		return
	}
	d.fine("alerts", "told to %s, with a heartbeat to %s every %s", places(a.To), a.Heartbeat.URL, a.Heartbeat.Every)
}

func places(to []configs.AlertTarget) string {
	out := make([]string, len(to))
	for i, t := range to {
		out[i] = t.Key()
	}
	return strings.Join(out, ", ")
}

// lookAtStore looks at the database and at what was applied.
func (d *doctor) lookAtStore(ctx context.Context) {
	switch err := d.x.OpenError; {
	case errors.Is(err, fs.ErrNotExist):
		d.note(Trouble, "database", fmt.Sprintf("there is no store in %s yet; the daemon makes it when it first starts", d.Dir), "belfry run --config "+d.x.Path)
	case err != nil:
		d.note(Trouble, "database", err.Error(), "docs/operations.md says how to restore a backup")
	}
	if d.x.Inspect != nil && !errors.Is(d.x.OpenError, fs.ErrNotExist) {
		in, err := d.x.Inspect(ctx)
		if err != nil && d.x.OpenError == nil {
			d.failed("database", err)
		} else if err == nil {
			d.judgeDatabase(in)
		}
	}
	if d.Store == nil {
		return
	}
	applied, err := d.Store.Applied(ctx)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		d.failed("configuration", err)
		return
	}
	if _, running := d.Daemon(); running && err == nil && len(d.x.Problems) == 0 && d.Config.Unlike(applied.Tree, applied.Key, applied.Outside) {
		d.note(Advice, "configuration", fmt.Sprintf("%s says something else than what runs (generation %d, %s)", d.x.Path, applied.Generation, d.At(applied.AppliedAt)),
			"see what it would change: belfry plan --config "+d.x.Path+"; a daemon that was told of it another way has other variables in its environment")
	}
}

// wideLog is the size in bytes of a write-ahead log that nothing moves into the database any more.
const wideLog = 512 << 20

func (d *doctor) judgeDatabase(in store.Inspection) {
	size := fmt.Sprintf("schema %d, %s, of which %s are free to be used again, and a log of %s", in.Schema, disk.Bytes(in.Bytes), disk.Bytes(in.Free), disk.Bytes(in.Log))
	switch {
	case in.Damage != "":
		d.note(Trouble, "database", fmt.Sprintf("%s is damaged: %s", in.File, in.Damage), "stop the daemon and restore a backup (docs/operations.md)")
	case in.Log > wideLog:
		d.note(Advice, "database", fmt.Sprintf("the log of the database has %s and is not moved into it: something reads it for very long", disk.Bytes(in.Log)),
			"end programs that hold "+in.File+" open, such as a copy or a shell")
	case !in.Checked:
		d.fine("database", "%s; it is too large to be read whole in a few seconds, the daemon does that after a fall", size)
	default:
		d.fine("database", "%s; every page fits", size)
	}
}

// pluralOf writes a number with its noun, which has an s for more than one.
func pluralOf(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return Thousands(n) + " " + noun + "s"
}
