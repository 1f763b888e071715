package feed

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"golang.org/x/text/language"

	"github.com/belfry-news/belfry/plugins/rss/internal/feeddate"
	"github.com/belfry-news/belfry/sdk"
	"github.com/belfry-news/belfry/sdk/render"
)

// reader holds what is common to the items of one document.
type reader struct {
	ctx  context.Context
	in   Input
	feed *Feed
	// site is the feed's own page, against which relative addresses are resolved when there is no xml:base.
	site *url.URL
	// authors of the feed, for entries that name none.
	authors []sdk.Author
	lang    string
	langs   map[string]string // tags as written and as they should be
	weight  int
	tags    int // of HTML that were read
	counts  counts
}

// counts of what is told once for a whole document.
type counts struct {
	doubtfulDates, badDates, badLinks, noGUID, noLink, drafts, unread, bodies, cut, embargo int
}

func (r *reader) notice(format string, args ...any) {
	r.feed.Notices = append(r.feed.Notices, fmt.Sprintf(format, args...))
}

// finish turns the counts into notices.
func (r *reader) finish() {
	c := &r.counts
	add := func(n int, format string, args ...any) {
		if n > 0 {
			r.notice("%s (%d)", fmt.Sprintf(format, args...), n)
		}
	}
	add(c.doubtfulDates, "dates that say no time zone were taken as UTC; if that is wrong, set zone: for this source")
	add(c.badDates, "dates that cannot be read or are not credible were left out")
	add(c.badLinks, "addresses that cannot be given to readers were left out")
	add(c.noGUID, "items have no guid and are identified by their addresses")
	add(c.noLink, "items have neither guid nor address and are identified by title and date")
	add(c.drafts, "entries that are marked as drafts were left out")
	add(c.unread, "items that are empty or cannot be read were left out")
	add(c.embargo, "items with an embargo that cannot be read were left out")
	add(c.bodies, "items came without their text, because the feed has more than %d MiB of it", maxBatch>>20)
	add(c.cut, "texts that are too long were cut")
	if len(r.feed.Notices) > maxNotices {
		r.feed.Notices = r.feed.Notices[:maxNotices]
	}
	for i, n := range r.feed.Notices {
		r.feed.Notices[i] = cutBytes(render.Line(n), 500)
	}
	if c.unread+c.embargo+c.drafts > 0 {
		r.feed.Complete = false
	}
}

// date reads a date and counts what is wrong with it. Dates before 1990 or more than a year ahead are none.
func (r *reader) date(text string) time.Time {
	if strings.TrimSpace(text) == "" {
		return time.Time{}
	}
	t, zoned, ok := feeddate.Parse(text, r.in.Zone)
	if !ok || t.Year() < 1990 || t.After(r.in.Now.AddDate(1, 0, 0)) {
		r.counts.badDates++
		return time.Time{}
	}
	if !zoned && r.in.Zone == nil {
		r.counts.doubtfulDates++
	}
	return t
}

// firstDate gives the first of several texts that is a date.
func (r *reader) firstDate(texts ...string) time.Time {
	for _, text := range texts {
		if t := r.date(text); !t.IsZero() {
			return t
		}
	}
	return time.Time{}
}

// language gives a tag in its normal spelling, or "" for what is none.
func (r *reader) language(tags ...string) string {
	for _, tag := range tags {
		tag = strings.TrimSpace(tag)
		if tag == "" || len(tag) > 35 {
			continue
		}
		normal, known := r.langs[tag]
		if !known {
			if t, err := language.Parse(strings.ReplaceAll(tag, "_", "-")); err == nil && t != language.Und {
				normal = t.String()
			}
			r.langs[tag] = normal
		}
		if normal != "" {
			return normal
		}
	}
	return ""
}

// resolve makes an address absolute: against xml:base, else the feed's page, else the document's own address. It gives
// "" for what cannot be given to a reader, and counts it.
func (r *reader) resolve(raw string, base *url.URL) string {
	raw = strings.Join(strings.Fields(raw), "%20")
	if raw == "" {
		return ""
	}
	raw = strings.ReplaceAll(raw, "&amp;", "&")
	u, err := url.Parse(raw)
	if err != nil {
		r.counts.badLinks++
		return ""
	}
	if !u.IsAbs() {
		if strings.HasPrefix(raw, "www.") {
			u, err = url.Parse("https://" + raw)
		} else if base := r.base(base); base != nil {
			u = base.ResolveReference(u)
		} else if u.Host != "" {
			u.Scheme = "https"
		}
	}
	if err == nil && (u.Scheme == "http" || u.Scheme == "https") {
		if link, err := sdk.CheckLink(u.String()); err == nil {
			return link
		}
	}
	r.counts.badLinks++
	return ""
}

func (r *reader) base(base *url.URL) *url.URL {
	for _, b := range []*url.URL{base, r.site, r.in.URL} {
		if b != nil && b.IsAbs() && b.Host != "" {
			return b
		}
	}
	return nil
}

// setSite remembers the feed's page.
func (r *reader) setSite(raw string, base *url.URL) {
	if strings.TrimSpace(raw) == "" {
		return
	}
	before := r.counts.badLinks
	if link := r.resolve(raw, base); link != "" {
		r.feed.About.URL = link
		r.site, _ = url.Parse(link)
	}
	r.counts.badLinks = before
}

// line makes one line of plain text that has no more than the given number of bytes.
func line(s string, limit int) string { return cutBytes(render.Line(s), limit) }

// cutBytes cuts a text at a word boundary near its limit, with an ellipsis.
func cutBytes(s string, most int) string {
	if len(s) <= most {
		return s
	}
	return render.CutText(s, most, sdk.UnitBytes)
}

// add takes one entry whose Item is filled, gives it its identity, and keeps it within the batch's bounds.
func (r *reader) add(e Entry, ids ...string) {
	it := &e.Item
	e.Link = canonical(it.URL)
	for _, id := range ids {
		if id = identifier(id); id != "" && e.ID == "" {
			e.ID = id
		}
	}
	switch {
	case e.ID != "" && e.Rule == "":
		e.Rule = ByGUID
	case e.ID != "":
	case e.Link != "":
		e.ID, e.Rule = e.Link, ByLink
		r.counts.noGUID++
	default:
		e.ID, e.Rule = fingerprint(it), ByHash
		r.counts.noLink++
	}
	if it.Title == "" && it.Summary == "" && len(it.Body) == 0 {
		it.Title = wordless(it)
	}
	it.Tags = distinct(it.Tags, sdk.MaxTags)
	it.Authors = it.Authors[:min(len(it.Authors), sdk.MaxAuthors)]
	w := len(it.Title) + len(it.Summary)
	for _, m := range it.Media {
		w += len(m.URL) + len(m.Alt) + len(m.Credit)
	}
	nodes, text := weigh(it.Body)
	if b := nodes*nodeWeight + text; r.weight+w+b > maxBatch && b > 0 {
		it.Body = nil
		r.counts.bodies++
	} else {
		w += b
	}
	r.weight += w
	r.feed.Entries = append(r.feed.Entries, e)
}

// wordless names an item that has nothing but pictures or an address.
func wordless(it *sdk.Item) string {
	for _, m := range it.Media {
		if m.Alt != "" {
			return cutBytes(m.Alt, sdk.MaxTitle)
		}
	}
	address := it.URL
	if address == "" && len(it.Media) > 0 {
		address = it.Media[0].URL
	}
	_, name, _ := strings.Cut(address, "://")
	return line(name, sdk.MaxTitle)
}

func weigh(nodes []sdk.Node) (count, text int) {
	for i := range nodes {
		n, t := weigh(nodes[i].Children)
		count += n + 1
		text += t + len(nodes[i].Text) + len(nodes[i].URL)
	}
	return count, text
}

// distinct keeps the first of equal texts.
func distinct(texts []string, most int) []string {
	out := texts[:0]
	for _, t := range texts {
		if t != "" && len(out) < most && !slices.Contains(out, t) {
			out = append(out, t)
		}
	}
	if len(out) == 0 {
		return nil
	}
	return out
}
