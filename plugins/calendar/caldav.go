package calendar

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/belfry-news/belfry/plugins/calendar/internal/dav"
	"github.com/belfry-news/belfry/plugins/calendar/internal/ics"
	"github.com/belfry-news/belfry/sdk"
	"github.com/belfry-news/belfry/sdk/fetch"
)

const (
	perMultiget = 50
	perPage     = 500 // resources that one fetch reads; more follow in the next, at once
	maxTurnover = 20  // answers to one sync, each continuing the last
)

// errTokenLost says that the server does not know our place any more.
var errTokenLost = errors.New("the sync token is lost")

// round is one fetch of a collection.
type round struct {
	s   *Source
	ctx context.Context
	c   *cursor
	now time.Time
	w   *work
	// at is the collection.
	at      *url.URL
	whole   []string // groups
	notices []string
	// listed says that what is read comes from a listing of what lies around the horizon.
	listed bool
}

// resource is one of a collection: its address as the server writes it, and its version.
type resource struct{ href, version string }

// versionOf stands for an ETag.
func versionOf(etag string) string { return shortHash("v:" + etag)[:versionBytes] }

// unread is the version of a resource that is to be read again.
const unread = "\x00\x00\x00"

// fetchCollection reads a CalDAV collection: by what its server says changed, and once a day as a whole, page by page.
func (s *Source) fetchCollection(ctx context.Context, r sdk.FetchRequest, c *cursor) (sdk.Batch, error) {
	leave, err := s.client.Enter(ctx, s.address)
	if err != nil {
		return sdk.Batch{}, err
	}
	defer leave()
	d := &round{s: s, ctx: ctx, c: c, now: r.Now, w: s.work(r.Now, c)}
	if c.DAV == nil || c.DAV.URL == "" || r.Force {
		if err := d.find(); err != nil {
			return sdk.Batch{}, err
		}
	}
	if d.at, err = s.client.Guard().CheckURL(c.DAV.URL); err != nil {
		return sdk.Batch{}, err
	}
	state, err := d.state()
	if err != nil {
		return sdk.Batch{}, err
	}
	more, unchanged, err := d.read(state, r.Force)
	if err != nil {
		return sdk.Batch{}, err
	}
	if unchanged {
		next, err := c.encode()
		return sdk.Batch{Unchanged: true, Next: next}, err
	}
	b := d.w.batch()
	b.About = sdk.About{Title: c.DAV.Name}
	b.Notices = slices.Concat(d.notices, d.w.notices)
	// A batch of groups: what is in none of them stays as it is.
	if b.Whole = d.whole; len(b.Whole) == 0 {
		b.Whole = []string{group("")}
	}
	slices.Sort(b.Whole)
	b.Whole = slices.Compact(b.Whole)
	b.More = more
	c.remember(d.w.turns, r.Now)
	b.Next, err = c.encode()
	return b, err
}

// ask makes one request. The statuses in pass are given back, all others are errors.
func (d *round) ask(method string, u *url.URL, depth, body string, pass ...int) (*dav.Multistatus, *fetch.Answer, error) {
	a, err := d.s.client.Get(d.ctx, fetch.Request{URL: u, Method: method, Body: []byte(body), Entered: true, Accept: "application/xml, text/xml",
		Header: map[string]string{"Depth": depth, "Content-Type": `application/xml; charset="utf-8"`}, Pass: append(pass, http.StatusMultiStatus)}, d.now)
	if err != nil {
		return nil, nil, err
	}
	defer a.Done()
	if a.Status != http.StatusMultiStatus && slices.Contains(pass, a.Status) {
		return nil, a, nil
	}
	var m *dav.Multistatus
	if a.Status == http.StatusMultiStatus {
		m, err = dav.Parse(a.Body)
	}
	if m == nil || err != nil {
		return nil, nil, failf(sdk.CodeInvalid, "%s does not speak CalDAV at this address; check url, or set protocol: document for an iCalendar document", a.URL.Host)
	}
	return m, a, nil
}

// find looks for the collection: at the address itself, among the calendars of the account there, or where the server says
// that its calendars are (RFC 6764).
func (d *round) find() error {
	known := map[string]string{}
	if d.c.DAV != nil && d.c.DAV.resources != nil {
		known = d.c.DAV.resources
	}
	starts := []*url.URL{d.s.address}
	if strings.Trim(d.s.address.Path, "/") == "" {
		starts = append(starts, d.s.address.JoinPath("/.well-known/caldav"))
	}
	var failed error
	for _, at := range starts {
		found, name, err := d.below(at)
		if err != nil {
			if failed == nil {
				failed = err
			}
			if sdk.AsError(err).Code == sdk.CodeForbidden {
				break // a wrong password is wrong everywhere
			}
			continue
		}
		if found != nil {
			d.c.DAV = &collection{URL: found.String(), Name: name, resources: known}
			d.c.Full = 0
			return nil
		}
	}
	if failed != nil {
		return failed
	}
	return failf(sdk.CodeInvalid, "%s has no calendar at this address; give the address of the calendar's collection", d.s.address.Host)
}

// below finds the collection at an address, or in the account that it belongs to; nil when there is neither.
func (d *round) below(at *url.URL) (*url.URL, string, error) {
	m, a, err := d.ask("PROPFIND", at, "0", dav.Describe)
	if err != nil {
		return nil, "", err
	}
	if len(m.Responses) == 0 {
		return nil, "", nil
	}
	p := m.Responses[0].Props()
	if p.Type.Calendar != nil {
		return a.URL, oneLine(p.Name, 200), nil
	}
	if len(p.Home.Hrefs) == 0 && p.Principal.Href != "" {
		principal, err := d.s.client.Target(a.URL, p.Principal.Href)
		if err != nil {
			return nil, "", err
		}
		if m, a, err = d.ask("PROPFIND", principal, "0", dav.Describe); err != nil {
			return nil, "", err
		}
		if len(m.Responses) > 0 {
			p = m.Responses[0].Props()
		}
	}
	type candidate struct {
		at   *url.URL
		name string
	}
	var all []candidate
	for _, href := range p.Home.Hrefs[:min(3, len(p.Home.Hrefs))] {
		home, err := d.s.client.Target(a.URL, href)
		if err != nil {
			return nil, "", err
		}
		list, from, err := d.ask("PROPFIND", home, "1", dav.Describe)
		if err != nil {
			return nil, "", err
		}
		for i := range list.Responses {
			props := list.Responses[i].Props()
			if props.Type.Calendar == nil || !props.Holds("VEVENT") {
				continue
			}
			if u, err := d.s.client.Target(from.URL, list.Responses[i].Href); err == nil {
				all = append(all, candidate{u, oneLine(props.Name, 200)})
			}
		}
	}
	if len(all) == 0 {
		return nil, "", nil
	}
	wanted := d.s.config.Calendar
	var names []string
	for _, c := range all {
		if wanted != "" && (c.name == wanted || path.Base(c.at.Path) == wanted) || wanted == "" && len(all) == 1 {
			return c.at, c.name, nil
		}
		names = append(names, fmt.Sprintf("%q", cmp.Or(c.name, path.Base(c.at.Path))))
	}
	slices.Sort(names)
	if wanted != "" {
		return nil, "", failf(sdk.CodeInvalid, "the account at %s has no calendar %q; it has %s", at.Host, wanted, strings.Join(names[:min(10, len(names))], ", "))
	}
	return nil, "", failf(sdk.CodeInvalid, "the account at %s has %d calendars; set calendar to one of %s", at.Host, len(all), strings.Join(names[:min(10, len(names))], ", "))
}

// state asks whether the collection changed.
func (d *round) state() (dav.Prop, error) {
	m, _, err := d.ask("PROPFIND", d.at, "0", dav.State)
	if err != nil {
		return dav.Prop{}, err
	}
	if len(m.Responses) == 0 {
		return dav.Prop{}, nil
	}
	p := m.Responses[0].Props()
	if name := oneLine(p.Name, 200); name != "" {
		d.c.DAV.Name = name
	}
	// What a cursor has no room for is not kept: the versions of the resources tell the same.
	if len(p.SyncToken) > maxValidator {
		p.SyncToken = ""
	}
	if len(p.CTag) > maxValidator {
		p.CTag = ""
	}
	return p, nil
}

// read takes what changed. more says that there is more to take; unchanged that nothing changed.
func (d *round) read(state dav.Prop, force bool) (more, unchanged bool, err error) {
	c := d.c.DAV
	full := force || d.c.Full == 0 || c.Doubt || d.now.Sub(time.Unix(d.c.Full, 0)).Abs() >= fullEvery
	switch {
	case c.After != "" && !force:
		more, err = d.pass(false)
		return more, false, err
	case full:
	case c.Token != "" && c.Token == state.SyncToken, c.Token == "" && c.Tag != "" && c.Tag == state.CTag:
		return false, true, nil
	case c.Token != "":
		switch err := d.sync(); {
		case errors.Is(err, errTokenLost):
			d.notices = append(d.notices, "the server has forgotten what it last told us; the calendar is read again as a whole, and nothing is withdrawn by that alone")
		case err != nil:
			return false, false, err
		default:
			c.Tag = state.CTag
			return false, false, nil
		}
	default:
		// Neither token nor tag: the versions of the resources tell.
		return d.versions(state)
	}
	c.After, c.Token, c.Tag = "", state.SyncToken, state.CTag
	more, err = d.pass(true)
	return more, false, err
}

// sync asks what changed since the token, and reads that.
func (d *round) sync() error {
	c := d.c.DAV
	token := c.Token
	changed := map[string]string{}
	removed := map[string]bool{}
	for range maxTurnover {
		m, a, err := d.ask("REPORT", d.at, "0", dav.Sync(token), http.StatusForbidden, http.StatusConflict, http.StatusBadRequest, http.StatusPreconditionFailed)
		if err == nil && a.Status == http.StatusBadRequest { // some insist on a depth
			m, _, err = d.ask("REPORT", d.at, "1", dav.Sync(token), http.StatusForbidden, http.StatusConflict, http.StatusBadRequest, http.StatusPreconditionFailed)
		}
		if err != nil {
			return err
		}
		if m == nil || m.SyncToken == "" || len(m.SyncToken) > maxValidator {
			return errTokenLost
		}
		truncated := false
		for i := range m.Responses {
			r := &m.Responses[i]
			switch href := strings.TrimSpace(r.Href); {
			case d.itself(href):
				truncated = truncated || dav.Code(r.Status) == http.StatusInsufficientStorage
			case r.Gone():
				removed[href] = true
				delete(changed, href)
			default:
				changed[href] = r.Props().ETag
				delete(removed, href)
			}
		}
		if len(changed) > perPage {
			return errTokenLost // reading all of it by pages is as good
		}
		stuck := m.SyncToken == token
		token = m.SyncToken
		if !truncated {
			c.Token = token
			for href := range removed {
				d.gone(hrefHash(href))
			}
			var list []resource
			for href, etag := range changed {
				list = append(list, resource{href, versionOf(etag)})
			}
			return d.get(list)
		}
		if stuck {
			break
		}
	}
	return errTokenLost
}

// itself says whether an address is the collection's own.
func (d *round) itself(href string) bool {
	u, err := d.at.Parse(href)
	return err != nil || strings.Trim(u.Path, "/") == strings.Trim(d.at.Path, "/")
}

// gone takes note that a resource is not there any more.
func (d *round) gone(h string) {
	delete(d.c.DAV.resources, h)
	d.whole = append(d.whole, groupOfHash(h))
}

// list gives the resources with events around the horizon, by their addresses.
func (d *round) list() ([]resource, error) {
	// Servers place floating times and whole days in a zone of their own.
	m, _, err := d.ask("REPORT", d.at, "1", dav.Query(d.now.Add(-day), d.now.Add(d.s.config.Horizon.Std()+day)))
	if err != nil {
		return nil, err
	}
	var out []resource
	for i := range m.Responses {
		if r := &m.Responses[i]; !d.itself(strings.TrimSpace(r.Href)) && !r.Gone() {
			out = append(out, resource{strings.TrimSpace(r.Href), versionOf(r.Props().ETag)})
		}
	}
	if len(out) > maxResources {
		return nil, failf(sdk.CodeTooLarge, "the calendar has %d events within %s, and %d are the most; lower horizon, or split the calendar", len(out), d.s.config.Horizon, maxResources)
	}
	d.listed = true
	slices.SortFunc(out, func(a, b resource) int { return strings.Compare(a.href, b.href) })
	return slices.CompactFunc(out, func(a, b resource) bool { return a.href == b.href }), nil
}

// vanished compares a listing with what was known. When more than a fifth is missing that is believed on the second time.
func (d *round) vanished(list []resource) {
	c := d.c.DAV
	there := map[string]bool{}
	for _, r := range list {
		there[hrefHash(r.href)] = true
	}
	var missing []string
	for h := range c.resources {
		if !there[h] {
			missing = append(missing, h)
		}
	}
	if len(missing) > 2 && len(missing)*5 > len(c.resources) && !c.Doubt {
		c.Doubt = true
		d.notices = append(d.notices, fmt.Sprintf("%d of %d events are missing at once; that is believed when the next look says so too", len(missing), len(c.resources)))
		return
	}
	c.Doubt = false
	for _, h := range missing {
		d.gone(h)
	}
}

// pass reads one page of all resources; begin says that it is the first.
func (d *round) pass(begin bool) (more bool, err error) {
	list, err := d.list()
	if err != nil {
		return false, err
	}
	if begin {
		d.vanished(list)
	}
	c := d.c.DAV
	rest := list[:0:0]
	for _, r := range list {
		if r.href > c.After {
			rest = append(rest, r)
		}
	}
	page := rest[:min(perPage, len(rest))]
	if err := d.get(page); err != nil {
		return false, err
	}
	if len(rest) > len(page) {
		c.After = page[len(page)-1].href
		return true, nil
	}
	c.After = ""
	d.c.Full = d.now.Unix()
	return false, nil
}

// versions reads the resources whose version changed.
func (d *round) versions(state dav.Prop) (more, unchanged bool, err error) {
	list, err := d.list()
	if err != nil {
		return false, false, err
	}
	d.vanished(list)
	c := d.c.DAV
	changed := slices.DeleteFunc(list, func(r resource) bool { return c.resources[hrefHash(r.href)] == r.version })
	page := changed[:min(perPage, len(changed))]
	if err := d.get(page); err != nil {
		return false, false, err
	}
	if more = len(changed) > len(page); !more {
		c.Token, c.Tag = state.SyncToken, state.CTag
	}
	return more, len(page) == 0 && len(d.whole) == 0 && len(d.notices) == 0, nil
}

// get reads resources.
func (d *round) get(list []resource) error {
	slices.SortFunc(list, func(a, b resource) int { return strings.Compare(a.href, b.href) })
	for batch := range slices.Chunk(list, perMultiget) {
		version := map[string]string{}
		var hrefs []string
		for _, r := range batch {
			version[r.href] = r.version
			hrefs = append(hrefs, r.href)
		}
		m, a, err := d.ask("REPORT", d.at, "1", dav.Multiget(hrefs), http.StatusMethodNotAllowed, http.StatusNotImplemented, http.StatusForbidden)
		if err != nil {
			return err
		}
		if m == nil {
			return failf(sdk.CodeUnsupported, "%s answers %d to calendar-multiget; this server cannot be read by CalDAV, give its iCalendar document instead", d.at.Host, a.Status)
		}
		for i := range m.Responses {
			r := &m.Responses[i]
			href := strings.TrimSpace(r.Href)
			if _, asked := version[href]; !asked {
				continue
			}
			v := version[href]
			delete(version, href)
			if err := d.take(href, v, r); err != nil {
				return err
			}
		}
		// What was asked for and not answered is asked for again.
		for _, href := range slices.Sorted(maps.Keys(version)) {
			d.c.DAV.resources[hrefHash(href)] = unread
			d.notices = append(d.notices, fmt.Sprintf("the server gave no answer about %q", cut(path.Base(href), 60)))
		}
	}
	return nil
}

// take reads one resource.
func (d *round) take(href, version string, r *dav.Response) error {
	h := hrefHash(href)
	data := r.Props().Data
	if r.Gone() || data == "" && len(r.Propstat) > 0 && dav.Code(r.Propstat[0].Status) == http.StatusNotFound {
		d.gone(h)
		return nil
	}
	good, before := false, len(d.w.items)+len(d.w.removed)
	err := d.s.parse(d.ctx, []byte(data), "", d.now, func(cal *ics.Calendar) error {
		if err := d.w.take(cal, href); err != nil {
			return d.s.tooMany(err, d.at.Host+": ")
		}
		d.w.notices = append(d.w.notices, cal.Notices...)
		good = !cal.Cut && cal.Left == 0
		return nil
	})
	switch e := sdk.AsError(err); {
	case err == nil:
	case e.Code == sdk.CodeInvalid:
		d.notices = append(d.notices, fmt.Sprintf("%q was left out: %s", cut(path.Base(href), 60), e.Public))
	default:
		return err
	}
	if !good {
		version = unread
	} else {
		d.whole = append(d.whole, groupOfHash(h))
	}
	_, known := d.c.DAV.resources[h]
	switch {
	case !d.listed && good && len(d.w.items)+len(d.w.removed) == before: // it has nothing within the horizon
		delete(d.c.DAV.resources, h)
	case known || len(d.c.DAV.resources) < maxResources:
		d.c.DAV.resources[h] = version
	}
	if len(d.w.items) > ics.MaxOccurrences {
		return failf(sdk.CodeTooLarge, "%s: the calendar holds more than %d announcements within %s; lower horizon, or split the calendar", d.at.Host, ics.MaxOccurrences, d.s.config.Horizon)
	}
	return nil
}
