package rss

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/belfry-news/belfry/plugins/rss/internal/feed"
	"github.com/belfry-news/belfry/sdk"
	"github.com/belfry-news/belfry/sdk/fetch"
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
	client  *fetch.Client
	address *url.URL
	zone    *time.Location
	id      string // fingerprint of what is read how
	last    lastCursor
}

func open(n *fetch.Network, s sdk.Settings, c Config) (*Source, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	address, err := c.address()
	if err != nil {
		return nil, err
	}
	src := &Source{config: c, address: address}
	if c.Zone != "" {
		if src.zone, err = time.LoadLocation(c.Zone); err != nil {
			return nil, err
		}
	}
	src.id = fetch.Fingerprint(fmt.Sprintf("%d %s %s %s", feed.Version, address, c.Zone, c.Body+" "+c.WebSub))
	src.client = n.Client(fetch.Config{What: "feed", Guard: fetch.Guard(c.AllowPrivate), Origin: address, UserAgent: fetch.Agent(s.UserAgent, c.Contact), Username: c.Username,
		Password: c.Password, Headers: c.Headers, Timeout: c.Timeout.Std(), MaxSize: int64(c.MaxSize)})
	return src, nil
}

// Close gives the connections back.
func (s *Source) Close(context.Context) error {
	s.client.Close()
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
	c := s.last.read(r.Cursor, s.id)
	was := c.Moved
	if r.Now.IsZero() {
		r.Now = time.Now()
	}
	r.Now = r.Now.UTC()
	if r.Document != nil {
		return s.document(ctx, r, c)
	}
	l, err := s.load(ctx, r, &c)
	if err != nil {
		return sdk.Batch{}, err
	}
	a := l.answer
	if a.Status == http.StatusNotModified {
		// Validators were sent, and so the cursor was read as it is. Unless something was learnt it is good for the next fetch.
		if !c.refresh(a) && c.Moved.same(was) {
			return sdk.Batch{Unchanged: true, Next: r.Cursor, Wait: wait(a.Header, c.hints(), c.changed(), r.Now), Notices: l.notices}, nil
		}
		return s.unchanged(c, a, r.Now, l.notices)
	}
	if l.feed == nil { // the same document as before
		c.validate(a)
		c.Full = r.Now.Unix()
		return s.unchanged(c, a, r.Now, l.notices)
	}
	f := l.feed
	items, notices := keys(f.Entries, &c)
	items, removed := withdrawn(f.Removed, items)
	c.Half = a.Cut || !f.Whole
	c.validate(a)
	if hash := bodyHash(a); c.Body != hash {
		c.Body, c.Changed = hash, r.Now.Unix()
	}
	c.Full = r.Now.Unix()
	c.keepHints(f.Hints)
	c.Expired = f.Expired
	b := sdk.Batch{Items: items, Removed: removed, Complete: f.Complete && !a.Cut, About: f.About,
		Wait: wait(a.Header, f.Hints, c.changed(), r.Now), Notices: append(append(l.notices, f.Notices...), notices...)}
	b.About.Hub, b.About.Topic = s.hub(f, a)
	if a.Cut {
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
	a := &fetch.Answer{Header: http.Header{}, Body: r.Document.Body}
	if r.Document.ContentType != "" {
		a.Header.Set("Content-Type", r.Document.ContentType)
	}
	if int64(len(a.Body)) > s.client.MaxSize() {
		return sdk.Batch{}, failf(sdk.CodeTooLarge, "the feed is larger than %s; max_size allows up to 15MiB", s.config.MaxSize)
	}
	if r.Document.URL != "" {
		u, err := url.Parse(r.Document.URL)
		if err != nil || !u.IsAbs() {
			return sdk.Batch{}, failf(sdk.CodeInvalid,
				"%.80q is no address to resolve links against; write it in full, like https://news.example/feed.xml", r.Document.URL)
		}
		a.URL = u
	}
	body, cut, err := fetch.ReadBody(bytes.NewReader(a.Body), http.Header{}, s.client.MaxSize(), nil)
	if err != nil {
		return sdk.Batch{}, err
	}
	a.Body, a.Cut = body, cut
	f, err := s.read(ctx, a, r.Now)
	if err != nil {
		return sdk.Batch{}, s.explain(err, nil)
	}
	items, notices := keys(f.Entries, &c)
	items, removed := withdrawn(f.Removed, items)
	b := sdk.Batch{Items: items, Removed: removed, Complete: f.Complete && !cut, About: f.About,
		Notices: append(f.Notices, notices...)}
	b.Next, err = c.encode()
	return b, err
}

// hub gives the hub of a feed and what the feed is called there; Link headers count more than what stands in the feed (WebSub,
// section 4).
func (s *Source) hub(f *feed.Feed, a *fetch.Answer) (hub, topic string) {
	if s.config.WebSub == "off" {
		return "", ""
	}
	hub, topic = feed.LinkHub(a.Header.Values("Link"), a.URL)
	if hub == "" {
		hub = f.About.Hub
	}
	if topic == "" {
		topic = f.About.Topic
	}
	if hub == "" {
		return "", ""
	}
	if topic == "" {
		topic = a.URL.String()
	}
	return hub, topic
}

// unchanged is the batch of a fetch that found nothing new.
func (s *Source) unchanged(c cursor, a *fetch.Answer, now time.Time, notices []string) (sdk.Batch, error) {
	next, err := c.encode()
	return sdk.Batch{Unchanged: true, Next: next, Wait: wait(a.Header, c.hints(), c.changed(), now), Notices: notices}, err
}

// read parses a document within its time.
func (s *Source) read(ctx context.Context, a *fetch.Answer, now time.Time) (*feed.Feed, error) {
	var f *feed.Feed
	var err error
	waiting := s.client.Network().Parse(ctx, len(a.Body), func() {
		ctx, cancel := context.WithTimeout(ctx, readTime)
		defer cancel()
		f, err = feed.Read(ctx, feed.Input{Body: a.Body, ContentType: a.Header.Get("Content-Type"), URL: a.URL, Zone: s.zone, Now: now,
			Description: s.config.Body == "description"})
	})
	if waiting != nil {
		return nil, waiting
	}
	return f, err
}

// explain makes an Error of what is wrong with a document, with its place.
func (s *Source) explain(err error, u *url.URL) error {
	where := ""
	if u != nil {
		where = u.Host + ": "
	}
	if page, ok := errors.AsType[*feed.PageError](err); ok {
		fix := "give the feed's own address as url"
		if len(page.Feeds) > 0 {
			fix = "it names a feed at " + strings.Join(shownAll(page.Feeds[:1]), "") + "; give that as url"
		}
		return &sdk.Error{Code: sdk.CodeInvalid, Scope: sdk.ScopeDestination, Op: fetch.Op, Public: fmt.Sprintf("%s%s; %s", where, page, fix)}
	}
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return &sdk.Error{Code: sdk.CodeUnavailable, Scope: sdk.ScopeDestination, Op: fetch.Op, Err: err,
			Public: where + "the feed could not be read in time"}
	}
	e := *sdk.AsError(err)
	e.Op, e.Scope, e.Public = fetch.Op, sdk.ScopeDestination, where+e.Public
	return &e
}

// withdrawn weighs tombstones against the items of the same document (RFC 6721, section 4): one that is later than its item
// withdraws it, any other is void.
func withdrawn(tombstones []sdk.Removal, items []sdk.Item) ([]sdk.Item, []sdk.Removal) {
	if len(tombstones) == 0 {
		return items, nil
	}
	dead := map[string]sdk.Removal{}
	for _, t := range tombstones {
		if old, known := dead[t.Key]; !known || t.At.After(old.At) {
			dead[t.Key] = t
		}
	}
	alive := items[:0]
	for _, it := range items {
		at := it.Updated
		if at.IsZero() {
			at = it.Published
		}
		if t, ok := dead[it.Key]; ok {
			if !at.IsZero() && t.At.After(at) {
				continue
			}
			delete(dead, it.Key)
		}
		alive = append(alive, it)
	}
	var removed []sdk.Removal
	for _, t := range tombstones {
		if last, ok := dead[t.Key]; ok {
			removed = append(removed, last)
			delete(dead, t.Key)
		}
	}
	return alive, removed
}

// bodyHash identifies a document together with the label it was read under, and with the hub that its headers name.
func bodyHash(a *fetch.Answer) string {
	h := sha256.New()
	h.Write([]byte(a.Header.Get("Content-Type")))
	h.Write([]byte{0})
	if hub, topic := feed.LinkHub(a.Header.Values("Link"), a.URL); hub != "" {
		h.Write([]byte(hub + " " + topic + "\x00"))
	}
	h.Write(a.Body)
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil))
}
