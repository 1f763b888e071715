package web

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/belfry-news/belfry/internal/consent"
	"github.com/belfry-news/belfry/internal/i18n"
	"github.com/belfry-news/belfry/sdk/render"
)

// followPath is the page on which a channel can be followed.
func followPath(channel string) string { return "/follow/" + channel }

// followButton leads to a way to get a channel's posts as messages of one's own.
type followButton struct{ Text, Path string }

// followButtons are the ways to follow a channel that are offered. elsewhere are the places where it is public: a bot on the
// same platform is then told apart.
func (v *view) followButtons(channel string, offers []consent.Offer, elsewhere []follow) []followButton {
	var out []followButton
	for _, o := range offers {
		if o.Purpose.Kind != consent.Channel || o.Purpose.Name != channel {
			continue
		}
		forms := 0
		for _, m := range o.Media {
			name := v.inWords().Medium(m.Name)
			if m.Link == "" {
				var query []string
				if forms++; forms > 1 {
					query = []string{"medium", m.Name}
				}
				out = append(out, followButton{v.words.Text("people.follow.by", "medium", name), v.href(followPath(channel), query...)})
				continue
			}
			key := "people.follow.on"
			if slices.ContainsFunc(elsewhere, func(f follow) bool { return f.Name == name }) {
				key = "people.follow.bot"
			}
			if u := link(m.Link); u != "" {
				out = append(out, followButton{v.words.Text(key, "medium", name), u})
			}
		}
	}
	return out
}

// offers are what can be followed; nothing where nobody can be written to.
func (s *Server) offers() []consent.Offer {
	if s.s.People == nil {
		return nil
	}
	return s.s.People.Offers()
}

// followPage is the form with which a channel is followed.
type followPage struct {
	layout
	Name, NameLang   string
	About, AboutLang string
	Back             string
	// Action is where the form goes; empty when no medium takes an address.
	Action  string
	Medium  string
	Address string
	IsMail  bool
	Label   string
	Manner  string
	Groups  []group
	Zones   []zoneGroup
	// Wording is what is agreed to with the button, Version its digest.
	Wording, Version string
	Sender, Policy   string
	Started          string
	Bots             []bot
	// Page is this page's own address, to be followed on another device; nil where nobody knows it.
	Page   *bot
	Faults faults
}

// bot is a way to follow in an app, or on another device: an address with its code.
type bot struct {
	Text, Hint, Path, Label string
	Code                    *code
}

// wish is what a form says.
type wish struct {
	medium, address, zone string
	preferences           consent.Preferences
	started               string
}

func (s *Server) showFollow(w http.ResponseWriter, r *http.Request) {
	v, o, ok := s.offered(w, r)
	if !ok {
		return
	}
	medium := r.URL.Query().Get("medium")
	if !byForm(o, medium) {
		medium = firstForm(o)
	}
	page := s.followPage(v, o, wish{medium: medium, preferences: first(o), zone: v.site.config.Timezone, started: strconv.FormatInt(v.now.UnixMilli(), 36)}, nil)
	s.write(w, r, v, http.StatusOK, "follow", page)
}

// byForm says that a medium takes an address in a form.
func byForm(o consent.Offer, medium string) bool {
	return slices.ContainsFunc(o.Media, func(m consent.Medium) bool { return m.Name == medium && m.Link == "" })
}

// firstForm is the first medium that takes an address in a form; empty when none does.
func firstForm(o consent.Offer) string {
	for _, m := range o.Media {
		if m.Link == "" {
			return m.Name
		}
	}
	return ""
}

// offered finds what a follow page is about, or answers that there is nothing to follow there.
func (s *Server) offered(w http.ResponseWriter, r *http.Request) (*view, consent.Offer, bool) {
	name := r.PathValue("channel")
	st := s.site.Load()
	v := s.view(r, st.langOf(name))
	if to, ok := st.renamed[name]; ok {
		// A form on another site may go on naming the channel as it was: 308 keeps the method and the body.
		http.Redirect(w, r, (&url.URL{Path: followPath(to), RawQuery: r.URL.RawQuery}).String(), http.StatusPermanentRedirect)
		return nil, consent.Offer{}, false
	}
	if _, configured := st.config.Channels[name]; configured && isName(name) {
		for _, o := range s.s.People.Offers() {
			if o.Purpose.Kind == consent.Channel && o.Purpose.Name == name && len(o.Media) > 0 {
				return v, o, true
			}
		}
		s.tell(w, r, v, http.StatusNotFound, saying{Key: "people.silent", Ways: []way{{Text: v.words.Text("people.silent.back"), Path: v.href("/c/" + name)}}})
		return nil, consent.Offer{}, false
	}
	s.nowhere(w, r, v, http.StatusNotFound, "404")
	return nil, consent.Offer{}, false
}

func (s *Server) followPage(v *view, o consent.Offer, in wish, wrong faults) followPage {
	name := o.Purpose.Name
	page := followPage{Medium: in.medium, Address: in.address, IsMail: in.medium == consent.Email, Started: in.started, Back: v.href("/c/" + name), Faults: wrong}
	page.Name, page.NameLang = v.purposeName(o.Purpose, []consent.Offer{o})
	about, lang := words(o.Description, v.words.Lang())
	if lang == "" {
		lang = o.Lang
	}
	page.About, page.AboutLang = cut(render.Line(about), cardSummary, cardSummaryBytes), language(lang)
	page.layout = v.layout(v.words.Text("people.follow.title", "channel", page.Name)+" · "+v.site.title, followPath(name))
	page.Hidden, page.Sheet = true, peopleStyle().path
	page.Sender, page.Policy = v.sender(), link(v.site.config.Privacy.Policy)
	if len(wrong) > 0 {
		page.Title = v.words.Text("people.faults.title", "title", page.Title)
	}
	if byForm(o, in.medium) {
		page.Action = followPath(name) + "?" + url.Values{"lang": {v.words.Lang()}}.Encode()
		page.Label = v.words.Text("people.address")
		if page.IsMail {
			page.Label = v.words.Text("people.address.email")
		}
		page.Groups = v.groups(o, in.preferences, 0, wrong)
		if len(o.Modes) == 1 {
			page.Manner = v.inWords().Manner("", consent.Preferences{Mode: in.preferences.Mode, Slots: onlySlot(o)})
		}
		page.Zones = v.zoneGroups(in.zone)
		page.Wording = v.followWording(page.Name, in.medium)
		page.Version = version(page.Wording)
	}
	for _, m := range o.Media {
		u := link(m.Link)
		if u == "" {
			continue
		}
		medium := v.inWords().Medium(m.Name)
		page.Bots = append(page.Bots, bot{Text: v.words.Text("people.follow.on", "medium", medium), Path: u, Code: qrCode(u),
			Hint: v.words.Text("people.bot.hint", "medium", medium), Label: v.words.Text("people.code", "medium", medium)})
	}
	if base := v.site.config.Site.URL; base != "" {
		own := strings.TrimSuffix(base, "/") + followPath(name)
		if c := qrCode(own); c != nil {
			page.Page = &bot{Path: own, Code: c, Label: v.words.Text("people.code.page")}
		}
	}
	return page
}

// onlySlot is the time of digests where there is no choice of one.
func onlySlot(o consent.Offer) []string {
	if len(o.Slots) == 1 {
		return o.Slots
	}
	return nil
}

// sender says who writes: who is responsible, as it stands under every message, or the newsroom and where it is found.
func (v *view) sender() string {
	if who := render.Line(v.site.config.Privacy.Controller); who != "" {
		return who
	}
	if u, err := url.Parse(v.site.config.Site.URL); err == nil && u.Host != "" {
		return v.site.title + " (" + u.Host + ")"
	}
	return v.site.title
}

// followWording is what a person agrees to with the button of a sign-up. What is shown is what is kept as evidence.
func (v *view) followWording(channel, medium string) string {
	return v.words.Text("people.wording.follow", "site", v.site.title, "channel", v.quoted(channel), "medium", v.inWords().Medium(medium))
}

// version names a wording by its digest: the same words have the same version for ever.
func version(wording string) string {
	sum := sha256.Sum256([]byte(wording))
	return hex.EncodeToString(sum[:8])
}

// leastTime is how long a person takes at least to fill in a form.
const leastTime = time.Second

// takeFollow takes a sign-up from a form, of ours or of another site: that is allowed, because all it does is to ask for a
// confirmation. Whatever the address, and whether it was a person or a program, the answer is one and the same page.
func (s *Server) takeFollow(w http.ResponseWriter, r *http.Request) {
	v, o, ok := s.offered(w, r)
	if !ok {
		return
	}
	e := s.evidence(r, consent.ByForm, followPath(o.Purpose.Name))
	network := ""
	if s.s.Network != nil {
		network = s.s.Network(r)
	}
	if !s.pace.allow(network, v.now) {
		w.Header().Set("Retry-After", "60")
		s.tell(w, r, v, http.StatusTooManyRequests, saying{Key: "people.flood", Ways: []way{{Text: v.words.Text("people.flood.again"), Path: v.href(followPath(o.Purpose.Name))}}})
		return
	}
	form, err := fields(r)
	if lang := form.Get("lang"); !v.chosen && lang != "" && i18n.For(lang).Lang() == lang {
		v.words = i18n.For(lang)
	}
	ours := form.Has("wording")
	in, wrong := v.wish(o, form, !ours)
	if err != nil {
		wrong = faults{{"address", v.words.Text("people.fault.form")}}
	}
	if name, _ := v.purposeName(o.Purpose, []consent.Offer{o}); ours && len(wrong) == 0 {
		e.Wording, e.Lang = v.followWording(name, in.medium), v.words.Lang()
		if e.Version = version(e.Wording); form.Get("wording") != e.Version {
			wrong = append(wrong, fault{"wording", v.words.Text("people.fault.wording")})
		}
	} else if !ours {
		e.Note = formOf(r)
	}
	again := func(status int, wrong faults) {
		if !byForm(o, in.medium) {
			in.medium = firstForm(o)
		}
		s.write(w, r, v, status, "follow", s.followPage(v, o, in, wrong))
	}
	switch {
	case len(wrong) > 0:
		again(http.StatusUnprocessableEntity, wrong)
		return
	case byProgram(form, v.now):
		s.tellAsked(w, r, v, o)
		return
	}
	err = s.s.People.SignUp(r.Context(), consent.SignUp{Medium: in.medium, Address: in.address, Purposes: []consent.Purpose{o.Purpose}, Preferences: in.preferences,
		Habits: consent.Habits{Lang: v.words.Lang(), Zone: in.zone}, Evidence: e})
	if text, theirs := v.publicFault(err, "people.fault.address"); theirs {
		again(http.StatusUnprocessableEntity, faults{{"address", text}})
		return
	}
	if err != nil {
		s.unavailable(w, r, v, err)
		return
	}
	s.tellAsked(w, r, v, o)
}

// wish reads what a form says, and what is wrong with it. partial is a form that need not have every field.
func (v *view) wish(o consent.Offer, form url.Values, partial bool) (wish, faults) {
	in := wish{medium: form.Get("medium"), address: plain(form.Get("address")), zone: form.Get("zone"), started: form.Get("started")}
	if in.medium == "" {
		in.medium = firstForm(o)
	}
	var wrong faults
	in.preferences, wrong = v.choices(o, form, 0, partial)
	wrong = append(v.addressFaults(o, in.medium, in.address), wrong...)
	if in.zone == "" {
		in.zone = v.site.config.Timezone
	} else if loadZone(in.zone) == nil {
		wrong = append(wrong, fault{"zone", v.words.Text("people.fault.zone")})
		in.zone = v.site.config.Timezone
	}
	return in, wrong
}

// tellAsked is the answer to every sign-up.
func (s *Server) tellAsked(w http.ResponseWriter, r *http.Request, v *view, o consent.Offer) {
	name, _ := v.purposeName(o.Purpose, []consent.Offer{o})
	s.tell(w, r, v, http.StatusOK, saying{Heading: v.words.Text("people.asked"),
		Says: []string{v.words.Text("people.asked.text", "site", v.site.title, "channel", v.quoted(name)), v.words.Text("people.asked.none"), v.words.Text("people.asked.again")},
		Ways: []way{{Text: v.words.Text("people.silent.back"), Path: v.href("/c/" + o.Purpose.Name)}}})
}

// byProgram says that a form was filled in by a program: in the field that people do not see, or faster than anybody types.
// Forms of other sites have neither field.
func byProgram(form url.Values, now time.Time) bool {
	if form.Get("website") != "" {
		return true
	}
	at, err := strconv.ParseInt(form.Get("started"), 36, 64)
	return err == nil && now.Sub(time.UnixMilli(at)) < leastTime
}

// formOf names the site of a form that is not ours, as far as the browser says.
func formOf(r *http.Request) string {
	u, err := url.Parse(r.Header.Get("Origin"))
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || len(u.Host) > 253 {
		return "a form elsewhere"
	}
	return "a form on " + u.Scheme + "://" + u.Host
}

// plain is what was typed into a line, as far as a page can show it again.
func plain(s string) string {
	return cutBytes(strings.ToValidUTF8(strings.TrimSpace(s), "\ufffd"), longestAddress+1)
}

// longestAddress is more than any address has (RFC 5321, section 4.5.3.1.3).
const longestAddress = 320

func cutBytes(s string, most int) string {
	for len(s) > most {
		_, n := utf8.DecodeLastRuneInString(s)
		s = s[:len(s)-n]
	}
	return s
}

// addressFaults says what is wrong with an address in the reader's words. What it lets pass is checked again, and exactly,
// where addresses are known.
func (v *view) addressFaults(o consent.Offer, medium, address string) faults {
	tell := func(key string) faults { return faults{{"address", v.words.Text("people.fault." + key)}} }
	_, domain, at := strings.Cut(address, "@")
	switch {
	case firstForm(o) == "":
		return faults{{"bot-0", v.words.Text("people.fault.medium")}}
	case !byForm(o, medium):
		return tell("medium")
	case address == "":
		return tell("empty")
	case len(address) > longestAddress:
		return tell("long")
	case strings.ContainsFunc(address, func(c rune) bool { return unicode.IsControl(c) || unicode.Is(unicode.Cf, c) || c == utf8.RuneError }):
		return tell("characters")
	case medium != consent.Email:
		return nil
	case strings.ContainsFunc(address, unicode.IsSpace):
		return tell("space")
	case !at:
		return tell("at")
	case strings.Contains(domain, "@"):
		return tell("ats")
	case !strings.Contains(strings.Trim(domain, "."), "."):
		return tell("domain")
	}
	if _, _, err := consent.Normalize(medium, address); err != nil {
		text, _ := v.publicFault(err, "people.fault.address")
		if text == "" {
			text = v.words.Text("people.fault.address")
		}
		return faults{{"address", text}}
	}
	return nil
}
