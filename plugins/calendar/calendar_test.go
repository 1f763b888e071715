package calendar

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/belfry-news/belfry/sdk"
	"github.com/belfry-news/belfry/sdk/fetch"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// start is when the tests happen: a Friday noon in UTC.
var start = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

// page is what the site shows.
type page struct {
	status int
	header http.Header
	body   string
}

// site is a server with one calendar.
type site struct {
	mu       sync.Mutex
	page     page
	requests []*http.Request
}

func (s *site) set(p page) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.page = p
}

func (s *site) seen() []*http.Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}

func (s *site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	p := s.page
	s.requests = append(s.requests, r)
	s.mu.Unlock()
	maps.Copy(w.Header(), p.header)
	if tag := p.header.Get("ETag"); tag != "" && r.Header.Get("If-None-Match") == tag {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	w.Header().Set("Content-Type", "text/calendar")
	if p.status != 0 {
		w.WriteHeader(p.status)
	}
	_, _ = w.Write([]byte(p.body))
}

// bench is a source and its site, and the cursor as a host keeps it.
type bench struct {
	*Source
	site   *site
	server *httptest.Server
	cursor sdk.Cursor
	now    time.Time
}

func newBench(t testing.TB, change ...func(*Config)) *bench {
	t.Helper()
	s := &site{}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	b := &bench{site: s, server: server, now: start}
	b.Source = openSource(t, server.URL+"/agenda.ics", change...)
	return b
}

func openSource(t testing.TB, address string, change ...func(*Config)) *Source {
	t.Helper()
	c := defaults()
	c.URL = address
	var local fetch.Prefix
	if err := local.UnmarshalText([]byte("127.0.0.0/8")); err != nil {
		t.Fatal(err)
	}
	c.AllowPrivate = []fetch.Prefix{local}
	c.Zone = "Europe/Paris"
	for _, f := range change {
		f(&c)
	}
	src, err := open(fetch.New(), sdk.Settings{Instance: "agenda"}, c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = src.Close(context.Background()) })
	return src
}

func (b *bench) fetch(t testing.TB) sdk.Batch {
	t.Helper()
	got, err := b.Fetch(context.Background(), sdk.FetchRequest{Cursor: b.cursor, Now: b.now})
	if err != nil {
		t.Fatal(err)
	}
	if err := got.Validate(); err != nil {
		t.Fatal(err)
	}
	b.cursor = got.Next
	return got
}

func leads(texts ...string) func(*Config) {
	return func(c *Config) {
		c.Announce = nil
		for _, s := range texts {
			var d sdk.Duration
			if err := d.UnmarshalText([]byte(s)); err != nil {
				panic(err)
			}
			c.Announce = append(c.Announce, d)
		}
	}
}

// event is a VEVENT of two hours in Paris.
func event(uid, at, summary string, more ...string) string {
	return "BEGIN:VEVENT\r\nUID:" + uid + "\r\nDTSTAMP:20261101T000000Z\r\nDTSTART;TZID=Europe/Paris:" + at + "\r\nDURATION:PT2H\r\nSUMMARY:" + summary + "\r\n" +
		strings.Join(append(more, "END:VEVENT"), "\r\n") + "\r\n"
}

func agenda(events ...string) page {
	return page{body: "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nX-WR-CALNAME:Agenda\r\n" + strings.Join(events, "") + "END:VCALENDAR\r\n"}
}

// told spells items: key, when it may be posted, when it is due, until when.
func told(b sdk.Batch) []string {
	out := []string{}
	stamp := func(t time.Time) string {
		if t.IsZero() {
			return "-"
		}
		return t.UTC().Format("01-02T15:04")
	}
	for _, it := range b.Items {
		out = append(out, fmt.Sprintf("%s from %s due %s until %s", it.Key, stamp(it.NotBefore), stamp(it.Due), stamp(it.ExpiresAt)))
	}
	for _, r := range b.Removed {
		out = append(out, fmt.Sprintf("%s removed: %s", r.Key, r.Reason))
	}
	return out
}

func same(t *testing.T, want, got any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("want and got:\n%s", diff)
	}
}

func TestEachLeadIsAnItem(t *testing.T) {
	t.Parallel()
	b := newBench(t, leads("2h", "1d", "0s"))
	b.site.set(agenda(event("c@x", "20261201T200000", "Concert", "LOCATION:Salle\\, Pleyel", "URL:https://news.example/c", "CATEGORIES:Music,News", "DESCRIPTION:One\\ntwo\\n\\nthree"),
		event("far@x", "20270201T200000", "Too far")))
	got := b.fetch(t)
	same(t, []string{
		"c@x@0s from 12-01T19:00 due 12-01T19:00 until 12-01T21:00",
		"c@x@1d from 11-30T19:00 due 12-01T19:00 until 12-01T17:00",
		"c@x@2h from 12-01T17:00 due 12-01T19:00 until 12-01T19:00"}, told(got))
	it := got.Items[0]
	same(t, "2026-12-01, 20:00–22:00 (Europe/Paris) · Salle, Pleyel", it.Summary)
	same(t, []string{"Music", "News"}, it.Tags)
	same(t, "https://news.example/c", it.URL)
	if !got.Complete || got.About.Title != "Agenda" || len(it.Body) != 3 || it.Event == nil || it.Event.Location != "Salle, Pleyel" {
		t.Errorf("%+v", got)
	}
}

func TestAMoveRevisesAndACancellationWithdraws(t *testing.T) {
	t.Parallel()
	b := newBench(t, leads("1d"))
	weekly := "RRULE:FREQ=WEEKLY;COUNT=2"
	b.site.set(agenda(event("w@x", "20261121T100000", "Market", weekly)))
	same(t, []string{"w@x#20261128T090000Z@1d from 11-27T09:00 due 11-28T09:00 until 11-28T11:00",
		"w@x#20261121T090000Z@1d from 11-20T09:00 due 11-21T09:00 until 11-21T11:00"}, told(b.fetch(t)))

	// The first was announced this morning; it moves by two months, beyond the horizon, and is said at once under its key.
	moved := event("w@x", "20270121T100000", "Market", "RECURRENCE-ID;TZID=Europe/Paris:20261121T100000")
	b.site.set(agenda(event("w@x", "20261121T100000", "Market", weekly), moved))
	b.now = start.Add(time.Hour)
	want := []string{"w@x#20261121T090000Z@1d from - due 01-21T09:00 until 01-21T11:00",
		"w@x#20261128T090000Z@1d from 11-27T09:00 due 11-28T09:00 until 11-28T11:00"}
	same(t, want, told(b.fetch(t)))
	b.now = b.now.Add(25 * time.Hour)
	same(t, want, told(b.fetch(t))) // and stays said

	// One that was not announced yet keeps its embargo when it moves.
	b.site.set(agenda(event("w@x", "20261121T100000", "Market", weekly), moved,
		event("w@x", "20261129T100000", "Market", "RECURRENCE-ID:20261128T090000Z")))
	same(t, "w@x#20261128T090000Z@1d from 11-28T09:00 due 11-29T09:00 until 11-29T11:00", told(b.fetch(t))[1])

	b.site.set(agenda(event("w@x", "20261121T100000", "Market", weekly), moved,
		event("w@x", "20261128T100000", "Market", "RECURRENCE-ID:20261128T090000Z", "STATUS:CANCELLED")))
	same(t, "w@x#20261128T090000Z@1d removed: the calendar says that it is cancelled", told(b.fetch(t))[1])
}

func TestChurnIsNoChange(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.site.set(agenda(event("c@x", "20261201T200000", "Concert")))
	first := b.fetch(t)
	body := strings.ReplaceAll(agenda(event("c@x", "20261201T200000", "Concert", "SEQUENCE:7", "LAST-MODIFIED:20261119T000000Z")).body, "20261101T000000Z", "20261120T000000Z")
	b.site.set(page{body: body})
	again := b.fetch(t)
	for _, it := range slices.Concat(first.Items, again.Items) {
		it.Updated = time.Time{}
		again.Items[0].Updated = time.Time{}
		same(t, again.Items[0], it)
	}
}

func TestUnchanged(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	p := agenda(event("c@x", "20261201T200000", "Concert"))
	p.header = http.Header{"Etag": {`"v1"`}}
	b.site.set(p)
	b.fetch(t)
	b.now = b.now.Add(time.Hour)
	if got := b.fetch(t); !got.Unchanged {
		t.Errorf("%+v", got)
	}
	if r := b.site.seen(); r[1].Header.Get("If-None-Match") != `"v1"` {
		t.Error("the second request had no condition")
	}
	// With time more comes within the horizon, so it is read as a whole once a day.
	b.now = b.now.Add(24 * time.Hour)
	if got := b.fetch(t); got.Unchanged || len(got.Items) != 1 {
		t.Errorf("%+v", got)
	}
	p.header = nil // a server without validators
	b.site.set(p)
	b.now = b.now.Add(time.Hour)
	if got := b.fetch(t); !got.Unchanged {
		t.Errorf("the same document: %+v", got)
	}
}

func TestWhatCannotBeReadWithdrawsNothing(t *testing.T) {
	t.Parallel()
	good := event("c@x", "20261201T200000", "Concert")
	for name, body := range map[string]string{
		"an event in an unknown zone": agenda(good, "BEGIN:VEVENT\r\nUID:z\r\nDTSTART;TZID=Nowhere:20261201T200000\r\nEND:VEVENT\r\n").body,
		"a document that breaks off":  strings.TrimSuffix(agenda(good).body, "END:VCALENDAR\r\n") + "BEGIN:VEVENT\r\nUID:z\r\n",
	} {
		b := newBench(t)
		b.site.set(page{body: body})
		got := b.fetch(t)
		if got.Complete || len(got.Items) != 1 || len(got.Whole) != 1 || !strings.Contains(strings.Join(got.Notices, "\n"), "are not taken for withdrawn") {
			t.Errorf("%s: %+v", name, got)
		}
		if again := b.fetch(t); again.Unchanged {
			t.Errorf("%s: it was not read again", name)
		}
	}
}

func TestPrivateEventsStayPrivate(t *testing.T) {
	t.Parallel()
	for private, want := range map[bool]int{false: 0, true: 1} {
		b := newBench(t, func(c *Config) { c.Private = private })
		b.site.set(agenda(event("c@x", "20261201T200000", "Doctor", "CLASS:PRIVATE")))
		if got := b.fetch(t); len(got.Items) != want || private == (len(got.Notices) > 0) {
			t.Errorf("private %v: %+v", private, got)
		}
	}
}

// TestErrors holds that each has a clear sentence, that nothing is given beside it, and that no secret is told.
func TestErrors(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		page page
		code sdk.Code
		says string
	}{
		"a web page":       {page{body: "<!DOCTYPE html><html><body>log in</body></html>"}, sdk.CodeInvalid, "the document is a web page, not a calendar; give the calendar's own address, which often ends in .ics"},
		"a wrong password": {page{status: 401}, sdk.CodeForbidden, "it does not accept the username and the password; check them"},
		"nothing there":    {page{status: 404}, sdk.CodeUnavailable, "there is no calendar at this address; check url"},
		"gone":             {page{status: 410}, sdk.CodeGone, "the calendar was taken down for good"},
		"an empty answer":  {page{}, sdk.CodeInvalid, "the document is empty"},
		"JSON":             {page{body: "{}"}, sdk.CodeInvalid, "JSON, not a calendar"},
		"overloaded":       {page{status: 503, header: http.Header{"Retry-After": {"60"}}}, sdk.CodeRateLimited, "wants to be left alone"},
		"too large":        {page{body: strings.Repeat("x", 3<<10)}, sdk.CodeTooLarge, "larger than 2KiB"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, func(c *Config) { c.Username, c.Password, c.MaxSize = "desk", sdk.NewSecret("canary-password"), 2<<10 })
			b.site.set(c.page)
			got, err := b.Fetch(context.Background(), sdk.FetchRequest{Now: start})
			e := sdk.AsError(err)
			if err == nil || e.Code != c.code || !strings.Contains(e.Public, c.says) || strings.Contains(err.Error(), "canary") {
				t.Errorf("%v", err)
			}
			if len(got.Items)+len(got.Next) > 0 {
				t.Error("an error stores nothing")
			}
		})
	}
}

func TestConfig(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*Config)
		want   string
	}{
		"webcal":                 {func(c *Config) { c.URL = "webcal://news.example/a.ics" }, ""},
		"caldav":                 {func(c *Config) { c.URL, c.Calendar = "caldav://dav.example/", "Agenda" }, ""},
		"another scheme":         {func(c *Config) { c.URL = "ftp://news.example/a.ics" }, "no http or https address"},
		"a private address":      {func(c *Config) { c.URL = "webcal://10.0.3.7/a.ics" }, "add its address to allow_private"},
		"a password in it":       {func(c *Config) { c.URL = "https://a:b@news.example/" }, "write them as username and password"},
		"an early lead":          {func(c *Config) { leads("34d")(c) }, "34d is too early for a horizon of 35d"},
		"an early lead, allowed": {func(c *Config) { leads("34d")(c); c.Horizon = sdk.D(60 * day) }, ""},
		"no lead":                {func(c *Config) { c.Announce = nil }, "one to 8, such as [1d, 2h]"},
		"a long horizon":         {func(c *Config) { c.Horizon = sdk.D(5000 * day) }, "between 1h and 3660d"},
		"a calendar of none":     {func(c *Config) { c.Calendar = "Agenda" }, "only a CalDAV account has several calendars"},
		"an unknown zone":        {func(c *Config) { c.Zone = "Nowhere" }, `the time zone "Nowhere" is unknown`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			config := defaults()
			config.URL = "https://news.example/agenda.ics"
			c.change(&config)
			err := config.Validate()
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("%v", err)
			}
		})
	}
}

// FuzzDocument holds that whatever the bytes, a fetch gives a batch that keeps to the rules, or an Error with a sentence, and
// the same keys again with its cursor.
func FuzzDocument(f *testing.F) {
	f.Add([]byte(agenda(event("c@x", "20261201T200000", "Concert", "RRULE:FREQ=DAILY"), event("c@x", "20261201T200000", "", "RECURRENCE-ID:20261201T190000Z")).body))
	f.Add([]byte(agenda(event("", "20261201T200000", "\x01", "URL:javascript:x", "STATUS:CANCELLED", "IMAGE;FMTTYPE=image/png:https://x.example/a.png")).body))
	src := openSource(f, "https://news.example/agenda.ics", leads("2h", "1d"))
	f.Fuzz(func(t *testing.T, body []byte) {
		request := sdk.FetchRequest{Now: start, Document: &sdk.Document{Body: body}}
		batch, err := src.Fetch(context.Background(), request)
		if err != nil {
			if e := sdk.AsError(err); e.Public == "" || len(e.Public) > 1000 {
				t.Fatalf("the error is %v", err)
			}
			return
		}
		if err := batch.Validate(); err != nil {
			t.Fatal(err)
		}
		request.Cursor = batch.Next
		again, err := src.Fetch(context.Background(), request)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(told(batch), told(again)); diff != "" {
			t.Fatal(diff)
		}
	})
}
