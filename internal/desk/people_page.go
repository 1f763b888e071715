package desk

import (
	"bytes"
	"cmp"
	_ "embed"
	"encoding/json"
	"fmt"
	"html/template"
	"time"

	"github.com/belfry-news/belfry/internal/choices"
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
	words                          choices.Words
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
	v.words = choices.Words{Catalogue: i18n.For(lang)}
	v.words.When = v.when
	v.Lang = v.words.Lang()
	page, err := template.New("person").Funcs(template.FuncMap{"words": v.words.Text, "when": v.when, "day": v.day, "what": v.what, "under": v.under,
		"medium": v.words.Medium, "manner": v.manner, "habits": v.habits, "title": v.title, "agreed": v.agreed,
		"mannerOf": func(g consent.Grant) string { return v.manner(g.Purpose, &g.Preferences) }, "chosen": func() []string { return v.pairs(v.words.HabitsNow(v.Habits, v.Exported)) }}).Parse(peoplePage)
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

// manner says how the posts of a purpose come.
func (v exportView) manner(p consent.Purpose, c *consent.Preferences) string {
	if c == nil {
		return ""
	}
	return v.words.Manner(p.Kind, *c)
}

// pairs are sentences about what was chosen.
func (v exportView) pairs(list []choices.Choice) (out []string) {
	for _, c := range list {
		out = append(out, v.words.Pair(c))
	}
	return out
}

// habits says what was chosen for everything at some time.
func (v exportView) habits(h *consent.Habits) []string {
	if h == nil {
		return nil
	}
	return v.pairs(v.words.Habits(*h))
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
	return v.words.Says(fmt.Sprintf("people.%s.", list), fmt.Sprint(name))
}
