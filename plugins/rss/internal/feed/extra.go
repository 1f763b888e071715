package feed

import (
	"strconv"
	"strings"
	"time"

	"github.com/belfry-news/belfry/plugins/rss/internal/feeddate"
	"github.com/belfry-news/belfry/sdk"
)

// extra is what a newsroom can say in its feed beyond the formats: in XML by elements of the namespace
// urn:belfry:feed:1, in JSON Feed by the members of an object "_belfry" with the same names.
type extra struct {
	// Correction is the note on what this revision corrects.
	Correction string `json:"correction"`
	// Urgency from 1 to 9.
	Urgency string `json:"urgency"`
	// NotBefore is the embargo, and Expires the end of the item's meaning.
	NotBefore string `json:"not-before"`
	Expires   string `json:"expires"`
	// TranslationOf is the guid of the item that this one translates.
	TranslationOf string `json:"translation-of"`
}

// apply fills an item. It gives false when the item has an embargo that nobody can read: shown at once it might break it.
func (r *reader) apply(it *sdk.Item, x extra) bool {
	it.Correction = line(x.Correction, sdk.MaxTitle)
	if n, err := strconv.Atoi(strings.TrimSpace(x.Urgency)); err == nil && n >= 1 && n <= 9 {
		it.Urgency = n
	}
	if t := identifier(x.TranslationOf); t != "" {
		it.TranslationOf = Key(t)
	}
	if strings.TrimSpace(x.Expires) != "" {
		if t, ok := r.moment(x.Expires); ok {
			it.ExpiresAt = t
		} else {
			r.counts.badDates++
		}
	}
	if strings.TrimSpace(x.NotBefore) == "" {
		return true
	}
	t, ok := r.moment(x.NotBefore)
	if !ok {
		r.counts.embargo++
		return false
	}
	it.NotBefore = t
	return true
}

// moment reads a time that may lie far ahead.
func (r *reader) moment(text string) (time.Time, bool) {
	t, zoned, ok := feeddate.Parse(text, r.in.Zone)
	if ok && !zoned && r.in.Zone == nil {
		r.counts.doubtfulDates++
	}
	return t, ok
}

// terms takes availability from Dublin Core: dcterms:available as an embargo, dcterms:valid as a period, both either a
// date or "start=…; end=…" (DCMI Period).
func (r *reader) terms(it *sdk.Item, e extensions) {
	for _, name := range []string{"available", "valid"} {
		for _, text := range e.texts("dcterms", name) {
			start, end := text, ""
			if strings.Contains(text, "=") {
				start = ""
				for part := range strings.SplitSeq(text, ";") {
					switch key, value, _ := strings.Cut(strings.TrimSpace(part), "="); strings.ToLower(key) {
					case "start":
						start = value
					case "end":
						end = value
					}
				}
			} else if name == "valid" {
				continue // a single date does not say whether it is the first or the last
			}
			if t, ok := r.moment(start); ok {
				if it.NotBefore.Before(t) {
					it.NotBefore = t
				}
			} else if start != "" {
				r.counts.badDates++
			}
			if t, ok := r.moment(end); ok && it.ExpiresAt.IsZero() {
				it.ExpiresAt = t
			}
		}
	}
}

// extended fills from the extensions of an XML item what both families share. It gives false for an item that must not
// be shown: a draft, or one with an unreadable embargo.
func (r *reader) extended(it *sdk.Item, e extensions) bool {
	for _, c := range e.all("app", "control") {
		if strings.EqualFold(first(c.Children["draft"]), "yes") {
			r.counts.drafts++
			return false
		}
	}
	r.terms(it, e)
	embargo := it.NotBefore
	ok := r.apply(it, extra{Correction: e.text("belfry", "correction"), Urgency: e.text("belfry", "urgency"),
		NotBefore: e.text("belfry", "not-before"), Expires: e.text("belfry", "expires"), TranslationOf: e.text("belfry", "translation-of")})
	if it.NotBefore.Before(embargo) {
		it.NotBefore = embargo
	}
	for _, subject := range e.texts("dc", "subject") {
		it.Tags = append(it.Tags, line(subject, sdk.MaxTag))
	}
	for _, list := range []string{e.text("media", "keywords"), e.text("itunes", "keywords")} {
		for word := range strings.SplitSeq(list, ",") {
			it.Tags = append(it.Tags, line(word, sdk.MaxTag))
		}
	}
	return ok
}
