package desk

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/belfry-news/belfry/internal/alert"
	"github.com/belfry-news/belfry/internal/store"
	"github.com/belfry-news/belfry/sdk"
)

// longWait is how long a post may wait for a destination until a person is asked, and a source past its time.
const (
	longWait = 15 * time.Minute
	longDue  = 10 * time.Minute
)

// isolatedKinds are the kinds that run in processes of their own.
func (d *doctor) isolatedKinds() []string {
	kinds := map[string]bool{}
	for _, s := range d.Config.Sources {
		if _, foreign := d.Config.Plugin(s.Type); foreign || s.Isolation == "process" {
			kinds[s.Type] = true
		}
	}
	for _, x := range d.Config.Destinations {
		if _, foreign := d.Config.Plugin(x.Type); foreign {
			kinds[x.Type] = true
		}
	}
	return slices.Sorted(maps.Keys(kinds))
}

// lookAtPlugins starts every kind once.
func (d *doctor) lookAtPlugins(ctx context.Context) {
	if d.x.StartPlugin == nil {
		return
	}
	var fine []string
	for _, kind := range d.isolatedKinds() {
		if err := d.x.StartPlugin(ctx, kind); err != nil {
			mend := "see its last words: belfry doctor --log debug"
			if p, foreign := d.Config.Plugin(kind); foreign {
				mend = "belfry plugin check " + p.Path
				if p.Trusted != nil {
					mend = "belfry plugin doctor " + p.Trusted.Name
				}
			}
			d.note(Trouble, "plugins", fmt.Sprintf("the plugin %s does not start: %s", kind, err), mend)
			continue
		}
		fine = append(fine, kind)
	}
	if len(fine) > 0 {
		d.fine("plugins", "%s can be started", strings.Join(fine, ", "))
	}
}

// told says that an open alert has said it already.
func (d *doctor) told(code alert.Code, subject string) bool {
	return d.alerted[alert.Key{Code: code, Subject: subject}]
}

func (d *doctor) lookAtSources(ctx context.Context) {
	if d.Store == nil {
		return
	}
	all, err := d.Sources(ctx)
	if err != nil {
		d.failed("sources", err)
		return
	}
	well := 0
	_, running := d.Daemon()
	for _, s := range all {
		if d.judgeSource(s, running) {
			well++
		}
		if len(s.Channels) == 0 {
			d.note(Advice, "sources", fmt.Sprintf("no channel takes items of source %s", s.Name), fmt.Sprintf("name it under sources: of a channel, or take it out of %s", d.x.Path))
		}
	}
	switch n := len(all); {
	case well == 0:
	case well == n:
		d.fine("sources", "%s, all read in time", pluralOf(n, "source"))
	default:
		d.fine("sources", "%s of %s read in time", Thousands(well), pluralOf(n, "source"))
	}
}

// judgeSource says at most one thing of a source, the worst, and whether it is read in time.
func (d *doctor) judgeSource(s Source, running bool) (well bool) {
	stale := d.Config.Sources[s.Name].StaleAfter.Std()
	say := func(level Level, mend, format string, args ...any) {
		d.note(level, "sources", fmt.Sprintf("source %s ", s.Name)+fmt.Sprintf(format, args...), mend)
	}
	overdue := !s.Next.IsZero() && d.Now.Sub(s.Next.Time) > longDue
	switch {
	case s.Paused != nil && s.Paused.Scope == store.PauseAll: // which is said once
	case s.Paused != nil:
		say(Advice, "belfry resume source "+s.Name, "is paused since %s", d.At(s.Paused.Since.Time))
	case d.toldOfSource(s.Name): // with what mends it
	case s.State == "gone":
		say(Trouble, "give it its new address, or take it out", "said that it is gone for good (410), and is not asked any more")
	case s.Failures > 0:
		say(Trouble, d.mendSource(s), "cannot be read (%s in a row, last read %s): %s", pluralOf(s.Failures, "time"), d.Ago(s.OK.Time), s.Error)
	case len(s.Holds) > 0:
		say(Trouble, fmt.Sprintf("look: belfry source show %s; then: belfry source release %s", s.Name, s.Name), "holds %s for a person", pluralOf(s.Held, "item"))
	case s.Fetched.IsZero() && running:
		say(Trouble, "belfry source fetch "+s.Name, "was never read")
	case overdue && running:
		say(Trouble, "restart the daemon, and look into its log", "should have been read at %s, and the daemon has not done so", d.At(s.Next.Time))
	case stale > 0 && !s.New.IsZero() && d.Now.Sub(s.New.Time) > stale:
		say(Trouble, "see whether the newsroom still publishes there: belfry source show "+s.Name, "has had nothing new since %s (stale_after: %s)", d.At(s.New.Time), sdk.D(stale))
	default:
		return !s.Fetched.IsZero() && !overdue // of a daemon that does not run is told elsewhere
	}
	return false
}

// toldOfSource says that an open alert has told what is wrong with a source, and what mends it.
func (d *doctor) toldOfSource(name string) bool {
	return slices.ContainsFunc([]alert.Code{alert.SourceFailing, alert.SourceGone, alert.SourceStale, alert.SourceHeld, alert.WebhookFailed, alert.PluginHeld},
		func(c alert.Code) bool { return d.told(c, name) })
}

// mendSource is what helps a source that fails and of which nobody was told yet, because it may pass.
func (d *doctor) mendSource(s Source) string {
	again := ""
	if !s.Next.IsZero() {
		again = " (next: " + d.At(s.Next.Time) + ")"
	}
	switch sdk.Code(s.Code) {
	case sdk.CodeUnauthenticated, sdk.CodeForbidden:
		return "ask whoever runs its server to let Belfry read it; then: belfry source fetch " + s.Name
	case sdk.CodeRateLimited:
		return "let it be, and fetch it less often: poll: of source " + s.Name
	case sdk.CodeUnavailable, sdk.CodeUnknownOutcome:
		return fmt.Sprintf("nothing needs to be done unless it lasts: it is tried again by itself%s; what it says: belfry source show %s", again, s.Name)
	}
	return fmt.Sprintf("see what it says: belfry source show %s; and what its address gives: belfry try %s URL; it is tried again by itself%s", s.Name, d.Config.Sources[s.Name].Type, again)
}

func (d *doctor) lookAtDestinations(ctx context.Context) {
	if d.Store != nil {
		all, err := d.Destinations(ctx)
		if err != nil {
			d.failed("destinations", err)
			return
		}
		pauses, err := d.Store.Pauses(ctx)
		if err != nil {
			d.failed("destinations", err)
			return
		}
		before := len(d.findings)
		for _, x := range all {
			d.judgeDestination(x, slices.ContainsFunc(pauses, func(p store.Pause) bool { return p.Scope == store.PauseAll }))
		}
		if len(all) > 0 && len(d.findings) == before {
			d.fine("destinations", "%s, nothing waits for long", pluralOf(len(all), "destination"))
		}
		d.countDead(ctx)
	}
	d.askDestinations(ctx)
}

// judgeDestination says at most one thing of a destination. With everything paused resuming it alone would change nothing.
func (d *doctor) judgeDestination(x Destination, everything bool) {
	say := func(level Level, mend, format string, args ...any) {
		d.note(level, "destinations", fmt.Sprintf("destination %s ", x.Name)+fmt.Sprintf(format, args...), mend)
	}
	wait := d.Now.Sub(x.Oldest.Time)
	queue := ""
	if x.Waiting > 0 {
		verb := "waits"
		if x.Waiting > 1 {
			verb = "wait"
		}
		queue = fmt.Sprintf("; %s %s for it, the oldest since %s", Thousands(x.Waiting), verb, d.At(x.Oldest.Time))
	}
	stopped := d.told(alert.DestinationStop, x.Name)
	for _, ch := range x.Chats {
		stopped = stopped || d.told(alert.DestinationStop, x.Name+" "+ch.Chat)
	}
	switch {
	case everything && x.Waiting > 0:
		say(Advice, "belfry resume all", "is paused with everything else%s", queue)
	case everything:
	case x.State == "paused":
		say(Advice, "belfry resume destination "+x.Name, "is paused%s", queue)
	case x.State == "stopped" && !stopped:
		say(Trouble, "belfry destination check "+x.Name, "has stopped: %s%s", x.Error, queue)
	case x.State == "stopped":
	case x.State == "waits":
		say(Advice, "nothing needs to be done, unless it lasts: belfry destination check "+x.Name, "asked to be left alone until %s%s", d.At(x.Until.Time), queue)
	case x.Waiting > 0 && wait > longWait && !d.told(alert.DestinationDown, x.Name):
		say(Trouble, "see what they wait for: belfry post deliveries --destination "+x.Name, "is behind%s", queue)
	case x.State == "failing" && !d.mute[x.Name]:
		say(Advice, "belfry destination check "+x.Name, "failed the last time: %s%s", x.Error, queue)
	}
	if x.Unknown > 0 {
		say(Trouble, "look there, and say what you see: belfry post deliveries --state unknown; belfry post resolve", "may have got %s, or not", pluralOf(x.Unknown, "post"))
	}
	if x.Held > 0 {
		say(Trouble, "belfry post list --held; belfry post release", "holds %s back until a person says whether to let go", pluralOf(x.Held, "post"))
	}
	if x.Listed > 0 {
		say(Trouble, "which: belfry post deliveries --state awaiting_person --destination "+x.Name+"; when it is done: belfry post resolve",
			"shows %s that could not follow a correction and have to be mended by hand", pluralOf(x.Listed, "post"))
	}
}

// countDead tells of what ended without success. A person may send it again, and need not.
func (d *doctor) countDead(ctx context.Context) {
	dead, err := d.Store.DeadCopies(ctx)
	if err != nil {
		d.failed("destinations", err)
		return
	}
	for _, name := range slices.Sorted(maps.Keys(dead)) {
		if _, configured := d.Config.Destinations[name]; !configured {
			continue
		}
		var parts []string
		for _, state := range slices.Sorted(maps.Keys(dead[name])) {
			parts = append(parts, fmt.Sprintf("%s %s", Thousands(dead[name][state]), state))
		}
		d.note(Advice, "destinations", fmt.Sprintf("posts for destination %s ended without reaching it: %s", name, strings.Join(parts, ", ")),
			"which and why: belfry post deliveries --destination "+name+"; to send one again: belfry post resend")
	}
}

// askDestinations asks every platform, where that is wanted.
func (d *doctor) askDestinations(ctx context.Context) {
	if d.x.Open == nil {
		return
	}
	for _, name := range slices.Sorted(maps.Keys(d.Config.Destinations)) {
		out, err := d.Check(ctx, name, d.x.Open)
		switch {
		case err != nil:
			d.note(Trouble, "destinations", fmt.Sprintf("destination %s cannot be asked: %s", name, Sentence(err)), "belfry destination check "+name)
		case out.OK:
			d.fine("destinations", "%s can be posted to", name)
		default:
			for _, ch := range out.Chats {
				if !ch.OK {
					d.note(Trouble, "destinations", fmt.Sprintf("destination %s cannot be posted to: %s", strings.TrimSpace(name+" "+ch.Chat), ch.Error), "belfry destination check "+name)
				}
			}
		}
	}
}

func (d *doctor) lookAtChannels(ctx context.Context) {
	if d.Store == nil {
		return
	}
	all, err := d.Channels(ctx)
	if err != nil {
		d.failed("channels", err)
		return
	}
	for _, ch := range all {
		if ch.Held > 0 && !d.told(alert.HeldForRelease, ch.Name) {
			d.note(Trouble, "channels", fmt.Sprintf("channel %s holds %s back that wait for a person", ch.Name, pluralOf(ch.Held, "item")), "belfry post list --held; belfry post release --channel "+ch.Name)
		}
	}
	pauses, err := d.Store.Pauses(ctx)
	if err != nil {
		d.failed("channels", err)
		return
	}
	for _, p := range pauses {
		switch p.Scope {
		case store.PauseAll:
			d.note(Advice, "pauses", fmt.Sprintf("everything is paused since %s", d.At(p.Since)), "belfry resume all")
		case store.PauseChannel:
			d.note(Advice, "pauses", fmt.Sprintf("channel %s is paused since %s", p.Name, d.At(p.Since)), "belfry resume channel "+p.Name)
		}
	}
	if len(all) > 0 {
		d.fine("channels", "%s", pluralOf(len(all), "channel"))
	}
}
