package web

import (
	"context"
	"net/http"

	"github.com/belfry-news/belfry/internal/consent"
)

// leavePage shows what an unsubscribe link ends, with the buttons that do.
type leavePage struct {
	layout
	Heading, HeadingLang string
	Says, Forwarded      string
	// Ended says that what the link is about has ended already.
	Ended bool
	// Me leads to the person's own page, for those who want less rather than nothing.
	Me string
}

func (s *Server) showLeave(w http.ResponseWriter, r *http.Request) {
	v := s.view(r, s.site.Load().lang())
	l, err := s.leaving(r.Context(), r)
	if err != nil {
		s.astray(w, r, v, leaveAstray, err)
		return
	}
	title, _ := v.purposeName(l.Purpose, s.s.People.Offers())
	page := leavePage{layout: v.personLayout(v.words.Text("people.leave")), Ended: l.State != consent.Active, Forwarded: v.words.Text("people.leave.forwarded")}
	target := v.words.Text("people.target", "medium", v.inWords().Medium(l.Medium), "address", l.Masked)
	if page.Ended {
		page.Heading, page.Says = v.words.Text("people.leave.ended"), v.words.Text("people.leave.ended.text", "channel", v.quoted(title), "target", target)
	} else {
		page.Heading, page.Says = v.words.Text("people.leave.heading", "channel", title), v.words.Text("people.leave.text", "site", v.site.title, "channel", v.quoted(title), "target", target)
	}
	if l.Link != "" {
		page.Me = v.href(mePath(l.Link))
	}
	s.write(w, r, v, http.StatusOK, "leave", page)
}

func (s *Server) leaving(ctx context.Context, r *http.Request) (consent.Leaving, error) {
	token, err := secret(r.PathValue("token"))
	if err != nil {
		return consent.Leaving{}, err
	}
	return s.s.People.Leaving(ctx, token)
}

// takeLeave ends at once what the link is about (RFC 8058). The address alone says who leaves what: there is no cookie, no
// login, no look at where the request comes from, and a body that cannot be read ends it too. Repeats are answered alike.
func (s *Server) takeLeave(w http.ResponseWriter, r *http.Request) {
	v := s.view(r, s.site.Load().lang())
	token, err := secret(r.PathValue("token"))
	if err != nil {
		s.astray(w, r, v, leaveAstray, err)
		return
	}
	form, err := fields(r)
	method := consent.ByOneClick
	if err == nil && form.Get("act") == "leave" && !form.Has("List-Unsubscribe") {
		method = consent.ByLink // the button of our own page
	}
	all := err == nil && form.Get("all") == "1"
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), endTime)
	defer cancel()
	ack, err := s.s.People.Leave(ctx, token, all, s.evidence(r, method, "/leave"))
	if err != nil {
		s.astray(w, r, v, leaveAstray, err)
		return
	}
	link := ""
	var ended []consent.Purpose
	if l, err := s.s.People.Leaving(ctx, token); err == nil { // only for the words of the page: it has ended
		link, ended = l.Link, []consent.Purpose{l.Purpose}
	}
	s.tell(w, r, v, http.StatusOK, s.left(v, ack, all, ended, link))
}

// left says what became of a withdrawal. Only a settled one says that nothing more comes.
func (s *Server) left(v *view, ack consent.Ack, all bool, purposes []consent.Purpose, link string) saying {
	page := saying{Heading: v.words.Text("people.left")}
	if len(ack.Ended) > 0 {
		purposes = ack.Ended
	}
	what := v.words.Text("people.left.all", "site", v.site.title)
	if !all && len(purposes) > 0 {
		what = v.words.Text("people.left.these", "channels", s.titles(v, purposes))
	}
	page.Says = []string{what, v.words.Text("people.left.settled")}
	if !ack.Settled {
		page.Heading, page.Says = v.words.Text("people.left.recorded"), []string{what, v.words.Text("people.left.underway")}
	}
	if link != "" {
		page.Ways = append(page.Ways, way{Text: v.words.Text("people.me.open"), Path: v.href(mePath(link))})
	}
	if !all && len(purposes) == 1 && purposes[0].Kind == consent.Channel {
		page.Ways = append(page.Ways, way{Text: v.words.Text("people.left.again"), Path: v.href(followPath(purposes[0].Name))})
	}
	page.Ways = append(page.Ways, way{Text: v.words.Text("page.home"), Path: v.href("/")})
	return page
}
