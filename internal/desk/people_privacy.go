package desk

import (
	"bytes"
	_ "embed"
	"html/template"
	"maps"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/belfry-news/belfry/configs"
	"github.com/belfry-news/belfry/internal/consent"
	"github.com/belfry-news/belfry/internal/i18n"
	"github.com/belfry-news/belfry/sdk"
)

//go:embed privacy.html
var privacyPage string

// PrivacyReport is what is kept about people, for what, for how long, where, and who gets it: the record of processing
// activities (GDPR, article 30), as far as configuration and schema tell it.
type PrivacyReport struct {
	Made       Stamp  `json:"made"`
	Site       string `json:"site"`
	URL        string `json:"url"`
	Controller string `json:"controller"`
	Policy     string `json:"policy"`
	// Missing says what the configuration does not tell.
	Missing    []string           `json:"missing"`
	Purposes   []PrivacyPurpose   `json:"purposes"`
	Data       []PrivacyData      `json:"data"`
	Places     []PrivacyPlace     `json:"places"`
	Processors []PrivacyProcessor `json:"processors"`
	Staff      []PrivacyStaff     `json:"staff"`
	Rights     []PrivacyRight     `json:"rights"`
	// Persons are whose data it is, and Measures what guards it. Unknown is what such a record has to say and no configuration tells.
	Persons  []string `json:"persons"`
	Measures []string `json:"measures"`
	Unknown  []string `json:"unknown"`

	words *i18n.Catalogue
}

// PrivacyPurpose is what people can agree to.
type PrivacyPurpose struct {
	Purpose string   `json:"purpose"`
	Title   string   `json:"title"`
	Media   []string `json:"media"`
	Basis   string   `json:"basis"`
}

// PrivacyData is one kind of data.
type PrivacyData struct {
	Name    string   `json:"name"`
	Purpose string   `json:"purpose"`
	Basis   string   `json:"basis"`
	Kept    string   `json:"kept"`
	Sealed  bool     `json:"sealed"`
	Tables  []string `json:"tables"`
}

// PrivacyPlace is where data lies.
type PrivacyPlace struct {
	Place string `json:"place"`
	What  string `json:"what"`
}

// PrivacyProcessor is somebody else who gets addresses and messages.
type PrivacyProcessor struct {
	Destination string `json:"destination"`
	Type        string `json:"type"`
	// Plugin is the third party's program that gets it, by its name in the plugin folder; empty where Belfry's own connector does.
	Plugin string   `json:"plugin,omitempty"`
	Hosts  []string `json:"hosts"`
	Gets   string   `json:"gets"`
	For    []string `json:"for"`
}

// By is what a destination writes by.
func (p PrivacyProcessor) By() string {
	if p.Plugin == "" {
		return p.Type
	}
	return p.Type + " (plugin " + p.Plugin + ")"
}

// PrivacyStaff is somebody of the house who may act.
type PrivacyStaff struct {
	Name string   `json:"name"`
	May  []string `json:"may"`
}

// PrivacyRight is what a person can do, and how.
type PrivacyRight struct {
	Right string `json:"right"`
	How   string `json:"how"`
}

// PrivacyReport computes the report from the configuration and the schema, in a language that there is a catalogue of.
func (d *Desk) PrivacyReport(lang string) PrivacyReport {
	l, words := d.Config, i18n.For(lang)
	text := words.Text
	r := PrivacyReport{words: words, Made: Stamp{d.Now}, Site: l.Site.Title, URL: l.Site.URL, Controller: l.Privacy.Controller, Policy: l.Privacy.Policy, Missing: []string{}, Purposes: []PrivacyPurpose{},
		Data: []PrivacyData{}, Processors: []PrivacyProcessor{}, Staff: []PrivacyStaff{}}
	for _, m := range []struct {
		missing bool
		what    string
	}{{l.Privacy.Controller == "", text("privacy.missing.controller")}, {l.Privacy.Policy == "", text("privacy.missing.policy")},
		{l.Privacy.Key.Empty() && l.Writes(), text("privacy.missing.key")}, {l.Privacy.Backups == 0, text("privacy.missing.backups")}} {
		if m.missing {
			r.Missing = append(r.Missing, m.what)
		}
	}
	gets := map[string][]string{}
	basis, replies := text("privacy.basis.purpose"), text("privacy.replies")
	for _, name := range slices.Sorted(maps.Keys(l.Channels)) {
		ch := l.Channels[name]
		p := PrivacyPurpose{Purpose: "channel " + name, Title: ch.Title.In(words.Lang()), Media: []string{}, Basis: basis}
		for _, m := range ch.Messages {
			p.Media = append(p.Media, l.Destinations[m.Destination].Type)
			gets[m.Destination] = append(gets[m.Destination], p.Purpose)
		}
		if len(ch.Messages) > 0 {
			r.Purposes = append(r.Purposes, p)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(l.Notices)) {
		n := l.Notices[name]
		p := PrivacyPurpose{Purpose: "notice " + name, Title: n.Title.In(words.Lang()), Media: []string{}, Basis: basis}
		for _, to := range n.Destinations {
			p.Media = append(p.Media, l.Destinations[to].Type)
			gets[to] = append(gets[to], p.Purpose)
		}
		r.Purposes = append(r.Purposes, p)
	}
	if to := l.Replies.Forward.Destination; to != "" {
		gets[to] = append(gets[to], replies)
	}
	for _, name := range slices.Sorted(maps.Keys(gets)) {
		dest := l.Destinations[name]
		what := text("privacy.gets.addresses")
		if slices.Equal(gets[name], []string{replies}) {
			what = text("privacy.gets.replies")
		}
		plugin := ""
		if p, foreign := l.Plugin(dest.Type); foreign && p.Trusted != nil {
			plugin = p.Trusted.Name
		}
		r.Processors = append(r.Processors, PrivacyProcessor{Destination: name, Type: dest.Type, Plugin: plugin, Hosts: d.hostsOf(dest), Gets: what, For: gets[name]})
	}
	for _, k := range consent.Personal() {
		r.Data = append(r.Data, PrivacyData{Name: text("privacy.data." + k.Name), Purpose: text("privacy.for." + k.Name), Basis: text("privacy.basis." + k.Basis), Kept: keptFor(k.Until, l, words), Sealed: k.Sealed, Tables: slices.Sorted(maps.Keys(k.Columns))})
	}
	origin := text("privacy.origin.none")
	if l.Privacy.IP != "none" {
		origin = text("privacy.origin.network", "setting", l.Privacy.IP)
	}
	r.Places = append(r.Places, PrivacyPlace{filepath.Join(d.Dir, "belfry.db"), text("privacy.place.database", "origin", origin)},
		PrivacyPlace{filepath.Join(d.Dir, consent.JournalName), text("privacy.place.journal")},
		PrivacyPlace{text("privacy.place.key"), text("privacy.place.key.what")})
	if dir := l.Privacy.Checkpoints; dir != "" {
		r.Places = append(r.Places, PrivacyPlace{dir, text("privacy.place.checkpoints")})
	}
	if l.Privacy.Backups > 0 {
		r.Places = append(r.Places, PrivacyPlace{text("privacy.place.backups"), text("privacy.place.backups.what", "time", daysOf(l.Privacy.Backups, words))})
	}
	for _, name := range slices.Sorted(maps.Keys(l.Staff)) {
		r.Staff = append(r.Staff, PrivacyStaff{name, l.Staff[name].May})
	}
	for _, right := range []string{"told", "see", "correct", "withdraw", "erase"} {
		r.Rights = append(r.Rights, PrivacyRight{text("privacy.right." + right), text("privacy.right." + right + ".how")})
	}
	for _, who := range []string{"readers", "imported", "writers"} {
		r.Persons = append(r.Persons, text("privacy.person."+who))
	}
	for _, what := range []string{"sealed", "hashed", "links", "looks", "ledger"} {
		r.Measures = append(r.Measures, text("privacy.measure."+what))
	}
	for _, what := range []string{"officer", "contracts", "transfers", "else"} {
		r.Unknown = append(r.Unknown, text("privacy.unknown."+what))
	}
	return r
}

// hostsOf finds the servers in the settings of a destination, as they are written and as they are by default: every setting that is an
// address.
func (d *Desk) hostsOf(dest configs.Destination) []string {
	found := map[string]bool{}
	var look func(v any)
	look = func(v any) {
		switch v := v.(type) {
		case string:
			if u, err := url.Parse(v); err == nil && u.Host != "" {
				found[u.Hostname()] = true
			}
		case []any:
			for _, x := range v {
				look(x)
			}
		case map[string]any:
			for _, x := range v {
				look(x)
			}
		}
	}
	look(dest.Options)
	if spec := d.Config.Spec(dest.Type); spec != nil {
		if whole, err := spec.Masked(dest.Options); err == nil {
			look(whole)
		}
	}
	return append([]string{}, slices.Sorted(maps.Keys(found))...)
}

// keptFor says how long something is kept, by the configuration where that decides it.
func keptFor(t consent.Term, l *configs.Loaded, words *i18n.Catalogue) string {
	setting := func(name string, d sdk.Duration) string {
		if d == 0 {
			return words.Text("privacy.kept.always", "setting", name)
		}
		return words.Text("privacy.kept."+string(t), "time", daysOf(d, words))
	}
	switch t {
	case consent.UntilMessages:
		return setting("retention.messages", l.Retention.Messages)
	case consent.UntilWebhooks:
		return setting("retention.webhooks", l.Retention.Webhooks)
	case consent.UntilActs:
		return setting("retention.acts", l.Retention.Acts)
	}
	return words.Text("privacy.kept." + string(t))
}

func daysOf(d sdk.Duration, words *i18n.Catalogue) string {
	if n := int(d.Std() / (24 * time.Hour)); n > 0 {
		return words.Text("privacy.days", "n", words.Number(n))
	}
	return d.String()
}

// Text gives words of the catalogues in the language of the report.
func (r PrivacyReport) Text(name string, args ...string) string {
	return r.words.Text(name, args...)
}

// Lang is the language of the report.
func (r PrivacyReport) Lang() string { return r.words.Lang() }

// Line says of a name what stands under it.
func (r PrivacyReport) Line(name, text string) string {
	return r.words.Text("privacy.line", "name", r.words.Text(name), "text", text)
}

// When says when the report was made.
func (r PrivacyReport) When() string { return r.Made.Format("2006-01-02 15:04 MST") }

// Page writes the report as one page that needs nothing else to be read.
func (r PrivacyReport) Page() ([]byte, error) {
	page, err := template.New("privacy").Funcs(template.FuncMap{"join": func(list []string) string { return strings.Join(list, ", ") }}).Parse(privacyPage)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	err = page.Execute(&b, r)
	return b.Bytes(), err
}
