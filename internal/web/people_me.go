package web

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/belfry-news/belfry/internal/consent"
	"github.com/belfry-news/belfry/internal/i18n"
	"github.com/belfry-news/belfry/sdk/render"
)

// mePath is the address of a person's own page.
func mePath(link string) string { return "/me/" + url.PathEscape(link) }

// mePage is a person's own page: what they follow, how and when it comes, and every way out.
type mePage struct {
	layout
	// Addresses are where they are reached, masked; Done says what was just done.
	Addresses []string
	Done      string
	// Paused says until when nothing comes; empty when nothing is paused.
	Paused string
	Grants []grantForm
	Ended  []endedGrant
	// More can be followed too, each after a confirmation of its own.
	More   []furtherOffer
	Habits habitsForm
	// Self is where the forms go, the others where a person leaves, and sees and deletes what is kept.
	Self, Leave, Why, Data, Forget string
	// Change is where the form of another address goes, with what was typed; empty for who is not reached by mail. Again is where
	// goes what asks for something anew.
	Change, Typed, Again string
	Pauses               []option
	Faults               faults
}

// grantForm is what a person can choose for one grant.
type grantForm struct {
	ID          int64
	Title, Lang string
	// By says over which medium and since when.
	By, Manner string
	// Notice says that it is about this one person, Closed that nothing can be chosen any more.
	Notice, Closed bool
	Groups         []group
}

// endedGrant is what a person followed.
type endedGrant struct {
	Title, Lang, Note string
	// Again leads to following it again; empty where that is not offered. Ask names the grant of a notice that can be asked for
	// again: it has no page of its own.
	Again string
	Ask   int64
}

// furtherOffer is a channel that a person could follow, or could follow over another medium.
type furtherOffer struct {
	Title, Lang string
	Ways        []followButton
}

// habitsForm is what a person chose for all that they get.
type habitsForm struct {
	Zones                           []zoneGroup
	Languages                       []option
	From, Until                     string
	PerDay                          []option
	ZoneFault, QuietFault, DayFault string
	LangFault                       string
}

// perDay are the caps that a person can choose; 0 is what the channels allow.
var perDay = []int{0, 1, 2, 3, 5, 10, 20}

// pauses are how long a person can pause everything.
var pauses = []struct {
	name  string
	until func(time.Time) time.Time
}{
	{"day", func(t time.Time) time.Time { return t.AddDate(0, 0, 1) }},
	{"week", func(t time.Time) time.Time { return t.AddDate(0, 0, 7) }},
	{"month", func(t time.Time) time.Time { return t.AddDate(0, 1, 0) }},
}

// reader finds whose page it is, or answers that it is nobody's.
func (s *Server) reader(w http.ResponseWriter, r *http.Request) (*view, consent.Reader, bool) {
	v := s.view(r, s.site.Load().lang())
	link, err := secret(r.PathValue("link"))
	var reader consent.Reader
	if err == nil {
		reader, err = s.s.People.Reader(r.Context(), link)
	}
	if err != nil {
		s.astray(w, r, v, "people.me.", err)
		return v, reader, false
	}
	v.prefer(reader.Habits.Lang)
	v.in(reader.Habits.Zone)
	return v, reader, true
}

func (s *Server) showMe(w http.ResponseWriter, r *http.Request) {
	v, reader, ok := s.reader(w, r)
	if !ok {
		return
	}
	page := s.mePage(v, reader, nil)
	switch r.URL.Query().Get("done") {
	case "saved":
		page.Done = v.words.Text("people.done.saved")
	case "paused":
		page.Done = v.words.Text("people.done.paused")
	case "resumed":
		page.Done = v.words.Text("people.done.resumed")
	case "address":
		page.Done = v.words.Text("people.done.address")
	case "again":
		page.Done = v.words.Text("people.done.again")
	}
	s.write(w, r, v, http.StatusOK, "me", page)
}

// backToMe is for those who come back to the address of a form.
func (s *Server) backToMe(w http.ResponseWriter, r *http.Request) {
	v, reader, ok := s.reader(w, r)
	if ok {
		http.Redirect(w, r, v.href(mePath(reader.Link)), http.StatusSeeOther)
	}
}

// offerOf finds what is offered for a grant over its medium.
func offerOf(offers []consent.Offer, g consent.Grant) (consent.Offer, bool) {
	for _, o := range offers {
		if o.Purpose == g.Purpose && slices.ContainsFunc(o.Media, func(m consent.Medium) bool { return m.Name == g.Medium }) {
			return o, true
		}
	}
	return consent.Offer{}, false
}

func (s *Server) mePage(v *view, reader consent.Reader, wrong faults) mePage {
	self := mePath(reader.Link)
	page := mePage{layout: v.personLayout(v.words.Text("people.me")), Self: v.href(self), Leave: v.href(self + "/leave"), Why: v.href(self + "/why"), Data: v.href(self + "/data"),
		Forget: v.href(self + "/forget"), Faults: wrong}
	if len(wrong) > 0 {
		page.Title = v.words.Text("people.faults.title", "title", page.Title)
	}
	page.Again = v.href(self + "/again")
	for _, a := range reader.Addresses {
		if a.Medium == consent.Email {
			page.Change = v.href(self + "/address")
		}
		page.Addresses = append(page.Addresses, v.words.Text("people.target", "medium", v.inWords().Medium(a.Medium), "address", render.Line(a.Text)))
	}
	h := reader.Habits
	switch {
	case h.PausedOpenly():
		page.Paused = v.words.Text("people.paused.open")
	case h.PausedUntil.After(v.now):
		page.Paused = v.words.Text("people.paused", "time", v.full(h.PausedUntil).Text)
	}
	for _, p := range pauses {
		page.Pauses = append(page.Pauses, option{Value: p.name, Text: v.words.Text("people.pause." + p.name)})
	}
	offers := s.s.People.Offers()
	for _, g := range reader.Grants {
		title, lang := v.purposeName(g.Purpose, offers)
		o, offered := offerOf(offers, g)
		if g.State != consent.Active {
			ended := endedGrant{Title: title, Lang: lang, Note: v.words.Text("people.ended", "medium", v.inWords().Medium(g.Medium), "date", v.words.Date(g.Changed.In(v.site.zone)))}
			if g.State == consent.Pending {
				ended.Note = v.words.Text("people.pending", "medium", v.inWords().Medium(g.Medium))
			}
			if offered && g.Purpose.Kind == consent.Channel {
				ended.Again = v.href(followPath(g.Purpose.Name))
			}
			if offered && g.Purpose.Kind == consent.Notice {
				ended.Ask = g.ID
			}
			page.Ended = append(page.Ended, ended)
			continue
		}
		form := grantForm{ID: g.ID, Title: title, Lang: lang, Notice: g.Purpose.Kind == consent.Notice, Closed: !offered, Manner: v.inWords().Manner(g.Purpose.Kind, g.Preferences),
			By: v.words.Text("people.since", "medium", v.inWords().Medium(g.Medium), "date", v.words.Date(g.Since.In(v.site.zone)))}
		if offered {
			form.Groups = v.groups(o, g.Preferences, g.ID, wrong)
		}
		page.Grants = append(page.Grants, form)
	}
	slices.SortStableFunc(page.Grants, func(a, b grantForm) int { return strings.Compare(strings.ToLower(a.Title), strings.ToLower(b.Title)) })
	page.More = v.further(reader.Grants, offers)
	page.Habits = v.habitsForm(h, wrong)
	return page
}

// further are the channels and media that somebody does not follow yet.
func (v *view) further(grants []consent.Grant, offers []consent.Offer) (out []furtherOffer) {
	for _, o := range offers {
		if o.Purpose.Kind != consent.Channel {
			continue
		}
		left := o
		left.Media = slices.DeleteFunc(slices.Clone(o.Media), func(m consent.Medium) bool {
			return slices.ContainsFunc(grants, func(g consent.Grant) bool {
				return g.Purpose == o.Purpose && g.Medium == m.Name && g.State == consent.Active
			})
		})
		if ways := v.followButtons(o.Purpose.Name, []consent.Offer{left}, nil); len(ways) > 0 {
			title, lang := v.purposeName(o.Purpose, offers)
			out = append(out, furtherOffer{title, lang, ways})
		}
	}
	return out
}

func (v *view) habitsForm(h consent.Habits, wrong faults) habitsForm {
	zone := h.Zone
	if zone == "" {
		zone = v.site.config.Timezone
	}
	form := habitsForm{Zones: v.zoneGroups(zone), From: h.QuietFrom, Until: h.QuietUntil, ZoneFault: wrong.Of("zone"), QuietFault: wrong.Of("quiet-from"), DayFault: wrong.Of("per-day"), LangFault: wrong.Of("lang")}
	lang := h.Lang
	if lang == "" {
		lang = v.words.Lang()
	}
	for _, tag := range i18n.Languages() {
		form.Languages = append(form.Languages, option{Value: tag, Text: v.inWords().Tongue(tag), Lang: tag, Checked: i18n.For(lang).Lang() == tag})
	}
	caps := perDay
	if !slices.Contains(caps, h.PerDay) {
		caps = append(slices.Clone(caps), h.PerDay)
		slices.Sort(caps)
	}
	for _, n := range caps {
		text := v.words.Text("people.perday.any")
		if n > 0 {
			text = v.words.Number(n)
		}
		form.PerDay = append(form.PerDay, option{Value: strconv.Itoa(n), Text: text, Checked: n == h.PerDay})
	}
	return form
}

// takeMe takes the forms of a person's own page: what they chose, or a pause.
func (s *Server) takeMe(w http.ResponseWriter, r *http.Request) {
	v, reader, ok := s.reader(w, r)
	if !ok {
		return
	}
	form, err := fields(r)
	if err != nil {
		s.write(w, r, v, http.StatusUnprocessableEntity, "me", s.mePage(v, reader, faults{{"zone", v.words.Text("people.fault.form")}}))
		return
	}
	if form.Has("pause") {
		s.takePause(w, r, v, reader, form.Get("pause"))
		return
	}
	s.takeChoices(w, r, v, reader, form)
}

func (s *Server) takePause(w http.ResponseWriter, r *http.Request, v *view, reader consent.Reader, which string) {
	h, done := reader.Habits, "paused"
	i := slices.IndexFunc(pauses, func(p struct {
		name  string
		until func(time.Time) time.Time
	}) bool {
		return p.name == which
	})
	switch {
	case which == "resume":
		h.PausedUntil, done = time.Time{}, "resumed"
	case i < 0:
		s.write(w, r, v, http.StatusUnprocessableEntity, "me", s.mePage(v, reader, faults{{"pause", v.words.Text("people.fault.pause")}}))
		return
	default:
		h.PausedUntil = pauses[i].until(v.now.In(v.site.zone)).UTC().Truncate(time.Second)
	}
	if err := s.s.People.SetHabits(r.Context(), reader.ID, h, s.evidence(r, consent.ByLink, "/me")); err != nil {
		s.refused(w, r, v, reader, "pause", err)
		return
	}
	http.Redirect(w, r, v.href(mePath(reader.Link), "done", done), http.StatusSeeOther)
}

// takeChoices saves the choices of all grants and habits. Everything is looked at before anything is saved.
func (s *Server) takeChoices(w http.ResponseWriter, r *http.Request, v *view, reader consent.Reader, form url.Values) {
	offers := s.s.People.Offers()
	now := reader // as it would be, to be shown again when something is wrong
	now.Grants = slices.Clone(reader.Grants)
	var wrong faults
	for i, g := range reader.Grants {
		o, offered := offerOf(offers, g)
		// A form that was opened before the grant began says nothing about it.
		if g.State != consent.Active || !offered || !form.Has(field("grant", g.ID)) {
			continue
		}
		p, faults := v.choices(o, form, g.ID, false)
		if len(o.Modes) == 0 {
			p.Mode = g.Preferences.Mode
		}
		now.Grants[i].Preferences = p
		wrong = append(wrong, faults...)
	}
	var faults faults
	now.Habits, faults = v.habits(reader.Habits, form)
	if wrong = append(wrong, faults...); len(wrong) > 0 {
		s.write(w, r, v, http.StatusUnprocessableEntity, "me", s.mePage(v, now, wrong))
		return
	}
	for i, g := range now.Grants {
		if sorted(g.Preferences).Equal(sorted(reader.Grants[i].Preferences)) {
			continue
		}
		e := s.evidence(r, consent.ByLink, "/me")
		if g.Preferences.Breaking && !reader.Grants[i].Preferences.Breaking {
			e.Wording, e.Lang = v.words.Text("people.breaking.label"), v.words.Lang()
			e.Version = version(e.Wording)
		}
		if err := s.s.People.Choose(r.Context(), reader.ID, g.ID, g.Preferences, e); err != nil {
			s.refused(w, r, v, now, "grant-"+strconv.FormatInt(g.ID, 10), err)
			return
		}
	}
	if now.Habits != reader.Habits {
		if err := s.s.People.SetHabits(r.Context(), reader.ID, now.Habits, s.evidence(r, consent.ByLink, "/me")); err != nil {
			s.refused(w, r, v, now, "zone", err)
			return
		}
	}
	if now.Habits.Lang != reader.Habits.Lang {
		v.chosen = false // the page answers in the language that was just chosen
	}
	http.Redirect(w, r, v.href(mePath(reader.Link), "done", "saved"), http.StatusSeeOther)
}

// sorted brings choices into an order of their own, so that the same choices are equal.
func sorted(p consent.Preferences) consent.Preferences {
	for _, list := range []*[]string{&p.Slots, &p.Topics, &p.Languages} {
		*list = slices.Sorted(slices.Values(*list))
	}
	return p
}

// refused shows the page again with what the store would not take.
func (s *Server) refused(w http.ResponseWriter, r *http.Request, v *view, reader consent.Reader, field string, err error) {
	text, theirs := v.publicFault(err, "people.fault.refused")
	if !theirs {
		s.unavailable(w, r, v, err)
		return
	}
	s.write(w, r, v, http.StatusUnprocessableEntity, "me", s.mePage(v, reader, faults{{field, text}}))
}

// habits reads what a person chose for all that they get.
func (v *view) habits(h consent.Habits, form url.Values) (consent.Habits, faults) {
	var wrong faults
	tell := func(field, key string) { wrong = append(wrong, fault{field, v.words.Text(key)}) }
	if zone := form.Get("zone"); loadZone(zone) != nil {
		h.Zone = zone
	} else if form.Has("zone") {
		tell("zone", "people.fault.zone")
	}
	if lang := form.Get("lang"); slices.Contains(i18n.Languages(), lang) {
		h.Lang = lang
	} else if form.Has("lang") {
		tell("lang", "people.fault.offer")
	}
	if form.Has("quiet_from") || form.Has("quiet_until") {
		from, until := clock(form.Get("quiet_from")), clock(form.Get("quiet_until"))
		switch {
		case from == "?" || until == "?":
			tell("quiet-from", "people.fault.time")
		case (from == "") != (until == ""):
			tell("quiet-from", "people.fault.quiet")
		case from == until && from != "":
			tell("quiet-from", "people.fault.same")
		}
		h.QuietFrom, h.QuietUntil = strings.Trim(from, "?"), strings.Trim(until, "?")
	}
	if form.Has("per_day") {
		n, err := strconv.Atoi(form.Get("per_day"))
		if err != nil || n < 0 || n != h.PerDay && !slices.Contains(perDay, n) {
			tell("per-day", "people.fault.offer")
		} else {
			h.PerDay = n
		}
	}
	return h, wrong
}

// clock reads a time of day as browsers send it, with seconds or without; "?" when it is none.
func clock(text string) string {
	for _, layout := range []string{"15:04", "15:04:05"} {
		if t, err := time.Parse(layout, text); err == nil {
			return t.Format("15:04")
		}
	}
	if strings.TrimSpace(text) == "" {
		return ""
	}
	return "?"
}

// takeAddress asks at another address whether messages should come there.
func (s *Server) takeAddress(w http.ResponseWriter, r *http.Request) {
	v, reader, ok := s.reader(w, r)
	if !ok {
		return
	}
	form, err := fields(r)
	e := s.evidence(r, consent.ByForm, "/me")
	e.Wording, e.Lang = v.words.Text("people.address.text"), v.words.Lang()
	e.Version = version(e.Wording)
	page := s.mePage(v, reader, nil)
	page.Typed = strings.TrimSpace(form.Get("address"))
	// Any offer by mail takes the same addresses.
	mail := consent.Offer{Media: []consent.Medium{{Name: consent.Email}}}
	wrong := faults{{"address", v.words.Text("people.fault.form")}}
	if err == nil {
		wrong = v.addressFaults(mail, consent.Email, page.Typed)
	}
	if len(wrong) == 0 {
		if err = s.s.People.ChangeAddress(r.Context(), reader.ID, consent.Email, page.Typed, e); err == nil {
			http.Redirect(w, r, v.href(mePath(reader.Link), "done", "address"), http.StatusSeeOther)
			return
		}
		text, theirs := v.publicFault(err, "people.fault.another")
		if !theirs {
			s.unavailable(w, r, v, err)
			return
		}
		wrong = faults{{"address", text}}
	}
	page.Faults, page.Title = wrong, v.words.Text("people.faults.title", "title", page.Title)
	s.write(w, r, v, http.StatusUnprocessableEntity, "me", page)
}

// takeAgain asks once more for the confirmation of something that has ended.
func (s *Server) takeAgain(w http.ResponseWriter, r *http.Request) {
	v, reader, ok := s.reader(w, r)
	if !ok {
		return
	}
	form, err := fields(r)
	id, bad := strconv.ParseInt(form.Get("grant"), 10, 64)
	i := slices.IndexFunc(reader.Grants, func(g consent.Grant) bool { return g.ID == id })
	if err != nil || bad != nil || i < 0 {
		s.write(w, r, v, http.StatusUnprocessableEntity, "me", s.mePage(v, reader, faults{{"ended", v.words.Text("people.fault.again")}}))
		return
	}
	e := s.evidence(r, consent.ByForm, "/me")
	title, _ := v.purposeName(reader.Grants[i].Purpose, s.s.People.Offers())
	e.Wording, e.Lang = v.words.Text("people.notice.again")+": "+title, v.words.Lang()
	e.Version = version(e.Wording)
	if err := s.s.People.AskAgain(r.Context(), reader.ID, id, e); err != nil {
		text, theirs := v.publicFault(err, "people.fault.again")
		if !theirs {
			s.unavailable(w, r, v, err)
			return
		}
		s.write(w, r, v, http.StatusUnprocessableEntity, "me", s.mePage(v, reader, faults{{"ended", text}}))
		return
	}
	http.Redirect(w, r, v.href(mePath(reader.Link), "done", "again"), http.StatusSeeOther)
}

// takeLeaveOf ends one grant of a person, or everything.
func (s *Server) takeLeaveOf(w http.ResponseWriter, r *http.Request) {
	v, reader, ok := s.reader(w, r)
	if !ok {
		return
	}
	form, err := fields(r)
	withdrawal := consent.Withdrawal{Evidence: s.evidence(r, consent.ByLink, "/me")}
	all := err == nil && form.Get("all") == "1"
	var ended []consent.Purpose
	if !all {
		id, bad := strconv.ParseInt(form.Get("grant"), 10, 64)
		i := slices.IndexFunc(reader.Grants, func(g consent.Grant) bool { return g.ID == id })
		if err != nil || bad != nil || i < 0 {
			s.write(w, r, v, http.StatusUnprocessableEntity, "me", s.mePage(v, reader, faults{{"leave", v.words.Text("people.fault.grant")}}))
			return
		}
		g := reader.Grants[i]
		withdrawal.Purpose, withdrawal.Medium, ended = &g.Purpose, g.Medium, []consent.Purpose{g.Purpose}
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), endTime)
	defer cancel()
	ack, err := s.s.People.Withdraw(ctx, reader.ID, withdrawal)
	if err != nil {
		s.unavailable(w, r, v, err)
		return
	}
	s.tell(w, r, v, http.StatusOK, s.left(v, ack, all, ended, reader.Link))
}
