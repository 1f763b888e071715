package web_test

import (
	"bytes"
	"errors"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/belfry-news/belfry/internal/consent"
)

func TestConfirming(t *testing.T) {
	t.Parallel()
	n, p := openPeople(t, gazette(), nil)
	path := "/confirm/" + confirmToken
	page := n.get(path)
	for _, want := range []string{"Dernière minute", "m…@example.org", "7\u00a0h\u00a000 et 18\u00a0h\u00a000", "Sujets\u00a0: transports", "Oui, m’abonner", "Ne plus jamais m’écrire"} {
		if !strings.Contains(page.Body, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
	form := filled(t, page.Body)
	form.Set("act", "confirm")
	// What is confirmed is what was shown: when the words changed meanwhile, they are shown first.
	stale := url.Values{"act": {"confirm"}, "wording": {"0011223344556677"}}
	if a := n.form(path, stale); a.Status != 422 || !strings.Contains(a.Body, "a changé depuis") {
		t.Errorf("another wording: status %d", a.Status)
	}
	if a := n.form(path, url.Values{"act": {"perhaps"}}); a.Status != 422 {
		t.Errorf("another button: status %d", a.Status)
	}
	if done := p.changes(); len(done) > 0 {
		t.Fatalf("did %q", done)
	}
	a := n.form(path, form, "Sec-Fetch-Site", "same-origin")
	if a.Status != 200 || !strings.Contains(a.Body, "L’abonnement est confirmé") || !strings.Contains(a.Body, `href="/me/`+personLink+`"`) {
		t.Fatalf("status %d:\n%s", a.Status, a.Body)
	}
	e := p.last(t)
	want := consent.Evidence{At: n.clock.now().UTC(), Method: consent.ByLink, Actor: consent.Self, Wording: inClass(t, page.Body, "wording"), Version: form.Get("wording"), Lang: "fr", Where: "/confirm"}
	if diff := cmp.Diff(want, e); diff != "" || e.Wording == "" || e.Version == "" {
		t.Errorf("the evidence (-want +got):\n%s", diff)
	}
	if a := n.form(path, form); a.Status != http.StatusGone || !strings.Contains(a.Body, "C’est déjà fait") {
		t.Errorf("once more: status %d", a.Status)
	}
	if a := n.get(path); a.Status != http.StatusGone || !strings.Contains(a.Body, "C’est déjà fait") {
		t.Errorf("looked at again: status %d", a.Status)
	}
	if diff := cmp.Diff([]string{"confirm"}, p.changes()); diff != "" {
		t.Errorf("what was done (-want +got):\n%s", diff)
	}
}

func TestNeverAgain(t *testing.T) {
	t.Parallel()
	n, p := openPeople(t, gazette(), nil)
	a := n.form("/confirm/"+confirmToken+"?lang=en", url.Values{"act": {"never"}})
	if a.Status != 200 || !strings.Contains(a.Body, "Nothing will be written to you") || strings.Contains(a.Body, "/me/") {
		t.Errorf("status %d:\n%s", a.Status, a.Body)
	}
	if diff := cmp.Diff([]string{"refuse"}, p.changes()); diff != "" {
		t.Errorf("what was done (-want +got):\n%s", diff)
	}
}

func TestLinksThatLeadNowhere(t *testing.T) {
	t.Parallel()
	n, p := openPeople(t, gazette(), nil)
	for path, c := range map[string]struct {
		status int
		says   string
	}{
		"/confirm/" + lateToken:                   {410, "This link has expired"},
		"/confirm/" + usedToken:                   {410, "This is done already"},
		"/confirm/unknown":                        {404, "This link confirms nothing"},
		"/confirm/" + strings.Repeat("x", 600):    {404, "This link confirms nothing"},
		"/confirm/a%20b":                          {404, "This link confirms nothing"},
		"/confirm/%0d%0aSet-Cookie:x":             {404, "This link confirms nothing"},
		"/confirm/%00":                            {404, "This link confirms nothing"},
		"/leave/unknown":                          {404, "This link ends nothing"},
		"/leave/" + confirmToken:                  {404, "This link ends nothing"},
		"/me/unknown":                             {404, "This link opens no page"},
		"/me/" + leaveToken:                       {404, "This link opens no page"},
		"/me/" + personLink + "x":                 {404, "This link opens no page"},
		"/me/unknown/why":                         {404, "This link opens no page"},
		"/me/unknown/data.json":                   {404, "This link opens no page"},
		"/me/unknown/forget":                      {404, "This link opens no page"},
		"/me/" + personLink + "/nothing":          {404, "Page not found"},
		"/leave/" + leaveToken + "/" + leaveToken: {404, "Page not found"},
	} {
		a := n.get(path + "?lang=en")
		if a.Status != c.status || !strings.Contains(a.Body, c.says) {
			t.Errorf("GET %s: status %d, want %d with %q", path, a.Status, c.status, c.says)
		}
		if strings.HasPrefix(path, "/leave/") && strings.Contains(a.Body, "/follow/") {
			t.Errorf("GET %s: who wants to leave is asked to follow", path)
		}
		if a := n.form(path+"?lang=en", url.Values{"act": {"confirm"}, "sure": {"yes"}, "all": {"1"}}); a.Status < 400 || a.Status > 410 {
			t.Errorf("POST %s: status %d", path, a.Status)
		}
		if strings.HasPrefix(path, "/confirm/") && !strings.Contains(a.Body, "/follow/alertes") {
			t.Errorf("%s offers no way to sign up again", path)
		}
	}
	if done := p.changes(); len(done) > 0 {
		t.Errorf("did %q", done)
	}
}

// TestOneClick holds RFC 8058, section 3.2, and what mail programs make of it.
func TestOneClick(t *testing.T) {
	t.Parallel()
	var form bytes.Buffer
	m := multipart.NewWriter(&form)
	if err := m.WriteField("List-Unsubscribe", "One-Click"); err != nil {
		t.Fatal(err)
	}
	_ = m.Close()
	for name, c := range map[string]struct {
		kind, body string
		headers    []string
		method     consent.Method
		all        bool
	}{
		"multipart, as the RFC prefers":  {kind: m.FormDataContentType(), body: form.String()},
		"urlencoded":                     {kind: "application/x-www-form-urlencoded", body: "List-Unsubscribe=One-Click"},
		"urlencoded with a charset":      {kind: "application/x-www-form-urlencoded; charset=utf-8", body: "List-Unsubscribe=One-Click"},
		"no body":                        {},
		"no body with a type":            {kind: "application/x-www-form-urlencoded"},
		"multipart without a boundary":   {kind: "multipart/form-data", body: "List-Unsubscribe=One-Click"},
		"multipart that breaks off":      {kind: "multipart/form-data; boundary=x", body: "--x\r\nContent-Disposition: form-data; name=\"List-Uns"},
		"what cannot be decoded":         {kind: "application/x-www-form-urlencoded", body: "%zz&all=1"},
		"another type":                   {kind: "application/json", body: `{"List-Unsubscribe":"One-Click"}`},
		"no type":                        {body: "List-Unsubscribe=One-Click"},
		"a type that is none":            {kind: ";;;", body: "\x00\xff"},
		"from elsewhere":                 {kind: "application/x-www-form-urlencoded", body: "List-Unsubscribe=One-Click", headers: []string{"Origin", "https://mail.example", "Referer", "https://mail.example/x", "Sec-Fetch-Site", "cross-site"}},
		"with a cookie":                  {body: "", headers: []string{"Cookie", "a=b", "Authorization", "Basic eA=="}},
		"the button of our page":         {kind: "application/x-www-form-urlencoded", body: "act=leave", method: consent.ByLink},
		"our page, everything":           {kind: "application/x-www-form-urlencoded", body: "act=leave&all=1", method: consent.ByLink, all: true},
		"a large body of unknown length": {kind: "application/x-www-form-urlencoded", body: strings.Repeat("x", 60<<10)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n, p := openPeople(t, gazette(), nil)
			headers := c.headers
			if c.kind != "" {
				headers = append([]string{"Content-Type", c.kind}, headers...)
			}
			want, method := "leave alertes", c.method
			if c.all {
				want = "leave alertes+livraison+concours"
			}
			if method == "" {
				method = consent.ByOneClick
			}
			for range 2 { // a repeat is answered alike
				a := n.ask(http.MethodPost, "/leave/"+leaveToken, strings.NewReader(c.body), headers...)
				if a.Status != 200 || a.Header.Get("Location") != "" || !strings.Contains(a.Body, "Le désabonnement a pris effet") || a.Header.Get("Set-Cookie") != "" {
					t.Errorf("status %d, %v:\n%s", a.Status, a.Header, a.Body)
				}
				if len(a.Body) > 8<<10 {
					t.Errorf("the answer has %d bytes", len(a.Body))
				}
			}
			done := p.changes()
			if len(done) != 2 || done[0] != want || done[1] != "leave " {
				t.Errorf("did %q, want %q and nothing more", done, want)
			}
			if e := p.last(t); e.Method != method || e.Actor != consent.Self || e.Where != "/leave" {
				t.Errorf("evidence %+v", e)
			}
		})
	}
}

func TestLeaving(t *testing.T) {
	t.Parallel()
	n, p := openPeople(t, gazette(), nil)
	path := "/leave/" + leaveToken
	page := n.get(path + "?lang=en")
	for _, want := range []string{"Leave Breaking?", "m…@example.org", "Leave this", "Leave everything of La Gazette", "forwarded", `href="/me/` + personLink + "?lang=en\""} {
		if !strings.Contains(page.Body, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
	if strings.Contains(page.Body, "http-equiv") || strings.Contains(page.Body, "autofocus") {
		t.Error("the page does something by itself")
	}
	// A message under way is said honestly.
	p.underway = true
	a := n.form(path+"?lang=en", url.Values{"act": {"leave"}})
	if a.Status != 200 || !strings.Contains(a.Body, "Your leaving is recorded") || !strings.Contains(a.Body, "may still arrive") || strings.Contains(a.Body, "none starts") {
		t.Errorf("with a message under way: status %d\n%s", a.Status, a.Body)
	}
	p.underway = false
	a = n.form(path+"?lang=en", url.Values{"act": {"leave"}})
	if !strings.Contains(a.Body, "You have left") || !strings.Contains(a.Body, "none starts") || !strings.Contains(a.Body, "“Breaking”") || !strings.Contains(a.Body, "/follow/alertes") {
		t.Errorf("once more:\n%s", a.Body)
	}
	if body := n.get(path + "?lang=en").Body; !strings.Contains(body, "This has ended already") || !strings.Contains(body, "Leave everything") || strings.Contains(body, "Leave this") {
		t.Errorf("after it the page says:\n%s", body)
	}
	p.fault = errors.New("the disk is full")
	if a := n.form(path, nil); a.Status != 503 || strings.Contains(a.Body, "désabonné") {
		t.Errorf("a store that fails: status %d", a.Status)
	}
}

// TestChoosing holds that a person's own page saves what was chosen, and only that.
func TestChoosing(t *testing.T) {
	t.Parallel()
	path := "/me/" + personLink
	for name, c := range map[string]struct {
		change func(url.Values)
		done   []string
	}{
		"nothing":         {func(url.Values) {}, nil},
		"instant":         {func(f url.Values) { f.Set("mode-11", "instant") }, []string{`choose 11 {"mode":"instant","topics":["transports"]}`}},
		"another time":    {func(f url.Values) { f["slot-11"] = []string{"12:30"} }, []string{`choose 11 {"mode":"digest","slots":["12:30"],"topics":["transports"]}`}},
		"no topics":       {func(f url.Values) { f.Del("topic-11") }, []string{`choose 11 {"mode":"digest","slots":["07:00","18:00"]}`}},
		"the order alone": {func(f url.Values) { f["slot-11"] = []string{"18:00", "07:00"} }, nil},
		"a language":      {func(f url.Values) { f.Set("language-11", "en") }, []string{`choose 11 {"mode":"digest","slots":["07:00","18:00"],"topics":["transports"],"languages":["en"]}`}},
		"breaking": {func(f url.Values) { f.Set("breaking-11", "yes") },
			[]string{`choose 11 {"mode":"digest","slots":["07:00","18:00"],"topics":["transports"],"breaking":true}`}},
		"habits": {func(f url.Values) { f.Set("zone", "Asia/Tokyo"); f.Set("lang", "en"); f.Set("per_day", "3") },
			[]string{`habits {"lang":"en","zone":"Asia/Tokyo","quiet_from":"22:00","quiet_until":"07:00","per_day":3}`}},
		"no quiet hours":       {func(f url.Values) { f.Set("quiet_from", ""); f.Set("quiet_until", " ") }, []string{`habits {"lang":"fr","zone":"Europe/Paris"}`}},
		"quiet with seconds":   {func(f url.Values) { f.Set("quiet_from", "21:30:00") }, []string{`habits {"lang":"fr","zone":"Europe/Paris","quiet_from":"21:30","quiet_until":"07:00"}`}},
		"a form without them":  {func(f url.Values) { clear(f) }, nil},
		"a grant that is gone": {func(f url.Values) { f.Set("grant-99", "1"); f.Set("mode-99", "instant") }, nil},
		"a grant that ended":   {func(f url.Values) { f.Set("grant-13", "1"); f.Set("mode-13", "instant") }, nil},
		"both": {func(f url.Values) { f.Set("mode-11", "instant"); f.Set("zone", "Asia/Tokyo") }, []string{`choose 11 {"mode":"instant","topics":["transports"]}`,
			`habits {"lang":"fr","zone":"Asia/Tokyo","quiet_from":"22:00","quiet_until":"07:00"}`}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n, p := openPeople(t, gazette(), nil)
			form := filled(t, n.get(path).Body)
			c.change(form)
			a := n.form(path, form)
			if a.Status != http.StatusSeeOther || !strings.HasPrefix(a.Header.Get("Location"), path+"?done=saved") {
				t.Fatalf("status %d to %q:\n%s", a.Status, a.Header.Get("Location"), a.Body)
			}
			if diff := cmp.Diff(c.done, p.changes()); diff != "" {
				t.Errorf("what was done (-want +got):\n%s", diff)
			}
			if len(c.done) > 0 {
				e := p.last(t)
				if e.Method != consent.ByLink || e.Where != "/me" || strings.Contains(e.Where, personLink) {
					t.Errorf("evidence %+v", e)
				}
				if name == "breaking" && (!strings.Contains(e.Wording, "heures calmes") || e.Version == "" || e.Lang != "fr") {
					t.Errorf("nothing shows that the person wanted it: %+v", e)
				}
			}
			if body := n.get(a.Header.Get("Location")).Body; !strings.Contains(body, `role="status"`) {
				t.Error("the page does not say that it is saved")
			}
		})
	}
}

func TestFaultsOfChoices(t *testing.T) {
	t.Parallel()
	path := "/me/" + personLink
	for name, c := range map[string]struct {
		change      func(url.Values)
		field, says string
	}{
		"a time that is not offered":  {func(f url.Values) { f["slot-11"] = []string{"03:00"} }, "slot-11-0", "no longer offered"},
		"no time":                     {func(f url.Values) { f.Del("slot-11") }, "slot-11-0", "at least one time"},
		"a topic that is not offered": {func(f url.Values) { f.Set("topic-11", "sport") }, "topic-11-0", "no longer offered"},
		"a mode that is none":         {func(f url.Values) { f.Set("mode-11", "hourly") }, "mode-11-0", "Choose how"},
		"half of quiet hours":         {func(f url.Values) { f.Set("quiet_until", "") }, "quiet-from", "a beginning and an end"},
		"endless quiet hours":         {func(f url.Values) { f.Set("quiet_until", "22:00") }, "quiet-from", "never end"},
		"no time of day":              {func(f url.Values) { f.Set("quiet_from", "25:00") }, "quiet-from", "no time of day"},
		"no zone":                     {func(f url.Values) { f.Set("zone", "Paris") }, "zone", "time zone is unknown"},
		"a number that is none":       {func(f url.Values) { f.Set("per_day", "-1") }, "per-day", "no longer offered"},
		"a language without words":    {func(f url.Values) { f.Set("lang", "tlh") }, "lang", "no longer offered"},
		"a pause of a year":           {func(f url.Values) { f.Set("pause", "year") }, "pause", "how long"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n, p := openPeople(t, gazette(), nil)
			form := filled(t, n.get(path+"?lang=en").Body)
			form.Set("topic-11", "météo")
			if name != "no zone" {
				form.Set("zone", "Asia/Tokyo")
			}
			c.change(form)
			a := n.form(path+"?lang=en", form)
			if done := p.changes(); a.Status != 422 || len(done) > 0 {
				t.Fatalf("status %d, did %q", a.Status, done)
			}
			found := ""
			ids := map[string]bool{}
			for d := range parse(t, a.Body).Descendants() {
				ids[attribute(d, "id")] = true
				if d.Data == "a" && attribute(d, "href") == "#"+c.field {
					found = text(d)
				}
			}
			if !strings.Contains(found, c.says) || !ids[c.field] {
				t.Errorf("the summary says %q of #%s (there: %v), want %q", found, c.field, ids[c.field], c.says)
			}
			if strings.Count(a.Body, found) < 2 {
				t.Error("the fault stands in the summary only, not beside its field")
			}
			if again := filled(t, a.Body); c.field != "pause" && c.field != "zone" && again.Get("zone") != "Asia/Tokyo" {
				t.Errorf("what was chosen is lost: %v", again)
			}
		})
	}
}

// TestMoreToFollow holds that a person's own page leads to what they do not follow yet, and to nothing that they do.
func TestMoreToFollow(t *testing.T) {
	t.Parallel()
	n, _ := openPeople(t, gazette(), nil)
	_, rest, found := strings.Cut(n.get("/me/"+personLink+"?lang=en").Body, `<section class="apart" aria-labelledby="more">`)
	section, _, _ := strings.Cut(rest, "</section>")
	for _, want := range []string{"https://t.me/gazette_bot?start=alertes", "/follow/brief?lang=en", "https://t.me/gazette_bot?start=culture"} {
		if !found || !strings.Contains(section, want) {
			t.Errorf("nothing leads to %s", want)
		}
	}
	if strings.Contains(section, "/follow/alertes") || strings.Contains(section, "livraison") {
		t.Errorf("it leads to what is followed already, or to a notice:\n%s", section)
	}
}

// TestAPauseWithoutAnEnd: what the bot offers has no date that anybody should read.
func TestAPauseWithoutAnEnd(t *testing.T) {
	t.Parallel()
	n, p := openPeople(t, gazette(), nil)
	p.reader.Habits.PausedUntil = consent.UntilResumed()
	for path, want := range map[string]string{
		"/me/" + personLink:                   "tant que vous n’avez pas mis fin à la pause",
		"/me/" + personLink + "/data?lang=en": "until you end it",
	} {
		if body := n.get(path).Body; !strings.Contains(body, want) || strings.Contains(body, "9999") {
			t.Errorf("%s does not say %q:\n%s", path, want, body)
		}
	}
}

func TestPausing(t *testing.T) {
	t.Parallel()
	n, p := openPeople(t, gazette(), nil)
	path := "/me/" + personLink
	for which, until := range map[string]string{"day": "2026-11-21T06:41:20Z", "week": "2026-11-27T06:41:20Z", "month": "2026-12-20T06:41:20Z"} {
		a := n.form(path, url.Values{"pause": {which}})
		if done := p.changes(); a.Status != 303 || len(done) != 1 || !strings.Contains(done[0], `"paused_until":"`+until+`"`) {
			t.Errorf("%s: status %d, did %q, want until %s", which, a.Status, done, until)
		}
	}
	if body := n.get(path).Body; !strings.Contains(body, "Rien ne vous est envoyé avant le") || !strings.Contains(body, `value="resume"`) {
		t.Error("the page does not say that everything is paused")
	}
	if a := n.form(path, url.Values{"pause": {"resume"}}); a.Status != 303 || !p.reader.Habits.PausedUntil.IsZero() {
		t.Errorf("status %d, paused until %s", a.Status, p.reader.Habits.PausedUntil)
	}
	if body := n.get(path).Body; strings.Contains(body, `value="resume"`) {
		t.Error("the page says that everything is paused")
	}
}

func TestLeavingFromTheOwnPage(t *testing.T) {
	t.Parallel()
	n, p := openPeople(t, gazette(), nil)
	path := "/me/" + personLink + "/leave"
	for grant, want := range map[string]string{"12": "withdraw livraison", "14": "withdraw concours"} {
		if a := n.form(path, url.Values{"grant": {grant}}); a.Status != 200 || !strings.Contains(a.Body, "Le désabonnement a pris effet") {
			t.Errorf("%s: status %d", grant, a.Status)
		}
		if diff := cmp.Diff([]string{want}, p.changes()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", grant, diff)
		}
	}
	for _, fields := range []url.Values{{}, {"grant": {"99"}}, {"grant": {"x"}}, {"all": {"yes"}}} {
		if a := n.form(path, fields); a.Status != 422 {
			t.Errorf("%v: status %d", fields, a.Status)
		}
	}
	if done := p.changes(); len(done) > 0 {
		t.Errorf("did %q", done)
	}
	p.underway = true
	if a := n.form(path, url.Values{"all": {"1"}}); a.Status != 200 || !strings.Contains(a.Body, "Votre désabonnement est enregistré") {
		t.Errorf("everything: status %d\n%s", a.Status, a.Body)
	}
	if diff := cmp.Diff([]string{"withdraw alertes"}, p.changes()); diff != "" {
		t.Errorf("everything (-want +got):\n%s", diff)
	}
	if body := n.get("/me/" + personLink).Body; !strings.Contains(body, "Vous ne suivez rien") || !strings.Contains(body, "S’abonner de nouveau") {
		t.Error("the page does not say that nothing is followed")
	}
	if a := n.get(path); a.Status != 303 || a.Header.Get("Location") != "/me/"+personLink {
		t.Errorf("the address of the form: status %d to %q", a.Status, a.Header.Get("Location"))
	}
}

func TestRecord(t *testing.T) {
	t.Parallel()
	n, p := openPeople(t, gazette(), nil)
	path := "/me/" + personLink
	for page, holds := range map[string][]string{
		"/why?lang=en": {"You have followed it by e-mail since 3 October 2026.", "You agreed:", "by the button behind your own link", "En appuyant sur le bouton, je confirme.", `<blockquote lang="fr"`, "Wording 0a1b2c3d4e5f6071",
			"Incendie à la gare du Nord", "https://canaux.gazette.example/c/alertes/abcdefgh", "Sent", "Not sent", "your quiet hours", "Came back", "says that the address does not exist", "kind of a later version", "outcome of a later version", "reason of a later version",
			"by the means of the platform"},
		"/data?lang=en": {"h4k2m6p8q0r3s5t7", "m…@example.org", "Europe/Paris", "22:00 – 07:00", "/data.json", "What has ended", "You agreed:"},
	} {
		a := n.get(path + page)
		for _, want := range holds {
			if !strings.Contains(a.Body, want) {
				t.Errorf("%s does not say %q", page, want)
			}
		}
	}
	a := n.get(path + "/data.json")
	if a.Body != `{"person": "h4k2m6p8q0r3s5t7"}` || a.Header.Get("Content-Type") != "application/json" || !strings.HasPrefix(a.Header.Get("Content-Disposition"), "attachment;") {
		t.Errorf("the file: %v %s", a.Header, a.Body)
	}
	for range 300 {
		p.record.Events, p.record.Messages = append(p.record.Events, p.record.Events[0]), append(p.record.Messages, p.record.Messages[0])
	}
	if a := n.get(path + "/why?lang=en"); len(a.Body) > 150<<10 || !strings.Contains(a.Body, "Only the newest are shown") {
		t.Errorf("a long record has %d bytes", len(a.Body))
	}
}

func TestForgetting(t *testing.T) {
	t.Parallel()
	n, p := openPeople(t, gazette(), nil)
	path := "/me/" + personLink + "/forget"
	for name, a := range map[string]answer{"looking": n.get(path), "not sure": n.form(path, url.Values{"sure": {"no"}}), "an empty form": n.form(path, nil)} {
		if a.Status != 200 || !strings.Contains(a.Body, "Tout effacer") || !strings.Contains(a.Body, "empreinte") {
			t.Errorf("%s: status %d", name, a.Status)
		}
	}
	if done := p.changes(); len(done) > 0 {
		t.Fatalf("did %q", done)
	}
	a := n.form(path+"?lang=en", url.Values{"sure": {"yes"}})
	if a.Status != 200 || !strings.Contains(a.Body, "Everything about you is deleted") || !strings.Contains(a.Body, "Until 20 December 2026") || strings.Contains(a.Body, personLink) {
		t.Errorf("status %d:\n%s", a.Status, a.Body)
	}
	if a := n.get("/me/" + personLink); a.Status != 404 {
		t.Errorf("the page of a person who is gone: status %d", a.Status)
	}
	if diff := cmp.Diff([]string{"erase"}, p.changes()); diff != "" {
		t.Errorf("what was done (-want +got):\n%s", diff)
	}
}

// TestNotSettled: while a message may be under way, neither "never" nor "forget" says that nothing comes any more.
func TestNotSettled(t *testing.T) {
	t.Parallel()
	n, p := openPeople(t, gazette(), nil)
	p.underway = true
	for path, form := range map[string]url.Values{"/confirm/" + confirmToken: {"act": {"never"}}, "/me/" + personLink + "/forget": {"sure": {"yes"}}} {
		a := n.form(path+"?lang=en", form)
		if a.Status != 200 || !strings.Contains(a.Body, "may still arrive") || strings.Contains(a.Body, "Nothing comes any more") || strings.Contains(a.Body, "Nothing will be written") {
			t.Errorf("%s: status %d:\n%s", path, a.Status, a.Body)
		}
	}
}

// TestHangingUp holds that a withdrawal is done although whoever asked for it did not wait for the answer.
func TestHangingUp(t *testing.T) {
	t.Parallel()
	n, p := openPeople(t, gazette(), nil)
	n.hangUp("/leave/" + leaveToken)
	if diff := cmp.Diff([]string{"leave alertes"}, p.changes()); diff != "" {
		t.Errorf("what was done (-want +got):\n%s", diff)
	}
}
