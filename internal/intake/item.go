package intake

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/belfry-news/belfry/sdk"
	"golang.org/x/text/unicode/norm"
)

// cleanItem bounds and normalises what a source gave. It says what it had to drop, and false when nothing usable stays.
func cleanItem(it sdk.Item) (sdk.Item, []string, bool) {
	var notes []string
	note := func(format string, args ...any) { notes = append(notes, fmt.Sprintf(format, args...)) }
	switch {
	case strings.TrimSpace(it.Key) == "":
		return it, []string{"an item without a key was left out"}, false
	case len(it.Key) > sdk.MaxKey:
		return it, []string{fmt.Sprintf("an item whose key is longer than %d bytes was left out", sdk.MaxKey)}, false
	case !utf8.ValidString(it.Key) || strings.ContainsRune(it.Key, 0):
		return it, []string{"an item whose key is no text was left out"}, false
	}
	it.Title = cleanText(it.Title, sdk.MaxTitle, false)
	it.Summary = cleanText(it.Summary, sdk.MaxSummary, true)
	it.Correction = cleanText(it.Correction, sdk.MaxTitle, false)
	if it.URL != "" {
		u, err := sdk.CheckLink(it.URL)
		if err != nil || strings.HasPrefix(u, "mailto:") {
			note("item %s: its address cannot be linked to", short(it.Key))
			u = ""
		}
		it.URL = u
	}
	if err := it.Body.Validate(); err != nil {
		note("item %s: its text was left out: %s", short(it.Key), err)
		it.Body = nil
	}
	if !langTag.MatchString(it.Lang) {
		it.Lang = ""
	}
	it.Tags = cleanTags(it.Tags)
	it.Authors = it.Authors[:min(len(it.Authors), sdk.MaxAuthors)]
	for i := range it.Authors {
		it.Authors[i].Name = cleanText(it.Authors[i].Name, sdk.MaxTag, false)
		if _, err := sdk.CheckLink(it.Authors[i].URL); err != nil {
			it.Authors[i].URL = ""
		}
	}
	media := make([]sdk.Media, 0, len(it.Media))
	for _, m := range it.Media {
		u, err := sdk.CheckLink(m.URL)
		if err != nil || len(media) == sdk.MaxMedia {
			continue
		}
		m.URL = u
		m.Alt, m.Credit = cleanText(m.Alt, sdk.MaxAlt, true), cleanText(m.Credit, sdk.MaxTitle, false)
		m.File = sdk.File{}
		media = append(media, m)
	}
	it.Media = media
	if it.Urgency < 0 || it.Urgency > 9 {
		it.Urgency = 0
	}
	for _, t := range []*time.Time{&it.Published, &it.Updated, &it.NotBefore, &it.Due, &it.ExpiresAt} {
		if t.IsZero() {
			continue
		}
		*t = t.UTC().Truncate(time.Microsecond)
		switch {
		case t.Year() >= 1 && t.Year() <= lastYear:
		case t == &it.NotBefore && t.Year() > lastYear:
			*t = time.Date(lastYear, 12, 31, 0, 0, 0, 0, time.UTC) // an embargo without end stays one
		default:
			*t = time.Time{}
		}
	}
	if it.Event != nil {
		e := *it.Event
		e.UID, e.Zone = cleanText(e.UID, sdk.MaxKey, false), cleanText(e.Zone, sdk.MaxTag, false)
		e.Location, e.Status = cleanText(e.Location, sdk.MaxTitle, false), cleanText(e.Status, sdk.MaxTag, false)
		for _, t := range []*time.Time{&e.Recurrence, &e.Start, &e.End} {
			if t.Year() < 1 || t.Year() > lastYear {
				*t = time.Time{}
			}
		}
		it.Event = &e
	}
	if it.Title == "" && it.Summary == "" && len(it.Body) == 0 {
		note("item %s has neither title nor text and was left out", short(it.Key))
		return it, notes, false
	}
	return it, notes, true
}

// lastYear is the last one that RFC 3339 can write.
const lastYear = 9999

// cleanAbout bounds what a source says of itself.
func cleanAbout(a sdk.About) sdk.About {
	a.Title, a.Description = cleanText(a.Title, sdk.MaxTitle, false), cleanText(a.Description, sdk.MaxTitle, false)
	if u, err := sdk.CheckLink(a.URL); err == nil {
		a.URL = u
	} else {
		a.URL = ""
	}
	if !langTag.MatchString(a.Lang) {
		a.Lang = ""
	}
	a.Hub, a.Topic = cleanHub(a.Hub, a.Topic)
	if a.Updated.Year() < 1 || a.Updated.Year() > lastYear {
		a.Updated = time.Time{}
	}
	return a
}

// cleanHub gives a hub and a topic that can be subscribed to, or neither. A topic is told to its hub as it is written.
func cleanHub(hub, topic string) (string, string) {
	u, err := sdk.CheckLink(hub)
	if _, terr := sdk.CheckLink(topic); err != nil || terr != nil || !strings.HasPrefix(u, "http") || !strings.HasPrefix(topic, "http") || len(u) > maxHubAddress || len(topic) > maxHubAddress {
		return "", ""
	}
	return u, topic
}

// maxHubAddress bounds the addresses of hubs and topics, in bytes.
const maxHubAddress = 2000

var langTag = regexp.MustCompile(`^[a-zA-Z]{2,3}(-[a-zA-Z0-9]{2,8})*$`)

// cleanText makes plain text of plain text: valid UTF-8 in normal form C, without control characters and bidi overrides,
// white space collapsed, at most limit bytes.
func cleanText(s string, limit int, lines bool) string {
	if len(s) <= limit && tidy(s, lines) {
		return s
	}
	return clean(s, limit, lines)
}

func clean(s string, limit int, lines bool) string {
	s = norm.NFC.String(strings.ToValidUTF8(s, "\uFFFD"))
	var b strings.Builder
	space := 0 // 1: a blank is due, 2: a line feed
	for _, r := range s {
		switch {
		case r == '\n' && lines:
			space = 2
		case unicode.IsSpace(r) && r != '\u00a0' && r != '\u202f':
			space = max(space, 1)
		case unicode.IsControl(r), r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x2069, r == 0xfeff, r == 0x2028, r == 0x2029:
		default:
			if space > 0 && b.Len() > 0 {
				b.WriteByte([]byte{0, ' ', '\n'}[space])
			}
			space = 0
			b.WriteRune(r)
		}
	}
	out := b.String()
	if len(out) > limit {
		out = strings.ToValidUTF8(out[:limit], "")
	}
	return out
}

// tidy reports whether a text is plain ASCII with single blanks between its words, or line feeds where lines may be: most
// texts are, and there is nothing to clean in them.
func tidy(s string, lines bool) bool {
	space := true // at the beginning
	for i := range len(s) {
		switch c := s[i]; {
		case c == ' ', c == '\n' && lines:
			if space {
				return false
			}
			space = true
		case c > ' ' && c < 0x7f:
			space = false
		default:
			return false
		}
	}
	return !space || s == ""
}

func cleanTags(tags []string) []string {
	var out []string
	seen := map[string]bool{}
	for _, t := range tags {
		t = cleanText(t, sdk.MaxTag, false)
		if key := strings.ToLower(t); t != "" && !seen[key] && len(out) < sdk.MaxTags {
			seen[key] = true
			out = append(out, t)
		}
	}
	return out
}

// short names a key in a sentence.
func short(key string) string {
	if len(key) > 60 {
		key = strings.ToValidUTF8(key[:60], "") + "…"
	}
	return fmt.Sprintf("%q", key)
}

// substance identifies what makes a revision: title, summary, text, picture, link and correction note, without
// formatting, white space and the parameters that only break caches. link is its address as Canonical spells it.
func substance(it sdk.Item, link string) string {
	return digest(foldSpace(it.Title), foldSpace(it.Summary), foldSpace(bodyText(it.Body)), firstImage(it.Media), link, it.Correction)
}

// facts identifies everything of an item besides its times of publication and update: what selection can depend on.
func facts(it sdk.Item) string {
	it.Published, it.Updated, it.Body = time.Time{}, time.Time{}, nil
	b, err := json.Marshal(it)
	if err != nil {
		return ""
	}
	return digest(string(b))
}

func digest(parts ...string) string {
	size := 0
	for _, p := range parts {
		size += len(p) + 8
	}
	all := make([]byte, 0, size)
	for _, p := range parts {
		all = append(append(strconv.AppendInt(all, int64(len(p)), 10), ':'), p...)
	}
	sum := sha256.Sum256(all)
	return hex.EncodeToString(sum[:16])
}

func bodyText(b sdk.Body) string {
	var out strings.Builder
	var walk func(nodes []sdk.Node)
	walk = func(nodes []sdk.Node) {
		for i := range nodes {
			out.WriteString(nodes[i].Text)
			if nodes[i].Kind.Block() || nodes[i].Kind == sdk.NodeBreak || nodes[i].Kind == sdk.NodeItem {
				out.WriteByte(' ')
			}
			walk(nodes[i].Children)
		}
	}
	walk(b)
	return out.String()
}

func foldSpace(s string) string {
	if s = strings.TrimSpace(s); tidy(s, false) {
		return s
	}
	return strings.Join(strings.Fields(s), " ")
}

func firstImage(media []sdk.Media) string {
	for _, m := range media {
		if m.Type == "" || strings.HasPrefix(m.Type, "image/") {
			u, _, _ := strings.Cut(m.URL, "?")
			return u
		}
	}
	return ""
}

// tracking are the query parameters that name a campaign and not an article.
var tracking = []string{"fbclid", "gclid"}

// Canonical spells an article's address so that two spellings of one article are equal: lower-case scheme and host, http
// as https, no fragment, no campaign parameters, no slash at the end. It is for comparing only, never for linking.
func Canonical(raw string) string {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" {
		return ""
	}
	u.Fragment, u.RawFragment = "", ""
	u.Host = strings.ToLower(u.Host)
	if u.Scheme == "http" {
		u.Scheme = "https"
	}
	// Not by url.Values: it drops parameters that it cannot read, and with them what tells two articles apart.
	u.RawQuery = strings.Join(slices.DeleteFunc(slices.Sorted(strings.SplitSeq(u.RawQuery, "&")), func(pair string) bool {
		name, _, _ := strings.Cut(pair, "=")
		return pair == "" || strings.HasPrefix(name, "utm_") || strings.HasPrefix(name, "mc_") || slices.Contains(tracking, name)
	}), "&")
	u.ForceQuery = false
	u.Path = strings.TrimSuffix(u.Path, "/")
	return u.String()
}

// nameKey is what an item is known by when its key changes: its title, and of an announcement also the event's time and its
// own, or the times of a series would be one another.
func nameKey(it sdk.Item) string {
	k := titleKey(it.Title)
	if k != "" && !it.Due.IsZero() {
		lead := time.Duration(0)
		if !it.NotBefore.IsZero() {
			lead = it.Due.Sub(it.NotBefore)
		}
		k += " " + it.Due.UTC().Format(time.RFC3339) + " " + lead.String()
	}
	return k
}

// titleKey spells a title so that two spellings of it are equal.
func titleKey(title string) string {
	return strings.Join(strings.FieldsFunc(strings.ToLower(title), func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r)
	}), " ")
}
