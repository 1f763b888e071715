package web

import (
	"cmp"
	"context"
	"net/http"
	"strconv"
	"strings"

	"github.com/belfry-news/belfry/internal/choices"
	"github.com/belfry-news/belfry/internal/consent"
	"github.com/belfry-news/belfry/sdk/render"
)

// recordPage is a person's own record: why they get what they get, or all that is kept about them.
type recordPage struct {
	layout
	// Data says that it is all that is kept; otherwise it is the answer to "why do I get this".
	Data      bool
	Back      string
	File      string // where all of it can be had for programs
	Ref       string
	Since     string
	Addresses []string
	Habits    []choices.Choice
	Follows   []followed
	Ended     []followed
	Events    []eventLine
	Messages  []messageLine
	// More says that only the newest of each are shown.
	More bool
}

// pair is a name and what stands under it.
type eventLine struct {
	Time             moment
	What             string
	About, AboutLang string
	// How and Where say by which act; Manner what was chosen.
	How, Where, Manner string
	// Wording is what the person saw, in Lang, with its Version.
	Wording, Lang, Version string
}

type messageLine struct {
	Time             moment
	Title, URL       string
	About, AboutLang string
	Outcome, Reason  string
}

// recordShown is how many events and messages a page shows; the file for programs has all.
const recordShown = 100

func (s *Server) showWhy(w http.ResponseWriter, r *http.Request)  { s.showRecord(w, r, false) }
func (s *Server) showData(w http.ResponseWriter, r *http.Request) { s.showRecord(w, r, true) }

func (s *Server) showRecord(w http.ResponseWriter, r *http.Request, data bool) {
	v, reader, ok := s.reader(w, r)
	if !ok {
		return
	}
	record, err := s.s.People.Record(r.Context(), reader.ID)
	if err != nil {
		s.unavailable(w, r, v, err)
		return
	}
	heading := "people.why"
	if data {
		heading = "people.data"
	}
	self := mePath(reader.Link)
	page := recordPage{layout: v.personLayout(v.words.Text(heading)), Data: data, Back: v.href(self), File: self + "/data.json", Ref: render.Line(reader.Ref),
		More: len(record.Events) > recordShown || len(record.Messages) > recordShown}
	if !reader.Since.IsZero() {
		page.Since = v.words.Date(reader.Since.In(v.site.zone))
	}
	for _, a := range reader.Addresses {
		page.Addresses = append(page.Addresses, v.words.Text("people.target", "medium", v.inWords().Medium(a.Medium), "address", render.Line(a.Text)))
	}
	page.Habits = v.inWords().HabitsNow(reader.Habits, v.now)
	offers := s.s.People.Offers()
	for _, g := range reader.Grants {
		title, lang := v.purposeName(g.Purpose, offers)
		medium := v.inWords().Medium(g.Medium)
		switch g.State {
		case consent.Active:
			page.Follows = append(page.Follows, followed{title, lang, v.words.Text("people.because", "medium", medium, "date", v.words.Date(g.Since.In(v.site.zone))) + " " + v.inWords().Manner(g.Purpose.Kind, g.Preferences)})
		case consent.Pending:
			page.Ended = append(page.Ended, followed{title, lang, v.words.Text("people.pending", "medium", medium)})
		default:
			page.Ended = append(page.Ended, followed{title, lang, v.words.Text("people.ended", "medium", medium, "date", v.words.Date(g.Changed.In(v.site.zone)))})
		}
	}
	for _, e := range record.Events[:min(len(record.Events), recordShown)] {
		page.Events = append(page.Events, v.eventLine(e, offers))
	}
	for _, m := range record.Messages[:min(len(record.Messages), recordShown)] {
		line := messageLine{Time: v.full(m.At), Title: cut(render.Line(m.Title), cardTitle, cardTitleBytes), URL: link(m.URL), Outcome: v.inWords().Says("people.outcome.", m.Became())}
		if m.Reason != "" {
			line.Reason = v.inWords().Says("people.reason.", m.Reason)
		}
		if m.Purpose.Name != "" {
			line.About, line.AboutLang = v.purposeName(m.Purpose, offers)
		}
		if line.Title == "" {
			line.Title = v.inWords().Says("people.kind.", cmp.Or(string(m.Kind), string(consent.StreamPost)))
		}
		page.Messages = append(page.Messages, line)
	}
	s.write(w, r, v, http.StatusOK, "record", page)
}

func (v *view) eventLine(e consent.Event, offers []consent.Offer) eventLine {
	line := eventLine{Time: v.full(e.At), What: v.inWords().Says("people.event.", e.Kind), How: v.inWords().Says("people.method.", string(e.Evidence.Method)), Wording: prose(e.Evidence.Wording),
		Lang: language(e.Evidence.Lang), Version: render.Line(e.Evidence.Version), Where: render.Line(e.Evidence.Where)}
	if e.Evidence.Method == "" {
		line.How = ""
	}
	if e.Purpose.Name != "" {
		line.About, line.AboutLang = v.purposeName(e.Purpose, offers)
	}
	if e.Preferences != nil {
		line.Manner = v.inWords().Manner(e.Purpose.Kind, *e.Preferences)
	}
	if at := e.Agreed(); e.Kind == consent.EventImported && !at.IsZero() {
		line.Manner = strings.TrimSpace(v.words.Text("people.agreed", "date", v.words.Date(at.In(v.site.zone))) + " " + line.Manner)
	}
	if e.Habits != nil {
		for _, c := range v.inWords().Habits(*e.Habits) {
			line.Manner = strings.TrimSpace(line.Manner + " " + v.inWords().Pair(c))
		}
	}
	return line
}

// giveData gives all that is kept about a person as a file for programs.
func (s *Server) giveData(w http.ResponseWriter, r *http.Request) {
	v, reader, ok := s.reader(w, r)
	if !ok {
		return
	}
	text, err := s.s.People.Export(r.Context(), reader.ID)
	if err != nil {
		s.unavailable(w, r, v, err)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Content-Disposition", `attachment; filename="belfry-data.json"`)
	h.Set("Content-Length", strconv.Itoa(len(text)))
	w.WriteHeader(http.StatusOK)
	if r.Method != http.MethodHead {
		_, _ = w.Write(text)
	}
}

// forgetPage asks once more before everything about a person is deleted.
type forgetPage struct {
	layout
	Back      string
	Addresses []string
}

func (s *Server) showForget(w http.ResponseWriter, r *http.Request) {
	if v, reader, ok := s.reader(w, r); ok {
		s.write(w, r, v, http.StatusOK, "forget", s.forgetPage(v, reader))
	}
}

func (s *Server) forgetPage(v *view, reader consent.Reader) forgetPage {
	page := forgetPage{layout: v.personLayout(v.words.Text("people.forget")), Back: v.href(mePath(reader.Link))}
	for _, a := range reader.Addresses {
		page.Addresses = append(page.Addresses, v.words.Text("people.target", "medium", v.inWords().Medium(a.Medium), "address", render.Line(a.Text)))
	}
	return page
}

// takeForget deletes a person. The button of the page that explains it is the confirmation; without it that page is shown.
func (s *Server) takeForget(w http.ResponseWriter, r *http.Request) {
	v, reader, ok := s.reader(w, r)
	if !ok {
		return
	}
	form, err := fields(r)
	if err != nil || form.Get("sure") != "yes" {
		s.write(w, r, v, http.StatusOK, "forget", s.forgetPage(v, reader))
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), endTime)
	defer cancel()
	done, err := s.s.People.Erase(ctx, reader.ID, s.evidence(r, consent.ByLink, "/me"))
	if err != nil {
		s.unavailable(w, r, v, err)
		return
	}
	backups := v.words.Text("people.forgotten.backups.unknown")
	if !done.BackupsUntil.IsZero() {
		backups = v.words.Text("people.forgotten.backups", "date", v.words.Date(done.BackupsUntil.In(v.site.zone)))
	}
	page := saying{Key: "people.forgotten", Says: []string{v.words.Text("people.forgotten.kept"), backups}}
	if !done.Settled {
		// The usual text says that nothing comes any more.
		page = saying{Heading: v.words.Text("people.forgotten"), Says: append([]string{v.words.Text("people.left.underway")}, page.Says...)}
	}
	s.tell(w, r, v, http.StatusOK, page)
}
