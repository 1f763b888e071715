package rss

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/belfry-news/belfry/plugins/rss/internal/feed"
	"github.com/belfry-news/belfry/sdk"
)

const (
	// fullEvery is how long a server may answer that nothing changed before it is asked without conditions: some say so for
	// ever.
	fullEvery = 7 * 24 * time.Hour
	// readTime bounds the reading of a document, which takes milliseconds.
	readTime = 10 * time.Second
)

// Source is one feed. It has the roles of an sdk.Source and an sdk.Checker.
type Source struct {
	config  Config
	client  *client
	address *url.URL
	zone    *time.Location
	id      string // fingerprint of what is read how
	log     *slog.Logger
}

func open(n *network, s sdk.Settings, c Config) (*Source, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	address, err := c.address()
	if err != nil {
		return nil, err
	}
	src := &Source{config: c, address: address, log: s.Log}
	if c.Zone != "" {
		if src.zone, err = time.LoadLocation(c.Zone); err != nil {
			return nil, err
		}
	}
	src.id = fingerprint(fmt.Sprintf("%d %s %s %s", feed.Version, address, c.Zone, c.Body))
	agent := s.UserAgent
	if agent == "" {
		agent = "Belfry"
	}
	if c.Contact != "" {
		agent += " (" + c.Contact + ")"
	}
	guard := c.guard()
	src.client = &client{network: n, transport: n.join(guard), guard: guard, origin: address, userAgent: agent,
		username: c.Username, password: c.Password, headers: c.Headers, timeout: c.Timeout.Std(), maxSize: int64(c.MaxSize), pace: defaultPace}
	return src, nil
}

// Close gives the connections back.
func (s *Source) Close(context.Context) error {
	s.client.network.part(s.client.transport)
	return nil
}

// Fetch reads the feed, or the document in the request. Errors by code:
//
//	gone          410, or the feed had declared itself finished and still does
//	rate_limited  429 and 503 (an hour unless the server says how long), a host that is paused or has too many feeds
//	forbidden     401, 403, 451 (a day), an address that may not be dialled
//	unavailable   every other status, names, connections, certificates, answers that drip
//	invalid       no feed, or a broken one that cannot be repaired
//	too_large     a document beyond the limits of size, depth, attributes, elements or items
func (s *Source) Fetch(ctx context.Context, r sdk.FetchRequest) (sdk.Batch, error) {
	c := readCursor(r.Cursor, s.id)
	if r.Now.IsZero() {
		r.Now = time.Now()
	}
	r.Now = r.Now.UTC()
	if r.Document != nil {
		return s.document(ctx, r, c)
	}
	way, err := s.load(ctx, r, &c)
	if err != nil {
		return sdk.Batch{}, err
	}
	a := way.answer
	if a.status == http.StatusNotModified {
		c.refresh(a)
		return s.unchanged(c, a, r.Now, way.notices)
	}
	if way.feed == nil { // the same document as before
		c.validate(a)
		c.Full = r.Now.Unix()
		return s.unchanged(c, a, r.Now, way.notices)
	}
	f := way.feed
	items, notices := keys(f.Entries, &c)
	if a.cut || !f.Whole {
		// Half a document says nothing about the next one.
		c.At, c.ETag, c.Modified, c.Body = "", nil, nil, ""
	} else {
		c.validate(a)
		if hash := bodyHash(a); c.Body != hash {
			c.Body, c.Changed = hash, r.Now.Unix()
		}
	}
	c.Full = r.Now.Unix()
	c.keepHints(f.Hints)
	c.Expired = f.Expired
	b := sdk.Batch{Items: items, Removed: withdrawn(f, items), Complete: f.Complete && !a.cut, About: f.About,
		Wait: wait(a.header, f.Hints, time.Unix(c.Changed, 0), r.Now), Notices: append(append(way.notices, f.Notices...), notices...)}
	if a.cut {
		b.Notices = append(b.Notices, "the compressed answer is broken off; what could be read of it was kept")
	}
	if f.Expired {
		b.Wait = longestWait
		b.Notices = append(b.Notices, "the feed declares itself finished (expired); unless it changes, the next fetch is the last")
	}
	b.Next, err = c.encode()
	return b, err
}

// document reads what somebody already holds, and never reaches the network.
func (s *Source) document(ctx context.Context, r sdk.FetchRequest, c cursor) (sdk.Batch, error) {
	a := &answer{header: http.Header{}, body: r.Document.Body, url: s.address}
	if r.Document.ContentType != "" {
		a.header.Set("Content-Type", r.Document.ContentType)
	}
	if int64(len(a.body)) > s.client.maxSize {
		return sdk.Batch{}, sdk.Errorf(sdk.CodeTooLarge, opFetch, "the feed is larger than %s; max_size allows up to 15MiB", s.config.MaxSize)
	}
	a.url = nil
	if r.Document.URL != "" {
		u, err := url.Parse(r.Document.URL)
		if err != nil || !u.IsAbs() {
			return sdk.Batch{}, sdk.Errorf(sdk.CodeInvalid, opFetch, "%q is no address to resolve links against; write it in full, like https://news.example/feed.xml", r.Document.URL)
		}
		a.url = u
	}
	body, cut, err := readBody(bytes.NewReader(a.body), http.Header{}, s.client.maxSize)
	if err != nil {
		return sdk.Batch{}, err
	}
	a.body, a.cut = body, cut
	f, err := s.read(ctx, a, r.Now)
	if err != nil {
		return sdk.Batch{}, s.explain(err, nil)
	}
	items, notices := keys(f.Entries, &c)
	b := sdk.Batch{Items: items, Removed: withdrawn(f, items), Complete: f.Complete && !cut, About: f.About,
		Notices: append(f.Notices, notices...)}
	b.Next, err = c.encode()
	return b, err
}

// loaded is an answer, with the feed in it where it had to be read to be sure of it.
type loaded struct {
	answer  *answer
	feed    *feed.Feed
	notices []string
}

// load fetches the feed from where it is known to be: the configured address, the feed found in the page there, or the
// address it moved to for good. What it learns of that goes into the cursor.
func (s *Source) load(ctx context.Context, r sdk.FetchRequest, c *cursor) (loaded, error) {
	ask := request{url: c.start(s.address), accept: acceptFeeds}
	if r.Force {
		ask.url = s.address
	} else if r.Now.Sub(time.Unix(c.Full, 0)) < fullEvery {
		ask.at, ask.etag, ask.modified = c.At, c.ETag, c.Modified
	}
	l, err := s.loadFrom(ctx, ask, c, r)
	if err != nil && c.Moved.Use != "" && ask.url.String() == c.Moved.Use && lasting(err) {
		// The new address failed us; the configured one may have come back to life.
		back := request{url: (&cursor{Found: c.Found}).start(s.address), accept: acceptFeeds}
		again, err2 := s.loadFrom(ctx, back, c, r)
		if err2 != nil {
			return l, err
		}
		again.notices = append(again.notices, fmt.Sprintf("the address that the feed had moved to fails (%s); the configured one is fetched again", sdk.AsError(err).Public))
		c.Moved.use("", r.Now)
		return again, nil
	}
	if err != nil {
		return l, err
	}
	if r.Force && c.Moved.Use != "" {
		if way := l.answer.way; !permanent(way) || way[len(way)-1].to.String() != c.Moved.Use {
			c.Moved.use("", r.Now)
		} else {
			return l, nil
		}
	}
	if n := c.Moved.follow(l.answer.way, r.Now); n != "" {
		l.notices = append(l.notices, n)
	}
	return l, nil
}

// lasting tells whether a failure is one that time alone does not mend.
func lasting(err error) bool {
	var status statusCause
	if errors.As(err, &status) {
		return status < 500 && status != http.StatusTooManyRequests
	}
	return sdk.AsError(err).Code == sdk.CodeInvalid
}

// loadFrom fetches one address. A new document is read at once, since only then it is known to be a feed; the page that
// stands in its place at the first fetch is asked for its feed.
func (s *Source) loadFrom(ctx context.Context, ask request, c *cursor, r sdk.FetchRequest) (loaded, error) {
	a, err := s.client.get(ctx, ask, r.Now)
	if err != nil {
		return loaded{}, err
	}
	if a.status == http.StatusNotModified || bodyHash(a) == c.Body && !r.Force {
		if c.Expired {
			return loaded{}, sdk.Errorf(sdk.CodeGone, opFetch, "the feed has declared itself finished; take the source out, or force a fetch if it goes on")
		}
		return loaded{answer: a}, nil
	}
	f, err := s.read(ctx, a, r.Now)
	var page *feed.PageError
	if errors.As(err, &page) && s.config.Discover && (c.first() || r.Force) {
		return s.discover(ctx, a, page, c, r)
	}
	if err != nil {
		return loaded{}, s.explain(err, a.url)
	}
	if r.Force && ask.url == s.address {
		c.Found = ""
	}
	return loaded{answer: a, feed: f}, nil
}

// discover fetches the first feed that a page names, and remembers it.
func (s *Source) discover(ctx context.Context, a *answer, page *feed.PageError, c *cursor, r sdk.FetchRequest) (loaded, error) {
	found := headerFeeds(a)
	for _, f := range page.Feeds {
		if len(found) == 0 || f != found[0] {
			found = append(found, f)
		}
	}
	for _, candidate := range found {
		u, err := s.client.guard.CheckURL(candidate)
		if err != nil {
			continue
		}
		b, err := s.client.get(ctx, request{url: u, accept: acceptFeeds}, r.Now)
		if err != nil {
			return loaded{}, err
		}
		f, err := s.read(ctx, b, r.Now)
		if err != nil {
			return loaded{}, s.explain(err, b.url)
		}
		c.Found = u.String()
		l := loaded{answer: b, feed: f, notices: []string{fmt.Sprintf("the address is a web page; its feed is at %s", shown(u))}}
		// What the page redirected through is no way of the feed.
		if len(found) > 1 {
			l.notices = append(l.notices, fmt.Sprintf("the page names %d feeds; the first is fetched, the others are: %s", len(found), strings.Join(shownAll(found[1:]), ", ")))
		}
		return l, nil
	}
	return loaded{}, s.explain(page, a.url)
}

// headerFeeds gives the feeds named by Link headers (RFC 8288).
func headerFeeds(a *answer) []string {
	var found []string
	for _, h := range a.header.Values("Link") {
		if len(h) > 8<<10 {
			continue
		}
		for link := range strings.SplitSeq(h, ",") {
			target, rest, ok := strings.Cut(strings.TrimSpace(link), ">")
			if !ok || !strings.HasPrefix(target, "<") {
				continue
			}
			params := map[string]string{}
			for p := range strings.SplitSeq(rest, ";") {
				name, value, _ := strings.Cut(strings.TrimSpace(p), "=")
				params[strings.ToLower(name)] = strings.Trim(value, `"`)
			}
			if u, ok := feed.FeedLink(params["rel"], params["type"], params["title"], target[1:], a.url); ok {
				found = append(found, u)
			}
		}
	}
	return found
}

func shownAll(addresses []string) []string {
	out := make([]string, 0, len(addresses))
	for _, a := range addresses {
		if u, err := url.Parse(a); err == nil {
			out = append(out, shown(u))
		}
	}
	return out
}

// unchanged is the batch of a fetch that found nothing new.
func (s *Source) unchanged(c cursor, a *answer, now time.Time, notices []string) (sdk.Batch, error) {
	next, err := c.encode()
	return sdk.Batch{Unchanged: true, Next: next, Wait: wait(a.header, c.hints(), time.Unix(c.Changed, 0), now), Notices: notices}, err
}

// read parses a document within its time.
func (s *Source) read(ctx context.Context, a *answer, now time.Time) (*feed.Feed, error) {
	ctx, cancel := context.WithTimeout(ctx, readTime)
	defer cancel()
	return feed.Read(ctx, feed.Input{Body: a.body, ContentType: a.header.Get("Content-Type"), URL: a.url, Zone: s.zone, Now: now,
		Description: s.config.Body == "description"})
}

// explain makes an Error of what is wrong with a document, with its place.
func (s *Source) explain(err error, u *url.URL) error {
	where := ""
	if u != nil {
		where = u.Host + ": "
	}
	var page *feed.PageError
	if errors.As(err, &page) {
		fix := "give the feed's own address as url"
		if len(page.Feeds) > 0 {
			fix = "it names a feed at " + strings.Join(shownAll(page.Feeds[:1]), "") + "; give that as url"
		}
		return &sdk.Error{Code: sdk.CodeInvalid, Scope: sdk.ScopeDestination, Op: opFetch, Public: fmt.Sprintf("%s%s; %s", where, page, fix)}
	}
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return &sdk.Error{Code: sdk.CodeUnavailable, Scope: sdk.ScopeDestination, Op: opFetch, Public: where + "the feed could not be read in time", Err: err}
	}
	e := *sdk.AsError(err)
	e.Op, e.Scope, e.Public = opFetch, sdk.ScopeDestination, where+e.Public
	return &e
}

// withdrawn drops the tombstones of items that are in the document again (RFC 6721, section 4).
func withdrawn(f *feed.Feed, items []sdk.Item) []sdk.Removal {
	var out []sdk.Removal
	present := map[string]time.Time{}
	for _, it := range items {
		at := it.Updated
		if at.IsZero() {
			at = it.Published
		}
		present[it.Key] = at
	}
	for _, t := range f.Removed {
		if at, here := present[t.Key]; here && !t.At.After(at) {
			continue
		}
		out = append(out, t)
	}
	return out
}

// bodyHash identifies a document together with the label it was read under.
func bodyHash(a *answer) string {
	h := sha256.New()
	h.Write([]byte(a.header.Get("Content-Type")))
	h.Write([]byte{0})
	h.Write(a.body)
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil))
}
