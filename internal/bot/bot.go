// Package bot is what people can say to Belfry over any medium with an inbox: commands, buttons and keywords. Its one
// promise: nobody becomes a reader by accident, and nobody stays one against their word.
//
// A command or link that asks to follow only shows what it is about, in its exact wording; the button under that wording is
// the act that grants. Leaving takes one word or one press. The acknowledgement of a withdrawal is said only after Withdraw
// has returned, and says when one message may already be under way.
//
// Handle decides and acts, and gives back at most one answer; the host stores events, sends answers, and repeats an event
// whose handling failed. Every act but those of staff may be repeated without harm; those of staff are confirmed by a button
// that works once. Nothing here knows a platform: a medium is a name, a person is a handle.
package bot

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/belfry-news/belfry/internal/bot/keyword"
	"github.com/belfry-news/belfry/internal/consent"
	"github.com/belfry-news/belfry/internal/i18n"
	"github.com/belfry-news/belfry/sdk"
)

// People is what the bot asks of consent; see there for what each method does.
type People interface {
	Offers() []consent.Offer
	ReaderOf(ctx context.Context, h sdk.Handle) (r consent.Reader, found bool, err error)
	Follow(ctx context.Context, f consent.Follow) (consent.Reader, error)
	Choose(ctx context.Context, p consent.PersonID, grant int64, c consent.Preferences, e consent.Evidence) error
	SetHabits(ctx context.Context, p consent.PersonID, h consent.Habits, e consent.Evidence) error
	Withdraw(ctx context.Context, p consent.PersonID, w consent.Withdrawal) (consent.Ack, error)
	Record(ctx context.Context, p consent.PersonID) (consent.Record, error)
	Erase(ctx context.Context, p consent.PersonID, e consent.Evidence) (consent.Erased, error)
}

// Memory is what the bot has to remember between two events. It keeps handles as consent keeps addresses, never in the
// clear, and forgets what is over.
type Memory interface {
	// First reports whether nothing of this kind was answered to that handle within the time, and notes that it is now.
	First(ctx context.Context, from sdk.Handle, kind string, within time.Duration) (bool, error)
	// Keep holds data for that handle under an id until a time.
	Keep(ctx context.Context, from sdk.Handle, id string, data []byte, until time.Time) error
	// Take gives what was kept for that handle under an id and forgets it, so that it is given once.
	Take(ctx context.Context, from sdk.Handle, id string) (data []byte, found bool, err error)
}

// Settings wire a Bot to one configuration.
type Settings struct {
	People People
	Memory Memory
	// Newsroom is what staff act upon; nil when there are no staff.
	Newsroom Newsroom
	Staff    []Staff
	// Site is the publisher's name, in texts. Lang is the language for people whose own is not known or has no words.
	Site, Lang string
	// Zone is the zone of those who chose none.
	Zone *time.Location
	// Page gives the address of a page of the site, such as "/me/…"; empty where there is no site. Nil means that.
	Page func(path string) string
	// Privacy is the address of the privacy policy; empty when there is none.
	Privacy string
	// Forwards says that a person reads what no command is (replies: {forward: …}).
	Forwards bool
	// Teller names who tells what people do on a medium, where that is somebody else than Belfry: it stands in the evidence. Nil where
	// nobody else does.
	Teller func(medium string) string
	// Buttonless says of a medium that no press of a button comes back from it: there, buttons lead to pages. Nil where there is none but
	// mail.
	Buttonless func(medium string) bool
	Log        *slog.Logger
	// Now is the clock; nil is the real one.
	Now func() time.Time
}

// Reply is what an event leads to.
type Reply struct {
	// Answer is to be sent to whom the event came from; nil when nothing is.
	Answer *sdk.MessageContent
	// Forward says that a person is to read what was written; empty when not.
	Forward Forward
}

// Forward says why a person is to read what was written.
type Forward string

const (
	// ForwardUnknown is a message that is no command.
	ForwardUnknown Forward = "unknown"
	// ForwardMaybeStop is a message that may mean that the person wants no more. Their messages are paused for MaybeFor.
	ForwardMaybeStop Forward = "maybe_stop"
)

// MaybeFor is how long somebody gets nothing who may have meant that they want no more: time enough for a person to read it.
const MaybeFor = 7 * 24 * time.Hour

// Bot answers people. It may be used from several goroutines.
type Bot struct{ s Settings }

// New makes a Bot.
func New(s Settings) *Bot {
	if s.Now == nil {
		s.Now = time.Now
	}
	if s.Log == nil {
		s.Log = slog.New(slog.DiscardHandler)
	}
	if s.Zone == nil {
		s.Zone = time.UTC
	}
	if s.Page == nil {
		s.Page = func(string) string { return "" }
	}
	if s.Buttonless == nil {
		s.Buttonless = func(string) bool { return false }
	}
	if s.Teller == nil {
		s.Teller = func(string) string { return "" }
	}
	return &Bot{s: s}
}

// turn is the handling of one event.
type turn struct {
	*Bot
	event  sdk.InboxEvent
	reader consent.Reader
	known  bool
	staff  *Staff
	words  *i18n.Catalogue
	now    time.Time
}

// Handle acts upon an event, and says what to answer. Kinds of events that are not of a conversation are left alone. An
// error means that the event is to be handled again; nothing was acknowledged then.
func (b *Bot) Handle(ctx context.Context, event sdk.InboxEvent) (Reply, error) {
	switch event.Kind {
	case sdk.EventMessage, sdk.EventButton, sdk.EventStop:
	default:
		return Reply{}, nil // EventReopen above all: it is no consent
	}
	t := &turn{Bot: b, event: event, now: b.s.Now().UTC()}
	var err error
	if t.reader, t.known, err = b.s.People.ReaderOf(ctx, event.From); err != nil {
		return Reply{}, err
	}
	if !event.Claimed {
		t.staff = b.staff(event)
	}
	t.speak(t.reader.Habits.Lang)
	switch event.Kind {
	case sdk.EventStop:
		return Reply{}, t.closed(ctx)
	case sdk.EventButton:
		return t.pressed(ctx)
	}
	if event.Claimed {
		return t.claimed(ctx)
	}
	return t.said(ctx)
}

// speak chooses the words: the person's own choice, or the language of their device, or the site's.
func (t *turn) speak(chosen string) {
	for _, lang := range []string{chosen, t.event.Lang, t.s.Lang} {
		main, _, _ := strings.Cut(strings.ToLower(lang), "-")
		if slices.Contains(i18n.Languages(), main) {
			t.words = i18n.For(main)
			return
		}
	}
	t.words = i18n.For("")
}

// said handles a message.
func (t *turn) said(ctx context.Context) (Reply, error) {
	text := strings.TrimSpace(t.event.Text)
	if name, rest, ok := command(text); ok {
		if do := t.find(name); do != nil {
			return do(t, ctx, rest)
		}
	}
	switch keyword.Classify(text) {
	case keyword.Stop:
		return t.stop(ctx, nil)
	case keyword.Help:
		return t.help(ctx, "")
	case keyword.Start:
		return t.channels(ctx, "")
	case keyword.Maybe:
		return t.maybeStop(ctx)
	}
	return t.unknown(ctx)
}

// evidence is how it can be shown later what the person did.
func (t *turn) evidence(m consent.Method) consent.Evidence {
	e := consent.Evidence{At: t.now, Method: m, Actor: consent.Self, Lang: t.words.Lang(), Where: t.event.From.Medium + " " + t.event.ID}
	if teller := t.s.Teller(t.event.From.Medium); teller != "" {
		e.Note = "as " + teller + " tells"
	}
	return e
}

// method says whether it was a button or a word.
func (t *turn) method() consent.Method {
	if t.event.Kind == sdk.EventButton {
		return consent.ByButton
	}
	return consent.ByKeyword
}

// offers are what can be followed over this medium.
func (t *turn) offers() (out []consent.Offer) {
	for _, o := range t.s.People.Offers() {
		if slices.ContainsFunc(o.Media, func(m consent.Medium) bool { return m.Name == t.event.From.Medium }) {
			out = append(out, o)
		}
	}
	return out
}

// grant finds what the person follows over this medium.
func (t *turn) grant(p consent.Purpose) (consent.Grant, bool) {
	i := slices.IndexFunc(t.reader.Grants, func(g consent.Grant) bool {
		return g.Purpose == p && g.Medium == t.event.From.Medium && g.State == consent.Active
	})
	if i < 0 {
		return consent.Grant{}, false
	}
	return t.reader.Grants[i], true
}

// followed is what the person follows over this medium and is still offered.
func (t *turn) followed() (out []following) {
	for _, o := range t.offers() {
		if g, ok := t.grant(o.Purpose); ok {
			out = append(out, following{o, g})
		}
	}
	return out
}

type following struct {
	offer consent.Offer
	grant consent.Grant
}

// again reads the person anew after an act.
func (t *turn) again(ctx context.Context) (err error) {
	t.reader, t.known, err = t.s.People.ReaderOf(ctx, t.event.From)
	return err
}

// refused gives the answer to an error that has a sentence for the person; other errors stay errors.
func (t *turn) refused(err error, key string, args ...string) (Reply, error) {
	if e := sdk.AsError(err); e.Code == sdk.CodeInvalid {
		return t.answer(t.words.Text(key, args...)), nil
	}
	return Reply{}, err
}
