package desk

import (
	"bytes"
	"cmp"
	_ "embed"
	"encoding/json"
	"fmt"
	"html/template"
	"strconv"
	"strings"
	"time"

	"github.com/belfry-news/belfry/internal/consent"
	"github.com/belfry-news/belfry/internal/i18n"
)

//go:embed people.html
var peoplePage string

// exported is what consent.Registry.Export writes.
type exported struct {
	Exported  time.Time         `json:"exported"`
	Person    string            `json:"person"`
	Since     time.Time         `json:"since"`
	Addresses map[string]string `json:"addresses"`
	Habits    consent.Habits    `json:"habits"`
	Grants    []consent.Grant   `json:"grants"`
	Events    []consent.Event   `json:"events"`
	Messages  []consent.Sent    `json:"messages"`
}

// exportView is an export as a page shows it.
type exportView struct {
	exported
	Lang, Site, Controller, Policy string
	words                          *i18n.Catalogue
	desk                           *Desk
}

// ExportPage makes a page of an export that needs nothing else to be read, in the language of the person.
func (p *People) ExportPage(data []byte) ([]byte, error) {
	v := exportView{Site: p.Config.Site.Title, Controller: p.Config.Privacy.Controller, Policy: p.Config.Privacy.Policy, desk: p.Desk}
	if err := json.Unmarshal(data, &v.exported); err != nil {
		return nil, fmt.Errorf("the export cannot be read again: %w", err)
	}
	lang := v.Habits.Lang
	if lang == "" {
		lang = p.Config.Site.Lang
	}
	v.words = i18n.For(lang)
	v.Lang = v.words.Lang()
	page, err := template.New("person").Funcs(template.FuncMap{"words": v.words.Text, "when": v.when, "day": v.day, "what": v.what, "under": v.under,
		"medium": v.medium, "manner": v.manner, "habits": v.habits, "title": v.title, "agreed": v.agreed,
		"mannerOf": func(g consent.Grant) string { return v.manner(g.Purpose, &g.Preferences) }, "chosen": func() []string { return v.habits(&v.Habits) }}).Parse(peoplePage)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	err = page.Execute(&b, v)
	return bytes.TrimSpace(b.Bytes()), err
}

// in gives a time in the person's zone, or that of the site.
func (v exportView) in(t time.Time) time.Time {
	if z, err := time.LoadLocation(v.Habits.Zone); err == nil && v.Habits.Zone != "" {
		return t.In(z)
	}
	return t.In(v.desk.Zone())
}

// when writes a time.
func (v exportView) when(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	t = v.in(t)
	return v.words.Text("time.full", "day", v.words.Date(t), "time", v.words.Time(t), "zone", i18n.Zone(t))
}

// day writes the day of a time.
func (v exportView) day(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return v.words.Date(v.in(t))
}

// medium names a medium in a sentence.
func (v exportView) medium(name string) string {
	if name == consent.Email {
		return v.words.Text("people.medium.email")
	}
	if name == "" {
		return ""
	}
	return strings.ToUpper(name[:1]) + name[1:]
}

// pair says of something chosen what it is.
func (v exportView) pair(key, text string) string {
	return v.words.Text("people.pair", "name", v.words.Text(key), "text", text)
}

// hour writes a time of day, "07:00", as the language does.
func (v exportView) hour(text string) string {
	t, err := time.Parse("15:04", text)
	if err != nil {
		return text
	}
	return v.words.Time(t)
}

// manner says how the posts of a purpose come.
func (v exportView) manner(p consent.Purpose, c *consent.Preferences) string {
	if c == nil || p.Kind == consent.Notice {
		return ""
	}
	var out []string
	switch {
	case c.Mode == consent.Digest && len(c.Slots) > 0:
		times := []string{}
		for _, s := range c.Slots {
			times = append(times, v.hour(s))
		}
		out = append(out, v.words.Text("people.manner.digest", "times", v.words.List(times)))
	case c.Mode == consent.Instant:
		out = append(out, v.words.Text("people.manner.instant"))
	}
	if len(c.Topics) > 0 {
		out = append(out, v.words.Text("people.manner.topics", "topics", v.words.List(c.Topics)))
	}
	if len(c.Languages) > 0 {
		names := []string{}
		for _, l := range c.Languages {
			names = append(names, tongue(l))
		}
		out = append(out, v.words.Text("people.manner.languages", "languages", v.words.List(names)))
	}
	if c.Breaking {
		out = append(out, v.words.Text("people.manner.breaking"))
	}
	return strings.Join(out, " ")
}

// tongue is a language's name in itself, or its tag.
func tongue(tag string) string {
	if c := i18n.For(tag); c.Lang() == tag {
		return c.Text("bot.lang.name")
	}
	return tag
}

// habits says what was chosen for everything.
func (v exportView) habits(h *consent.Habits) (out []string) {
	if h == nil {
		return nil
	}
	if h.Lang != "" {
		out = append(out, v.pair("people.lang", tongue(h.Lang)))
	}
	if h.Zone != "" {
		out = append(out, v.pair("people.zone", h.Zone))
	}
	if h.QuietFrom != "" {
		out = append(out, v.pair("people.quiet", v.hour(h.QuietFrom)+" – "+v.hour(h.QuietUntil)))
	}
	if h.PerDay > 0 {
		out = append(out, v.pair("people.perday", strconv.Itoa(h.PerDay)))
	}
	switch {
	case h.PausedOpenly():
		out = append(out, v.pair("people.pause", v.words.Text("people.paused.until.open")))
	case !h.PausedUntil.IsZero():
		out = append(out, v.pair("people.pause", v.words.Text("people.paused.until", "time", v.when(h.PausedUntil))))
	}
	return out
}

// agreed says of somebody whom an import brought when they agreed.
func (v exportView) agreed(e consent.Event) string {
	if at := e.Agreed(); e.Kind == consent.EventImported && !at.IsZero() {
		return v.words.Text("people.agreed", "date", v.day(at))
	}
	return ""
}

// title says what a message was: its own title, or its kind.
func (v exportView) title(m consent.Sent) string {
	if m.Title != "" {
		return m.Title
	}
	return v.under("kind", cmp.Or(m.Kind, consent.StreamPost))
}

// what names a purpose by the title that the configuration has for it.
func (v exportView) what(p consent.Purpose) string {
	switch p.Kind {
	case consent.Channel:
		if ch, known := v.desk.Config.Channels[p.Name]; known {
			return ch.Title.In(v.Lang)
		}
	case consent.Notice:
		if n, known := v.desk.Config.Notices[p.Name]; known {
			return n.Title.In(v.Lang)
		}
	}
	return p.Name
}

// under gives the words for one of a closed list; an entry of a newer version is shown as it is.
func (v exportView) under(list, name any) string {
	key := ""
	switch list {
	case "event":
		key = "people.event."
	case "method":
		key = "people.method."
	case "outcome":
		key = "people.outcome."
	case "reason":
		key = "people.reason."
	case "kind":
		key = "people.kind."
	}
	text := fmt.Sprint(name)
	if said := v.words.Text(key + text); text != "" && said != "["+key+text+"]" {
		return said
	}
	return text
}
