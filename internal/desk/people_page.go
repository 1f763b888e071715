package desk

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"html/template"
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
	page, err := template.New("person").Funcs(template.FuncMap{"words": v.words.Text, "when": v.when, "what": v.what, "under": v.under}).Parse(peoplePage)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	err = page.Execute(&b, v)
	return bytes.TrimSpace(b.Bytes()), err
}

// when writes a time in the person's zone, or that of the site.
func (v exportView) when(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	zone := v.desk.Zone()
	if z, err := time.LoadLocation(v.Habits.Zone); err == nil && v.Habits.Zone != "" {
		zone = z
	}
	t = t.In(zone)
	return v.words.Text("time.full", "day", v.words.Date(t), "time", v.words.Time(t), "zone", i18n.Zone(t))
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
	}
	text := fmt.Sprint(name)
	if said := v.words.Text(key + text); text != "" && said != "["+key+text+"]" {
		return said
	}
	return text
}
