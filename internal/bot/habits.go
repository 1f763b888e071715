package bot

import (
	"context"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/belfry-news/belfry/internal/consent"
	"github.com/belfry-news/belfry/internal/i18n"
)

// clock writes a local time as the language does.
func (t *turn) clock(hhmm string) string {
	at, err := time.Parse("15:04", hhmm)
	if err != nil {
		return hhmm
	}
	return t.words.Time(at)
}

// zoneOf is where the person is.
func (t *turn) zoneOf() *time.Location {
	if t.reader.Habits.Zone != "" {
		if zone, err := time.LoadLocation(t.reader.Habits.Zone); err == nil {
			return zone
		}
	}
	return t.s.Zone
}

func (t *turn) zoneName() string { return i18n.Zone(t.now.In(t.zoneOf())) }

// set changes a person's habits. Somebody who follows nothing has none.
func (t *turn) set(ctx context.Context, change func(h *consent.Habits), refusal string) (Reply, bool, error) {
	if !t.known {
		return t.strangers(), false, nil
	}
	h := t.reader.Habits
	change(&h)
	if err := t.s.People.SetHabits(ctx, t.reader.ID, h, t.evidence(t.method())); err != nil {
		r, err := t.refused(err, refusal)
		return r, false, err
	}
	t.reader.Habits = h
	return Reply{}, true, nil
}

// strangers answers somebody who follows nothing and asks to change something.
func (t *turn) strangers() Reply {
	p := &page{}
	p.say(t.words.Text("bot.stranger", "site", t.s.Site))
	p.button(t.words.Text("bot.button.channels"), data(verbChannels))
	return t.reply(p)
}

// off ends quiet hours.
const off = "off"

// hours reads "22:00-7:00", "22h-7h", "2200-0700", "22 7".
var hours = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^(\d{1,2})[:h ]?(\d{2})?h? ?(?:-|–|à| |to) ?(\d{1,2})[:h ]?(\d{2})?h?$`)
})

// quietTimes are those on the buttons.
var quietTimes = [...]string{"2100-0800", "2200-0700", "2300-0600"}

// readHours gives the local times of quiet hours.
func readHours(text string) (from, until string, ok bool) {
	m := hours().FindStringSubmatch(strings.ToLower(strings.TrimSpace(strings.ReplaceAll(text, "\u00a0", " "))))
	if m == nil {
		return "", "", false
	}
	for i := range m {
		if m[i] == "" {
			m[i] = "00"
		}
		if i > 0 && len(m[i]) == 1 {
			m[i] = "0" + m[i]
		}
	}
	from, until = m[1]+":"+m[2], m[3]+":"+m[4]
	for _, s := range []string{from, until} {
		if _, err := time.Parse("15:04", s); err != nil {
			return "", "", false
		}
	}
	return from, until, from != until
}

// quiet shows or sets the hours in which nothing comes.
func (t *turn) quiet(ctx context.Context, rest string) (Reply, error) {
	if !t.known {
		return t.strangers(), nil
	}
	from, until, read := readHours(rest)
	none := slices.Contains([]string{off, "non", "no", "aucune", "none"}, strings.ToLower(rest))
	p := &page{}
	switch {
	case rest == "":
	case none:
		from, until = "", ""
	case !read:
		p.say(t.words.Text("bot.quiet.unread"))
		rest = ""
	}
	if rest != "" {
		r, ok, err := t.set(ctx, func(h *consent.Habits) { h.QuietFrom, h.QuietUntil = from, until }, "bot.quiet.unread")
		if !ok || err != nil {
			return r, err
		}
	}
	if h := t.reader.Habits; h.QuietFrom == "" {
		p.say(t.words.Text("bot.quiet.none"))
	} else {
		p.say(t.words.Text("bot.quiet", "from", t.clock(h.QuietFrom), "until", t.clock(h.QuietUntil), "zone", t.zoneName()))
	}
	p.say(t.words.Text("bot.quiet.how", "zone", t.zoneName()))
	for _, q := range quietTimes {
		a, b, _ := readHours(q)
		if a != t.reader.Habits.QuietFrom || b != t.reader.Habits.QuietUntil {
			p.button(t.words.Text("bot.button.quiet", "from", t.clock(a), "until", t.clock(b)), data(verbQuiet, q))
		}
	}
	if t.reader.Habits.QuietFrom != "" {
		p.button(t.words.Text("bot.button.quiet.off"), data(verbQuiet, off))
	}
	return t.reply(p), nil
}

// zone shows or sets the time zone, by its name in the IANA database.
func (t *turn) zone(ctx context.Context, rest string) (Reply, error) {
	if rest != "" {
		r, ok, err := t.set(ctx, func(h *consent.Habits) { h.Zone = rest }, "bot.zone.unread")
		if !ok || err != nil {
			return r, err
		}
	}
	return t.answer(t.words.Text("bot.zone", "zone", t.zoneName(), "time", t.words.Time(t.now.In(t.zoneOf())))), nil
}

// The pauses.
const (
	pauseDay     = "1d"
	pauseWeek    = "1w"
	pauseForever = "x"
	pauseOff     = "0"
)

// paused says until when nothing comes.
func (t *turn) paused(until time.Time) string {
	if !until.Before(consent.UntilResumed()) {
		return t.words.Text("bot.paused.open")
	}
	local := until.In(t.zoneOf())
	return t.words.Text("bot.paused", "date", t.words.Day(local), "time", t.words.Time(local), "zone", t.zoneName())
}

// pause stops everything for a while, or goes on.
func (t *turn) pause(ctx context.Context, rest string) (Reply, error) {
	if !t.known {
		return t.strangers(), nil
	}
	local := t.now.In(t.zoneOf())
	until, choice := time.Time{}, true
	switch strings.ToLower(rest) {
	case pauseDay, "1 day", "day", "1 jour", "jour":
		until = local.AddDate(0, 0, 1)
	case pauseWeek, "1 week", "week", "1 semaine", "semaine":
		until = local.AddDate(0, 0, 7)
	case pauseForever:
		until = consent.UntilResumed()
	case pauseOff, off:
	default:
		choice = false
	}
	p := &page{}
	if choice {
		until = until.UTC().Truncate(time.Second)
		r, ok, err := t.set(ctx, func(h *consent.Habits) { h.PausedUntil = until }, "bot.choice.refused")
		if !ok || err != nil {
			return r, err
		}
	}
	if until := t.reader.Habits.PausedUntil; t.now.Before(until) {
		p.say(t.paused(until))
		p.button(t.words.Text("bot.button.resume"), data(verbPause, pauseOff))
		if choice {
			return t.reply(p), nil
		}
	} else {
		p.say(t.words.Text("bot.pause.none"))
		if choice {
			return t.reply(p), nil
		}
	}
	p.say(t.words.Text("bot.pause.how"))
	p.button(t.words.Text("bot.button.pause.day"), data(verbPause, pauseDay))
	p.button(t.words.Text("bot.button.pause.week"), data(verbPause, pauseWeek))
	p.button(t.words.Text("bot.button.pause.open"), data(verbPause, pauseForever))
	return t.reply(p), nil
}

// lang shows or sets the language of Belfry's own words.
func (t *turn) lang(ctx context.Context, rest string) (Reply, error) {
	lang := strings.ToLower(rest)
	if !slices.Contains(i18n.Languages(), lang) {
		p := &page{}
		p.say(t.words.Text("bot.lang"))
		for _, l := range i18n.Languages() {
			p.button(i18n.For(l).Text("bot.lang.name"), data(verbLang, l))
		}
		return t.reply(p), nil
	}
	r, ok, err := t.set(ctx, func(h *consent.Habits) { h.Lang = lang }, "bot.choice.refused")
	if !ok || err != nil {
		return r, err
	}
	t.words = i18n.For(lang)
	return t.answer(t.words.Text("bot.lang.set")), nil
}
