package web

import (
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/belfry-news/belfry/internal/choices"
	"github.com/belfry-news/belfry/internal/consent"
	"github.com/belfry-news/belfry/sdk/render"
)

// fault is what is wrong with a field; the summary above the form links to it.
type fault struct {
	// Field is the id of the field.
	Field, Text string
}

type faults []fault

// Of gives what is wrong with a field; empty when nothing is.
func (f faults) Of(field string) string {
	for _, x := range f {
		if x.Field == field {
			return x.Text
		}
	}
	return ""
}

// group is a set of choices under one legend.
type group struct {
	// ID is that of the first choice, to which the summary of faults leads.
	ID, Legend, Hint, Class string
	// Kind is radio or checkbox, Name the name of the field.
	Kind, Name string
	Options    []option
	Fault      string
}

type option struct {
	ID, Value, Text, Lang string
	Checked               bool
}

// field names a field of one grant; the form of a sign-up has one grant, without a number.
func field(name string, grant int64) string {
	if grant == 0 {
		return name
	}
	return name + "-" + strconv.FormatInt(grant, 10)
}

// known keeps those of an offer's values that were chosen, in the offer's order; rest are chosen ones that it lacks.
func known(offered, chosen []string) (kept []string, rest int) {
	for _, o := range offered {
		if slices.Contains(chosen, o) {
			kept = append(kept, o)
		}
	}
	for _, c := range chosen {
		if !slices.Contains(offered, c) {
			rest++
		}
	}
	return kept, rest
}

// first is what a form has chosen for a person who chose nothing yet. Nothing that widens what they get is ticked.
func first(o consent.Offer) consent.Preferences {
	p := consent.Preferences{}
	if len(o.Modes) > 0 {
		p.Mode = o.Modes[0]
	}
	if len(o.Slots) > 0 {
		p.Slots = o.Slots[:1]
	}
	return p
}

// choices reads what was chosen of an offer. partial says that a form need not have every field: those of other sites.
func (v *view) choices(o consent.Offer, form url.Values, grant int64, partial bool) (consent.Preferences, faults) {
	var wrong faults
	tell := func(name, key string) { wrong = append(wrong, fault{field(name, grant) + "-0", v.words.Text(key)}) }
	start := first(o)
	p := consent.Preferences{Mode: consent.Mode(form.Get(field("mode", grant)))}
	if p.Mode == "" && (partial || len(o.Modes) < 2) {
		p.Mode = start.Mode
	}
	if len(o.Modes) > 0 && !slices.Contains(o.Modes, p.Mode) {
		tell("mode", "people.fault.mode")
	}
	if p.Mode == consent.Digest && len(o.Slots) > 0 {
		var rest int
		p.Slots, rest = known(o.Slots, form[field("slot", grant)])
		switch {
		case rest > 0:
			tell("slot", "people.fault.offer")
		case len(p.Slots) == 0 && (partial || len(o.Slots) == 1):
			p.Slots = start.Slots
		case len(p.Slots) == 0:
			tell("slot", "people.fault.slot")
		}
	}
	for _, f := range []struct {
		name    string
		offered []string
		to      *[]string
	}{{"topic", o.Topics, &p.Topics}, {"language", o.Languages, &p.Languages}} {
		kept, rest := known(f.offered, form[field(f.name, grant)])
		if rest > 0 {
			tell(f.name, "people.fault.offer")
		}
		*f.to = kept
	}
	p.Breaking = o.Breaking && form.Get(field("breaking", grant)) != ""
	return p, wrong
}

// groups are the fields of an offer, as far as there is something to choose.
func (v *view) groups(o consent.Offer, p consent.Preferences, grant int64, wrong faults) []group {
	var out []group
	add := func(name, kind, class, legend, hint string, options []option) {
		g := group{ID: field(name, grant) + "-0", Legend: legend, Hint: hint, Class: class, Kind: kind, Name: field(name, grant), Options: options}
		for i := range options {
			options[i].ID = field(name, grant) + "-" + strconv.Itoa(i)
		}
		g.Fault = wrong.Of(g.ID)
		out = append(out, g)
	}
	if len(o.Modes) > 1 {
		var options []option
		for _, m := range o.Modes {
			options = append(options, option{Value: string(m), Text: v.inWords().Says("people.mode.", string(m)), Checked: m == p.Mode})
		}
		add("mode", "radio", "modes", v.words.Text("people.modes"), "", options)
	}
	if slices.Contains(o.Modes, consent.Digest) && len(o.Slots) > 1 {
		var options []option
		chosen := p.Slots
		if p.Mode != consent.Digest && len(chosen) == 0 {
			chosen = first(o).Slots
		}
		for _, s := range o.Slots {
			options = append(options, option{Value: s, Text: v.inWords().Hour(s), Checked: slices.Contains(chosen, s)})
		}
		add("slot", "checkbox", "slots", v.words.Text("people.slots"), v.words.Text("people.slots.hint"), options)
	}
	if len(o.Topics) > 0 {
		var options []option
		for _, s := range o.Topics {
			options = append(options, option{Value: s, Text: cut(render.Line(s), purposeTitle, cardTitleBytes), Lang: language(o.Lang), Checked: slices.Contains(p.Topics, s)})
		}
		add("topic", "checkbox", "", v.words.Text("people.topics"), v.words.Text("people.topics.hint"), options)
	}
	if len(o.Languages) > 1 {
		var options []option
		for _, s := range o.Languages {
			options = append(options, option{Value: s, Text: v.inWords().Tongue(s), Lang: language(s), Checked: slices.Contains(p.Languages, s)})
		}
		add("language", "checkbox", "", v.words.Text("people.languages"), v.words.Text("people.languages.hint"), options)
	}
	if o.Breaking {
		add("breaking", "checkbox", "", v.words.Text("people.breaking"), "", []option{{Value: "yes", Text: v.words.Text("people.breaking.label"), Checked: p.Breaking}})
	}
	return out
}

// inWords says what a person chose, in the language of the page.
func (v *view) inWords() choices.Words {
	return choices.Words{Catalogue: v.words, When: func(t time.Time) string { return v.full(t).Text }, Free: shown}
}

// shown is what somebody else wrote as a page shows it in a line.
func shown(text string) string { return cut(render.Line(text), purposeTitle, cardTitleBytes) }

// list joins texts as the language does.
func (v *view) list(texts []string) string {
	clean := make([]string, len(texts))
	for i, s := range texts {
		clean[i] = cut(render.Line(s), purposeTitle+10, cardTitleBytes+40) // a title, with its marks
	}
	return v.words.List(clean)
}
