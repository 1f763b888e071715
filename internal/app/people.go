package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/belfry-news/belfry/configs"
	"github.com/belfry-news/belfry/internal/alert"
	"github.com/belfry-news/belfry/internal/bot"
	"github.com/belfry-news/belfry/internal/compose"
	"github.com/belfry-news/belfry/internal/consent"
	"github.com/belfry-news/belfry/internal/direct"
	"github.com/belfry-news/belfry/internal/policy"
	"github.com/belfry-news/belfry/internal/serve"
	"github.com/belfry-news/belfry/scheduler"
	"github.com/belfry-news/belfry/sdk"
)

// startPeople opens what keeps people, when the configuration writes to any or the store knows some. Nothing is sent yet.
func (a *App) startPeople(ctx context.Context) error {
	l := a.Config()
	used, err := a.db.Masters(ctx)
	if err != nil {
		return err
	}
	if l.Privacy.Key.Empty() {
		if len(used) > 0 {
			return &consent.MissingKeyError{ID: used[0]}
		}
		return nil
	}
	keys, err := OpenKeys(ctx, a.db, l)
	if err != nil {
		return err
	}
	journal, err := consent.OpenJournal(filepath.Join(DataDir(l), consent.JournalName))
	if err != nil {
		return err
	}
	a.onStop("withdrawals", func(context.Context) error { return journal.Close() })
	if a.rehearsal == nil {
		if err := a.startLedger(ctx, keys); err != nil {
			return err
		}
	}
	if a.rules, err = NewAddressRules(ctx, a.db, a.Config); err != nil {
		return err
	}
	a.people = consent.New(consent.Settings{Store: a.db, Keys: keys, Log: a.log, Journal: journal, Offers: a.offers, Rule: a.rules.Of,
		BackupsFor: l.Privacy.Backups.Std(), Notifies: func(source string) bool { return Notifies(a.Config(), source) }, Changed: func() {
			if a.direct != nil {
				a.direct.Wake()
			}
		}})
	ended, err := a.people.Replay(ctx)
	if errors.Is(err, consent.ErrJournalMissing) {
		a.withheld = err
		return a.db.Raise(ctx, alert.Alert{Code: alert.MessagesHeld, Subject: consent.JournalName,
			Sentence: "the journal of withdrawals is missing or shorter than the database knows it, so that somebody who left could be written to: no message leaves",
			Mend:     fmt.Sprintf("put %s back beside the database and restart, or, if there is no other, run: belfry consent accept-journal", consent.JournalName)}, time.Now())
	}
	if ended > 0 {
		a.log.Warn("withdrawals that are newer than the database were honoured", "grants", ended)
	}
	return err
}

// OpenKeys opens the keys of people that a configuration names.
func OpenKeys(ctx context.Context, db consent.KeyStore, l *configs.Loaded) (*consent.Keys, error) {
	current, err := consent.ParseKey(l.Privacy.Key.Reveal())
	if err != nil {
		return nil, fmt.Errorf("privacy.key: %w", err)
	}
	var previous []consent.Master
	for i, s := range l.Privacy.Previous {
		m, err := consent.ParseKey(s.Reveal())
		if err != nil {
			return nil, fmt.Errorf("privacy.previous_keys, entry %d: %w", i+1, err)
		}
		previous = append(previous, m)
	}
	return consent.OpenKeys(ctx, db, current, previous...)
}

// offers are what people can follow now, with the links to bots.
func (a *App) offers() []consent.Offer {
	out := Offers(a.Config())
	links := a.botLinks.Load()
	if links == nil {
		return out
	}
	for i := range out {
		for j := range out[i].Media {
			m := &out[i].Media[j]
			m.Link = (*links)[botLink{m.Destination, out[i].Purpose}]
		}
	}
	return out
}

// botLink names a link by which something is followed at a bot.
type botLink struct {
	destination string
	purpose     consent.Purpose
}

// linkBots asks bots for the links by which people follow something there, in the background: the pages do not wait for it.
func (a *App) linkBots(l *configs.Loaded, writers map[string]direct.Destination) {
	a.watching.Go(func() {
		for wait := time.Second; ; wait = min(2*wait, time.Minute) {
			links, whole := map[botLink]string{}, true
			for _, o := range Offers(l) {
				for _, m := range o.Media {
					linker, can := sdk.As[sdk.Linker](writers[m.Destination].Conn)
					if !can {
						continue
					}
					ctx, cancel := context.WithTimeout(a.watch, alert.Deadline)
					link, err := linker.FollowLink(ctx, bot.Payload(o.Purpose))
					cancel()
					if err != nil {
						whole = false
						continue
					}
					links[botLink{m.Destination, o.Purpose}] = link
				}
			}
			a.botLinks.Store(&links)
			a.web.Changed()
			if whole || rest(a.watch, wait) != nil || a.Config() != l {
				return
			}
		}
	})
}

// Offers are what people can follow by a configuration. Links to bots are added by whoever has opened them.
func Offers(l *configs.Loaded) (out []consent.Offer) {
	for _, name := range slices.Sorted(maps.Keys(l.Channels)) {
		ch := l.Channels[name]
		if len(ch.Messages) == 0 {
			continue
		}
		o := consent.Offer{Purpose: consent.Purpose{Kind: consent.Channel, Name: name}, Title: ch.Title, Description: ch.Description, Lang: cmp.Or(ch.Lang, l.Site.Lang)}
		for _, m := range ch.Messages {
			o.Media = append(o.Media, medium(l, m.Destination))
			for _, mode := range m.Modes {
				if !slices.Contains(o.Modes, consent.Mode(mode)) {
					o.Modes = append(o.Modes, consent.Mode(mode))
				}
			}
			for _, add := range []struct {
				to   *[]string
				from []string
			}{{&o.Slots, m.Times}, {&o.Topics, m.Topics}, {&o.Languages, m.Languages}} {
				for _, v := range add.from {
					if !slices.Contains(*add.to, v) {
						*add.to = append(*add.to, v)
					}
				}
			}
			o.Breaking = o.Breaking || m.Breaking
		}
		out = append(out, o)
	}
	for _, name := range slices.Sorted(maps.Keys(l.Notices)) {
		n := l.Notices[name]
		o := consent.Offer{Purpose: consent.Purpose{Kind: consent.Notice, Name: name}, Title: n.Title, Description: n.Description, Lang: cmp.Or(n.Lang, l.Site.Lang), Modes: []consent.Mode{consent.Instant}}
		for _, d := range n.Destinations {
			o.Media = append(o.Media, medium(l, d))
		}
		out = append(out, o)
	}
	return out
}

// Notifies says whether calls of a source may bring notices to single persons. Of a source that is not configured any more nobody knows.
func Notifies(l *configs.Loaded, source string) bool {
	s, found := l.Sources[source]
	if !found || s.Type != "webhook" {
		return true
	}
	mapping, _ := s.Options["map"].(map[string]any)
	return len(l.Notices) > 0 && mapping["notice"] != nil
}

// medium is a destination as people follow by it.
func medium(l *configs.Loaded, destination string) consent.Medium {
	typ := l.Destinations[destination].Type
	return consent.Medium{Name: typ, Destination: destination, TheyBegin: l.Medium(typ).TheyBegin}
}

// origin is what is kept of where a request comes from, as far as privacy.ip allows.
func (a *App) origin(r *http.Request) string {
	l := a.Config()
	if l.Privacy.IP != "truncated" {
		return ""
	}
	return networkOf(serve.Client(r, l.Proxies))
}

// network gives the network that a request comes from, to bound what one may do; it is kept nowhere. Many stand behind an address
// that is not of the internet: a proxy that trusted_proxies does not name.
func (a *App) network(r *http.Request) string {
	from := serve.Client(r, a.Config().Proxies)
	if !from.IsGlobalUnicast() || from.IsPrivate() {
		return ""
	}
	return networkOf(from)
}

func networkOf(from netip.Addr) string {
	bits := 24
	if from.Is6() {
		bits = 48
	}
	network, err := from.Prefix(bits)
	if err != nil {
		return ""
	}
	return network.String()
}

// startDirect starts what writes to people.
func (a *App) startDirect(ctx context.Context) error {
	if a.people == nil || a.rehearsal != nil {
		return nil
	}
	a.direct = direct.New(direct.Settings{Store: a.db, People: a.people, Writer: newLetters(a), Log: a.log, Sent: a.metrics.Called})
	a.direct.Block(a.withheld)
	if err := a.direct.Start(ctx, true); err != nil {
		return err
	}
	a.onStop("messages", a.direct.Stop)
	a.startInbox()
	making, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); a.makeStreams(making) }()
	a.onStop("making messages", func(ctx context.Context) error {
		stop()
		select {
		case <-done:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	})
	return nil
}

// writersOf are the destinations that write to people, by name.
func (a *App) writersOf(l *configs.Loaded, all map[string]*instance) map[string]direct.Destination {
	writers := map[string]direct.Destination{}
	for name, d := range l.Destinations {
		used := slices.ContainsFunc(slices.Collect(maps.Values(l.Channels)), func(ch configs.Channel) bool {
			return slices.ContainsFunc(ch.Messages, func(m configs.Messages) bool { return m.Destination == name })
		}) || slices.ContainsFunc(slices.Collect(maps.Values(l.Notices)), func(n configs.Notice) bool { return slices.Contains(n.Destinations, name) })
		if i := all[name]; used && i != nil {
			writers[name] = direct.Destination{Name: name, Medium: d.Type, Conn: i.conn, Resend: d.OnUnknown == "resend" || d.Type == consent.Email, Timeout: d.Timeout.Std(),
				Parallel: d.Parallel, NoRates: d.Rates.Off, Rates: d.Rates.Own()}
		}
	}
	return writers
}

// lookedMark is the name under which the store keeps until when the slots of personal digests were looked at; sinceMark
// begins the names of when a channel first wrote to people by a destination.
const (
	lookedMark = "messages.looked"
	sinceMark  = "messages.since."
)

// leftoverTime is when people get what was kept for their next digest, in a channel that offers none: their local time.
const leftoverTime = "08:00"

// digestWindow is how late a personal digest is still made after the daemon was down.
const digestWindow = 3 * time.Hour

// reseal seals the keys of people anew that an earlier master key sealed, a little at a time.
func (a *App) reseal(ctx context.Context) {
	total := 0
	for done := false; !done && ctx.Err() == nil; {
		var n int
		var err error
		if n, done, err = a.people.Reseal(ctx); err != nil {
			if ctx.Err() == nil {
				a.log.Error("keys of people cannot be sealed anew", "err", err)
			}
			return
		}
		total += n
		if rest(ctx, 50*time.Millisecond) != nil {
			return
		}
	}
	if total > 0 {
		a.log.Info("the keys of people are sealed by the new key; previous_keys are needed for older backups alone", "people", total)
	}
}

// makeStreams makes the streams of what was published and of the slots that are due, as long as ctx lasts.
func (a *App) makeStreams(ctx context.Context) {
	a.reseal(ctx)
	t := time.NewTicker(time.Second)
	defer t.Stop()
	for {
		if n, err := a.makeDue(ctx, time.Now()); err != nil && ctx.Err() == nil {
			a.log.Error("messages cannot be made ready", "err", err)
		} else if n > 0 {
			a.direct.Wake()
		}
		select {
		case <-ctx.Done():
			return
		case <-a.composed:
		case <-t.C:
		}
	}
}

func (a *App) makeDue(ctx context.Context, now time.Time) (int, error) {
	l := a.Config()
	looked, err := a.timeMark(ctx, lookedMark, now)
	if err != nil {
		return 0, err
	}
	var streams []consent.Stream
	for _, name := range slices.Sorted(maps.Keys(l.Channels)) {
		for _, m := range l.Channels[name].Messages {
			medium := l.Destinations[m.Destination].Type
			purpose := consent.Purpose{Kind: consent.Channel, Name: name}
			since, err := a.timeMark(ctx, sinceMark+name+"/"+m.Destination, now)
			if err != nil {
				return 0, err
			}
			after := since
			if old := now.Add(-m.MaxAge.Std()); old.After(after) {
				after = old
			}
			// Who chose digests may still want urgent news at any time.
			if instant := slices.Contains(m.Modes, string(consent.Instant)); instant || m.Breaking {
				posts, err := a.db.UnsentPosts(ctx, name, m.Destination, !instant, after, now)
				if err != nil {
					return 0, err
				}
				for _, p := range posts {
					priority := 2
					if p.Urgent {
						priority = 1
					}
					streams = append(streams, consent.Stream{Kind: consent.StreamPost, Destination: m.Destination, Medium: medium, Purpose: purpose, Post: p.ID, Revision: p.Number,
						Urgent: p.Urgent, Priority: priority, Created: p.Published, Expires: p.Published.Add(m.MaxAge.Std())})
				}
			}
			if err := a.correct(ctx, l, purpose, m, medium, now); err != nil {
				return 0, err
			}
			slots, err := a.dueSlots(ctx, l, purpose, m, medium, looked, now)
			if err != nil {
				return 0, err
			}
			streams = append(streams, slots...)
		}
	}
	made := 0
	if len(streams) > 0 {
		if made, err = a.db.MakeStreams(ctx, streams, policy.Jump{Times: float64(l.NewAudience.Growth), Least: l.NewAudience.People}); err != nil {
			return 0, err
		}
	}
	if now.Sub(looked) >= 10*time.Second || made > 0 || now.Before(looked) {
		err = a.db.SetMark(ctx, lookedMark, now.UTC().Format(time.RFC3339Nano))
	}
	return made, err
}

// correctedFor is how long after a message its correction is still sent.
const correctedFor = 14 * 24 * time.Hour

// What was changed is in the store a moment later; whatever else may have been missed is found by a look at everything.
const (
	changedLate = time.Minute
	lookAgain   = 10 * time.Minute
)

// corrections remembers what of a destination's corrections was looked at. It belongs to makeStreams.
type corrections struct {
	all, until time.Time // when everything was looked at last, and up to when changes were
}

// correct makes the corrections of what followers were sent.
func (a *App) correct(ctx context.Context, l *configs.Loaded, purpose consent.Purpose, m configs.Messages, medium string, now time.Time) error {
	how := l.Channels[purpose.Name].Corrections.Messages
	seen := a.corrected[purpose.Name+"/"+m.Destination]
	if age := now.Sub(seen.all); age < 0 || age >= lookAgain {
		seen = corrections{all: now}
	}
	posts, err := a.db.Corrected(ctx, purpose.Name, m.Destination, now.Add(-correctedFor), seen.until)
	if err != nil {
		return err
	}
	for _, c := range posts {
		s := consent.Stream{Kind: consent.StreamCorrection, Destination: m.Destination, Medium: medium, Purpose: purpose, Post: c.ID, Revision: c.Number,
			Occurrence: fmt.Sprintf("correction %d.%d", c.ID, c.Number), Urgent: c.Urgent, Priority: 1, Created: now, Expires: now.Add(correctedFor),
			Collects: how == "next_digest" && c.Status == string(compose.PostLive)}
		if how == "none" {
			err = a.db.KnowRevision(ctx, c, s)
		} else {
			err = a.db.Correct(ctx, c, s)
		}
		if err != nil {
			return err
		}
	}
	if len(posts) > 0 {
		a.direct.Wake()
		return nil // there may be more of them
	}
	seen.until = now.Add(-changedLate)
	a.corrected[purpose.Name+"/"+m.Destination] = seen
	return nil
}

// beginMessages keeps since when each channel writes to people by a destination, where that is not known yet. It comes before
// the first post of a configuration is made: what would be made before that is written to nobody.
func (a *App) beginMessages(ctx context.Context, l *configs.Loaded, now time.Time) error {
	if a.direct == nil {
		return nil
	}
	_, err := a.timeMark(ctx, lookedMark, now)
	for name, ch := range l.Channels {
		for _, m := range ch.Messages {
			if err == nil {
				_, err = a.timeMark(ctx, sinceMark+name+"/"+m.Destination, now)
			}
		}
	}
	return err
}

// timeMark gives a time that is kept in the store; now when there is none yet, which is kept then.
func (a *App) timeMark(ctx context.Context, name string, now time.Time) (time.Time, error) {
	text, err := a.db.Mark(ctx, name)
	if err != nil {
		return now, err
	}
	if at, err := time.Parse(time.RFC3339Nano, text); err == nil {
		return at, nil
	}
	return now, a.db.SetMark(ctx, name, now.UTC().Format(time.RFC3339Nano))
}

// dueSlots gives the personal digests that are due: one for each time that is offered and each zone that somebody lives in.
func (a *App) dueSlots(ctx context.Context, l *configs.Loaded, purpose consent.Purpose, m configs.Messages, medium string, looked, now time.Time) (out []consent.Stream, err error) {
	times := m.Times
	if len(times) == 0 {
		times = []string{leftoverTime} // what was too much for a day comes with a digest also where nobody chooses digests
	}
	from := looked
	if early := now.Add(-digestWindow); early.After(from) {
		from = early
	}
	if !slices.ContainsFunc(times, func(slot string) bool { return dueSomewhere(slot, from, now) }) {
		return nil, nil
	}
	zones, err := a.db.DigestZones(ctx, purpose, medium)
	if err != nil {
		return nil, err
	}
	site := l.Zone()
	for i, z := range zones {
		if z == "" {
			zones[i] = site.String()
		}
	}
	slices.Sort(zones)
	for _, z := range slices.Compact(zones) {
		zone, err := scheduler.LoadZone(z)
		if err != nil {
			zone = site // a zone that this version does not know any more
		}
		for _, slot := range times {
			hour, minute, _ := strings.Cut(slot, ":")
			spec, err := scheduler.Parse(cronOf(hour, minute), zone)
			if err != nil {
				return nil, err
			}
			due := scheduler.Rule{Spec: spec, CatchUp: scheduler.CatchUpLast, Window: digestWindow}.Due(from, now)
			for _, f := range due.Fire {
				out = append(out, consent.Stream{Kind: consent.StreamDigest, Destination: m.Destination, Medium: medium, Purpose: purpose,
					Occurrence: direct.SlotKey(purpose, slot, z, f.Key), Priority: 3, SlotAt: f.At, Created: f.At, Expires: f.At.Add(max(m.MaxAge.Std(), digestWindow))})
			}
		}
	}
	return out, nil
}

// dueSomewhere reports whether a time of day can come after one instant and up to another, in any zone. Zones differ, and change,
// by quarters of an hour, so that who lives where needs to be asked only then.
func dueSomewhere(slot string, from, now time.Time) bool {
	const quarter = 15 * time.Minute
	at, err := time.Parse("15:04", slot)
	if err != nil || now.Sub(from) >= quarter {
		return true
	}
	past := time.Duration(at.Minute()) * time.Minute % quarter
	return now.Add(-past).Truncate(quarter).Add(past).After(from)
}

// cronOf writes a time of day as a schedule of every day.
func cronOf(hour, minute string) string {
	trim := func(s string) string {
		if s = strings.TrimLeft(s, "0"); s == "" {
			return "0"
		}
		return s
	}
	return trim(minute) + " " + trim(hour) + " * * *"
}

// speaks is the language that a person is spoken to in.
func speaks(h consent.Habits, fallback string) string {
	if h.Lang != "" {
		return h.Lang
	}
	return fallback
}
