package calendar

import (
	"crypto/sha256"
	"encoding/base64"
	"slices"
	"strings"
	"time"

	"github.com/belfry-news/belfry/plugins/calendar/internal/ics"
	"github.com/belfry-news/belfry/sdk"
)

// shortHash is 8 bytes that stand for a text.
func shortHash(s string) string {
	sum := sha256.Sum256([]byte(s))
	return string(sum[:8])
}

// group names the part of the source that all items of an event, or of a CalDAV resource, belong to.
func group(of string) string { return groupOfHash(hrefHash(of)) }

// hrefHash stands for a resource.
func hrefHash(href string) string { return shortHash(href)[:hrefBytes] }

func groupOfHash(h string) string { return base64.RawURLEncoding.EncodeToString([]byte(h)) }

// longestUID is how many bytes of a UID a key holds; a longer one is hashed.
const longestUID = 600

// key identifies the item of an occurrence and a lead, however the occurrence is moved.
func key(o ics.Occurrence, lead time.Duration) string {
	uid := o.UID
	if len(uid) > longestUID {
		uid = "sha256:" + base64.RawURLEncoding.EncodeToString([]byte(shortHash(uid)))
	}
	if o.Instance != "" {
		uid += "#" + o.Instance
	}
	return uid + "@" + sdk.D(lead).String()
}

// announcement is an item, when its turn is, and when its event is over.
type announcement struct {
	item       sdk.Item
	from, over time.Time
}

// announcements makes the items of an occurrence, one for each lead.
func announcements(o ics.Occurrence, leads []time.Duration, groupOf string) []announcement {
	over := o.End
	if !over.After(o.Start) {
		over = o.Start.Add(time.Hour) // an event without a length has just begun for so long
	}
	out := make([]announcement, len(leads))
	for i, lead := range leads {
		a := announcement{item: item(o), from: o.Start.Add(-lead).UTC(), over: over.UTC()}
		a.item.Key, a.item.Group, a.item.NotBefore, a.item.ExpiresAt = key(o, lead), group(groupOf), a.from, a.over
		if i+1 < len(leads) { // the next one says it better
			a.item.ExpiresAt = o.Start.Add(-leads[i+1]).UTC()
		}
		out[i] = a
	}
	return out
}

func item(o ics.Occurrence) sdk.Item {
	when := when(o)
	place := oneLine(o.Location, 500)
	head := when
	if place != "" {
		head += " · " + place
	}
	it := sdk.Item{Title: oneLine(o.Summary, sdk.MaxTitle), Summary: head, Due: o.Start.UTC(), Updated: o.Modified, Published: o.Created,
		Event: &sdk.Event{UID: cut(o.UID, sdk.MaxKey), Recurrence: o.Recurrence, Start: o.Start, End: o.End, AllDay: o.AllDay, Zone: o.Zone, Location: place, Status: status(o)}}
	if it.Title == "" {
		it.Title = head
	}
	it.Body = append(sdk.Body{sdk.Paragraph(sdk.Text(head))}, paragraphs(o.Description)...)
	if u, err := sdk.CheckLink(o.URL); err == nil && !strings.HasPrefix(u, "mailto:") && len(o.URL) <= sdk.MaxURL {
		it.URL = u
	}
	for _, c := range o.Categories {
		if t := oneLine(c, sdk.MaxTag); t != "" && !slices.Contains(it.Tags, t) && len(it.Tags) < sdk.MaxTags {
			it.Tags = append(it.Tags, t)
		}
	}
	if u, err := sdk.CheckLink(o.Image); err == nil && !strings.HasPrefix(u, "mailto:") {
		it.Media = []sdk.Media{{URL: u, Type: cut(o.ImageType, 100)}}
	}
	return it
}

// status is one of those that events have; another word says nothing.
func status(o ics.Occurrence) string {
	switch {
	case o.Cancelled:
		return "CANCELLED"
	case o.Status == "CONFIRMED" || o.Status == "TENTATIVE":
		return o.Status
	}
	return ""
}

// when says the time in figures that every reader understands alike.
func when(o ics.Occurrence) string {
	const clock = "15:04"
	first := o.Start.Format(time.DateOnly)
	if o.AllDay {
		if last := o.End.AddDate(0, 0, -1).Format(time.DateOnly); last > first {
			return first + " – " + last
		}
		return first
	}
	out := first + ", " + o.Start.Format(clock)
	switch {
	case !o.End.After(o.Start):
	case o.End.In(o.Start.Location()).Format(time.DateOnly) == first:
		out += "–" + o.End.In(o.Start.Location()).Format(clock)
	default:
		end := o.End.In(o.Start.Location())
		out += " – " + end.Format(time.DateOnly) + ", " + end.Format(clock)
	}
	zone := o.Zone
	if zone == "" {
		zone = "UTC" + o.Start.Format("-07:00")
	}
	return out + " (" + zone + ")"
}

// maxParagraphs bounds what is kept of a description.
const maxParagraphs = 200

// paragraphs makes text of a description, whose blank lines part it.
func paragraphs(s string) []sdk.Node {
	if len(s) > 100_000 {
		s = cut(s, 100_000)
	}
	var out []sdk.Node
	var lines []sdk.Node
	flush := func() {
		if len(lines) > 0 && len(out) < maxParagraphs {
			out = append(out, sdk.Paragraph(lines...))
		}
		lines = nil
	}
	for line := range strings.SplitSeq(strings.ReplaceAll(s, "\r", ""), "\n") {
		text := oneLine(line, 20_000)
		switch {
		case text == "":
			flush()
		case len(lines) >= 40:
			flush()
			fallthrough
		default:
			if len(lines) > 0 {
				lines = append(lines, sdk.Node{Kind: sdk.NodeBreak})
			}
			lines = append(lines, sdk.Text(text))
		}
	}
	flush()
	return out
}

func oneLine(s string, n int) string {
	return cut(strings.Join(strings.Fields(strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, s)), " "), n)
}

func cut(s string, n int) string {
	if len(s) > n {
		s = strings.ToValidUTF8(s[:n-3], "") + "…"
	}
	return s
}
