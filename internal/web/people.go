package web

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/belfry-news/belfry/internal/consent"
	"github.com/belfry-news/belfry/internal/i18n"
	"github.com/belfry-news/belfry/sdk"
	"github.com/belfry-news/belfry/sdk/render"
)

// People is what the pages need of those who may be written to. Links that lead nowhere are a *consent.TokenError, and
// what a person entered wrongly an *sdk.Error with CodeInvalid.
type People interface {
	// Offers are what can be followed, of the configuration in force. They stand on pages that are kept: after a change
	// that comes without a call of Server.Use, call Server.Changed, or pages show the old ones for a minute.
	Offers() []consent.Offer
	// SignUp answers alike whoever's address it is.
	SignUp(ctx context.Context, s consent.SignUp) error
	Asked(ctx context.Context, token string) (consent.Asked, error)
	Confirm(ctx context.Context, token string, e consent.Evidence) (consent.Reader, error)
	Refuse(ctx context.Context, token string, e consent.Evidence) (consent.Ack, error)
	Reader(ctx context.Context, link string) (consent.Reader, error)
	Choose(ctx context.Context, p consent.PersonID, grant int64, c consent.Preferences, e consent.Evidence) error
	SetHabits(ctx context.Context, p consent.PersonID, h consent.Habits, e consent.Evidence) error
	// ChangeAddress answers alike whoever's address it is, and AskAgain whenever it was asked before: each asks by a message.
	ChangeAddress(ctx context.Context, p consent.PersonID, medium, address string, e consent.Evidence) error
	AskAgain(ctx context.Context, p consent.PersonID, grant int64, e consent.Evidence) error
	Withdraw(ctx context.Context, p consent.PersonID, w consent.Withdrawal) (consent.Ack, error)
	Leaving(ctx context.Context, token string) (consent.Leaving, error)
	Leave(ctx context.Context, token string, all bool, e consent.Evidence) (consent.Ack, error)
	Record(ctx context.Context, p consent.PersonID) (consent.Record, error)
	Export(ctx context.Context, p consent.PersonID) ([]byte, error)
	Erase(ctx context.Context, p consent.PersonID, e consent.Evidence) (consent.Erased, error)
}

// endTime bounds what ends something for a person. It goes on when the person's program hangs up: a withdrawal that was
// asked for is not lost, and its acknowledgement may wait for 15 s.
const endTime = 25 * time.Second

// peopleRoutes leads to the people's own pages. GET and HEAD change nothing there, since mail scanners open every link.
func (s *Server) peopleRoutes(mux *http.ServeMux) {
	for pattern, h := range map[string]http.HandlerFunc{
		"GET /follow/{channel}":    s.showFollow,
		"POST /follow/{channel}":   s.takeFollow,
		"GET /confirm/{token}":     s.showConfirm,
		"POST /confirm/{token}":    s.own(s.takeConfirm),
		"GET /leave/{token}":       s.showLeave,
		"POST /leave/{token}":      s.takeLeave,
		"GET /me/{link}":           s.showMe,
		"POST /me/{link}":          s.own(s.takeMe),
		"GET /me/{link}/why":       s.showWhy,
		"GET /me/{link}/data":      s.showData,
		"GET /me/{link}/data.json": s.giveData,
		"GET /me/{link}/leave":     s.backToMe,
		"POST /me/{link}/leave":    s.own(s.takeLeaveOf),
		"GET /me/{link}/address":   s.backToMe,
		"POST /me/{link}/address":  s.own(s.takeAddress),
		"GET /me/{link}/again":     s.backToMe,
		"POST /me/{link}/again":    s.own(s.takeAgain),
		"GET /me/{link}/forget":    s.showForget,
		"POST /me/{link}/forget":   s.own(s.takeForget),
	} {
		mux.HandleFunc(pattern, s.personal(h))
	}
	for _, prefix := range personPrefixes {
		mux.HandleFunc(prefix, s.personal(s.noSuchPage))
	}
}

// personPrefixes are the beginnings of the addresses of the people's pages. Behind all but the first stands what only one
// person knows.
var personPrefixes = [...]string{"/follow/", "/confirm/", "/leave/", "/me/"}

// noSuchPage answers for what lies beside the people's pages as they do: a link that is mistyped still holds a secret.
func (s *Server) noSuchPage(w http.ResponseWriter, r *http.Request) {
	v := s.view(r, s.site.Load().lang())
	switch r.Method {
	case http.MethodGet, http.MethodHead:
		s.nowhere(w, r, v, http.StatusNotFound, "404")
		return
	case http.MethodPost:
		w.Header().Set("Allow", "GET, HEAD")
	default:
		w.Header().Set("Allow", "GET, HEAD, POST")
	}
	s.nowhere(w, r, v, http.StatusMethodNotAllowed, "405")
}

// nowhere says what every page of the site says where there is nothing, and nobody keeps it.
func (s *Server) nowhere(w http.ResponseWriter, r *http.Request, v *view, status int, code string) {
	page := v.errorPage(status, code, "", "")
	page.layout = v.personLayout(page.Heading)
	s.write(w, r, v, status, "error", page)
}

// loggedPath is a request's path as logs may have it: without what only one person knows.
func loggedPath(r *http.Request) string {
	for _, prefix := range personPrefixes[1:] {
		if strings.HasPrefix(r.URL.Path, prefix) {
			return prefix + "…"
		}
	}
	if strings.HasPrefix(r.URL.Path, hubHooks) {
		return hubHooks + "…" // who knows the rest is taken for a hub
	}
	return r.URL.Path
}

// personal puts the headers of the people's pages around a handler: nobody keeps them, lists them, or learns their address.
func (s *Server) personal(h http.HandlerFunc) http.HandlerFunc {
	policy := s.policy("'self'")
	return func(w http.ResponseWriter, r *http.Request) {
		head := w.Header()
		head.Set("Content-Security-Policy", policy)
		head.Set("Referrer-Policy", "no-referrer")
		head.Set("X-Robots-Tag", "noindex")
		head.Set("Cross-Origin-Resource-Policy", "same-origin")
		head.Set("Cache-Control", controlNone)
		if s.s.People == nil {
			s.nowhere(w, r, s.view(r, s.site.Load().lang()), http.StatusNotFound, "404")
			return
		}
		h(w, r)
	}
}

// own lets a form pass only when the page that sent it is ours. Under no-referrer browsers name the origin of our own forms
// "null" (Fetch, section 3.1), so that only an origin that names another site speaks against one; what says neither comes
// from a program, and then the address alone permits, as it does in any case.
func (s *Server) own(h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		v := s.view(r, s.site.Load().lang())
		ours := true
		switch site := r.Header.Get("Sec-Fetch-Site"); site {
		case "same-origin", "none":
		case "":
			if origin := r.Header.Get("Origin"); origin != "" && origin != "null" && origin != v.site.base {
				u, err := url.Parse(origin)
				ours = err == nil && u.Host == r.Host
			}
		default:
			ours = false
		}
		if !ours {
			s.tell(w, r, v, http.StatusForbidden, saying{Key: "people.foreign"})
			return
		}
		h(w, r)
	}
}

// fields reads the fields of a form's body; none of the address. What cannot be read is an error, beside what could.
func fields(r *http.Request) (url.Values, error) {
	err := r.ParseForm()
	if kind, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";"); err == nil && strings.EqualFold(strings.TrimSpace(kind), "multipart/form-data") {
		err = r.ParseMultipartForm(maxBody) // as large as a body may be: nothing goes to the disk
	}
	if r.PostForm == nil {
		r.PostForm = url.Values{}
	}
	return r.PostForm, err
}

// evidence says how a person showed what they want. where is a path without what only they know.
func (s *Server) evidence(r *http.Request, method consent.Method, where string) consent.Evidence {
	e := consent.Evidence{At: s.s.Now().UTC(), Method: method, Actor: consent.Self, Where: where}
	if s.s.Origin != nil {
		e.Origin = s.s.Origin(r)
	}
	return e
}

// prefer speaks a person's own language, unless they chose another one in the address.
func (v *view) prefer(lang string) {
	if !v.chosen && lang != "" {
		v.words = i18n.For(lang)
	}
}

// in shows times in a person's zone.
func (v *view) in(zone string) {
	if loc := loadZone(zone); loc != nil {
		st := *v.site
		st.zone = loc
		v.site = &st
	}
}

// personLayout is the frame of a page whose address is a person's own. The address stands nowhere in it: links to other
// languages are relative.
func (v *view) personLayout(title string) layout {
	l := v.layout(title+" · "+v.site.title, "")
	l.Hidden, l.Sheet = true, peopleStyle().path
	return l
}

// write answers with a page that nobody keeps. It is not compressed: what only one person knows does not share a stream
// with what others can make a page say.
func (s *Server) write(w http.ResponseWriter, r *http.Request, v *view, status int, name string, page any) {
	body, err := execute(name, page)
	if err != nil {
		s.s.Log.Error("a page cannot be made", "page", name, "err", err)
		s.fail(w, r, http.StatusInternalServerError, "500")
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Language", v.words.Lang())
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(body)
	}
}

// saying is what a page says that has no form: what happened, what it means, and what can be done.
type saying struct {
	layout
	// Key names the words: the heading, and with ".text" after it the sentence.
	Key     string
	Heading string
	// Says are the sentences under it.
	Says []string
	// Ways are links to go on.
	Ways []way
}

// way is a link, or with Strong the one that most will want.
type way struct {
	Text, Path string
	Strong     bool
}

// tell answers with what a page says. Without any way on, the front page is one.
func (s *Server) tell(w http.ResponseWriter, r *http.Request, v *view, status int, page saying) {
	if page.Key != "" {
		page.Heading = v.words.Text(page.Key)
		page.Says = append([]string{v.words.Text(page.Key + ".text")}, page.Says...)
	}
	if page.Ways == nil {
		page.Ways = []way{{Text: v.words.Text("page.home"), Path: v.href("/")}}
	}
	page.layout = v.personLayout(page.Heading)
	s.write(w, r, v, status, "saying", page)
}

// unavailable says that the store did not answer. It is logged without the address.
func (s *Server) unavailable(w http.ResponseWriter, r *http.Request, v *view, err error) {
	s.s.Log.Error("a person's page cannot be answered", "page", class(r.Pattern), "route", r.Pattern, "err", err)
	w.Header().Set("Retry-After", "5")
	s.tell(w, r, v, http.StatusServiceUnavailable, saying{Key: "people.unavailable"})
}

// leaveAstray begins the names of what is said of a link that should have ended something.
const leaveAstray = "people.leave."

// astray says why a link leads nowhere, and where a person can go on: key is the page's, and each reason has its words.
func (s *Server) astray(w http.ResponseWriter, r *http.Request, v *view, key string, err error) {
	if !errors.Is(err, consent.ErrToken) {
		s.unavailable(w, r, v, err)
		return
	}
	status, why := http.StatusNotFound, consent.TokenUnknown
	if t, ok := errors.AsType[*consent.TokenError](err); ok && (t.Why == consent.TokenUsed || t.Why == consent.TokenExpired) {
		status, why = http.StatusGone, t.Why
	}
	page := saying{Key: key + why, Ways: []way{}}
	for _, o := range s.s.People.Offers() {
		if key == leaveAstray {
			break // who wants to leave is not asked to follow
		}
		if o.Purpose.Kind == consent.Channel && len(page.Ways) < mostWays {
			name, _ := v.purposeName(o.Purpose, []consent.Offer{o})
			page.Ways = append(page.Ways, way{Text: v.words.Text("people.again", "channel", name), Path: v.href(followPath(o.Purpose.Name))})
		}
	}
	page.Ways = append(page.Ways, way{Text: v.words.Text("page.home"), Path: v.href("/")})
	s.tell(w, r, v, status, page)
}

// mostWays is how many channels a page that leads nowhere offers.
const mostWays = 6

// secret gives the secret part of an address when it can be one; nothing else is asked for.
func secret(s string) (string, error) {
	if s == "" || len(s) > 512 || strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return "", &consent.TokenError{Why: consent.TokenUnknown}
	}
	return s, nil
}

// purposeTitle bounds a title in a sentence.
const purposeTitle = 120

// purposeName gives the title of what a person follows in the reader's language, and the language it is in.
func (v *view) purposeName(p consent.Purpose, offers []consent.Offer) (text, lang string) {
	for _, o := range offers {
		if o.Purpose == p && len(o.Title) > 0 {
			text, lang = words(o.Title, v.words.Lang())
			if lang == "" {
				lang = o.Lang
			}
			break
		}
	}
	if ch, ok := v.site.config.Channels[p.Name]; ok && text == "" && p.Kind == consent.Channel {
		text, lang = words(ch.Title, v.words.Lang())
		if lang == "" {
			lang = v.site.langOf(p.Name)
		}
	}
	if text = cut(render.Line(text), purposeTitle, cardTitleBytes); text == "" {
		text, lang = render.Line(p.Name), ""
	}
	if lang = language(lang); lang == "" {
		lang = v.words.Lang()
	}
	return text, lang
}

// quoted puts a title into the language's marks.
func (v *view) quoted(title string) string { return v.words.Text("people.quoted", "title", title) }

// titles names what a person follows in a sentence.
func (s *Server) titles(v *view, list []consent.Purpose) string {
	offers := s.s.People.Offers()
	out := make([]string, len(list))
	for i, p := range list {
		title, _ := v.purposeName(p, offers)
		out[i] = v.quoted(title)
	}
	return v.list(out)
}

// publicFault is the sentence of an error about what a person entered; false when the error is about something else. The
// sentences of errors are English: others read the words of the catalogue.
func (v *view) publicFault(err error, key string) (string, bool) {
	e, ok := errors.AsType[*sdk.Error](err)
	if !ok || e.Code != sdk.CodeInvalid && e.Code != sdk.CodeUnsupported && e.Code != sdk.CodeTooLarge {
		return "", false
	}
	if errors.Is(err, consent.ErrNoNumber) {
		key = "people.fault.number"
	}
	text := v.words.Text(key)
	if detail := render.Line(e.Public); v.words.Lang() == "en" && detail != "" {
		text = capital(strings.TrimSuffix(detail, ".")) + "."
	}
	return text, true
}
