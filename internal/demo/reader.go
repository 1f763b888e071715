package demo

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/belfry-news/belfry/internal/visitor"
)

// browser is with what readers ask the demonstration's own pages, and nothing else.
type browser struct {
	*visitor.Visitor
	base string
}

func newBrowser(base string) *browser { return &browser{visitor.New(20 * time.Second), base} }

// errAway says that a page did not answer as it should; the power may be out.
var errAway = errors.New("demo: the page does not answer as it should")

// ask does one request to a path, with a form when there is one.
func (b *browser) ask(ctx context.Context, path string, form url.Values) (status int, body string, err error) {
	return b.Ask(ctx, b.base+path, form)
}

// OneClick leaves as a mail program's button does: one POST, by the mail's own word, to an address of the demonstration.
func (b *browser) OneClick(ctx context.Context, m Mail) (c Click, err error) {
	path, ours := strings.CutPrefix(m.Unsubscribe, b.base)
	if !m.OneClick || !ours || !strings.HasPrefix(path, "/leave/") {
		return Click{}, errNothingToDo
	}
	began := time.Now()
	c.Status, _, err = b.ask(ctx, path, url.Values{"List-Unsubscribe": {"One-Click"}})
	c.At, c.Took = time.Now(), time.Since(began)
	return c, err
}

// Journey is what a reader did, and what came of it. A zero time means not yet.
type Journey struct {
	// Asked is when the form was sent, Invited when the mail came that asks for a confirmation, Confirmed when its button
	// had been pressed.
	Asked, Invited, Confirmed time.Time
	// First is when the first message came, and Published when the feed had what it is about; zero when that is not known.
	First, Published time.Time
	// Left is when the one click was acknowledged.
	Left time.Time
	// Record is the path of the reader's own record.
	Record string
}

// reader is somebody made up, who follows an edition once, reads, and leaves.
type reader struct {
	Name, Address, Lang string
	Edition             edition
	d                   *Demo
	begin               sync.Once

	mu      sync.Mutex
	journey Journey
}

// The pace of a reader at the usual speed.
const (
	fillIn = 2500 * time.Millisecond
	look   = 3 * time.Second
	enough = 9 * time.Second
	// hasty is as fast as a form may be filled in without being taken for a program's.
	hasty = 1200 * time.Millisecond
)

// readersOf makes up the reader of each edition. Their addresses can be nobody's (RFC 2606).
func readersOf(d *Demo) map[string]*reader {
	out := map[string]*reader{}
	for lang, e := range d.editions {
		r := &reader{Name: "Nora Quill", Address: "nora.quill@example.invalid", Lang: "en", Edition: e, d: d}
		if lang == "fr" {
			r.Name, r.Address, r.Lang = "Lucie Varenne", "lucie.varenne@example.invalid", "fr"
		}
		out[lang] = r
	}
	return out
}

// Begin lets the reader begin, when somebody looks for the first time.
func (r *reader) Begin() { r.begin.Do(func() { r.d.tasks.Go(func() { r.run(r.d.ctx) }) }) }

// Journey is how far the reader has come.
func (r *reader) Journey() Journey {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.journey
}

func (r *reader) set(change func(j *Journey)) {
	r.mu.Lock()
	change(&r.journey)
	r.mu.Unlock()
	r.d.hub.Changed()
}

// rest waits as long as a person takes, less where articles come faster.
func (r *reader) rest(ctx context.Context, usual, least time.Duration) {
	pause(ctx, max(time.Duration(float64(usual)/max(r.d.o.Speed, 1)), least))
}

// run goes the whole way once. Where the power is away, it waits until it is back.
func (r *reader) run(ctx context.Context) {
	base, box := r.d.base, r.d.mailbox
	r.until(ctx, "follow", func() error { return r.follow(ctx) })
	asked := r.await(ctx, func(m Mail) bool { return m.Path(base, "/confirm/", "") != "" })
	r.set(func(j *Journey) { j.Invited = asked.At })
	r.rest(ctx, look, 0)
	r.until(ctx, "confirm", func() error { return r.confirm(ctx, asked.Path(base, "/confirm/", "")) })
	news := r.await(ctx, func(m Mail) bool { return m.OneClick })
	published := r.d.watch.published(r.Edition.Lang, news.Subject)
	r.set(func(j *Journey) {
		j.First, j.Published, j.Record = news.At, published, news.Path(base, "/me/", "/why")
	})
	r.enjoy(ctx, news)
	r.until(ctx, "leave", func() error {
		// A visitor may have pressed the button already.
		if m, ok := box.Mail(news.ID); ok && m.Click.Done() {
			r.set(func(j *Journey) { j.Left = m.Click.At })
			return nil
		}
		c, err := r.d.browser.OneClick(ctx, news)
		if err != nil || !c.Done() {
			return errors.Join(errAway, err)
		}
		box.clicked(news.ID, c)
		r.set(func(j *Journey) { j.Left = c.At })
		return nil
	})
}

// enjoy waits until the reader has had enough, or somebody has left in their place.
func (r *reader) enjoy(ctx context.Context, news Mail) {
	for i := 0; i < 20 && ctx.Err() == nil; i++ {
		if m, ok := r.d.mailbox.Mail(news.ID); ok && m.Click.Done() {
			return
		}
		r.rest(ctx, enough/20, 0)
	}
}

// follow fills in the form of the channel's page.
func (r *reader) follow(ctx context.Context) error {
	path := "/follow/" + r.Edition.Channel + "?lang=" + r.Lang
	status, page, err := r.d.browser.ask(ctx, path, nil)
	if err != nil || status != http.StatusOK {
		return errors.Join(fmt.Errorf("%w: %s %d", errAway, "/follow", status), err)
	}
	form, err := visitor.Fields(page)
	if err != nil {
		return err
	}
	form.Set("address", r.Address)
	r.rest(ctx, fillIn, hasty)
	at := time.Now()
	if status, _, err = r.d.browser.ask(ctx, path, form); err != nil || status != http.StatusOK {
		return errors.Join(fmt.Errorf("%w: %s %d", errAway, "/follow", status), err)
	}
	r.set(func(j *Journey) { j.Asked = at })
	return nil
}

// confirm presses the button behind a link.
func (r *reader) confirm(ctx context.Context, path string) error {
	status, page, err := r.d.browser.ask(ctx, path, nil)
	if err == nil && status == http.StatusGone {
		return r.confirmed() // the power went right after the button was pressed
	}
	if err != nil || status != http.StatusOK {
		return errors.Join(fmt.Errorf("%w: %s %d", errAway, "/confirm", status), err)
	}
	form, err := visitor.Fields(page)
	if err != nil {
		return err
	}
	form.Set("act", "confirm")
	if status, _, err = r.d.browser.ask(ctx, path, form); err != nil || status != http.StatusOK {
		return errors.Join(fmt.Errorf("%w: %s %d", errAway, "/confirm", status), err)
	}
	return r.confirmed()
}

func (r *reader) confirmed() error {
	r.set(func(j *Journey) { j.Confirmed = time.Now() })
	return nil
}

// mostTries is after how many failures a person is told.
const mostTries = 60

// until tries something until it is done, or the demonstration ends.
func (r *reader) until(ctx context.Context, what string, do func() error) {
	for tries := 1; ctx.Err() == nil; tries++ {
		err := do()
		if err == nil || ctx.Err() != nil {
			return
		}
		if tries == mostTries {
			r.d.trouble(fmt.Sprintf("the made-up reader cannot %s: %s", what, oneLine(err)))
		}
		pause(ctx, 500*time.Millisecond)
	}
}

// await waits for a mail.
func (r *reader) await(ctx context.Context, want func(Mail) bool) Mail {
	for ctx.Err() == nil {
		if m, ok := r.d.mailbox.First(r.Address, want); ok {
			return m
		}
		pause(ctx, 50*time.Millisecond)
	}
	return Mail{}
}
