package bot

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/belfry-news/belfry/sdk"
)

// Staff is somebody of the newsroom who may act from their phone.
type Staff struct {
	// Handle is the platform's own number of the person, or their public name beginning with "@", which the platform may
	// give to somebody else one day.
	Handle sdk.Handle
	// Name is what the record calls them.
	Name string
	// May lists what they may do: May constants.
	May []string
}

// What staff may do.
const (
	MayCreate  = "create"
	MayEdit    = "edit"
	MayRetract = "retract"
	MayPause   = "pause"
	MayRelease = "release"
	MaySettle  = "settle"
)

// Rights lists what staff may do.
func Rights() []string {
	return []string{MayCreate, MayEdit, MayRetract, MayPause, MayRelease, MaySettle}
}

// Newsroom is what staff act upon. Every act is recorded under the actor's name. An *sdk.Error with CodeInvalid or
// CodeForbidden has a sentence for staff; other errors are ours.
type Newsroom interface {
	// Post finds a post by its id or the beginning of it.
	Post(ctx context.Context, id string) (Post, error)
	// Check refuses what Create or Edit would refuse, before it is confirmed. Edit when id is not empty.
	Check(ctx context.Context, id string, d Draft) error
	Create(ctx context.Context, actor string, d Draft) (Post, error)
	// Edit changes what the draft does not leave empty.
	Edit(ctx context.Context, actor, id string, d Draft) (Post, error)
	Retract(ctx context.Context, actor, id, reason string) (Post, error)
	// Pause and Resume say whether anything changed.
	Pause(ctx context.Context, actor, channel string) (bool, error)
	Resume(ctx context.Context, actor, channel string) (bool, error)
	// Held lists the sources whose items wait for a person.
	Held(ctx context.Context) ([]Held, error)
	// Release lets go what a source holds, or drops it, and says how many items it was.
	Release(ctx context.Context, actor, source string, drop bool) (int, error)
	// Unknown lists the deliveries of which nobody knows whether they arrived.
	Unknown(ctx context.Context) ([]Unknown, error)
	// Settle records whether one arrived; one that did not is sent again.
	Settle(ctx context.Context, actor string, delivery int64, arrived bool) error
	// UnknownMessages lists the messages to people of which nobody knows whether they arrived, by their texts.
	UnknownMessages(ctx context.Context) ([]UnknownMessages, error)
	// SettleMessages records whether those arrived, and says how many they were.
	SettleMessages(ctx context.Context, actor string, number int64, arrived bool) (int, error)
}

// Draft is what an editor writes.
type Draft struct {
	Channel string `json:"channel,omitempty"`
	Title   string `json:"title,omitempty"`
	Text    string `json:"text,omitempty"`
	Link    string `json:"link,omitempty"`
}

// Post is a post as staff see it.
type Post struct{ ID, Channel, Title, Status, URL string }

// Held is a source that holds items.
type Held struct {
	Source, Note string
	Items        int
	Titles       []string
}

// Unknown is a delivery of which nobody knows whether it arrived.
type Unknown struct {
	Delivery                 int64
	Post, Title, Destination string
	Since                    time.Time
}

// UnknownMessages are the messages of one text of which nobody knows whether they arrived.
type UnknownMessages struct {
	Number int64
	// About is what they tell of: a channel, or a notice, and the post if there is one.
	About  string
	People int
	Since  time.Time
}

// staff finds out whether an event comes from staff.
func (b *Bot) staff(event sdk.InboxEvent) *Staff {
	for i, s := range b.s.Staff {
		named := strings.HasPrefix(s.Handle.Value, "@") && strings.EqualFold(s.Handle.Value, event.Name)
		if s.Handle.Medium == event.From.Medium && (s.Handle.Value == event.From.Value || named) && s.Handle.Value != "" {
			return &b.s.Staff[i]
		}
	}
	return nil
}

func (t *turn) may(right string) bool {
	return t.staff != nil && t.s.Newsroom != nil && slices.Contains(t.staff.May, right)
}

// actor is how the record names whoever acts.
func (t *turn) actor() string { return t.staff.Name + " by " + t.event.From.Medium }

// staffEntries are the commands of staff. Each checks the right that it needs.
func staffEntries() []entry {
	return []entry{
		{"post", nil, needs(MayCreate, (*turn).write), false},
		{"edit", nil, needs(MayEdit, (*turn).edit), false},
		{"retract", nil, needs(MayRetract, (*turn).retract), false},
		{"pause_channel", nil, needs(MayPause, func(t *turn, ctx context.Context, rest string) (Reply, error) {
			return t.channelAct(ctx, order{Verb: "pause", Channel: rest})
		}), false},
		{"resume_channel", nil, needs(MayPause, func(t *turn, ctx context.Context, rest string) (Reply, error) {
			return t.channelAct(ctx, order{Verb: "resume", Channel: rest})
		}), false},
		{"held", nil, needs(MayRelease, (*turn).held), false},
		{"unknown", nil, needs(MaySettle, (*turn).unknowns), false},
	}
}

// rightOf is the right that a command of staff needs, for its help.
var rightOf = [...]struct{ name, right string }{
	{"post", MayCreate}, {"edit", MayEdit}, {"retract", MayRetract}, {"pause_channel", MayPause}, {"resume_channel", MayPause},
	{"held", MayRelease}, {"unknown", MaySettle},
}

func needs(right string, do act) act {
	return func(t *turn, ctx context.Context, rest string) (Reply, error) {
		if !t.may(right) {
			return t.answer(t.words.Text("bot.staff.forbidden")), nil
		}
		return do(t, ctx, rest)
	}
}

// staffHelp lists the commands that this person has.
func (t *turn) staffHelp() string {
	lines := []string{t.words.Text("bot.staff.help")}
	for _, c := range rightOf {
		if t.may(c.right) {
			lines = append(lines, t.words.Text("bot.staff.command."+c.name))
		}
	}
	return strings.Join(lines, "\n")
}

// order is an act of staff that waits for its confirmation.
type order struct {
	Verb     string `json:"verb"`
	Draft    Draft  `json:"draft,omitzero"`
	Post     string `json:"post,omitempty"`
	Reason   string `json:"reason,omitempty"`
	Channel  string `json:"channel,omitempty"`
	Source   string `json:"source,omitempty"`
	Delivery int64  `json:"delivery,omitempty"`
	Messages int64  `json:"messages,omitempty"`
	Yes      bool   `json:"yes,omitempty"` // drop what is held; the delivery arrived
}

// right is what an order needs; it is asked for again when it is confirmed.
func (o order) right() string {
	switch o.Verb {
	case "create":
		return MayCreate
	case "edit":
		return MayEdit
	case "retract":
		return MayRetract
	case "pause", "resume":
		return MayPause
	case "release":
		return MayRelease
	case "settle":
		return MaySettle
	}
	return ""
}

// confirmWithin is how long an act of staff waits for its confirmation.
const confirmWithin = 30 * time.Minute

// ask shows what would be done, with the button that does it once.
func (t *turn) ask(ctx context.Context, o order, button string, paragraphs ...string) (Reply, error) {
	text, err := json.Marshal(o)
	if err != nil {
		return Reply{}, err
	}
	id := rand.Text()[:16]
	if err := t.s.Memory.Keep(ctx, t.event.From, id, text, t.now.Add(confirmWithin)); err != nil {
		return Reply{}, err
	}
	p := &page{paragraphs: paragraphs}
	p.button(button, data(verbStaff, id))
	p.button(t.words.Text("bot.button.cancel"), data(verbDrop, id))
	return t.reply(p), nil
}

// failed tells staff why something was not done.
func (t *turn) failed(err error) Reply {
	if e := sdk.AsError(err); e.Public != "" && (e.Code == sdk.CodeInvalid || e.Code == sdk.CodeForbidden) {
		return t.answer(t.words.Text("bot.staff.refused", "why", e.Public))
	}
	t.s.Log.Error("an act of staff failed", "actor", t.actor(), "error", err)
	return t.answer(t.words.Text("bot.staff.failed"))
}

// draft reads what follows /post and /edit: a name on the first line, then the title, the text, and an address on a last
// line of its own.
func draft(rest string) (name string, d Draft) {
	name, rest, _ = cutSpace(rest)
	lines := strings.Split(strings.TrimSpace(rest), "\n")
	if last := strings.TrimSpace(lines[len(lines)-1]); !strings.ContainsAny(last, " \t") {
		if link, err := sdk.CheckLink(last); err == nil && !strings.HasPrefix(link, "mailto:") {
			d.Link, lines = link, lines[:len(lines)-1]
		}
	}
	d.Title, d.Text, _ = strings.Cut(strings.TrimSpace(strings.Join(lines, "\n")), "\n")
	d.Title, d.Text = strings.TrimSpace(d.Title), strings.TrimSpace(d.Text)
	return name, d
}

// cutSpace cuts at the first white space.
func cutSpace(s string) (before, after string, found bool) {
	s = strings.TrimSpace(s)
	i := strings.IndexAny(s, " \t\r\n")
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+1:], true
}

func (t *turn) write(ctx context.Context, rest string) (Reply, error) {
	channel, d := draft(rest)
	d.Channel = channel
	if channel == "" || d.Title == "" {
		return t.answer(t.words.Text("bot.staff.command.post")), nil
	}
	if err := t.s.Newsroom.Check(ctx, "", d); err != nil {
		return t.failed(err), nil
	}
	return t.ask(ctx, order{Verb: "create", Draft: d}, t.words.Text("bot.button.post"), t.draftText(t.words.Text("bot.staff.post", "channel", channel), d)...)
}

// draftText shows a draft as it would be published.
func (t *turn) draftText(head string, d Draft) []string {
	out := []string{head}
	for _, s := range []string{d.Title, d.Text, d.Link} {
		if s != "" {
			out = append(out, s)
		}
	}
	return out
}

func (t *turn) edit(ctx context.Context, rest string) (Reply, error) {
	id, d := draft(rest)
	if id == "" || d == (Draft{}) {
		return t.answer(t.words.Text("bot.staff.command.edit")), nil
	}
	post, err := t.s.Newsroom.Post(ctx, id)
	if err == nil {
		err = t.s.Newsroom.Check(ctx, post.ID, d)
	}
	if err != nil {
		return t.failed(err), nil
	}
	return t.ask(ctx, order{Verb: "edit", Post: post.ID, Draft: d}, t.words.Text("bot.button.edit"),
		t.draftText(t.words.Text("bot.staff.edit", "title", post.Title, "channel", post.Channel), d)...)
}

func (t *turn) retract(ctx context.Context, rest string) (Reply, error) {
	id, reason, _ := cutSpace(rest)
	if id == "" {
		return t.answer(t.words.Text("bot.staff.command.retract")), nil
	}
	post, err := t.s.Newsroom.Post(ctx, id)
	if err != nil {
		return t.failed(err), nil
	}
	reason = strings.TrimSpace(reason)
	paragraphs := []string{t.words.Text("bot.staff.retract", "title", post.Title, "channel", post.Channel)}
	if reason != "" {
		paragraphs = append(paragraphs, t.words.Text("bot.staff.reason", "reason", reason))
	}
	return t.ask(ctx, order{Verb: "retract", Post: post.ID, Reason: reason}, t.words.Text("bot.button.retract"), paragraphs...)
}

func (t *turn) channelAct(ctx context.Context, o order) (Reply, error) {
	if o.Channel == "" || strings.ContainsAny(o.Channel, " \t\r\n") {
		return t.answer(t.words.Text("bot.staff.command." + o.Verb + "_channel")), nil
	}
	return t.ask(ctx, o, t.words.Text("bot.button."+o.Verb+".channel"), t.words.Text("bot.staff."+o.Verb, "channel", o.Channel))
}

// listed is how many sources or deliveries are listed at once.
const listed = 8

func (t *turn) held(ctx context.Context, _ string) (Reply, error) {
	list, err := t.s.Newsroom.Held(ctx)
	if err != nil {
		return t.failed(err), nil
	}
	if len(list) == 0 {
		return t.answer(t.words.Text("bot.staff.held.none")), nil
	}
	p := &page{}
	p.say(t.words.Text("bot.staff.held"))
	for _, h := range list[:min(listed, len(list))] {
		lines := []string{t.words.Count("bot.staff.held.source", h.Items, "source", h.Source, "note", h.Note)}
		for _, title := range h.Titles[:min(3, len(h.Titles))] {
			lines = append(lines, "• "+cut(title, 100))
		}
		p.say(strings.Join(lines, "\n"))
		p.rows = append(p.rows, []sdk.Button{
			{Text: label(t.words.Text("bot.button.release", "source", h.Source)), Data: data(verbRelease, short(h.Source), "0")},
			{Text: label(t.words.Text("bot.button.discard", "source", h.Source)), Data: data(verbRelease, short(h.Source), "1")},
		})
	}
	return t.reply(p), nil
}

// messageMark stands before the number of messages where one of a delivery could stand too.
const messageMark = "m"

func (t *turn) unknowns(ctx context.Context, _ string) (Reply, error) {
	list, err := t.s.Newsroom.Unknown(ctx)
	if err != nil {
		return t.failed(err), nil
	}
	messages, err := t.s.Newsroom.UnknownMessages(ctx)
	if err != nil {
		return t.failed(err), nil
	}
	if len(list)+len(messages) == 0 {
		return t.answer(t.words.Text("bot.staff.unknown.none")), nil
	}
	p := &page{}
	p.say(t.words.Text("bot.staff.unknown"))
	for _, m := range messages[:min(listed, len(messages))] {
		id := strconv.FormatInt(m.Number, 10)
		since := m.Since.In(t.s.Zone)
		p.say(t.words.Count("bot.staff.unknown.messages", m.People, "number", id, "about", m.About, "time", t.words.Time(since), "date", t.words.Date(since)))
		p.rows = append(p.rows, []sdk.Button{
			{Text: label(t.words.Text("bot.button.arrived", "delivery", id)), Data: data(verbSettle, messageMark+id, "1")},
			{Text: label(t.words.Text("bot.button.missing", "delivery", id)), Data: data(verbSettle, messageMark+id, "0")},
		})
	}
	for _, u := range list[:min(listed, len(list))] {
		id := strconv.FormatInt(u.Delivery, 10)
		since := u.Since.In(t.s.Zone)
		p.say(t.words.Text("bot.staff.unknown.delivery", "delivery", id, "title", u.Title, "destination", u.Destination,
			"time", t.words.Time(since), "date", t.words.Date(since)))
		p.rows = append(p.rows, []sdk.Button{
			{Text: label(t.words.Text("bot.button.arrived", "delivery", id)), Data: data(verbSettle, id, "1")},
			{Text: label(t.words.Text("bot.button.missing", "delivery", id)), Data: data(verbSettle, id, "0")},
		})
	}
	return t.reply(p), nil
}

// staffPressed handles the buttons of staff. Whoever is not, or not any more, finds them stale.
func (t *turn) staffPressed(ctx context.Context, verb string, args []string) (Reply, error) {
	if t.staff == nil || t.s.Newsroom == nil {
		return t.stale(), nil
	}
	switch verb {
	case verbRelease:
		return t.askRelease(ctx, args[0], args[1] == "1")
	case verbSettle:
		return t.askSettle(ctx, args[0], args[1] == "1")
	}
	text, found, err := t.s.Memory.Take(ctx, t.event.From, args[0])
	if err != nil {
		return Reply{}, err
	}
	var o order
	if !found || json.Unmarshal(text, &o) != nil {
		return t.answer(t.words.Text("bot.staff.over")), nil //nolint:nilerr // an order of an earlier version is over, too
	}
	if verb == verbDrop {
		return t.answer(t.words.Text("bot.staff.dropped")), nil
	}
	if !t.may(o.right()) {
		return t.answer(t.words.Text("bot.staff.forbidden")), nil
	}
	done, err := t.do(ctx, o)
	if err != nil {
		return t.failed(err), nil
	}
	return t.answer(done), nil
}

func (t *turn) askRelease(ctx context.Context, id string, drop bool) (Reply, error) {
	if !t.may(MayRelease) {
		return t.answer(t.words.Text("bot.staff.forbidden")), nil
	}
	list, err := t.s.Newsroom.Held(ctx)
	if err != nil {
		return t.failed(err), nil
	}
	i := slices.IndexFunc(list, func(h Held) bool { return short(h.Source) == id })
	if i < 0 {
		return t.answer(t.words.Text("bot.staff.over")), nil
	}
	h := list[i]
	sentence, button := "bot.staff.release", "bot.button.release"
	if drop {
		sentence, button = "bot.staff.discard", "bot.button.discard"
	}
	return t.ask(ctx, order{Verb: "release", Source: h.Source, Yes: drop}, t.words.Text(button, "source", h.Source),
		t.words.Count(sentence, h.Items, "source", h.Source))
}

func (t *turn) askSettle(ctx context.Context, id string, arrived bool) (Reply, error) {
	if !t.may(MaySettle) {
		return t.answer(t.words.Text("bot.staff.forbidden")), nil
	}
	if number, is := strings.CutPrefix(id, messageMark); is {
		return t.askSettleMessages(ctx, number, arrived)
	}
	list, err := t.s.Newsroom.Unknown(ctx)
	if err != nil {
		return t.failed(err), nil
	}
	i := slices.IndexFunc(list, func(u Unknown) bool { return strconv.FormatInt(u.Delivery, 10) == id })
	if i < 0 {
		return t.answer(t.words.Text("bot.staff.over")), nil
	}
	u := list[i]
	sentence, button := "bot.staff.missing", "bot.button.missing"
	if arrived {
		sentence, button = "bot.staff.arrived", "bot.button.arrived"
	}
	return t.ask(ctx, order{Verb: "settle", Delivery: u.Delivery, Yes: arrived}, t.words.Text(button, "delivery", id),
		t.words.Text(sentence, "title", u.Title, "destination", u.Destination))
}

func (t *turn) askSettleMessages(ctx context.Context, number string, arrived bool) (Reply, error) {
	list, err := t.s.Newsroom.UnknownMessages(ctx)
	if err != nil {
		return t.failed(err), nil
	}
	i := slices.IndexFunc(list, func(m UnknownMessages) bool { return strconv.FormatInt(m.Number, 10) == number })
	if i < 0 {
		return t.answer(t.words.Text("bot.staff.over")), nil
	}
	m := list[i]
	sentence, button := "bot.staff.messages.missing", "bot.button.missing"
	if arrived {
		sentence, button = "bot.staff.messages.arrived", "bot.button.arrived"
	}
	return t.ask(ctx, order{Verb: "settle", Messages: m.Number, Yes: arrived}, t.words.Text(button, "delivery", number),
		t.words.Count(sentence, m.People, "about", m.About))
}

// do does what was confirmed, and says so.
func (t *turn) do(ctx context.Context, o order) (string, error) {
	n, actor := t.s.Newsroom, t.actor()
	switch o.Verb {
	case "create":
		post, err := n.Create(ctx, actor, o.Draft)
		return t.words.Text("bot.staff.posted", "id", post.ID, "title", post.Title, "channel", post.Channel), err
	case "edit":
		post, err := n.Edit(ctx, actor, o.Post, o.Draft)
		return t.words.Text("bot.staff.edited", "id", post.ID, "title", post.Title), err
	case "retract":
		post, err := n.Retract(ctx, actor, o.Post, o.Reason)
		return t.words.Text("bot.staff.retracted", "id", post.ID, "title", post.Title), err
	case "pause", "resume":
		act, key := n.Pause, "bot.staff.paused"
		if o.Verb == "resume" {
			act, key = n.Resume, "bot.staff.resumed"
		}
		changed, err := act(ctx, actor, o.Channel)
		if !changed {
			key += ".already"
		}
		return t.words.Text(key, "channel", o.Channel), err
	case "release":
		items, err := n.Release(ctx, actor, o.Source, o.Yes)
		key := "bot.staff.released"
		if o.Yes {
			key = "bot.staff.discarded"
		}
		return t.words.Count(key, items, "source", o.Source), err
	case "settle":
		if o.Messages > 0 {
			count, err := n.SettleMessages(ctx, actor, o.Messages, o.Yes)
			key := "bot.staff.settled.messages.missing"
			if o.Yes {
				key = "bot.staff.settled.messages.arrived"
			}
			return t.words.Count(key, count), err
		}
		err := n.Settle(ctx, actor, o.Delivery, o.Yes)
		key := "bot.staff.settled.missing"
		if o.Yes {
			key = "bot.staff.settled.arrived"
		}
		return t.words.Text(key, "delivery", strconv.FormatInt(o.Delivery, 10)), err
	}
	return "", sdk.Errorf(sdk.CodeInvalid, "confirm", "the order %q is not known", o.Verb)
}
