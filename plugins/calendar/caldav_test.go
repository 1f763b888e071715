package calendar

import (
	"context"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/belfry-news/belfry/sdk"
	"github.com/belfry-news/belfry/sdk/sdktest"
)

// davServer is a CalDAV server with one collection at /dav/, as poor as a test wants it.
type davServer struct {
	// noToken, noTag: what it does not offer. insists: a sync needs a depth. few: how many changes one answer has.
	noToken, noTag, insists bool
	few                     int

	mu        sync.Mutex
	resources map[string]stored
	revision  int
	forgot    int // tokens up to here
	reports   []string
}

type stored struct {
	data     string
	revision int
}

func (s *davServer) put(name, data string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.resources == nil {
		s.resources = map[string]stored{}
	}
	s.revision++
	s.resources["/dav/"+name] = stored{data, s.revision}
}

func (s *davServer) drop(name string) { s.put(name, "") }

// asked gives the kinds of reports since the last call.
func (s *davServer) asked() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := s.reports
	s.reports = nil
	return out
}

func escaped(s string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(s))
	return b.String()
}

func (s *davServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	s.mu.Lock()
	defer s.mu.Unlock()
	var b strings.Builder
	good := func(href, props string) {
		fmt.Fprintf(&b, "<d:response><d:href>%s</d:href><d:propstat><d:prop>%s</d:prop><d:status>HTTP/1.1 200 OK</d:status></d:propstat></d:response>", href, props)
	}
	bad := func(href, status string) {
		fmt.Fprintf(&b, "<d:response><d:href>%s</d:href><d:status>HTTP/1.1 %s</d:status></d:response>", href, status)
	}
	var names []string
	for n := range s.resources {
		names = append(names, n)
	}
	slices.Sort(names)
	etag := func(n string) string { return fmt.Sprintf(`<d:getetag>"%d"</d:getetag>`, s.resources[n].revision) }
	text := string(body)
	kind := ""
	switch {
	case r.Method == "PROPFIND" && strings.HasPrefix(r.URL.Path, "/dav/"):
		props := `<d:resourcetype><d:collection/><c:calendar/></d:resourcetype><d:displayname>Agenda</d:displayname>`
		if !s.noToken {
			props += fmt.Sprintf("<d:sync-token>t%d</d:sync-token>", s.revision)
		}
		if !s.noTag {
			props += fmt.Sprintf("<s:getctag>c%d</s:getctag>", s.revision)
		}
		good("/dav/", props)
	case r.Method != "REPORT":
		http.Error(w, "no", http.StatusMethodNotAllowed)
		return
	case strings.Contains(text, "sync-collection"):
		kind = "sync"
		_, rest, _ := strings.Cut(text, "<d:sync-token>t")
		since, _ := strconv.Atoi(rest[:max(0, strings.IndexByte(rest, '<'))])
		if s.insists && r.Header.Get("Depth") != "1" {
			http.Error(w, "depth", http.StatusBadRequest)
			return
		}
		if since <= s.forgot {
			w.WriteHeader(http.StatusForbidden)
			_, _ = io.WriteString(w, `<d:error xmlns:d="DAV:"><d:valid-sync-token/></d:error>`)
			return
		}
		slices.SortFunc(names, func(a, b string) int { return s.resources[a].revision - s.resources[b].revision })
		told, last := 0, s.revision
		for _, n := range names {
			if s.resources[n].revision <= since {
				continue
			}
			if told++; s.few > 0 && told > s.few {
				bad("/dav/", "507 Insufficient Storage")
				break
			}
			last = s.resources[n].revision
			if s.resources[n].data == "" {
				bad(n, "404 Not Found")
			} else {
				good(n, etag(n))
			}
		}
		if s.few == 0 || told <= s.few {
			last = s.revision
		}
		fmt.Fprintf(&b, "<d:sync-token>t%d</d:sync-token>", last)
	case strings.Contains(text, "calendar-query"):
		kind = "query"
		for _, n := range names {
			if s.resources[n].data != "" {
				good(n, etag(n))
			}
		}
	case strings.Contains(text, "calendar-multiget"):
		kind = "get"
		for _, part := range strings.Split(text, "<d:href>")[1:] {
			n, _, _ := strings.Cut(part, "<")
			if s.resources[n].data == "" {
				bad(n, "404 Not Found")
			} else {
				good(n, etag(n)+"<c:calendar-data>"+escaped(s.resources[n].data)+"</c:calendar-data>")
			}
		}
	}
	if kind != "" {
		s.reports = append(s.reports, kind)
	}
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(http.StatusMultiStatus)
	_, _ = io.WriteString(w, `<?xml version="1.0"?><d:multistatus xmlns:d="DAV:" xmlns:c="urn:ietf:params:xml:ns:caldav" xmlns:s="http://calendarserver.org/ns/">`+b.String()+"</d:multistatus>")
}

func newDAV(t testing.TB, s *davServer) *bench {
	t.Helper()
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	return &bench{now: start, server: server, Source: openSource(t, server.URL+"/dav/", login("right"))}
}

func filled(s *davServer, n int) *davServer {
	for i := range n {
		s.put(fmt.Sprintf("%04d.ics", i), agenda(event(fmt.Sprintf("e%04d@x", i), fmt.Sprintf("202612%02dT%02d0000", 1+i%20, 1+i%22), "Event")).body)
	}
	return s
}

// TestWaysToNoticeAChange holds that a change, an addition and a deletion arrive however poor the server is, and that little
// else is read for them.
func TestWaysToNoticeAChange(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		server *davServer
		asks   []string // for one change
		idle   []string // for none
	}{
		"a token":                 {&davServer{}, []string{"sync", "get"}, nil},
		"a token, with a depth":   {&davServer{insists: true}, []string{"sync", "get"}, nil},
		"a token, little by turn": {&davServer{few: 1}, []string{"sync", "sync", "sync", "get"}, nil},
		"a tag":                   {&davServer{noToken: true}, []string{"query", "get"}, nil},
		"versions alone":          {&davServer{noToken: true, noTag: true}, []string{"query", "get"}, []string{"query"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newDAV(t, filled(c.server, 10))
			if got := b.fetch(t); len(got.Items) != 10 || len(got.Whole) != 10 || got.About.Title != "Agenda" {
				t.Fatalf("%d items, %d groups", len(got.Items), len(got.Whole))
			}
			c.server.asked()
			if got := b.fetch(t); !got.Unchanged {
				t.Errorf("nothing changed: %+v", got)
			}
			same(t, c.idle, c.server.asked())
			c.server.drop("0003.ics")
			c.server.put("0004.ics", agenda(event("e0004@x", "20261222T100000", "Moved")).body)
			c.server.put("new.ics", agenda(event("new@x", "20261223T100000", "New")).body)
			got := b.fetch(t)
			same(t, []string{"e0004@x@1d", "new@x@1d"}, keysOf(got))
			want := []string{group("/dav/0003.ics"), group("/dav/0004.ics"), group("/dav/new.ics")}
			slices.Sort(want)
			same(t, want, got.Whole)
			same(t, c.asks, c.server.asked())
		})
	}
}

// TestALostTokenIsNoMassDeletion forgets every token while most of the collection is missing: it is believed the second time.
func TestALostTokenIsNoMassDeletion(t *testing.T) {
	t.Parallel()
	s := filled(&davServer{}, 10)
	b := newDAV(t, s)
	b.fetch(t)
	for i := range 6 {
		s.drop(fmt.Sprintf("%04d.ics", i))
	}
	s.mu.Lock()
	s.forgot = s.revision
	s.mu.Unlock()
	got := b.fetch(t)
	if len(got.Items) != 4 || len(got.Whole) != 4 || !strings.Contains(strings.Join(got.Notices, "\n"), "6 of 10 events are missing at once") {
		t.Errorf("%d items, the groups %v, %q", len(got.Items), got.Whole, got.Notices)
	}
	if got := b.fetch(t); len(got.Items) != 4 || len(got.Whole) != 10 {
		t.Errorf("the second time: %d items, the groups %v", len(got.Items), got.Whole)
	}
	if got := b.fetch(t); !got.Unchanged {
		t.Errorf("%+v", got)
	}
}

// TestFiveThousandEvents come by pages, and fit what a source may remember.
func TestFiveThousandEvents(t *testing.T) {
	t.Parallel()
	s := filled(&davServer{}, maxResources)
	b := newDAV(t, s)
	seen := map[string]bool{}
	pages := 0
	for more := true; more; pages++ {
		got := b.fetch(t)
		for _, it := range got.Items {
			seen[it.Key] = true
		}
		if len(got.Items) > perPage {
			t.Fatalf("a page has %d items", len(got.Items))
		}
		more = got.More
	}
	if pages != maxResources/perPage || len(seen) != maxResources {
		t.Errorf("%d items in %d pages", len(seen), pages)
	}
	if len(b.cursor) > sdk.MaxCursor-2048 {
		t.Errorf("the cursor has %d bytes", len(b.cursor))
	}
	if got := b.fetch(t); !got.Unchanged {
		t.Error("it is read again")
	}
	s.put("more.ics", agenda(event("more@x", "20261201T200000", "More")).body)
	if got := b.fetch(t); len(got.Items) != 1 {
		t.Errorf("%d items for one change", len(got.Items))
	}
	b.cursor = nil
	_, err := b.Fetch(context.Background(), sdk.FetchRequest{Now: start})
	if e := sdk.AsError(err); e.Code != sdk.CodeTooLarge || !strings.Contains(e.Public, "the calendar has 5001 events within 35d, and 5000 are the most") {
		t.Error(err)
	}
}

func TestAResourceThatCannotBeReadIsNotWithdrawn(t *testing.T) {
	t.Parallel()
	s := filled(&davServer{}, 2)
	b := newDAV(t, s)
	b.fetch(t)
	s.put("0001.ics", "<html>")
	got := b.fetch(t)
	if len(got.Items) != 0 || slices.Contains(got.Whole, group("/dav/0001.ics")) || !strings.Contains(strings.Join(got.Notices, "\n"), `"0001.ics" was left out: the document is a web page`) {
		t.Errorf("%v %q", got.Whole, got.Notices)
	}
}

func TestWhatIsNoCalDAV(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		page page
		says string
	}{
		"a web page": {page{body: "<html>"}, "does not speak CalDAV at this address; check url, or set protocol: document"},
		"other XML":  {page{status: 207, body: "<a/>"}, "does not speak CalDAV at this address"},
		"no method":  {page{status: 405}, "405 Method Not Allowed instead of a calendar"},
		"nothing":    {page{status: 207, body: `<multistatus xmlns="DAV:"/>`}, "has no calendar at this address"},
	} {
		b := newBench(t, login("right"))
		b.site.set(c.page)
		_, err := b.Fetch(context.Background(), sdk.FetchRequest{Now: start})
		if err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestCalDAVConformance(t *testing.T) {
	spec := Spec()
	for name, open := range map[string]sdktest.Opener{"direct": spec.Open, "loopback": sdktest.Loopback(t, spec)} {
		t.Run(name, func(t *testing.T) {
			s := filled(&davServer{}, 5)
			f := &faulty{Handler: s}
			server := httptest.NewServer(f)
			t.Cleanup(server.Close)
			n := 0
			sdktest.Source(t, sdktest.SourceOptions{Options: f.options(open, map[string]any{"url": server.URL + "/dav/", "protocol": "caldav"}), Now: start,
				Change: func(testing.TB) {
					n++
					s.put(fmt.Sprintf("fresh%d.ics", n), agenda(event(fmt.Sprintf("fresh%d@x", n), "20261203T200000", "Fresh")).body)
				}})
		})
	}
}
