package bot

import (
	"context"
	"strconv"
	"strings"

	"github.com/belfry-news/belfry/internal/bot/keyword"
	"github.com/belfry-news/belfry/internal/consent"
	"github.com/belfry-news/belfry/internal/i18n"
	"github.com/belfry-news/belfry/sdk"
)

// Payload is what a deep link carries to show an offer: a channel's name, or "_" and the name of a notice. Names of the
// configuration never begin with "_".
func Payload(p consent.Purpose) string {
	if p.Kind == consent.Notice {
		return "_" + p.Name
	}
	return p.Name
}

// start shows what a deep link is about, or everything. It grants nothing.
func (t *turn) start(ctx context.Context, payload string) (Reply, error) {
	for _, o := range t.offers() {
		if Payload(o.Purpose) == payload {
			return t.show(o), nil
		}
	}
	r, err := t.channels(ctx, "")
	if err == nil && payload != "" {
		r.Answer.Common.Body = append(sdk.Body{sdk.Paragraph(sdk.Text(t.words.Text("bot.start.gone")))}, r.Answer.Common.Body...)
	}
	return r, err
}

// wording is the exact text that somebody agrees to.
func (t *turn) wording(o consent.Offer, words *i18n.Catalogue) string {
	own := *t
	own.words = words
	title := own.title(o)
	text := title
	if about := inLang(o.Description, words.Lang(), o.Lang); about != "" {
		text += "\n" + about
	}
	var p consent.Preferences
	if err := o.Check(&p); err != nil {
		p.Mode = consent.Instant
	}
	return text + "\n\n" + words.Text("bot.consent."+string(o.Purpose.Kind), "site", t.s.Site, "title", title, "mode", own.mode(p))
}

// wordingVersion names the sentence of the catalogues that a wording holds; it changes when its meaning does.
const wordingVersion = "bot-1"

// show shows an offer in its exact wording, with the button that follows it or, for who does, what they can change.
func (t *turn) show(o consent.Offer) Reply {
	p := &page{}
	if g, ok := t.grant(o.Purpose); ok {
		p.say(t.words.Text("bot.already", "title", t.title(o), "date", t.words.Date(g.Since.In(t.zoneOf())), "mode", t.mode(g.Preferences)))
		t.choices(p, o)
		return t.reply(p)
	}
	text := t.wording(o, t.words)
	p.paragraphs = strings.Split(text, "\n\n")
	p.button(t.words.Text("bot.button.follow", "title", t.title(o)), data(verbFollow, offerID(o.Purpose), short(text)))
	p.button(t.words.Text("bot.button.channels"), data(verbChannels))
	return t.reply(p)
}

// follow is the act that grants: the button under the wording. When the wording has changed since it was read, it is shown
// again.
func (t *turn) follow(ctx context.Context, o consent.Offer, read string) (Reply, error) {
	if _, ok := t.grant(o.Purpose); ok {
		return t.show(o), nil // pressed twice
	}
	var seen *i18n.Catalogue
	for _, lang := range i18n.Languages() {
		if words := i18n.For(lang); short(t.wording(o, words)) == read {
			seen = words
		}
	}
	if seen == nil {
		r := t.show(o)
		r.Answer.Common.Body = append(sdk.Body{sdk.Paragraph(sdk.Text(t.words.Text("bot.consent.changed")))}, r.Answer.Common.Body...)
		return r, nil
	}
	e := t.evidence(consent.ByButton)
	e.Wording, e.Version, e.Lang = t.wording(o, seen), wordingVersion, seen.Lang()
	reader, err := t.s.People.Follow(ctx, consent.Follow{From: t.event.From, Purposes: []consent.Purpose{o.Purpose},
		Habits: consent.Habits{Lang: t.words.Lang()}, Evidence: e})
	if err != nil {
		return t.refused(err, "bot.follow.refused", "title", t.title(o))
	}
	t.reader, t.known = reader, true
	p := &page{}
	mode := consent.Preferences{Mode: consent.Instant}
	if g, ok := t.grant(o.Purpose); ok {
		mode = g.Preferences
	}
	p.say(t.words.Text("bot.followed", "title", t.title(o), "mode", t.mode(mode)))
	if until := reader.Habits.PausedUntil; t.now.Before(until) {
		p.say(t.paused(until))
	}
	t.choices(p, o)
	return t.reply(p), nil
}

// choices adds the buttons that change or end what is followed.
func (t *turn) choices(p *page, o consent.Offer) {
	if len(o.Modes) > 1 || len(o.Slots) > 1 {
		p.button(t.words.Text("bot.button.digest"), data(verbDigest, offerID(o.Purpose)))
	}
	if len(o.Topics) > 0 {
		p.button(t.words.Text("bot.button.topics"), data(verbTopics, offerID(o.Purpose)))
	}
	p.button(t.words.Text("bot.button.leave", "title", t.title(o)), data(verbLeave, offerID(o.Purpose)))
}

// perPage is how many offers are listed at once.
const perPage = 8

// channels lists what can be followed, with a button for each.
func (t *turn) channels(_ context.Context, from string) (Reply, error) {
	offers := t.offers()
	p := &page{}
	if len(offers) == 0 {
		return t.answer(t.words.Text("bot.channels.none", "site", t.s.Site)), nil
	}
	first, err := strconv.Atoi(from)
	if err != nil || first < 0 || first >= len(offers) {
		first = 0
	}
	last := min(first+perPage, len(offers))
	p.say(t.words.Text("bot.channels", "site", t.s.Site))
	for _, o := range offers[first:last] {
		text := t.title(o)
		if about := inLang(o.Description, t.words.Lang(), o.Lang); about != "" {
			text += "\n" + about
		}
		if g, ok := t.grant(o.Purpose); ok {
			text += "\n" + t.words.Text("bot.channels.followed", "mode", t.mode(g.Preferences))
			p.button(t.words.Text("bot.button.leave", "title", t.title(o)), data(verbLeave, offerID(o.Purpose)))
		} else {
			p.button(t.words.Text("bot.button.follow", "title", t.title(o)), data(verbShow, offerID(o.Purpose)))
		}
		p.say(text)
	}
	if last < len(offers) {
		p.button(t.words.Text("bot.button.more"), data(verbChannels, strconv.Itoa(last)))
	}
	return t.reply(p), nil
}

// stopCommand leaves what is named, or everything: a name that is not followed is no reason to go on writing.
func (t *turn) stopCommand(ctx context.Context, rest string) (Reply, error) {
	named := strings.Join(keyword.Normalize(rest), " ")
	for _, f := range t.followed() {
		for _, name := range []string{f.offer.Purpose.Name, t.title(f.offer)} {
			if named != "" && strings.Join(keyword.Normalize(name), " ") == named {
				return t.stop(ctx, &f.offer)
			}
		}
	}
	return t.stop(ctx, nil)
}

// stop ends one offer, or everything on this medium. What is said follows what Withdraw gave back, which waits until no
// started message is left without an outcome.
func (t *turn) stop(ctx context.Context, o *consent.Offer) (Reply, error) {
	if !t.known {
		return t.answer(t.words.Text("bot.stop.nothing", "site", t.s.Site)), nil
	}
	w := consent.Withdrawal{Medium: t.event.From.Medium, Evidence: t.evidence(t.method())}
	if t.event.Kind == sdk.EventMessage {
		w.Evidence.Wording = cut(t.event.Text, 200)
	}
	if o != nil {
		w.Purpose = &o.Purpose
	}
	ack, err := t.s.People.Withdraw(ctx, t.reader.ID, w)
	if err != nil {
		return Reply{}, err
	}
	what := make([]string, len(ack.Ended))
	for i, p := range ack.Ended {
		what[i] = p.Name
		for _, known := range t.s.People.Offers() {
			if known.Purpose == p {
				what[i] = t.title(known)
			}
		}
	}
	p := &page{}
	switch {
	case len(what) == 0 && o != nil:
		p.say(t.words.Text("bot.stop.already", "title", t.title(*o)))
	case len(what) == 0:
		p.say(t.words.Text("bot.stop.nothing", "site", t.s.Site))
	case ack.Settled && o == nil:
		p.say(t.words.Text("bot.stopped.all", "what", t.list(what), "site", t.s.Site))
	case ack.Settled:
		p.say(t.words.Text("bot.stopped", "what", t.list(what)))
	}
	if !ack.Settled {
		// Recorded, but not the acknowledgement: one message may be between us and them.
		p.paragraphs = nil
		if len(what) > 0 {
			p.say(t.words.Text("bot.stopped.recorded", "what", t.list(what)))
		}
		p.say(t.words.Text("bot.stopped.underway"))
	}
	if err := t.again(ctx); err != nil {
		// The withdrawal stands; what else is followed is only a courtesy.
		t.s.Log.Warn("what somebody still follows is not known", "error", err)
		return t.reply(p), nil
	}
	if rest := t.followed(); o != nil && len(rest) > 0 {
		titles := make([]string, len(rest))
		for i, f := range rest {
			titles[i] = t.title(f.offer)
		}
		p.say(t.words.Text("bot.stop.rest", "what", t.list(titles)))
		p.button(t.words.Text("bot.button.stop"), data(verbStop))
	}
	return t.reply(p), nil
}

// closed ends everything on a medium on which the person closed the way to them. Nothing is answered.
func (t *turn) closed(ctx context.Context) error {
	if !t.known {
		return nil
	}
	_, err := t.s.People.Withdraw(ctx, t.reader.ID, consent.Withdrawal{Medium: t.event.From.Medium, Evidence: t.evidence(consent.ByPlatform)})
	return err
}

// cut keeps the beginning of a text.
func cut(s string, most int) string {
	if r := []rune(s); len(r) > most {
		return string(r[:most]) + "…"
	}
	return s
}
