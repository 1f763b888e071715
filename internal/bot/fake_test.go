package bot_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/belfry-news/belfry/internal/bot"
	"github.com/belfry-news/belfry/internal/consent"
	"github.com/belfry-news/belfry/sdk"
)

// people keeps consent in memory and refuses what consent refuses.
type people struct {
	offers  []consent.Offer
	readers map[sdk.Handle]*consent.Reader
	last    consent.PersonID
	grants  int64

	follows   []consent.Follow
	withdrawn []consent.Withdrawal
	evidence  []consent.Evidence // of every other change
	erased    int

	unsettled bool
	broken    error // what every act fails with
	backups   time.Time
}

func (p *people) Offers() []consent.Offer { return p.offers }

func (p *people) ReaderOf(_ context.Context, h sdk.Handle) (consent.Reader, bool, error) {
	r, ok := p.readers[h]
	if !ok {
		return consent.Reader{}, false, nil
	}
	out := *r
	out.Grants = slices.Clone(r.Grants)
	return out, true, nil
}

func (p *people) byID(id consent.PersonID) (*consent.Reader, error) {
	for _, r := range p.readers {
		if r.ID == id {
			return r, nil
		}
	}
	return nil, errors.New("nobody has this id")
}

func (p *people) offer(purpose consent.Purpose, medium string) (consent.Offer, error) {
	for _, o := range p.offers {
		if o.Purpose == purpose && slices.ContainsFunc(o.Media, func(m consent.Medium) bool { return m.Name == medium }) {
			return o, nil
		}
	}
	return consent.Offer{}, sdk.Errorf(sdk.CodeInvalid, "follow", "%s cannot be followed by %s", purpose, medium)
}

// shown refuses evidence that would show nothing later.
func shown(e consent.Evidence, wording bool) error {
	if e.At.IsZero() || e.Method == "" || e.Actor != consent.Self || e.Where == "" || e.Lang == "" || wording && (e.Wording == "" || e.Version == "") {
		return fmt.Errorf("the evidence %+v shows nothing", e)
	}
	return nil
}

func (p *people) Follow(_ context.Context, f consent.Follow) (consent.Reader, error) {
	if p.broken != nil {
		return consent.Reader{}, p.broken
	}
	if len(f.Purposes) != 1 {
		return consent.Reader{}, sdk.Errorf(sdk.CodeInvalid, "follow", "nothing was chosen")
	}
	o, err := p.offer(f.Purposes[0], f.From.Medium)
	if err == nil {
		err = o.Check(&f.Preferences)
	}
	if err == nil {
		err = shown(f.Evidence, true)
	}
	if err != nil {
		return consent.Reader{}, err
	}
	r := p.readers[f.From]
	if r == nil {
		p.last++
		r = &consent.Reader{ID: p.last, Ref: fmt.Sprint("p", p.last), Link: "link-of-a-person", Since: f.Evidence.At, Habits: f.Habits,
			Addresses: []consent.Masked{{Medium: f.From.Medium, Text: "…42"}}}
		p.readers[f.From] = r
	}
	p.follows = append(p.follows, f)
	i := slices.IndexFunc(r.Grants, func(g consent.Grant) bool { return g.Purpose == o.Purpose && g.Medium == f.From.Medium })
	if i < 0 {
		p.grants++
		r.Grants = append(r.Grants, consent.Grant{ID: p.grants, Person: r.ID, Purpose: o.Purpose, Medium: f.From.Medium})
		i = len(r.Grants) - 1
	}
	g := &r.Grants[i]
	g.State, g.Since, g.Preferences = consent.Active, f.Evidence.At, f.Preferences
	out := *r
	out.Grants = slices.Clone(r.Grants)
	return out, nil
}

func (p *people) Choose(_ context.Context, id consent.PersonID, grant int64, c consent.Preferences, e consent.Evidence) error {
	r, err := p.byID(id)
	if err != nil || p.broken != nil {
		return errors.Join(err, p.broken)
	}
	i := slices.IndexFunc(r.Grants, func(g consent.Grant) bool { return g.ID == grant && g.State == consent.Active })
	if i < 0 {
		return sdk.Errorf(sdk.CodeInvalid, "preferences", "this is not followed")
	}
	o, err := p.offer(r.Grants[i].Purpose, r.Grants[i].Medium)
	if err == nil {
		err = o.Check(&c)
	}
	if err == nil {
		err = shown(e, false)
	}
	if err == nil {
		r.Grants[i].Preferences = c
		p.evidence = append(p.evidence, e)
	}
	return err
}

func (p *people) SetHabits(_ context.Context, id consent.PersonID, h consent.Habits, e consent.Evidence) error {
	r, err := p.byID(id)
	if err == nil {
		err = errors.Join(p.broken, h.Check(), shown(e, false))
	}
	if err == nil {
		r.Habits = h
		p.evidence = append(p.evidence, e)
	}
	return err
}

func (p *people) Withdraw(_ context.Context, id consent.PersonID, w consent.Withdrawal) (consent.Ack, error) {
	r, err := p.byID(id)
	if err == nil {
		err = errors.Join(p.broken, shown(w.Evidence, false))
	}
	if err != nil {
		return consent.Ack{}, err
	}
	p.withdrawn = append(p.withdrawn, w)
	ack := consent.Ack{At: w.Evidence.At, Settled: !p.unsettled}
	for i := range r.Grants {
		g := &r.Grants[i]
		if (w.Purpose == nil || *w.Purpose == g.Purpose) && (w.Medium == "" || w.Medium == g.Medium) && g.State == consent.Active {
			g.State = consent.Withdrawn
			ack.Ended = append(ack.Ended, g.Purpose)
		}
	}
	return ack, nil
}

func (p *people) Record(_ context.Context, id consent.PersonID) (consent.Record, error) {
	r, err := p.byID(id)
	if err != nil {
		return consent.Record{}, err
	}
	return consent.Record{Reader: *r, Events: make([]consent.Event, 2), Messages: make([]consent.Sent, 1)}, nil
}

func (p *people) Erase(_ context.Context, id consent.PersonID, e consent.Evidence) (consent.Erased, error) {
	r, err := p.byID(id)
	if err == nil {
		err = errors.Join(p.broken, shown(e, false))
	}
	if err != nil {
		return consent.Erased{}, err
	}
	for h, other := range p.readers {
		if other == r {
			delete(p.readers, h)
		}
	}
	p.erased++
	return consent.Erased{At: e.At, Settled: !p.unsettled, BackupsUntil: p.backups}, nil
}

// memory remembers as the host does.
type memory struct {
	now   func() time.Time
	first map[string]time.Time
	kept  map[string]kept
}

type kept struct {
	data  []byte
	until time.Time
}

func (m *memory) First(_ context.Context, from sdk.Handle, kind string, within time.Duration) (bool, error) {
	key := from.Medium + from.Value + kind
	if at, ok := m.first[key]; ok && m.now().Sub(at) < within {
		return false, nil
	}
	m.first[key] = m.now()
	return true, nil
}

func (m *memory) Keep(_ context.Context, from sdk.Handle, id string, data []byte, until time.Time) error {
	m.kept[from.Value+id] = kept{slices.Clone(data), until}
	return nil
}

func (m *memory) Take(_ context.Context, from sdk.Handle, id string) ([]byte, bool, error) {
	k, ok := m.kept[from.Value+id]
	delete(m.kept, from.Value+id)
	return k.data, ok && m.now().Before(k.until), nil
}

// newsroom records what staff did.
type newsroom struct {
	done   []string
	posts  map[string]bot.Post
	held   []bot.Held
	lost   []bot.Unknown
	unsure []bot.UnknownMessages
	broken error
}

func (n *newsroom) note(format string, args ...any) {
	n.done = append(n.done, fmt.Sprintf(format, args...))
}

func (n *newsroom) Post(_ context.Context, id string) (bot.Post, error) {
	p, ok := n.posts[id]
	if !ok {
		return p, sdk.Errorf(sdk.CodeInvalid, "post", "there is no post %s", id)
	}
	return p, nil
}

func (n *newsroom) Check(_ context.Context, id string, d bot.Draft) error {
	if id == "" && d.Channel != "alertes" {
		return sdk.Errorf(sdk.CodeInvalid, "channel", "there is no channel %q", d.Channel)
	}
	return nil
}

func (n *newsroom) Create(_ context.Context, actor string, d bot.Draft) (bot.Post, error) {
	n.note("%s creates %s/%s/%s/%s", actor, d.Channel, d.Title, d.Text, d.Link)
	return bot.Post{ID: "8f21", Channel: d.Channel, Title: d.Title}, n.broken
}

func (n *newsroom) Edit(_ context.Context, actor, id string, d bot.Draft) (bot.Post, error) {
	n.note("%s edits %s %s/%s/%s", actor, id, d.Title, d.Text, d.Link)
	return n.posts[id], n.broken
}

func (n *newsroom) Retract(_ context.Context, actor, id, reason string) (bot.Post, error) {
	n.note("%s retracts %s %s", actor, id, reason)
	return n.posts[id], n.broken
}

func (n *newsroom) Pause(_ context.Context, actor, channel string) (bool, error) {
	n.note("%s pauses %s", actor, channel)
	return true, n.broken
}

func (n *newsroom) Resume(_ context.Context, actor, channel string) (bool, error) {
	n.note("%s resumes %s", actor, channel)
	return false, n.broken
}

func (n *newsroom) Held(context.Context) ([]bot.Held, error) { return n.held, n.broken }

func (n *newsroom) Release(_ context.Context, actor, source string, drop bool) (int, error) {
	n.note("%s releases %s, dropped %t", actor, source, drop)
	return 3, n.broken
}

func (n *newsroom) Unknown(context.Context) ([]bot.Unknown, error) { return n.lost, n.broken }

func (n *newsroom) Settle(_ context.Context, actor string, delivery int64, arrived bool) error {
	n.note("%s settles %d, arrived %t", actor, delivery, arrived)
	return n.broken
}

func (n *newsroom) UnknownMessages(context.Context) ([]bot.UnknownMessages, error) {
	return n.unsure, n.broken
}

func (n *newsroom) SettleMessages(_ context.Context, actor string, number int64, arrived bool) (int, error) {
	n.note("%s settles messages %d, arrived %t", actor, number, arrived)
	return 12, n.broken
}

// world is a bot with everything around it, on a medium that does not exist.
type world struct {
	t      *testing.T
	people *people
	memory *memory
	room   *newsroom
	bot    *bot.Bot
	now    time.Time
	from   sdk.Handle
	name   string
	lang   string
	n      int
}

const site = "La Gazette"

func offers() []consent.Offer {
	media := []consent.Medium{{Name: "pigeon", Destination: "loft"}, {Name: "email"}}
	return []consent.Offer{
		{Purpose: consent.Purpose{Kind: consent.Channel, Name: "alertes"}, Title: map[string]string{"en": "Breaking", "fr": "Alertes"},
			Description: map[string]string{"en": "What cannot wait", "fr": "Ce qui ne peut attendre"}, Lang: "fr", Media: media,
			Modes: []consent.Mode{consent.Instant}, Topics: []string{"politique", "sport"}, Breaking: true},
		{Purpose: consent.Purpose{Kind: consent.Channel, Name: "brief"}, Title: map[string]string{"": "Le brief"}, Lang: "fr", Media: media,
			Modes: []consent.Mode{consent.Digest, consent.Instant}, Slots: []string{"07:00", "18:30"}},
		{Purpose: consent.Purpose{Kind: consent.Notice, Name: "rendez-vous"}, Title: map[string]string{"en": "Appointments", "fr": "Rendez-vous"},
			Media: media, Modes: []consent.Mode{consent.Instant}},
		{Purpose: consent.Purpose{Kind: consent.Channel, Name: "lettre"}, Title: map[string]string{"": "La lettre"}, Media: media[1:]},
	}
}

func newWorld(t *testing.T, lang string, change ...func(*bot.Settings)) *world {
	t.Helper()
	paris, err := time.LoadLocation("Europe/Paris")
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, now: time.Date(2026, 11, 20, 6, 58, 0, 0, time.UTC), from: sdk.Handle{Medium: "pigeon", Value: "42"}, lang: lang,
		people: &people{offers: offers(), readers: map[sdk.Handle]*consent.Reader{}},
		room:   &newsroom{posts: map[string]bot.Post{"8f21": {ID: "8f21", Channel: "alertes", Title: "Incendie à la gare"}}}}
	clock := func() time.Time { return w.now }
	w.memory = &memory{now: clock, first: map[string]time.Time{}, kept: map[string]kept{}}
	s := bot.Settings{People: w.people, Memory: w.memory, Newsroom: w.room, Site: site, Lang: "fr", Zone: paris, Now: clock,
		Page:  func(path string) string { return "https://news.example" + path },
		Staff: []bot.Staff{{Handle: sdk.Handle{Medium: "pigeon", Value: "@annab"}, Name: "Anna", May: bot.Rights()}}}
	for _, f := range change {
		f(&s)
	}
	w.bot = bot.New(s)
	return w
}

func (w *world) event(kind sdk.EventKind) sdk.InboxEvent {
	w.n++
	return sdk.InboxEvent{ID: fmt.Sprint("e", w.n), Kind: kind, From: w.from, Name: w.name, Lang: w.lang, At: w.now}
}

func (w *world) handle(e sdk.InboxEvent) bot.Reply {
	w.t.Helper()
	r, err := w.bot.Handle(w.t.Context(), e)
	if err != nil {
		w.t.Fatalf("%+v: %v", e, err)
	}
	if r.Answer != nil {
		w.check(r)
	}
	return r
}

// check holds what is true of every answer.
func (w *world) check(r bot.Reply) {
	w.t.Helper()
	c := r.Answer.Common
	if err := c.Body.Validate(); err != nil || len(c.Body) == 0 {
		w.t.Errorf("the body: %v", err)
	}
	if c.Kind != sdk.CommonAnswer || c.ID == "" || c.Lang == "" || c.Subject == "" {
		w.t.Errorf("the answer is %+v", c)
	}
	if text := text(r); strings.ContainsAny(text, "[]{}!") || strings.Contains(text, "%!") {
		w.t.Errorf("the answer reads %q", text)
	}
	for _, row := range r.Answer.Buttons {
		for _, b := range row {
			if b.Text == "" || strings.ContainsAny(b.Text, "[]{}") || (b.URL == "") == (b.Data == "") || len(b.Data) > 64 {
				w.t.Errorf("the button %+v", b)
			}
		}
	}
}

// say is a message, press a button of an answer by its beginning, and push one by what it carries.
func (w *world) say(text string) bot.Reply {
	w.t.Helper()
	e := w.event(sdk.EventMessage)
	e.Text, e.ReplyTo = text, "m1"
	return w.handle(e)
}

func (w *world) push(data string) bot.Reply {
	w.t.Helper()
	e := w.event(sdk.EventButton)
	e.Data = data
	return w.handle(e)
}

func (w *world) press(r bot.Reply, beginning string) bot.Reply {
	w.t.Helper()
	return w.push(button(w.t, r, beginning))
}

func button(t *testing.T, r bot.Reply, beginning string) string {
	t.Helper()
	if r.Answer != nil {
		for _, row := range r.Answer.Buttons {
			for _, b := range row {
				if strings.HasPrefix(b.Text, beginning) {
					return b.Data
				}
			}
		}
	}
	t.Fatalf("there is no button %q under %q: %q", beginning, text(r), labels(r))
	return ""
}

func labels(r bot.Reply) (out []string) {
	if r.Answer != nil {
		for _, row := range r.Answer.Buttons {
			for _, b := range row {
				out = append(out, b.Text)
			}
		}
	}
	return out
}

func text(r bot.Reply) string {
	if r.Answer == nil {
		return ""
	}
	var out []string
	for _, n := range r.Answer.Common.Body {
		out = append(out, sdk.PlainText(n.Children))
	}
	return strings.Join(out, "\n\n")
}

// reads checks that an answer holds all these.
func (w *world) reads(r bot.Reply, parts ...string) {
	w.t.Helper()
	for _, p := range parts {
		if !strings.Contains(text(r), p) {
			w.t.Errorf("%q is missing in:\n%s", p, text(r))
		}
	}
}

// follow makes the person a reader by the way that people go.
func (w *world) follow(channel string) bot.Reply {
	w.t.Helper()
	beginning := map[bool]string{true: "Follow", false: "Suivre"}[w.lang == "en"]
	return w.press(w.say("/start "+channel), beginning)
}

func (w *world) reader() consent.Reader {
	r, ok := w.people.readers[w.from]
	if !ok {
		return consent.Reader{}
	}
	return *r
}

func (w *world) active() (out []string) {
	for _, g := range w.reader().Grants {
		if g.State == consent.Active {
			out = append(out, g.Purpose.Name)
		}
	}
	return out
}
