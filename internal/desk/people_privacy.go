package desk

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"maps"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/belfry-news/belfry/configs"
	"github.com/belfry-news/belfry/internal/consent"
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
	Destination string   `json:"destination"`
	Type        string   `json:"type"`
	Hosts       []string `json:"hosts"`
	Gets        string   `json:"gets"`
	For         []string `json:"for"`
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

// PrivacyReport computes the report from the configuration and the schema.
func (d *Desk) PrivacyReport() PrivacyReport {
	l := d.Config
	r := PrivacyReport{Made: Stamp{d.Now}, Site: l.Site.Title, URL: l.Site.URL, Controller: l.Privacy.Controller, Policy: l.Privacy.Policy, Missing: []string{}, Purposes: []PrivacyPurpose{},
		Data: []PrivacyData{}, Processors: []PrivacyProcessor{}, Staff: []PrivacyStaff{}}
	for _, m := range []struct {
		missing bool
		what    string
	}{{l.Privacy.Controller == "", "who is responsible: privacy.controller"}, {l.Privacy.Policy == "", "the address of the privacy policy: privacy.policy"},
		{l.Privacy.Key.Empty() && l.Writes(), "the key that seals addresses: privacy.key"}, {l.Privacy.Backups == 0, "how long backups are kept: privacy.backups"}} {
		if m.missing {
			r.Missing = append(r.Missing, m.what)
		}
	}
	gets := map[string][]string{}
	const basis = "consent, given by the person and withdrawn by one click (GDPR 6 (1) (a), 7 (3); ePrivacy 13)"
	for _, name := range slices.Sorted(maps.Keys(l.Channels)) {
		ch := l.Channels[name]
		p := PrivacyPurpose{Purpose: "channel " + name, Title: ch.Title.In(l.Site.Lang), Media: []string{}, Basis: basis}
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
		p := PrivacyPurpose{Purpose: "notice " + name, Title: n.Title.In(l.Site.Lang), Media: []string{}, Basis: basis}
		for _, to := range n.Destinations {
			p.Media = append(p.Media, l.Destinations[to].Type)
			gets[to] = append(gets[to], p.Purpose)
		}
		r.Purposes = append(r.Purposes, p)
	}
	if to := l.Replies.Forward.Destination; to != "" {
		gets[to] = append(gets[to], "what people write that is no command")
	}
	for _, name := range slices.Sorted(maps.Keys(gets)) {
		dest := l.Destinations[name]
		what := "addresses, and the messages to them"
		if slices.Equal(gets[name], []string{"what people write that is no command"}) {
			what = "what people write"
		}
		r.Processors = append(r.Processors, PrivacyProcessor{Destination: name, Type: dest.Type, Hosts: hostsOf(dest.Options), Gets: what, For: gets[name]})
	}
	for _, k := range consent.Personal() {
		r.Data = append(r.Data, PrivacyData{Name: k.Name, Purpose: k.Purpose, Basis: k.Basis, Kept: keptFor(k.Until, l), Sealed: k.Sealed, Tables: slices.Sorted(maps.Keys(k.Columns))})
	}
	origin := "no network address of anybody is kept (privacy.ip: none)"
	if l.Privacy.IP != "none" {
		origin = "of the network address of who signs up, the network alone is kept: 24 bits of IPv4, 48 of IPv6 (privacy.ip: " + l.Privacy.IP + ")"
	}
	r.Places = append(r.Places, PrivacyPlace{filepath.Join(d.Dir, "belfry.db"), "everything; addresses and evidence are sealed; " + origin},
		PrivacyPlace{filepath.Join(d.Dir, consent.JournalName), "withdrawals, by the keyed hash of the address"},
		PrivacyPlace{"the key of privacy.key, apart from the database", "without it no address can be read"})
	if dir := l.Privacy.Checkpoints; dir != "" {
		r.Places = append(r.Places, PrivacyPlace{dir, "signed checkpoints of the ledger, which say nothing of anybody"})
	}
	if l.Privacy.Backups > 0 {
		r.Places = append(r.Places, PrivacyPlace{"backups", fmt.Sprintf("everything as it was; kept for %s (privacy.backups)", daysOf(l.Privacy.Backups))})
	}
	for _, name := range slices.Sorted(maps.Keys(l.Staff)) {
		r.Staff = append(r.Staff, PrivacyStaff{name, l.Staff[name].May})
	}
	own := "the link to their own page in every message"
	r.Rights = []PrivacyRight{
		{"to be told (13)", "the sign-up form and every message say who writes, and why"},
		{"to see and to take along (15, 20)", own + "; by us: belfry consent export"},
		{"to correct (16)", own},
		{"to withdraw (7 (3)) and to object (21)", "one click in every message, a reply with STOP, the bot's own commands, " + own + "; by us: belfry subscriber withdraw"},
		{"to be erased (17)", own + "; by us: belfry consent erase"},
	}
	return r
}

// hostsOf finds the servers in the settings of a destination: every setting that is an address.
func hostsOf(options map[string]any) []string {
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
	look(options)
	return append([]string{}, slices.Sorted(maps.Keys(found))...)
}

// keptFor says how long something is kept, by the configuration where that decides it.
func keptFor(t consent.Term, l *configs.Loaded) string {
	setting := func(name string, d sdk.Duration, since string) string {
		if d == 0 {
			return "for ever (" + name + ": 0s)"
		}
		return daysOf(d) + " " + since + " (" + name + ")"
	}
	switch t {
	case consent.UntilErased:
		return "until the person is erased; 30 days when they never confirm, a year when they were imported without evidence"
	case consent.UntilWorkedOn:
		return "seconds, until the daemon has worked on it"
	case consent.UntilExpired:
		return "until the person is erased; a link works for 48 h"
	case consent.UntilMessages:
		return setting("retention.messages", l.Retention.Messages, "after it could no longer be sent")
	case consent.UntilActs:
		return setting("retention.acts", l.Retention.Acts, "")
	case consent.UntilForbidden:
		return "as long as it is to be honoured; it outlives the erasure of the person"
	case consent.UntilForEver:
		return "for ever; nobody can open it once the person is erased, because its key is destroyed"
	}
	return "until somebody takes it out"
}

func daysOf(d sdk.Duration) string {
	if n := int(d.Std() / (24 * time.Hour)); n > 0 {
		return Thousands(n) + " days"
	}
	return d.String()
}

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
