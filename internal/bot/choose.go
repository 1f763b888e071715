package bot

import (
	"context"
	"slices"
	"strings"

	"github.com/belfry-news/belfry/internal/consent"
)

// mode says in words when messages come.
func (t *turn) mode(p consent.Preferences) string {
	switch {
	case p.Mode != consent.Digest:
		return t.words.Text("bot.mode.instant")
	case len(p.Slots) == 0:
		return t.words.Text("bot.mode.digest")
	}
	times := make([]string, len(p.Slots))
	for i, s := range p.Slots {
		times[i] = t.clock(s)
	}
	return t.words.Text("bot.mode.slots", "times", t.list(times))
}

// choose changes the preferences of what is followed.
func (t *turn) choose(ctx context.Context, f following, c consent.Preferences) (Reply, bool, error) {
	err := t.s.People.Choose(ctx, t.reader.ID, f.grant.ID, c, t.evidence(t.method()))
	if err != nil {
		r, err := t.refused(err, "bot.choice.refused")
		return r, false, err
	}
	return Reply{}, true, t.again(ctx)
}

// one finds what a command without a button is about: what is named, or the only one that fits. Otherwise the answer asks
// which.
func (t *turn) one(name, verb string, fits func(consent.Offer) bool, none string) (following, Reply, bool) {
	var list []following
	for _, f := range t.followed() {
		if fits(f.offer) {
			if strings.EqualFold(name, f.offer.Purpose.Name) || strings.EqualFold(name, t.title(f.offer)) {
				return f, Reply{}, true
			}
			list = append(list, f)
		}
	}
	if len(list) == 1 {
		return list[0], Reply{}, true
	}
	p := &page{}
	if len(list) == 0 {
		p.say(t.words.Text(none))
		p.button(t.words.Text("bot.button.channels"), data(verbChannels))
		return following{}, t.reply(p), false
	}
	p.say(t.words.Text("bot.which"))
	for _, f := range list {
		p.button(t.title(f.offer), data(verb, offerID(f.offer.Purpose)))
	}
	return following{}, t.reply(p), false
}

// topics shows the topics of what is followed.
func (t *turn) topics(ctx context.Context, rest string) (Reply, error) {
	f, ask, ok := t.one(rest, verbTopics, func(o consent.Offer) bool { return len(o.Topics) > 0 }, "bot.topics.none")
	if !ok {
		return ask, nil
	}
	return t.topic(ctx, f.offer, "")
}

// topic shows the topics of an offer, after toggling one of them. No topic chosen means that everything is wanted.
func (t *turn) topic(ctx context.Context, o consent.Offer, id string) (Reply, error) {
	g, ok := t.grant(o.Purpose)
	if !ok {
		return t.show(o), nil
	}
	if id != "" {
		i := slices.IndexFunc(o.Topics, func(s string) bool { return short(s) == id })
		if i < 0 {
			return t.stale(), nil
		}
		c := g.Preferences
		c.Topics = slices.Clone(c.Topics)
		if at := slices.Index(c.Topics, o.Topics[i]); at >= 0 {
			c.Topics = slices.Delete(c.Topics, at, at+1)
		} else {
			c.Topics = append(c.Topics, o.Topics[i])
		}
		if r, ok, err := t.choose(ctx, following{o, g}, c); !ok || err != nil {
			return r, err
		}
		if g, ok = t.grant(o.Purpose); !ok {
			return t.show(o), nil
		}
	}
	p := &page{}
	if len(g.Preferences.Topics) == 0 {
		p.say(t.words.Text("bot.topics.all", "title", t.title(o)))
	} else {
		p.say(t.words.Text("bot.topics.some", "title", t.title(o), "topics", t.list(g.Preferences.Topics)))
	}
	for _, topic := range o.Topics {
		key := "bot.button.topic.add"
		if slices.Contains(g.Preferences.Topics, topic) {
			key = "bot.button.topic.drop"
		}
		p.button(t.words.Text(key, "topic", topic), data(verbTopics, offerID(o.Purpose), short(topic)))
	}
	return t.reply(p), nil
}

// digest shows when messages come.
func (t *turn) digest(ctx context.Context, rest string) (Reply, error) {
	f, ask, ok := t.one(rest, verbDigest, func(o consent.Offer) bool { return len(o.Modes) > 1 || len(o.Slots) > 1 || o.Breaking },
		"bot.digest.none")
	if !ok {
		return ask, nil
	}
	return t.when(ctx, f.offer, "")
}

// instantly is the choice of every post at once; other choices are the times of digests without the colon.
const instantly = "i"

// when shows when the messages of an offer come, after making a choice.
func (t *turn) when(ctx context.Context, o consent.Offer, choice string) (Reply, error) {
	g, ok := t.grant(o.Purpose)
	if !ok {
		return t.show(o), nil
	}
	c := g.Preferences
	slot := slices.IndexFunc(o.Slots, func(s string) bool { return strings.ReplaceAll(s, ":", "") == choice })
	switch {
	case choice == "":
	case choice == instantly && slices.Contains(o.Modes, consent.Instant):
		c.Mode, c.Slots = consent.Instant, nil
	case slot >= 0:
		s := o.Slots[slot]
		c.Slots = slices.Clone(c.Slots)
		if at := slices.Index(c.Slots, s); c.Mode == consent.Digest && at >= 0 && len(c.Slots) > 1 {
			c.Slots = slices.Delete(c.Slots, at, at+1) // the last time stays: none would mean another than was chosen
		} else if at < 0 || c.Mode != consent.Digest {
			c.Slots = append(c.Slots, s)
		}
		c.Mode = consent.Digest
	default:
		return t.stale(), nil
	}
	if choice != "" {
		if r, ok, err := t.choose(ctx, following{o, g}, c); !ok || err != nil {
			return r, err
		}
		if g, ok = t.grant(o.Purpose); !ok {
			return t.show(o), nil
		}
	}
	p := &page{}
	p.say(t.words.Text("bot.digest", "title", t.title(o), "mode", t.mode(g.Preferences), "zone", t.zoneName()))
	if slices.Contains(o.Modes, consent.Instant) && g.Preferences.Mode == consent.Digest {
		p.button(t.words.Text("bot.button.instant"), data(verbDigest, offerID(o.Purpose), instantly))
	}
	if slices.Contains(o.Modes, consent.Digest) {
		for _, s := range o.Slots {
			key := "bot.button.slot.add"
			if g.Preferences.Mode == consent.Digest && slices.Contains(g.Preferences.Slots, s) {
				if len(g.Preferences.Slots) == 1 {
					continue
				}
				key = "bot.button.slot.drop"
			}
			p.button(t.words.Text(key, "time", t.clock(s)), data(verbDigest, offerID(o.Purpose), strings.ReplaceAll(s, ":", "")))
		}
	}
	t.breakingChoice(p, o, g)
	return t.reply(p), nil
}

// breakingChoice offers to let urgent posts come in quiet hours, or not.
func (t *turn) breakingChoice(p *page, o consent.Offer, g consent.Grant) {
	switch {
	case !o.Breaking:
	case g.Preferences.Breaking:
		p.button(t.words.Text("bot.button.breaking.off"), data(verbBreaking, offerID(o.Purpose), "0"))
	default:
		p.button(t.words.Text("bot.button.breaking.on"), data(verbBreaking, offerID(o.Purpose), "1"))
	}
}

// breaking lets urgent posts come in quiet hours, or not.
func (t *turn) breaking(ctx context.Context, o consent.Offer, choice string) (Reply, error) {
	g, ok := t.grant(o.Purpose)
	if !ok || !o.Breaking || choice != "0" && choice != "1" {
		return t.stale(), nil
	}
	c := g.Preferences
	c.Breaking = choice == "1"
	if r, ok, err := t.choose(ctx, following{o, g}, c); !ok || err != nil {
		return r, err
	}
	if c.Breaking {
		return t.answer(t.words.Text("bot.breaking.on", "title", t.title(o))), nil
	}
	return t.answer(t.words.Text("bot.breaking.off", "title", t.title(o))), nil
}
