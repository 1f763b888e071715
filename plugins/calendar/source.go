package calendar

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/belfry-news/belfry/plugins/calendar/internal/ics"
	"github.com/belfry-news/belfry/sdk"
	"github.com/belfry-news/belfry/sdk/fetch"
)

const (
	// fullEvery is how long a calendar may be unchanged until it is read again as a whole: with time, more of it comes within
	// the horizon.
	fullEvery = day
	// longestRefresh bounds how long a calendar's own wish can keep it from being read.
	longestRefresh = 6 * time.Hour
	// longestMove is how far away an event is looked for that was announced and then moved.
	longestMove = 400 * day
)

const acceptCalendar = "text/calendar, application/ics;q=0.9, */*;q=0.1"

// Source is one calendar.
type Source struct {
	config  Config
	client  *fetch.Client
	address *url.URL
	zone    *time.Location // nil when the calendar's own counts
	leads   []time.Duration
	id      string // fingerprint of what is read how
}

func open(n *fetch.Network, s sdk.Settings, c Config) (*Source, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	address, err := c.address()
	if err != nil {
		return nil, err
	}
	src := &Source{config: c, address: address, leads: c.leads()}
	if c.Zone != "" {
		if src.zone, err = time.LoadLocation(c.Zone); err != nil {
			return nil, err
		}
	}
	src.id = fetch.Fingerprint(fmt.Sprint(address, c.Zone, src.leads, c.Horizon, c.Private, c.caldav(), c.Calendar))
	src.client = n.Client(fetch.Config{What: "calendar", Guard: fetch.Guard(c.AllowPrivate), Origin: address, UserAgent: fetch.Agent(s.UserAgent, c.Contact), Username: c.Username,
		Password: c.Password, Headers: c.Headers, Timeout: c.Timeout.Std(), MaxSize: int64(c.MaxSize)})
	return src, nil
}

// Close gives the connections back.
func (s *Source) Close(context.Context) error {
	s.client.Close()
	return nil
}

// failf makes an Error about the calendar.
func failf(code sdk.Code, format string, args ...any) *sdk.Error {
	e := sdk.Errorf(code, fetch.Op, format, args...)
	e.Scope = sdk.ScopeDestination
	return e
}

// Fetch reads the calendar, or the document in the request. Errors by code:
//
//	gone          410
//	rate_limited  429 and 503 (an hour unless the server says how long), a host that is paused or has too many sources
//	forbidden     401, 403, 451 (a day), an address that may not be dialled
//	unavailable   every other status, names, connections, certificates, answers that drip
//	invalid       no calendar, or no such calendar in the account
//	too_large     a document beyond the limits of size, events, occurrences or work
func (s *Source) Fetch(ctx context.Context, r sdk.FetchRequest) (sdk.Batch, error) {
	c := readCursor(r.Cursor, s.id)
	if r.Now.IsZero() {
		r.Now = time.Now()
	}
	r.Now = r.Now.UTC()
	switch {
	case r.Document != nil:
		return s.given(ctx, r, c)
	case s.config.caldav():
		return s.fetchCollection(ctx, r, c)
	}
	return s.fetchDocument(ctx, r, c)
}

// fetchDocument reads an iCalendar document from its address.
func (s *Source) fetchDocument(ctx context.Context, r sdk.FetchRequest, c *cursor) (sdk.Batch, error) {
	fresh := !r.Force && c.Full > 0 && r.Now.Sub(time.Unix(c.Full, 0)).Abs() < fullEvery
	ask := fetch.Request{URL: s.address, Accept: acceptCalendar}
	if fresh {
		ask.At, ask.ETag, ask.Modified = c.At, c.ETag, c.Modified
	}
	a, err := s.client.Get(ctx, ask, r.Now)
	if err != nil {
		return sdk.Batch{}, err
	}
	defer a.Done()
	if a.Status == http.StatusNotModified || fresh && hashOf(a.Body) == c.Body {
		next, err := c.encode()
		return sdk.Batch{Unchanged: true, Next: next, Wait: c.wait()}, err
	}
	b, err := s.document(ctx, a.Body, a.Cut, a.URL.Host+": ", r.Now, c)
	if err != nil {
		return sdk.Batch{}, err
	}
	c.Full = r.Now.Unix()
	c.Body, c.At, c.ETag, c.Modified = "", "", nil, nil
	if b.Complete { // what was broken is read again
		c.Body = hashOf(a.Body)
		c.keep(a)
	}
	b.Wait = c.wait()
	b.Next, err = c.encode()
	return b, err
}

// given reads a document that somebody already holds, and never reaches the network.
func (s *Source) given(ctx context.Context, r sdk.FetchRequest, c *cursor) (sdk.Batch, error) {
	if int64(len(r.Document.Body)) > s.client.MaxSize() {
		return sdk.Batch{}, failf(sdk.CodeTooLarge, "the calendar is larger than %s; max_size allows up to 15MiB", s.config.MaxSize)
	}
	body, broken, err := fetch.ReadBody(bytes.NewReader(r.Document.Body), http.Header{}, s.client.MaxSize(), nil)
	if err != nil {
		return sdk.Batch{}, err
	}
	b, err := s.document(ctx, body, broken, "", r.Now, c)
	if err != nil {
		return sdk.Batch{}, err
	}
	b.Next, err = c.encode()
	return b, err
}

func hashOf(body []byte) string {
	sum := sha256.Sum256(body)
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// wait is how long the calendar asks not to be read.
func (c *cursor) wait() time.Duration {
	return min(time.Duration(c.Refresh)*time.Second, longestRefresh)
}

// parse reads a document in its turn among those that the process parses.
func (s *Source) parse(ctx context.Context, body []byte, where string, now time.Time, use func(*ics.Calendar) error) error {
	var failed error
	if err := s.client.Network().Parse(ctx, 4*len(body), func() {
		cal, err := ics.Parse(body, ics.Options{Zone: s.zone, Now: now})
		if err != nil {
			failed = s.explain(err, where)
			return
		}
		failed = use(cal)
	}); err != nil {
		return err
	}
	return failed
}

// explain makes an Error of what is wrong with a document.
func (s *Source) explain(err error, where string) error {
	no, ok := errors.AsType[*ics.NotACalendarError](err)
	switch {
	case !ok:
		return failf(sdk.CodeTooLarge, "%s%s", where, err)
	case no.HTML && where == "":
		return failf(sdk.CodeInvalid, "%s; give the calendar's own document, which often ends in .ics", no)
	case no.HTML:
		return failf(sdk.CodeInvalid, "%s%s; give the calendar's own address, which often ends in .ics, or set protocol: caldav for a CalDAV server", where, no)
	}
	return failf(sdk.CodeInvalid, "%s%s", where, no)
}

// document makes a batch of a whole document.
func (s *Source) document(ctx context.Context, body []byte, broken bool, where string, now time.Time, c *cursor) (sdk.Batch, error) {
	var b sdk.Batch
	err := s.parse(ctx, body, where, now, func(cal *ics.Calendar) error {
		w := s.work(now, c)
		if err := w.take(cal, ""); err != nil {
			return s.tooMany(err, where)
		}
		b = w.batch()
		b.About = sdk.About{Title: cal.Name, Description: cal.Description, URL: webLink(cal.URL), Lang: cal.Lang}
		b.Notices = append(slices.Clone(cal.Notices), w.notices...)
		if broken {
			b.Notices = append(b.Notices, "the compressed answer is broken off; what could be read of it was kept")
		}
		c.Refresh = int64(cal.Refresh / time.Second)
		c.remember(w.turns, now)
		if b.Complete = !broken && !cal.Cut && cal.Left == 0; !b.Complete {
			// What is not there may be in what could not be read. Only the events themselves are whole.
			b.Whole = w.groups()
			b.Notices = append(b.Notices, "not all of the calendar could be read; until it can, events that vanish from it are not taken for withdrawn")
		}
		return nil
	})
	return b, err
}

func (s *Source) tooMany(err error, where string) error {
	if errors.Is(err, ics.ErrTooMany) {
		return failf(sdk.CodeTooLarge, "%sthe calendar holds more than %d occurrences, or as many announcements, within %s; lower horizon, or split the calendar", where, ics.MaxOccurrences, s.config.Horizon)
	}
	return failf(sdk.CodeTooLarge, "%s%s", where, err)
}

func webLink(address string) string {
	if u, err := sdk.CheckLink(address); err == nil && !strings.HasPrefix(u, "mailto:") {
		return u
	}
	return ""
}

// work gathers the items of one fetch.
type work struct {
	s       *Source
	c       *cursor
	now     time.Time
	items   []sdk.Item
	removed []sdk.Removal
	keys    map[string]bool
	turns   map[string]turn
	notices []string
	private int
	named   map[string]bool // groups
}

func (s *Source) work(now time.Time, c *cursor) *work {
	return &work{s: s, c: c, now: now, keys: map[string]bool{}, turns: map[string]turn{}, named: map[string]bool{}}
}

// take adds what a calendar holds within the horizon. groupOf is the resource that it came from; an event of a document is
// one by itself.
func (w *work) take(cal *ics.Calendar, groupOf string) error {
	list, notices, err := cal.Between(w.now, w.now.Add(w.s.config.Horizon.Std()))
	if err != nil {
		return err
	}
	w.notices = append(w.notices, notices...)
	for _, o := range list {
		w.add(o, groupOf)
	}
	if len(w.items) > ics.MaxOccurrences {
		return ics.ErrTooMany
	}
	return w.moved(cal, groupOf)
}

// add makes the items of one occurrence.
func (w *work) add(o ics.Occurrence, groupOf string) {
	if groupOf == "" {
		groupOf = o.UID
	}
	if (o.Class == "PRIVATE" || o.Class == "CONFIDENTIAL") && !w.s.config.Private {
		w.private++
		return
	}
	for _, a := range announcements(o, w.s.leads, groupOf) {
		if w.keys[a.item.Key] {
			continue
		}
		w.keys[a.item.Key] = true
		w.named[a.item.Group] = true
		if o.Cancelled {
			w.removed = append(w.removed, sdk.Removal{Key: a.item.Key, Reason: "the calendar says that it is cancelled", At: o.Modified})
			continue
		}
		h := shortHash(a.item.Key)
		t := turn{from: minutes(a.from), to: minutes(a.over)}
		copy(t.key[:], h)
		if a.from.After(w.now) && w.c.announced(a.item.Key, w.now) {
			// It was announced for another time and may have been posted: readers learn now what it is moved to, and for that the
			// item has no embargo any more. It stays announced.
			a.item.NotBefore = time.Time{}
			a.item.ExpiresAt = a.over
			t.from = minutes(w.now)
		}
		w.turns[h] = t
		w.items = append(w.items, a.item)
	}
}

// moved looks for what was announced and lies outside the horizon now.
func (w *work) moved(cal *ics.Calendar, groupOf string) error {
	missing := map[string]bool{}
	for _, t := range w.c.turns {
		if _, came := w.turns[string(t.key[:])]; !came && t.from <= minutes(w.now) && t.to > minutes(w.now) {
			missing[string(t.key[:])] = true
		}
	}
	for k := range w.keys {
		delete(missing, shortHash(k))
	}
	if len(missing) == 0 {
		return nil
	}
	list, _, err := cal.Between(w.now.Add(-longestMove), w.now.Add(longestMove))
	if errors.Is(err, ics.ErrTooMany) {
		return nil // too dense to look for single ones; they are withdrawn
	}
	if err != nil {
		return err
	}
	for _, o := range list {
		for _, lead := range w.s.leads {
			if missing[shortHash(key(o, lead))] {
				w.add(o, groupOf)
				break
			}
		}
	}
	return nil
}

func (w *work) groups() []string {
	out := make([]string, 0, len(w.named)+1)
	for g := range w.named {
		out = append(out, g)
	}
	if len(out) == 0 {
		out = append(out, group("")) // none: the batch is still no whole document
	}
	slices.Sort(out)
	return out
}

// batch gives what was gathered, the latest event first, as the newest item stands in most documents.
func (w *work) batch() sdk.Batch {
	slices.SortStableFunc(w.items, func(a, b sdk.Item) int {
		if d := b.Due.Compare(a.Due); d != 0 {
			return d
		}
		return strings.Compare(a.Key, b.Key)
	})
	if w.private > 0 {
		w.notices = append(w.notices, fmt.Sprintf("%d occurrences are marked as private or confidential and were left out; the option private takes them", w.private))
	}
	return sdk.Batch{Items: w.items, Removed: w.removed}
}
