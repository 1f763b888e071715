package bot

import (
	"context"
	"slices"
	"strings"

	"github.com/belfry-news/belfry/internal/bot/keyword"
	"github.com/belfry-news/belfry/internal/consent"
)

// claimed handles what somebody wrote who may be somebody else: nothing but the word of the sender says who they are, and anybody
// can write any sender over a mail. So nothing is done that the person could not undo in one step. A word that ends
// everything pauses everything until they say themselves what they want, so that nothing more comes if it was they; all else
// does nothing. Only somebody who follows something is answered, once a day: the answer goes to the address that was claimed, and
// leads to their own page. Nobody else is, or forged mails would make us write to strangers.
func (t *turn) claimed(ctx context.Context) (Reply, error) {
	var r Reply
	if t.s.Forwards && strings.TrimSpace(t.event.Text) != "" {
		r.Forward = ForwardUnknown
	}
	if !t.known || !slices.ContainsFunc(t.reader.Grants, func(g consent.Grant) bool { return g.State == consent.Active }) {
		return r, nil
	}
	kind, text, how := "claimed", "bot.claimed", "bot.claimed.how"
	if t.wantsOut() {
		kind, text, how = "claimed.stop", "bot.claimed.stop", "bot.claimed.stop.how"
		if !t.reader.Habits.PausedOpenly() {
			e := t.evidence(consent.ByKeyword)
			e.Wording, e.Note = cut(t.event.Text, 200), "a mail that asks for no more, of which nothing proves who wrote it"
			h := t.reader.Habits
			h.PausedUntil = consent.UntilResumed()
			if err := t.s.People.SetHabits(ctx, t.reader.ID, h, e); err != nil {
				return Reply{}, err
			}
		}
	}
	first, err := t.s.Memory.First(ctx, t.event.From, kind, once)
	if err != nil || !first {
		return r, err
	}
	p := &page{}
	p.say(t.words.Text(text, "site", t.s.Site))
	p.say(t.words.Text(how))
	if t.reader.Link != "" {
		p.open(t.words.Text("bot.button.preferences"), t.s.Page("/me/"+t.reader.Link))
	}
	r.Answer = t.reply(p).Answer
	return r, nil
}

// wantsOut says that a text asks for no more, or may.
func (t *turn) wantsOut() bool {
	text := strings.TrimSpace(t.event.Text)
	if name, _, ok := command(text); ok {
		i := slices.IndexFunc(entries(), func(e entry) bool { return e.name == name || slices.Contains(e.aliases, name) })
		return i >= 0 && (entries()[i].name == "stop" || entries()[i].name == "forget")
	}
	meaning := keyword.Classify(text)
	return meaning == keyword.Stop || meaning == keyword.Maybe
}
