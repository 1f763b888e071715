package webhook

import (
	"context"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/belfry-news/belfry/sdk"
	"github.com/belfry-news/belfry/sdk/render"
)

// Map makes items of a call that was verified. Errors by code:
//
//	invalid    the body cannot be read, an expression fails, an entry yields no key, no title, or a value of another kind
//	too_large  more entries than one call may hold
func (s *Source) Map(_ context.Context, r sdk.WebhookRequest) (sdk.Batch, error) {
	body, err := read(r)
	if err != nil {
		return sdk.Batch{}, err
	}
	v := view{Body: body, Event: eventOf(r, body), Header: map[string]string{}, Query: map[string]string{}, Events: cloudEvents(r, body)}
	for name := range r.Header {
		v.Header[strings.ToLower(name)] = http.Header(r.Header).Get(name)
	}
	if q, err := url.ParseQuery(r.Query); err == nil {
		for name := range q {
			v.Query[name] = q.Get(name)
		}
	}
	entries, err := s.entries(v)
	if err != nil {
		return sdk.Batch{}, err
	}
	var b sdk.Batch
	for i, entry := range entries {
		v.Entry = entry
		e := evaluation{s: s, v: v, place: ""}
		if len(entries) > 1 {
			e.place = fmt.Sprintf("entry %d: ", i+1)
		}
		e.add(&b, r.ReceivedAt)
		if e.err != nil {
			return sdk.Batch{}, e.err
		}
	}
	return once(b), nil
}

// entries are the things in a call that may become items.
func (s *Source) entries(v view) ([]any, error) {
	entries := []any{v.Body}
	if list, ok := v.Body.([]any); ok {
		entries = list
	}
	if s.program["each"] != nil {
		out, err := s.program.run("each", v)
		if err != nil {
			return nil, err
		}
		switch out := out.(type) {
		case nil:
			entries = nil
		case []any:
			entries = out
		default:
			return nil, sdk.Errorf(sdk.CodeInvalid, opMap, "map.each gives %s, and no list; write [%s] for one entry", sort(out), s.config.mapping().Each)
		}
	}
	if len(entries) > maxEntries {
		return nil, sdk.Errorf(sdk.CodeTooLarge, opMap, "the call holds %d entries, and %d are the most", len(entries), maxEntries)
	}
	return entries, nil
}

// once leaves of several words about one key the last.
func once(b sdk.Batch) sdk.Batch {
	last := map[string]int{}
	for i, it := range b.Items {
		last[it.Key] = i
	}
	items := b.Items[:0]
	for i, it := range b.Items {
		if last[it.Key] == i {
			items = append(items, it)
		}
	}
	b.Items = items
	return b
}

// evaluation makes one item. The first fault is kept, and what follows gives nothing.
type evaluation struct {
	s     *Source
	v     view
	place string
	err   error
}

func (e *evaluation) fail(name, format string, args ...any) {
	if e.err == nil {
		e.err = sdk.Errorf(sdk.CodeInvalid, opMap, "%smap.%s %s", e.place, dotted(name), fmt.Sprintf(format, args...))
	}
}

func (e *evaluation) run(name string) any {
	if e.err != nil {
		return nil
	}
	out, err := e.s.program.run(name, e.v)
	if err != nil {
		public := sdk.AsError(err).Public
		e.err = sdk.Errorf(sdk.CodeInvalid, opMap, "%s%s", e.place, public)
	}
	return out
}

// add makes an item or a withdrawal of the entry, or nothing.
func (e *evaluation) add(b *sdk.Batch, at time.Time) {
	if e.s.program["when"] != nil && !e.yes("when") {
		return
	}
	if e.s.program["notice/name"] != nil {
		if name := e.text("notice/name"); e.err != nil || name != "" {
			e.notice(b, name)
			return
		}
	}
	if e.s.program["key"] == nil {
		return // nothing but notices is mapped
	}
	key := e.text("key")
	if e.err == nil && key == "" {
		e.fail("key", "yields nothing; name what identifies the article, such as entry.id")
	}
	remove := e.yes("remove")
	if e.err != nil {
		return
	}
	if remove {
		b.Removed = append(b.Removed, sdk.Removal{Key: key, Reason: strings.TrimSpace("withdrawn by the sender " + e.v.Event), At: at})
		for i, it := range b.Items {
			if it.Key == key { // what one call says last counts
				b.Items = append(b.Items[:i], b.Items[i+1:]...)
				break
			}
		}
		return
	}
	it := sdk.Item{Key: key, Group: e.text("group"), Title: render.Line(e.text("title")), Summary: e.text("summary"), URL: e.text("url"), Lang: e.text("lang"),
		Tags: e.list("tags"), Published: e.time("published"), Updated: e.time("updated"), NotBefore: e.time("not_before"), ExpiresAt: e.time("expires"),
		Urgency: e.urgency(), Correction: e.text("correction"), TranslationOf: e.text("translation_of")}
	for _, name := range e.list("authors") {
		it.Authors = append(it.Authors, sdk.Author{Name: name})
	}
	e.content(&it)
	if e.err == nil && it.Title == "" {
		e.fail("title", "yields no title for %.100q; name where the call has it, such as entry.title", key)
	}
	if e.err == nil {
		for i, r := range b.Removed {
			if r.Key == key {
				b.Removed = append(b.Removed[:i], b.Removed[i+1:]...)
				break
			}
		}
		b.Items = append(b.Items, it)
	}
}

// notice makes a notice to one person.
func (e *evaluation) notice(b *sdk.Batch, name string) {
	n := sdk.PersonNotice{Notice: name, Reference: e.text("notice/reference"), Key: e.text("notice/key"), Title: render.Line(e.text("notice/title")), Text: e.text("notice/text"),
		URL: resolved(e.text("notice/url"), e.s.base), Slots: e.slots(), Expires: e.time("notice/expires")}
	switch {
	case e.err != nil:
	case n.Reference == "":
		e.fail("notice/reference", "yields nothing; name what your system calls the person")
	case n.Key == "":
		e.fail("notice/key", "yields nothing; name what the notice is about, such as an order")
	case n.Title == "" && n.Text == "":
		e.fail("notice/text", "yields nothing, and so does map.notice.title; a notice has to say something")
	default:
		b.PersonNotices = append(b.PersonNotices, n)
	}
}

func (e *evaluation) slots() map[string]string {
	object, ok := e.run("notice/slots").(map[string]any)
	if !ok || len(object) == 0 {
		return nil
	}
	out := map[string]string{}
	for name, v := range object {
		s, ok := textOf(v)
		if !ok {
			e.fail("notice/slots", "gives %s for %.40q; a slot is a text", sort(v), name)
		}
		out[name] = s
	}
	return out
}

// content reads the text and the picture.
func (e *evaluation) content(it *sdk.Item) {
	base := e.s.base
	if u, err := url.Parse(it.URL); base == nil && err == nil && u.IsAbs() {
		base = u
	}
	it.URL = resolved(it.URL, base)
	if fragment := e.text("html"); fragment != "" {
		doc := render.FromHTML(fragment, base)
		it.Body, it.Media = doc.Body, doc.Media
	} else if text := e.text("markdown"); text != "" {
		it.Body = e.parsed("markdown", text, render.CommonMark)
	} else if text := e.text("text"); text != "" {
		it.Body = e.parsed("text", text, render.Plain)
	}
	if address := resolved(e.text("image"), base); address != "" {
		m := sdk.Media{URL: address, Alt: e.text("image_alt"), Credit: e.text("image_credit")}
		media := []sdk.Media{m}
		for _, other := range it.Media {
			if other.URL != address && len(media) < sdk.MaxMedia {
				media = append(media, other)
			}
		}
		it.Media = media
	}
}

func (e *evaluation) parsed(name, text string, m render.Markup) sdk.Body {
	body, err := render.Parse(text, m)
	if err != nil {
		what, _ := sdk.Sentence(err)
		e.fail(name, "cannot be read: %s", what)
	}
	return body
}

// resolved makes an address whole; one that cannot be is none.
func resolved(address string, base *url.URL) string {
	u, err := url.Parse(strings.TrimSpace(address))
	if err != nil || address == "" {
		return ""
	}
	if base != nil {
		u = base.ResolveReference(u)
	}
	if u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return ""
	}
	return u.String()
}

// sort names what a value is, for a sentence.
func sort(v any) string {
	switch v.(type) {
	case nil:
		return "nothing"
	case bool:
		return "true or false"
	case string:
		return "a text"
	case int, int64, float64:
		return "a number"
	case []any:
		return "a list"
	case map[string]any:
		return "an object"
	}
	return "a value of another kind"
}

func (e *evaluation) yes(name string) bool {
	switch v := e.run(name).(type) {
	case bool:
		return v
	case nil:
		return false
	default:
		e.fail(name, "gives %s; it must be true or false", sort(v))
		return false
	}
}

func (e *evaluation) text(name string) string {
	v := e.run(name)
	s, ok := textOf(v)
	if !ok {
		e.fail(name, "gives %s; it must give a text", sort(v))
	}
	return s
}

func textOf(v any) (string, bool) {
	switch v := v.(type) {
	case nil:
		return "", true
	case string:
		return strings.TrimSpace(v), true
	case int:
		return strconv.Itoa(v), true
	case int64:
		return strconv.FormatInt(v, 10), true
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64), true
	}
	return "", false
}

func (e *evaluation) list(name string) []string {
	v := e.run(name)
	if texts, ok := v.([]string); ok {
		return texts
	}
	all, ok := v.([]any)
	if !ok {
		s, ok := textOf(v)
		if !ok {
			e.fail(name, "gives %s; it must give a text or a list of texts", sort(v))
		}
		if s == "" {
			return nil
		}
		return []string{s}
	}
	var out []string
	for _, one := range all {
		if object, is := one.(map[string]any); is { // a list of things with names
			one, _ = pick(object, "name", "title", "label", "slug") // which never fails on texts
		}
		s, ok := textOf(one)
		if !ok {
			e.fail(name, "gives a list that holds %s; it must hold texts, or things with a name", sort(one))
			return nil
		}
		if s != "" {
			out = append(out, s)
		}
	}
	return out
}

func (e *evaluation) urgency() int {
	v := e.run("urgency")
	if s, ok := v.(string); ok && s != "" {
		if n, err := strconv.Atoi(strings.TrimSpace(s)); err == nil {
			v = n
		}
	}
	var n int
	switch v := v.(type) {
	case nil:
		return 0
	case int:
		n = v
	case float64:
		n = int(v)
	default:
		if v == "" {
			return 0
		}
		e.fail("urgency", "gives %s; it must give a number from 1, the most urgent, to 9", sort(v))
		return 0
	}
	if n < 0 || n > 9 {
		e.fail("urgency", "gives %d; it must give a number from 1, the most urgent, to 9", n)
	}
	return n
}

func (e *evaluation) time(name string) time.Time {
	v := e.run(name)
	if v == nil || v == "" {
		return time.Time{}
	}
	t, ok := timeOf(v, e.s.zone)
	if !ok {
		// An embargo that is not understood must not be broken, and a date that is wrong says that the mapping is.
		e.fail(name, "gives %.60q, which is no time; write it like 2026-11-20T06:00:00Z, or as seconds since 1970", fmt.Sprint(v))
	}
	return t
}

// layouts are the times that senders write, besides numbers.
func layouts() []string {
	return []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999", "2006-01-02 15:04:05.999999999Z07:00", "2006-01-02 15:04:05.999999999", "2006-01-02T15:04Z07:00", "2006-01-02T15:04",
		"2006-01-02 15:04", "2006-01-02", time.RFC1123, time.RFC1123Z}
}

// timeOf reads a time. One without a zone is of the given one; the zeros of WordPress are no time.
func timeOf(v any, zone *time.Location) (time.Time, bool) {
	switch v := v.(type) {
	case time.Time:
		return v.UTC(), true
	case int:
		return unix(float64(v))
	case float64:
		return unix(v)
	case string:
		v = strings.TrimSpace(v)
		if strings.HasPrefix(v, "0000-00-00") {
			return time.Time{}, true
		}
		if n, err := strconv.ParseInt(v, 10, 64); err == nil && len(v) >= 9 {
			return unix(float64(n))
		}
		for _, layout := range layouts() {
			if t, err := time.ParseInLocation(layout, v, zone); err == nil {
				return t.UTC(), true
			}
		}
	}
	return time.Time{}, false
}

// unix reads a number of seconds or, when that would be thousands of years ahead, of milliseconds since 1970.
func unix(n float64) (time.Time, bool) {
	if math.Abs(n) > 1e14 {
		return time.Time{}, false
	}
	if math.Abs(n) > 1e11 {
		n /= 1000
	}
	return time.UnixMilli(int64(n * 1000)).UTC(), true
}
