package bot

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/belfry-news/belfry/internal/consent"
)

// myData shows a person what is known about them, with the way to all of it.
func (t *turn) myData(ctx context.Context, _ string) (Reply, error) {
	p := &page{}
	if !t.known {
		p.say(t.words.Text("bot.mydata.nothing", "site", t.s.Site))
		p.open(t.words.Text("bot.button.privacy"), t.s.Privacy)
		return t.reply(p), nil
	}
	record, err := t.s.People.Record(ctx, t.reader.ID)
	if err != nil {
		return Reply{}, err
	}
	p.say(t.words.Text("bot.mydata", "site", t.s.Site, "date", t.words.Date(t.reader.Since.In(t.zoneOf()))))
	var lines []string
	for _, a := range t.reader.Addresses {
		lines = append(lines, t.words.Text("bot.mydata.address", "medium", a.Medium, "address", a.Text))
	}
	for _, g := range t.reader.Grants {
		if g.State != consent.Active {
			continue
		}
		title := g.Purpose.Name
		for _, o := range t.s.People.Offers() {
			if o.Purpose == g.Purpose {
				title = t.title(o)
			}
		}
		lines = append(lines, t.words.Text("bot.mydata.grant", "title", title, "medium", g.Medium,
			"date", t.words.Date(g.Since.In(t.zoneOf()))))
	}
	lines = append(lines, t.words.Count("bot.mydata.messages", len(record.Messages)), t.words.Count("bot.mydata.events", len(record.Events)))
	p.say(strings.Join(lines, "\n"))
	p.say(t.words.Text("bot.mydata.how"))
	if t.reader.Link != "" {
		// The address is a key to their pages. It goes to themselves only, and no preview opens it.
		p.open(t.words.Text("bot.button.mydata"), t.s.Page("/me/"+t.reader.Link+"/data"))
		p.open(t.words.Text("bot.button.preferences"), t.s.Page("/me/"+t.reader.Link))
	}
	p.open(t.words.Text("bot.button.privacy"), t.s.Privacy)
	return t.reply(p), nil
}

// privacy leads to the privacy policy, and to what is known about the person.
func (t *turn) privacy(context.Context, string) (Reply, error) {
	p := &page{}
	p.say(t.words.Text("bot.privacy", "site", t.s.Site))
	p.open(t.words.Text("bot.button.privacy"), t.s.Privacy)
	p.button(t.words.Text("bot.command.mydata"), data(verbMyData))
	return t.reply(p), nil
}

// forgetWithin is how long the button that erases works.
const forgetWithin = time.Hour

// forget asks whether everything about the person is to be erased. Nothing is before the button is pressed.
func (t *turn) forget(context.Context, string) (Reply, error) {
	if !t.known {
		return t.answer(t.words.Text("bot.mydata.nothing", "site", t.s.Site)), nil
	}
	p := &page{}
	p.say(t.words.Text("bot.forget", "site", t.s.Site))
	p.button(t.words.Text("bot.button.forget"), data(verbForget, strconv.FormatInt(t.now.Add(forgetWithin).Unix(), 36)))
	return t.reply(p), nil
}

// forgetNow erases.
func (t *turn) forgetNow(ctx context.Context, until string) (Reply, error) {
	end, err := strconv.ParseInt(until, 36, 64)
	if err != nil || t.now.After(time.Unix(end, 0)) || time.Unix(end, 0).After(t.now.Add(forgetWithin)) {
		return t.forget(ctx, "") // an old button asks again
	}
	if !t.known {
		return t.answer(t.words.Text("bot.mydata.nothing", "site", t.s.Site)), nil
	}
	erased, err := t.s.People.Erase(ctx, t.reader.ID, t.evidence(consent.ByButton))
	if err != nil {
		return Reply{}, err
	}
	p := &page{}
	p.say(t.words.Text("bot.forgotten", "site", t.s.Site))
	if !erased.Settled {
		p.say(t.words.Text("bot.stopped.underway"))
	}
	if !erased.BackupsUntil.IsZero() {
		p.say(t.words.Text("bot.forgotten.backups", "date", t.words.Date(erased.BackupsUntil.In(t.s.Zone))))
	}
	return t.reply(p), nil
}

// once is how often somebody is told that what they wrote is no command.
const once = 24 * time.Hour

// unknown answers what is no command, once a day, and has a person read it where one does.
func (t *turn) unknown(ctx context.Context) (Reply, error) {
	var r Reply
	if t.s.Forwards && strings.TrimSpace(t.event.Text) != "" {
		r.Forward = ForwardUnknown
	}
	first, err := t.s.Memory.First(ctx, t.event.From, "unknown", once)
	if err != nil || !first {
		return r, err
	}
	p := &page{}
	p.say(t.words.Text("bot.unknown", "site", t.s.Site))
	if t.s.Forwards {
		p.say(t.words.Text("bot.unknown.forwarded"))
	} else {
		p.say(t.words.Text("bot.unknown.unread"))
	}
	p.button(t.words.Text("bot.button.channels"), data(verbChannels))
	r.Answer = t.reply(p).Answer
	return r, nil
}

// maybeStop pauses somebody who wrote a word that ends everything in a place where it is no order, for MaybeFor or until
// they say themselves what they meant. A longer pause of their own stays.
func (t *turn) maybeStop(ctx context.Context) (Reply, error) {
	follows := slices.ContainsFunc(t.reader.Grants, func(g consent.Grant) bool { return g.State == consent.Active })
	if !t.known || !follows {
		return t.unknown(ctx)
	}
	if until := t.now.Add(MaybeFor); t.reader.Habits.PausedUntil.Before(until) {
		e := t.evidence(consent.ByKeyword)
		e.Note = "a word that ends everything, in a place where it is no order"
		h := t.reader.Habits
		h.PausedUntil = until
		if err := t.s.People.SetHabits(ctx, t.reader.ID, h, e); err != nil {
			return Reply{}, err
		}
	}
	r := Reply{Forward: ForwardMaybeStop}
	first, err := t.s.Memory.First(ctx, t.event.From, "maybe", once)
	if err != nil || !first {
		return r, err
	}
	p := &page{}
	p.say(t.words.Text("bot.maybe", "site", t.s.Site))
	if t.s.Forwards {
		p.say(t.words.Text("bot.unknown.forwarded"))
	}
	p.button(t.words.Text("bot.button.stop"), data(verbStop))
	p.button(t.words.Text("bot.button.resume"), data(verbPause, pauseOff))
	r.Answer = t.reply(p).Answer
	return r, nil
}
