package app

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/belfry-news/belfry/configs"
	"github.com/belfry-news/belfry/internal/alert"
	"github.com/belfry-news/belfry/internal/bot"
	"github.com/belfry-news/belfry/internal/bot/newsroom"
	"github.com/belfry-news/belfry/internal/consent"
	"github.com/belfry-news/belfry/internal/desk"
	"github.com/belfry-news/belfry/internal/i18n"
	"github.com/belfry-news/belfry/sdk"
)

// answerFor is how long an answer to what somebody wrote makes sense.
const answerFor = 15 * time.Minute

// inbox takes in what comes back by the destinations that write to people, and has it worked on.
type inbox struct {
	a     *App
	in    *consent.Inbox
	came  chan struct{}
	bot   func() *bot.Bot
	sleep func(ctx context.Context, d time.Duration)
	// failing are the events that could not be worked on, with the time of the first failure; the worker's own.
	failing sync.Map
	// mu guards what follows. ears are by destination; closed says that there will be no more.
	mu     sync.Mutex
	ears   map[string]*ear
	closed bool
	// calls counts the calls of platforms that a plugin looks at, by destination. They have a lock of their own, which nobody holds
	// while they wait.
	callsMu sync.Mutex
	calls   map[string]int
}

// startInbox begins to work on what came back. Listening begins with serveWriters.
func (a *App) startInbox() {
	in := a.people.Inbox(a.db)
	x := &inbox{a: a, in: in, came: make(chan struct{}, 1), ears: map[string]*ear{}, calls: map[string]int{}, sleep: func(ctx context.Context, d time.Duration) { _ = rest(ctx, d) }}
	x.bot = func() *bot.Bot { return a.newBot(a.Config(), in) }
	a.inbox = x
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); x.work(ctx) }()
	a.onStop("inbox", func(end context.Context) error {
		x.hush(end)
		stop()
		select {
		case <-done:
			return nil
		case <-end.Done():
			return context.Cause(end)
		}
	})
}

// newBot makes the bot of a configuration.
func (a *App) newBot(l *configs.Loaded, in *consent.Inbox) *bot.Bot {
	base := strings.TrimSuffix(l.Site.URL, "/")
	o := bot.Settings{People: a.people, Memory: in, Site: l.Site.Title, Lang: l.Site.Lang, Zone: l.Zone(), Privacy: l.Privacy.Policy, Log: a.log,
		Forwards: l.Replies.Forward.Destination != "", Page: func(path string) string {
			if base == "" {
				return ""
			}
			return base + path
		}}
	o.Buttonless = func(medium string) bool {
		_, foreign := l.Plugin(medium)
		return foreign && !slices.Contains(l.Medium(medium).Hears, sdk.EventButton)
	}
	o.Teller = func(medium string) string {
		if p, foreign := l.Plugin(medium); foreign && p.Trusted != nil {
			return "the plugin " + p.Trusted.Name
		}
		return ""
	}
	for _, name := range slices.Sorted(maps.Keys(l.Staff)) {
		s := l.Staff[name]
		o.Staff = append(o.Staff, bot.Staff{Handle: sdk.Handle{Medium: s.Medium, Value: s.Handle}, Name: name, May: s.May})
	}
	if len(o.Staff) > 0 {
		o.Newsroom = newsroom.New(func(actor string) *desk.Desk {
			return &desk.Desk{Config: l, Store: a.db, Dir: DataDir(l), Now: time.Now(), Actor: actor, UserAgent: a.opener.UserAgent}
		})
	}
	return bot.New(o)
}

// forward shows somebody of the newsroom what a person wrote. Who wrote it is named as commands name people, not by address.
func (x *inbox) forward(ctx context.Context, w consent.Waiting, why bot.Forward) error {
	l := x.a.Config()
	to := l.Replies.Forward
	i, done, ok := x.a.destinations.acquire(to.Destination)
	if to.Destination == "" || !ok {
		return nil
	}
	defer done()
	reader, known, err := x.a.people.ReaderOf(ctx, w.Event.From)
	if err != nil {
		return err
	}
	who := "somebody who follows nothing"
	if known {
		who = "reader " + reader.Ref
	}
	note := ""
	if why == bot.ForwardMaybeStop {
		note = fmt.Sprintf("It may mean that they want no more. Their messages are paused for %d days and then go on by themselves. If that is what "+
			"they want: belfry subscriber withdraw %s --reason \"wrote that they want no more\"", int(bot.MaybeFor.Hours()/24), reader.Ref)
	}
	ctx, cancel := context.WithTimeout(ctx, alert.Deadline)
	defer cancel()
	title := fmt.Sprintf("%s wrote by %s", who, w.Event.From.Medium)
	body := sdk.Body{sdk.Paragraph(sdk.Strong(sdk.Text(title))), sdk.Paragraph(sdk.Text(w.Event.Text))}
	if note != "" {
		body = append(body, sdk.Paragraph(sdk.Text(note)))
	}
	return alert.Say(ctx, i.conn, to.Chat, sdk.Post{ID: "reply-" + w.Connection + "-" + w.Event.ID, Revision: 1, Channel: "replies", ChannelTitle: "Replies", Lang: "en", Title: title,
		Summary: w.Event.Text, Body: body, Content: body, Published: w.Event.At, Updated: w.Event.At, State: sdk.PostLive, Overflow: sdk.OverflowCut})
}

// hearable is a connection that can be listened on. foreign says that a third party's program tells what is heard.
type hearable struct {
	conn    sdk.Connector
	foreign bool
}

// ear is a goroutine that listens on one connection.
type ear struct {
	conn sdk.Connector
	stop context.CancelFunc
	done chan struct{}
}

// listenTo listens on exactly these connections from now on. Those that cannot be listened on are left alone.
func (x *inbox) listenTo(ctx context.Context, all map[string]hearable) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.end(ctx, func(name string, e *ear) bool { return all[name].conn != e.conn })
	for name, c := range all {
		x.begin(name, c)
	}
}

// listenAlso listens on a connection that was opened late.
func (x *inbox) listenAlso(name string, c sdk.Connector) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.begin(name, hearable{c, true})
}

// hush listens on nothing from now on.
func (x *inbox) hush(ctx context.Context) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.closed = true
	x.end(ctx, func(string, *ear) bool { return true })
}

// begin listens on a connection, unless it is listened on. The lock is held.
func (x *inbox) begin(name string, c hearable) {
	l, can := sdk.As[sdk.Listener](c.conn)
	if x.ears[name] != nil || !can || x.closed {
		return
	}
	life, stop := context.WithCancel(context.Background())
	e := &ear{conn: c.conn, stop: stop, done: make(chan struct{})}
	x.ears[name] = e
	go func() { defer close(e.done); x.listen(life, name, l, c.foreign) }()
}

// end stops listening on some connections, and waits for all of them within ctx. The lock is held.
func (x *inbox) end(ctx context.Context, which func(name string, e *ear) bool) {
	var ending []*ear
	for name, e := range x.ears {
		if which(name, e) {
			e.stop()
			ending = append(ending, e)
			delete(x.ears, name)
		}
	}
	for _, e := range ending {
		select {
		case <-e.done:
		case <-ctx.Done():
		}
	}
}

// listen keeps what a connector hears, as long as ctx lasts. The cursor is kept with the events behind which it stands.
func (x *inbox) listen(ctx context.Context, name string, l sdk.Listener, foreign bool) {
	x.offerCommands(ctx, name, l)
	failures := 0
	for ctx.Err() == nil {
		heard, err := x.hear(ctx, name, l, foreign)
		if ctx.Err() != nil {
			return
		}
		if heard {
			failures = 0
		}
		failures++
		e := sdk.AsError(err)
		if e.Code == sdk.CodeUnsupported {
			x.a.log.Debug("nothing is listened for at a destination, as it is configured", "destination", name)
			return
		}
		x.a.log.Warn("nothing can be heard from a destination", "destination", name, "code", e.Code, "err", err)
		if failures == 3 {
			if rerr := x.a.db.Raise(ctx, alert.Alert{Code: alert.DestinationDown, Subject: name + " (inbox)",
				Sentence: fmt.Sprintf("destination %s: what people write to it does not arrive: %s", name, publicOf(e)), Mend: "mend that, then: belfry destination check " + name}, time.Now()); rerr != nil {
				x.a.log.Error("an alert cannot be kept", "err", rerr)
			}
		}
		x.sleep(ctx, max(e.RetryAfter, min(time.Second<<min(failures, 6), time.Minute)))
	}
}

// offerCommands shows people what they can write, where the platform has a menu for it.
func (x *inbox) offerCommands(ctx context.Context, name string, c sdk.Connector) {
	menu, can := sdk.As[sdk.CommandMenu](c)
	if !can {
		return
	}
	site := x.a.Config().Site.Lang
	for _, lang := range append([]string{""}, i18n.Languages()...) {
		call, cancel := context.WithTimeout(ctx, alert.Deadline)
		err := menu.OfferCommands(call, lang, bot.Menu(cmp.Or(lang, site)))
		cancel()
		if err != nil {
			if ctx.Err() == nil {
				x.a.log.Warn("the menu of commands cannot be shown", "destination", name, "err", err)
			}
			return // it is a convenience; /help says the same
		}
	}
}

func publicOf(e *sdk.Error) string {
	if e.Public != "" {
		return e.Public
	}
	return string(e.Code)
}

func (x *inbox) hear(ctx context.Context, name string, l sdk.Listener, foreign bool) (heard bool, err error) {
	from, err := x.in.Cursor(ctx, name)
	if err != nil {
		return false, err
	}
	events, err := l.Listen(ctx, from)
	if err != nil {
		return false, err
	}
	defer func() { _ = events.Close() }()
	for {
		if foreign && !x.room(ctx, name) {
			return heard, ctx.Err()
		}
		e, cursor, err := events.Next(ctx)
		if err != nil {
			return heard, err
		}
		if err := x.in.Receive(ctx, name, []sdk.InboxEvent{e}, cursor); err != nil {
			return heard, err
		}
		if !heard {
			heard = true
			if err := x.a.db.ResolveAlerts(ctx, []alert.Key{{Code: alert.DestinationDown, Subject: name + " (inbox)"}}, time.Now()); err != nil {
				return heard, err
			}
		}
		select {
		case x.came <- struct{}{}:
		default:
		}
	}
}

// work works on what was kept, in the order in which it came.
func (x *inbox) work(ctx context.Context) {
	t := time.NewTicker(time.Second)
	defer t.Stop()
	suspects := map[string]bool{}
	for {
		for more := true; more && ctx.Err() == nil; {
			list, err := x.in.Waiting(ctx)
			if err != nil {
				x.a.log.Error("the inbox cannot be read", "err", err)
			}
			more = x.workOn(ctx, list)
			for _, w := range list {
				if w.Event.Kind == sdk.EventBounce || w.Event.Kind == sdk.EventComplaint {
					suspects[w.Connection] = true
				}
			}
			x.judgeAll(ctx, suspects)
		}
		select {
		case <-ctx.Done():
			return
		case <-x.came:
		case <-t.C:
		}
	}
}

// atOnce bounds how many people's events are worked on at the same time: one who leaves may be waited for.
const atOnce = 16

// workOn works on events, those of one person one after the other, and says whether all went well.
func (x *inbox) workOn(ctx context.Context, list []consent.Waiting) bool {
	b := x.bot()
	byPerson, order := map[sdk.Handle][]consent.Waiting{}, []sdk.Handle{}
	for _, w := range list {
		from := w.Event.From
		if from.Value == "" {
			from.Value = w.Event.Ref
		}
		if len(byPerson[from]) == 0 {
			order = append(order, from)
		}
		byPerson[from] = append(byPerson[from], w)
	}
	var failed atomic.Bool
	var group errgroup.Group
	group.SetLimit(atOnce)
	for _, from := range order {
		group.Go(func() error {
			for _, w := range byPerson[from] {
				outcome, person, err := x.handle(ctx, b, w)
				if err == nil {
					err = x.in.End(ctx, w, outcome, person)
				}
				if err != nil {
					if ctx.Err() == nil {
						x.a.log.Error("an event cannot be worked on", "destination", w.Connection, "kind", w.Event.Kind, "event", w.Event.ID, "err", err)
					}
					failed.Store(true)
					return nil // it is worked on again, before what came after it from the same person
				}
			}
			return nil
		})
	}
	_ = group.Wait() // none of them gives an error
	return len(list) > 0 && !failed.Load()
}

// longestTrouble is how long an event is tried again before it is left for a person.
const longestTrouble = time.Hour

// handle works on one event and says how it ended.
func (x *inbox) handle(ctx context.Context, b *bot.Bot, w consent.Waiting) (outcome string, person consent.PersonID, err error) {
	defer func() {
		if p := recover(); p != nil {
			outcome, err = "failed", nil // working on it again would fail again
			x.a.log.Error("an event made the bot fail", "destination", w.Connection, "event", w.Event.ID, "panic", p)
		}
	}()
	answered := w.Event.Kind == sdk.EventMessage || w.Event.Kind == sdk.EventButton || w.Event.Kind == sdk.EventStop
	if answered && w.Event.From.Value != "" && x.a.people.CheckAddress(w.Event.From) != nil {
		return "no_way_back", 0, nil // the name of a service, say: nobody has ever followed by it
	}
	switch w.Event.Kind {
	case sdk.EventBounce, sdk.EventComplaint:
		outcome, person, err = x.in.Bounce(ctx, w)
	case sdk.EventMessage, sdk.EventButton, sdk.EventStop:
		outcome = "answered"
		var r bot.Reply
		if r, err = b.Handle(ctx, w.Event); err != nil {
			break
		}
		if w.Event.Kind != sdk.EventStop {
			if err = x.in.Heard(ctx, w.Event.From, w.Event.At); err != nil {
				break
			}
		}
		if r.Forward != "" {
			if ferr := x.forward(ctx, w, r.Forward); ferr != nil {
				x.a.log.Error("what a person wrote cannot be forwarded", "destination", x.a.Config().Replies.Forward.Destination, "err", ferr)
			}
		}
		if r.Answer == nil {
			outcome = "heard"
			break
		}
		var text []byte
		if text, err = json.Marshal(r.Answer); err == nil { //nolint:musttag // kept sealed for seconds, and read back by the same type
			err = x.a.people.Answer(ctx, w.Event.From, text, time.Now().Add(answerFor))
		}
		if errors.Is(err, consent.ErrNotFound) {
			outcome, err = "no_way_back", nil
		}
	default:
		outcome = "kept"
	}
	if err != nil && x.troubled(w) > longestTrouble && ctx.Err() == nil {
		x.a.log.Error("an event is given up", "destination", w.Connection, "event", w.Event.ID, "err", err)
		outcome, err = "failed", nil
	}
	if err == nil {
		x.failing.Delete([2]string{w.Connection, w.Event.ID})
	}
	return outcome, person, err
}

// troubled is for how long an event could not be worked on. One that is old because nobody listened meanwhile has no less time: it may
// say that somebody leaves.
func (x *inbox) troubled(w consent.Waiting) time.Duration {
	first, _ := x.failing.LoadOrStore([2]string{w.Connection, w.Event.ID}, time.Now())
	at, _ := first.(time.Time)
	return time.Since(at)
}

// judgeAll judges destinations, once what came back is counted, and takes those out of the set of which nothing is left to say.
func (x *inbox) judgeAll(ctx context.Context, destinations map[string]bool) {
	for name := range destinations {
		err := x.judge(ctx, name)
		if err == nil {
			delete(destinations, name)
		} else if ctx.Err() == nil {
			x.a.log.Error("what came back to a destination cannot be counted", "destination", name, "err", err)
		}
	}
}

// judge pauses a destination whose bounces or complaints near what providers allow.
func (x *inbox) judge(ctx context.Context, destination string) error {
	why, err := x.in.TooMany(ctx, destination)
	if err != nil || why == "" {
		return err
	}
	paused, err := x.a.db.Pauses(ctx)
	if err != nil {
		return err
	}
	for _, p := range paused {
		if p.Scope == "destination" && p.Name == destination {
			return nil
		}
	}
	if _, err := x.a.db.Pause(ctx, "destination", destination, "belfry", time.Now()); err != nil {
		return err
	}
	return x.a.db.Raise(ctx, alert.Alert{Code: alert.MessagesHeld, Subject: destination,
		Sentence: fmt.Sprintf("destination %s has paused itself: %s, and providers refuse everything when that goes on", destination, why),
		Mend:     "find out what was sent to whom, then: belfry resume destination " + destination}, time.Now())
}
