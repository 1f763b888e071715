package web

import (
	"context"
	"net/http"

	"github.com/belfry-news/belfry/internal/consent"
)

// confirmPage shows what a confirmation link is about. Looking at it changes nothing.
type confirmPage struct {
	layout
	// Heading, Says and Yes are those of a sign-up, or of another address.
	Heading, Says, Yes string
	// Target says where the messages would go.
	Target           string
	Items            []followed
	Manner           string
	Wording, Version string
	Changed          string
	Until            moment
	Sender, Policy   string
}

// followed is something that a person follows, or would.
type followed struct{ Title, Lang, Note string }

func (s *Server) showConfirm(w http.ResponseWriter, r *http.Request) {
	v := s.view(r, s.site.Load().lang())
	asked, err := s.asked(r)
	if err != nil {
		s.astray(w, r, v, "people.confirm.", err)
		return
	}
	v.prefer(asked.Habits.Lang)
	s.write(w, r, v, http.StatusOK, "confirm", s.confirmPage(v, asked))
}

func (s *Server) asked(r *http.Request) (consent.Asked, error) {
	token, err := secret(r.PathValue("token"))
	if err != nil {
		return consent.Asked{}, err
	}
	return s.s.People.Asked(r.Context(), token)
}

func (s *Server) confirmPage(v *view, a consent.Asked) confirmPage {
	v.in(a.Habits.Zone)
	page := confirmPage{layout: v.personLayout(v.words.Text("people.confirm")), Manner: v.inWords().Manner("", a.Preferences), Wording: s.confirmWording(v, a)}
	page.Heading, page.Says, page.Yes = v.words.Text("people.confirm"), v.words.Text("people.confirm.text", "site", v.site.title), v.words.Text("people.confirm.yes")
	if a.Change {
		page.Heading, page.Yes, page.Manner = v.words.Text("people.confirm.change"), v.words.Text("people.confirm.change.yes"), ""
		page.layout, page.Says = v.personLayout(page.Heading), v.words.Text("people.confirm.change.text", "site", v.site.title, "from", a.From)
		if len(a.Purposes) == 0 {
			page.Says = v.words.Text("people.confirm.change.none")
		}
	}
	page.Version, page.Sender, page.Policy = version(page.Wording), v.sender(), link(v.site.config.Privacy.Policy)
	page.Target = v.words.Text("people.target", "medium", v.inWords().Medium(a.Medium), "address", a.Masked)
	for _, p := range a.Purposes {
		title, lang := v.purposeName(p, s.s.People.Offers())
		page.Items = append(page.Items, followed{Title: title, Lang: lang})
	}
	if !a.Expires.IsZero() {
		page.Until = v.full(a.Expires)
	}
	return page
}

// confirmWording is what a person agrees to with the button of a confirmation.
func (s *Server) confirmWording(v *view, a consent.Asked) string {
	if a.Change {
		wording := v.words.Text("people.wording.change", "site", v.site.title, "from", a.From, "channels", s.titles(v, a.Purposes))
		if len(a.Purposes) == 0 {
			wording = v.words.Text("people.wording.change.none", "site", v.site.title, "from", a.From)
		}
		if a.Joins {
			wording += " " + v.words.Text("people.wording.change.joins")
		}
		return wording
	}
	return v.words.Text("people.wording.confirm", "site", v.site.title, "channels", s.titles(v, a.Purposes), "medium", v.inWords().Medium(a.Medium))
}

func (s *Server) takeConfirm(w http.ResponseWriter, r *http.Request) {
	v := s.view(r, s.site.Load().lang())
	asked, err := s.asked(r)
	if err != nil {
		s.astray(w, r, v, "people.confirm.", err)
		return
	}
	v.prefer(asked.Habits.Lang)
	form, err := fields(r)
	e := s.evidence(r, consent.ByLink, "/confirm")
	token := r.PathValue("token")
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), endTime)
	defer cancel()
	switch act := form.Get("act"); {
	case err == nil && act == "never":
		ack, err := s.s.People.Refuse(ctx, token, e)
		if err != nil {
			s.astray(w, r, v, "people.confirm.", err)
			return
		}
		page := saying{Key: "people.never", Says: []string{v.words.Text("people.never.again")}}
		if !ack.Settled {
			page = saying{Heading: v.words.Text("people.left.recorded"), Says: []string{v.words.Text("people.never.text"), v.words.Text("people.left.underway")}}
		}
		s.tell(w, r, v, http.StatusOK, page)
		return
	case err != nil || act != "confirm":
		page := s.confirmPage(v, asked)
		page.Changed = v.words.Text("people.confirm.unread")
		s.write(w, r, v, http.StatusUnprocessableEntity, "confirm", page)
		return
	}
	// The page with the button says which wording it showed. A program that presses without it is held to the one it would
	// have been shown.
	e.Wording, e.Lang = s.confirmWording(v, asked), v.words.Lang()
	e.Version = version(e.Wording)
	if shown := form.Get("wording"); shown != "" && shown != e.Version {
		page := s.confirmPage(v, asked)
		page.Changed = v.words.Text("people.fault.wording")
		s.write(w, r, v, http.StatusUnprocessableEntity, "confirm", page)
		return
	}
	reader, err := s.s.People.Confirm(ctx, token, e)
	if err != nil {
		s.astray(w, r, v, "people.confirm.", err)
		return
	}
	target := v.words.Text("people.target", "medium", v.inWords().Medium(asked.Medium), "address", asked.Masked)
	heading, says := v.words.Text("people.confirmed"), []string{v.words.Text("people.confirmed.text", "channels", s.titles(v, asked.Purposes), "target", target),
		v.inWords().Manner("", asked.Preferences), v.words.Text("people.confirmed.leave")}
	if asked.Change {
		heading, says = v.words.Text("people.changed"), []string{v.words.Text("people.changed.text", "target", target)}
	}
	s.tell(w, r, v, http.StatusOK, saying{Heading: heading, Says: says,
		Ways: []way{{Text: v.words.Text("people.me.open"), Path: v.href(mePath(reader.Link)), Strong: true}, {Text: v.words.Text("page.home"), Path: v.href("/")}}})
}
