package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/belfry-news/belfry/configs"
	"github.com/belfry-news/belfry/internal/alert"
	"github.com/belfry-news/belfry/internal/compose"
	"github.com/belfry-news/belfry/internal/consent"
	"github.com/belfry-news/belfry/internal/direct"
	"github.com/belfry-news/belfry/internal/i18n"
	"github.com/belfry-news/belfry/internal/policy"
	"github.com/belfry-news/belfry/internal/store"
	"github.com/belfry-news/belfry/sdk"
)

// letters make messages ready: what the policy has to know of them, and their texts.
type letters struct {
	a *App

	mu     sync.Mutex
	common map[string]*sdk.Common
	order  []string
	// digests are the posts that the digests of a stream choose from.
	digests map[int64]choice
	// shown are posts as the last look at them found them, by their number: Facts reads them for each window, and Text, which
	// follows for each message of the window, does not once more.
	shown map[int64]shownPost
	// zone is that of the site, in the configuration it was read from.
	zone   *time.Location
	zoneOf *configs.Loaded
}

// shownPost is a post, and when it was read.
type shownPost struct {
	store.MessagePost
	at time.Time
}

// sameWindow is how long a post that was read is good for: a window begins with a look.
const sameWindow = time.Second

// choice is what the digests of a stream choose from.
type choice struct {
	at    time.Time
	posts []store.MessagePost
}

// mostCommon bounds how many texts are kept ready.
const mostCommon = 256

func newLetters(a *App) *letters {
	return &letters{a: a, common: map[string]*sdk.Common{}, digests: map[int64]choice{}, shown: map[int64]shownPost{}}
}

var _ direct.Writer = (*letters)(nil)

// Zone implements direct.Writer.
func (w *letters) Zone() *time.Location {
	l := w.a.Config()
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.zoneOf != l {
		w.zoneOf, w.zone = l, l.Zone()
	}
	return w.zone
}

// Sunset implements direct.Writer.
func (w *letters) Sunset() (ask, pause time.Duration) {
	p := w.a.Config().Privacy
	return p.AskAfter.Std(), p.PauseAfter.Std()
}

// entry is how a channel writes to people by a destination; false when it does not any more.
func entry(l *configs.Loaded, p consent.Purpose, destination string) (configs.Messages, bool) {
	if p.Kind != consent.Channel {
		return configs.Messages{}, false
	}
	messages := l.Channels[p.Name].Messages
	i := slices.IndexFunc(messages, func(m configs.Messages) bool { return m.Destination == destination })
	if i < 0 {
		return configs.Messages{}, false
	}
	return messages[i], true
}

// Facts implements direct.Writer.
func (w *letters) Facts(ctx context.Context, s consent.Stream, now time.Time) (policy.Facts, func(*consent.Candidate) []int64, error) {
	l := w.a.Config()
	f := policy.Facts{Kind: policy.Kind(s.Kind), Purpose: s.Purpose, Medium: s.Medium, Content: policy.Content{Expires: s.Expires, Urgent: s.Urgent}}
	if s.Purpose.Name == "" {
		return f, nil, nil // a fixed text
	}
	rules := l.Medium(s.Medium)
	f.Rules = policy.Rules{OwnChoice: rules.OwnChoice, TheyBegin: rules.TheyBegin, ReplyWindow: rules.ReplyWindow, Template: rules.Templates, Quiet: l.LegalHours(s.Medium)}
	f.Brake.First = l.NewAudience.First
	if s.Kind == consent.StreamNotice {
		return w.noticeFacts(ctx, l, s, f, now)
	}
	m, writes := entry(l, s.Purpose, s.Destination)
	if !writes {
		f.Content.Withdrawn = true // the channel writes to nobody any more
		return f, nil, nil
	}
	f.Caps = policy.Caps{PerDay: m.PerDay, PerWeek: m.PerWeek, Gap: m.Gap.Std()}
	program := w.a.engine.Program()
	if s.Kind == consent.StreamDigest {
		posts, err := w.choices(ctx, program, s, now)
		return f, func(c *consent.Candidate) []int64 { return pick(posts, c, s) }, err
	}
	p, err := w.look(ctx, s.Post, now)
	if err != nil {
		return f, nil, err
	}
	f.Content.Topics, f.Content.Language, f.Content.Urgent = p.Content.Tags, p.Content.Lang, p.Urgent
	f.Content.Withdrawn = p.Status != string(compose.PostLive) || p.Content.Withdrawn
	if _, drop, silenced := program.Silenced(p.Channel, p.Content, now); silenced {
		f.Pauses.Channel.On = true
		f.Content.Withdrawn = f.Content.Withdrawn || drop
	}
	return f, nil, nil
}

// look reads a post for a window of messages.
func (w *letters) look(ctx context.Context, id int64, now time.Time) (store.MessagePost, error) {
	p, err := w.a.db.MessagePost(ctx, id)
	if err != nil {
		return p, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.shown) > 64 {
		clear(w.shown)
	}
	w.shown[id] = shownPost{p, now}
	return p, nil
}

// last gives a post as its window's look found it.
func (w *letters) last(ctx context.Context, id int64) (store.MessagePost, error) {
	now := time.Now()
	w.mu.Lock()
	p, known := w.shown[id]
	w.mu.Unlock()
	if age := now.Sub(p.at); known && age >= 0 && age < sameWindow {
		return p.MessagePost, nil
	}
	return w.look(ctx, id, now)
}

// noticeFacts are what the policy has to know of a notice.
func (w *letters) noticeFacts(ctx context.Context, l *configs.Loaded, s consent.Stream, f policy.Facts, now time.Time) (policy.Facts, func(*consent.Candidate) []int64, error) {
	n, sent := l.Notices[s.Purpose.Name]
	if !sent {
		f.Content.Withdrawn = true // such notices are sent no more
		return f, nil, nil
	}
	f.Caps = policy.Caps{PerDay: n.PerDay, PerWeek: n.PerWeek}
	others, released, err := w.a.db.SameNotices(ctx, s.Notice, now.Add(-l.BulkGuard.Window.Std()))
	f.Guard = policy.Guard{Others: others, Limit: l.BulkGuard.SameBody, Released: released}
	if err == nil && f.Guard.Holds() {
		err = w.a.db.Raise(ctx, alert.Alert{Code: alert.MessagesHeld, Subject: s.Purpose.String(),
			Sentence: fmt.Sprintf("the same notice of %s would go to more than %d people, so it waits for a person: what is for everybody belongs into a channel", s.Purpose.Name, l.BulkGuard.SameBody),
			Mend:     "look at them, and let them go or not: belfry message held"}, now)
	}
	return f, nil, err
}

// choices are the posts of the days before a slot, and older ones that wait for somebody's digest, which no blackout silences.
func (w *letters) choices(ctx context.Context, program *compose.Program, s consent.Stream, now time.Time) ([]store.MessagePost, error) {
	w.mu.Lock()
	known, ok := w.digests[s.ID]
	w.mu.Unlock()
	if ok && now.Sub(known.at) < time.Second && !now.Before(known.at) {
		return known.posts, nil
	}
	posts, err := w.a.db.MessagePosts(ctx, s.Purpose.Name, s.SlotAt.Add(-8*24*time.Hour), s.SlotAt)
	if err != nil {
		return nil, err
	}
	posts = slices.DeleteFunc(posts, func(p store.MessagePost) bool {
		_, _, silenced := program.Silenced(p.Channel, p.Content, now)
		return silenced || p.Content.Withdrawn
	})
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.digests) > 64 {
		clear(w.digests)
	}
	w.digests[s.ID] = choice{now, posts}
	return posts, nil
}

// pick chooses what a person's digest is made of: what was shown since their last one, fits their choices and did not reach
// them as urgent, and what was kept for them.
func pick(posts []store.MessagePost, c *consent.Candidate, s consent.Stream) (out []int64) {
	var wants consent.Preferences
	if c.Grant != nil {
		wants = c.Grant.Preferences
	}
	for _, p := range posts {
		fresh := wants.Mode == consent.Digest && p.Published.After(c.Covered) && !p.Published.After(s.SlotAt) && chosen(wants, p) && !slices.Contains(c.Had, p.ID)
		if fresh || slices.Contains(c.Folded, p.ID) {
			out = append(out, p.ID)
		}
	}
	return out
}

// chosen reports whether a person's topics and languages select a post.
func chosen(wants consent.Preferences, p store.MessagePost) bool {
	if len(wants.Topics) > 0 && !slices.ContainsFunc(wants.Topics, func(t string) bool {
		return slices.ContainsFunc(p.Content.Tags, func(tag string) bool { return strings.EqualFold(t, tag) })
	}) {
		return false
	}
	main := func(tag string) string { m, _, _ := strings.Cut(strings.ToLower(tag), "-"); return m }
	return len(wants.Languages) == 0 || p.Content.Lang == "" || slices.ContainsFunc(wants.Languages, func(t string) bool { return main(t) == main(p.Content.Lang) })
}

// Text implements direct.Writer.
func (w *letters) Text(ctx context.Context, m consent.Start) (direct.Text, error) {
	l := w.a.Config()
	base := strings.TrimSuffix(l.Site.URL, "/")
	lang := i18n.For(speaks(m.Habits, l.Site.Lang)).Lang()
	out := direct.Text{Slots: map[string]string{}}
	if m.Leave != "" {
		out.Slots[sdk.SlotUnsubscribe] = base + "/leave/" + m.Leave
		out.Slots[sdk.SlotPreferences] = base + "/me/" + m.Link
		out.Slots[sdk.SlotWhy] = base + "/me/" + m.Link + "/why"
		if m.Grant != nil {
			out.Slots["since"] = i18n.For(lang).Date(m.Grant.Since.In(w.Zone()))
		}
	}
	var err error
	switch m.Stream.Kind {
	case consent.StreamConfirm:
		err = w.confirmation(l, m, &out)
	case consent.StreamAnswer:
		err = w.answer(m, &out)
	case consent.StreamDigest:
		out.Common, err = w.digest(ctx, l, m, lang)
	case consent.StreamNotice:
		err = w.notice(l, m, lang, &out)
	case consent.StreamCorrection:
		out.Common, err = w.correction(ctx, l, m, lang)
	case consent.StreamPost:
		out.Common, out.Revision, err = w.post(ctx, l, m, lang)
	default:
		err = fmt.Errorf("messages of the kind %s cannot be written", m.Stream.Kind)
	}
	return out, err
}

// kept gives a text that was made before, or makes it.
func (w *letters) kept(id string, create func() (*sdk.Common, error)) (*sdk.Common, error) {
	w.mu.Lock()
	c, ok := w.common[id]
	w.mu.Unlock()
	if ok {
		return c, nil
	}
	c, err := create()
	if err != nil {
		return nil, err
	}
	c.ID = id
	w.mu.Lock()
	defer w.mu.Unlock()
	if first, twice := w.common[id]; twice {
		return first, nil // messages that share a text hold the same pointer
	}
	if len(w.order) == mostCommon {
		delete(w.common, w.order[0])
		w.order = append(w.order[:0], w.order[1:]...)
	}
	w.common[id] = c
	w.order = append(w.order, id)
	return c, nil
}

// asks reports whether a message asks if its reader still reads.
func asks(m consent.Start) bool { return !m.LastSign.IsZero() }

// frame is what stands around every message of a channel.
func (w *letters) frame(l *configs.Loaded, m consent.Start, lang string) *sdk.Common {
	s := m.Stream
	ch, words := l.Channels[s.Purpose.Name], i18n.For(lang)
	c := &sdk.Common{Kind: sdk.CommonKind(s.Kind), Lang: lang, Sender: l.Privacy.Controller,
		List:   sdk.List{ID: s.Purpose.Name, Title: ch.Title.In(lang)},
		Reason: words.Text("message.reason", "channel", ch.Title.In(lang), "since", sdk.Slot("since")),
		Links:  []sdk.CommonLink{{Text: words.Text("message.why"), Slot: sdk.SlotWhy}, {Text: words.Text("message.preferences"), Slot: sdk.SlotPreferences}, {Text: words.Text("message.leave"), Slot: sdk.SlotUnsubscribe}}}
	if asks(m) {
		c.Links = append([]sdk.CommonLink{{Text: words.Text("message.still"), Slot: sdk.SlotPreferences}}, c.Links...)
	}
	return c
}

// post makes the text of a post in its newest revision, and says which that is.
func (w *letters) post(ctx context.Context, l *configs.Loaded, m consent.Start, lang string) (*sdk.Common, int, error) {
	p, err := w.last(ctx, m.Stream.Post)
	if err != nil {
		return nil, 0, err
	}
	id := fmt.Sprintf("%s.%d.%s.%s.%d.%t", p.PublicID, p.Number, m.Stream.Destination, lang, w.a.generation, asks(m))
	c, err := w.kept(id, func() (*sdk.Common, error) {
		files, err := w.a.db.Files(ctx, p.Content.Images())
		if err != nil {
			return nil, err
		}
		post, err := w.a.engine.Program().Message(p.Revision, m.Stream.Destination, files)
		if err != nil {
			return nil, err
		}
		c := w.frame(l, m, lang)
		c.Subject, c.Body, c.Permalink, c.Media = oneLine(post.Title), post.Body, post.Permalink, post.Media
		if c.Subject == "" {
			c.Subject = c.List.Title
		}
		return c, nil
	})
	return c, p.Number, err
}

// digest makes the text of a person's own digest, of the posts' newest revisions. People who chose alike share one.
func (w *letters) digest(ctx context.Context, l *configs.Loaded, m consent.Start, lang string) (*sdk.Common, error) {
	var posts []compose.Revision
	var shown []string
	for _, id := range m.Folded {
		p, err := w.last(ctx, id)
		if errors.Is(err, store.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if p.Status == string(compose.PostLive) {
			posts, shown = append(posts, p.Revision), append(shown, fmt.Sprintf("%d.%d", id, p.Number))
		}
	}
	id := fmt.Sprintf("d%d.%s.%s.%d.%t", m.Stream.ID, strings.Join(shown, "-"), lang, w.a.generation, asks(m))
	return w.kept(id, func() (*sdk.Common, error) {
		content, post, err := w.a.engine.Program().PersonalDigest(m.Stream.Purpose.Name, posts, m.Stream.SlotAt)
		if err != nil {
			return nil, err
		}
		c := w.frame(l, m, lang)
		c.Subject, c.Body = oneLine(content.Title), append(notes(posts, lang), post.Body...)
		return c, nil
	})
}

// notes say what was wrong with posts of a digest, whatever its template shows of them.
func notes(posts []compose.Revision, lang string) (out sdk.Body) {
	for _, p := range posts {
		if p.Content.Note == "" {
			continue
		}
		line := []sdk.Node{sdk.Strong(sdk.Text(i18n.For(lang).Text("post.correction"))), sdk.Text(" " + oneLine(p.Content.Note))}
		if title := oneLine(p.Content.Title); title != "" {
			line = append(line, sdk.Text(" ("+title+")"))
		}
		out = append(out, sdk.Paragraph(line...))
	}
	return out
}

// correction says what was wrong with something that was sent, or that it was taken back.
func (w *letters) correction(ctx context.Context, l *configs.Loaded, m consent.Start, lang string) (*sdk.Common, error) {
	p, err := w.last(ctx, m.Stream.Post)
	if err != nil {
		return nil, err
	}
	id := fmt.Sprintf("c%s.%d.%s.%s.%d.%t", p.PublicID, p.Number, m.Stream.Destination, lang, w.a.generation, asks(m))
	return w.kept(id, func() (*sdk.Common, error) {
		post, err := w.a.engine.Program().Message(p.Revision, m.Stream.Destination, nil)
		if err != nil {
			return nil, err
		}
		c, words := w.frame(l, m, lang), i18n.For(lang)
		c.Permalink = post.Permalink
		if p.Status != string(compose.PostLive) || p.Content.Withdrawn {
			c.Subject = oneLine(words.Text("message.withdrawn.subject", "channel", c.List.Title))
			c.Body = sdk.Body{sdk.Paragraph(sdk.Text(words.Text("message.withdrawn.text", "channel", c.List.Title, "date", words.Date(p.Published.In(w.Zone())))))}
			return c, nil
		}
		c.Subject = oneLine(words.Text("message.correction.subject", "title", post.Title))
		c.Body = append(sdk.Body{sdk.Paragraph(sdk.Strong(sdk.Text(words.Text("post.correction"))), sdk.Text(" "+p.Content.Note))}, post.Body...)
		return c, nil
	})
}

// notice makes the text of a notice. Its slots are filled here, and what they hold is plain text.
func (w *letters) notice(l *configs.Loaded, m consent.Start, lang string, out *direct.Text) error {
	var n consent.NoticeText
	if err := json.Unmarshal(m.Text, &n); err != nil {
		return err
	}
	fill := func(text string) string {
		for name, value := range n.Slots {
			text = strings.ReplaceAll(text, "{{"+name+"}}", value)
		}
		return text
	}
	c := w.frame(l, m, lang)
	title := l.Notices[m.Stream.Purpose.Name].Title.In(lang)
	c.ID, c.List.Title, c.Subject = "n"+m.ID, title, oneLine(fill(n.Title))
	c.Reason = i18n.For(lang).Text("message.reason", "channel", title, "since", sdk.Slot("since"))
	if c.Subject == "" {
		c.Subject = title
	}
	for line := range strings.SplitSeq(fill(n.Text), "\n\n") {
		if line = strings.TrimSpace(line); line != "" {
			c.Body = append(c.Body, sdk.Paragraph(sdk.Text(line)))
		}
	}
	if n.URL != "" {
		c.Body = append(c.Body, sdk.Paragraph(sdk.Link(n.URL, sdk.Text(n.URL))))
	}
	out.Common = c
	return nil
}

// confirmation makes the text that asks for a confirmation.
func (w *letters) confirmation(l *configs.Loaded, m consent.Start, out *direct.Text) error {
	var asked consent.Confirmation
	if err := json.Unmarshal(m.Text, &asked); err != nil {
		return err
	}
	lang := i18n.For(asked.Lang).Lang()
	if asked.Lang == "" {
		lang = i18n.For(l.Site.Lang).Lang()
	}
	words := i18n.For(lang)
	var titles, quoted []string
	for _, p := range asked.Purposes {
		title := l.Channels[p.Name].Title
		if p.Kind == consent.Notice {
			title = l.Notices[p.Name].Title
		}
		titles = append(titles, title.In(lang))
		quoted = append(quoted, words.Text("people.quoted", "title", title.In(lang)))
	}
	what := strings.Join(titles, ", ")
	if asked.Moved {
		return w.moved(l, words, out)
	}
	subject, text := words.Text("message.confirm.subject", "channel", what), words.Text("message.confirm.text", "channel", words.List(quoted), "site", l.Site.Title)
	if asked.Change {
		what = "change"
		subject, text = words.Text("message.change.subject"), words.Text("message.change.text", "site", l.Site.Title)
	}
	out.Slots[sdk.SlotConfirm] = strings.TrimSuffix(l.Site.URL, "/") + "/confirm/" + asked.Token
	var err error
	out.Common, err = w.kept(strings.Join([]string{"confirm", what, fmt.Sprint(asked.Change), lang, fmt.Sprint(w.a.generation)}, "."), func() (*sdk.Common, error) {
		return &sdk.Common{Kind: sdk.CommonConfirm, Lang: lang, Sender: l.Privacy.Controller, Subject: oneLine(subject),
			Body: sdk.Body{sdk.Paragraph(sdk.Text(text)),
				sdk.Paragraph(sdk.Text(words.Text("message.confirm.ignore")))},
			Links: []sdk.CommonLink{{Text: words.Text("message.confirm.open"), Slot: sdk.SlotConfirm}}}, nil
	})
	return err
}

// moved makes the text that tells an address that it is written to no more. It has no link that is anybody's own: whoever reads
// there may not be who moved.
func (w *letters) moved(l *configs.Loaded, words *i18n.Catalogue, out *direct.Text) error {
	const home = "home"
	out.Slots[home] = strings.TrimSuffix(l.Site.URL, "/") + "/"
	var err error
	out.Common, err = w.kept(strings.Join([]string{"moved", words.Lang(), fmt.Sprint(w.a.generation)}, "."), func() (*sdk.Common, error) {
		return &sdk.Common{Kind: sdk.CommonConfirm, Lang: words.Lang(), Sender: l.Privacy.Controller, Subject: oneLine(words.Text("message.moved.subject", "site", l.Site.Title)),
			Body:  sdk.Body{sdk.Paragraph(sdk.Text(words.Text("message.moved.text"))), sdk.Paragraph(sdk.Text(words.Text("message.moved.not")))},
			Links: []sdk.CommonLink{{Text: words.Text("message.moved.open"), Slot: home}}}, nil
	})
	return err
}

// answer makes the text of the one answer to what somebody wrote.
func (w *letters) answer(m consent.Start, out *direct.Text) error {
	var a sdk.MessageContent
	if err := json.Unmarshal(m.Text, &a); err != nil { //nolint:musttag // written by the same type, and kept for seconds
		return err
	}
	out.Common = a.Common
	if out.Common != nil {
		out.Common.ID = "answer." + m.ID
	}
	maps.Copy(out.Slots, a.Slots)
	out.Buttons, out.ReplyTo = a.Buttons, a.ReplyTo
	return nil
}

// oneLine makes one line of a title.
func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
