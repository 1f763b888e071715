package web_test

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/html"

	"github.com/belfry-news/belfry/internal/consent"
	"github.com/belfry-news/belfry/internal/web"
)

// personPaths are all addresses that hold what only one person knows, and the public form.
var personPaths = []string{"/follow/alertes", "/follow/brief", "/follow/culture", "/confirm/" + confirmToken, "/confirm/" + usedToken, "/confirm/" + lateToken, "/confirm/nothing",
	"/leave/" + leaveToken, "/leave/nothing", "/me/" + personLink, "/me/" + personLink + "/why", "/me/" + personLink + "/data", "/me/" + personLink + "/data.json",
	"/me/" + personLink + "/leave", "/me/" + personLink + "/forget", "/me/nothing", "/me/nothing/why"}

// links are the addresses that a page leads to on this site.
func links(t *testing.T, body string) (out []string) {
	t.Helper()
	for d := range parse(t, body).Descendants() {
		for _, a := range d.Attr {
			if (a.Key == "href" || a.Key == "src") && strings.HasPrefix(a.Val, "/") {
				out = append(out, a.Val)
			}
		}
	}
	return out
}

// TestScannersChangeNothing holds that whoever opens every link of a mail, and every link of what that shows, confirms and
// ends nothing.
func TestScannersChangeNothing(t *testing.T) {
	t.Parallel()
	n, p := openFilled(t, gazette())
	for _, path := range personPaths {
		for _, query := range []string{"", "?lang=en", "?act=confirm", "?act=never", "?all=1", "?pause=day", "?sure=yes", "?List-Unsubscribe=One-Click"} {
			for _, method := range []string{http.MethodGet, http.MethodHead} {
				a := n.ask(method, path+query, nil)
				if method == http.MethodHead && a.Body != "" {
					t.Errorf("HEAD %s has a body", path)
				}
				for _, l := range links(t, a.Body) {
					n.get(l)
				}
			}
		}
	}
	if done := p.changes(); len(done) > 0 {
		t.Errorf("looking did %q", done)
	}
	for _, method := range []string{http.MethodPut, http.MethodDelete, http.MethodPatch, http.MethodOptions, "PURGE"} {
		for _, path := range personPaths {
			if a := n.ask(method, path, strings.NewReader("act=confirm")); a.Status != http.StatusMethodNotAllowed {
				t.Errorf("%s %s: status %d, want 405", method, path, a.Status)
			}
		}
	}
	if done := p.changes(); len(done) > 0 {
		t.Errorf("other methods did %q", done)
	}
}

func TestPeopleHeaders(t *testing.T) {
	t.Parallel()
	n, p := openPeople(t, gazette(), nil)
	check := func(what string, a answer) {
		t.Helper()
		for name, want := range map[string]string{"Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "X-Robots-Tag": "noindex", "X-Content-Type-Options": "nosniff",
			"Content-Security-Policy": "default-src 'none'; img-src 'self'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
			"Set-Cookie":              "", "Access-Control-Allow-Origin": "", "Cross-Origin-Resource-Policy": "same-origin", "Etag": "", "Last-Modified": ""} {
			if got := a.Header.Get(name); got != want {
				t.Errorf("%s (status %d): %s: %s, want %s", what, a.Status, name, got, want)
			}
		}
		if a.Header.Get("Content-Type") == "" && a.Status < 300 {
			t.Errorf("%s has no type", what)
		}
	}
	for _, path := range personPaths {
		check("GET "+path, n.get(path))
		check("POST "+path, n.form(path, url.Values{"x": {"y"}}))
		check("foreign POST "+path, n.form(path, url.Values{"x": {"y"}}, "Sec-Fetch-Site", "cross-site"))
	}
	p.fault = errors.New("disk I/O error at /var/lib/belfry")
	for _, path := range personPaths {
		a := n.get(path)
		check("GET "+path+" without a store", a)
		if strings.Contains(a.Body, "disk") {
			t.Errorf("%s shows the fault", path)
		}
	}
}

// TestNobodyCanBeWrittenTo holds that without people there are no pages of theirs, and that no page leads there.
func TestNobodyCanBeWrittenTo(t *testing.T) {
	t.Parallel()
	n := open(t, gazette())
	n.fill()
	for _, path := range personPaths {
		if strings.HasPrefix(path, "/follow/") && strings.Contains(n.get("/c/alertes").Body+n.get("/").Body, "/follow/") {
			t.Error("a page leads to a form that does not exist")
		}
		if a, b := n.get(path), n.form(path, url.Values{"act": {"confirm"}}); a.Status != http.StatusNotFound && !strings.HasSuffix(path, "/leave") || b.Status != http.StatusNotFound && b.Status != http.StatusMethodNotAllowed {
			t.Errorf("%s: status %d and %d, want 404", path, a.Status, b.Status)
		}
	}
}

// TestSecretsStayInTheAddress holds that what only one person knows is in no title, no log, and no link to elsewhere, also
// when something fails.
func TestSecretsStayInTheAddress(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	n, p := openPeople(t, gazette(), &log)
	title := regexp.MustCompile(`(?s)<title>.*?</title>|<meta[^>]*>|<link[^>]*>`)
	ask := func() {
		for _, path := range personPaths {
			n.form(path, url.Values{"act": {"confirm"}, "grant": {"11"}, "address": {"reader@example.org"}})
			for _, part := range title.FindAllString(n.get(path).Body, -1) {
				for _, secret := range []string{personLink, confirmToken, leaveToken} {
					if strings.Contains(part, secret) {
						t.Errorf("%s: %s", path, part)
					}
				}
			}
		}
	}
	ask()
	p.fault = errors.New("the disk is full")
	ask()
	p.fault, p.panics = nil, true
	ask()
	p.panics = false
	if log.Len() == 0 {
		t.Fatal("nothing was logged: the test looks at nothing")
	}
	for _, secret := range []string{personLink, confirmToken, usedToken, lateToken, leaveToken, "reader@example.org", "w7d3k5"} {
		if strings.Contains(log.String(), secret) {
			t.Errorf("the log holds %s:\n%s", secret, log.String())
		}
	}
}

// TestOnlyTheConfiguredOrigin holds that links lead to the configured addresses whatever a request claims.
func TestOnlyTheConfiguredOrigin(t *testing.T) {
	t.Parallel()
	config := gazette()
	n, _ := openPeople(t, config, nil)
	for _, path := range personPaths {
		a := n.get(path, "Host", "evil.example", "X-Forwarded-Host", "evil.example", "X-Forwarded-Proto", "gopher", "Forwarded", "host=evil.example")
		if strings.Contains(a.Body, "evil.example") || strings.Contains(fmt.Sprint(a.Header), "evil.example") {
			t.Errorf("%s repeats what the request claims", path)
		}
		for d := range parse(t, a.Body).Descendants() {
			for _, attr := range d.Attr {
				if (attr.Key == "href" || attr.Key == "action") && strings.Contains(attr.Val, "://") && !strings.HasPrefix(attr.Val, "https://canaux.gazette.example/") && !strings.HasPrefix(attr.Val, "https://t.me/") && attr.Val != config.Privacy.Policy {
					t.Errorf("%s leads to %s", path, attr.Val)
				}
			}
		}
	}
	if body := n.get("/follow/alertes").Body; !strings.Contains(body, "https://canaux.gazette.example/follow/alertes") {
		t.Error("the page does not show its own address")
	}
}

// TestWholeInBothLanguages holds that every page speaks English and French, and that no word is missing.
func TestWholeInBothLanguages(t *testing.T) {
	t.Parallel()
	for _, lang := range []string{"en", "fr"} {
		n, _ := openPeople(t, gazette(), nil)
		pages := map[string]answer{}
		for _, path := range personPaths {
			pages["GET "+path] = n.get(path + "?lang=" + lang)
			pages["POST "+path] = n.form(path+"?lang="+lang, url.Values{"act": {"confirm"}, "pause": {"year"}})
		}
		pages["forget"] = n.form("/me/"+personLink+"/forget?lang="+lang, url.Values{"sure": {"yes"}})
		for name, a := range pages {
			if a.Status == http.StatusSeeOther {
				continue
			}
			if strings.Contains(a.Body, "[people.") || strings.Contains(a.Body, "[error.") || strings.Contains(a.Body, "{channel") || strings.Contains(a.Body, "{site}") {
				t.Errorf("%s in %s lacks words: %s", name, lang, regexp.MustCompile(`\[(people|error)\.[^\]]*\]|\{[a-z]+\}`).FindString(a.Body))
			}
			if strings.HasPrefix(a.Header.Get("Content-Type"), "text/html") && (a.Header.Get("Content-Language") != lang || !strings.Contains(a.Body, `<html lang="`+lang+`">`)) {
				t.Errorf("%s in %s: Content-Language %s", name, lang, a.Header.Get("Content-Language"))
			}
			if n := strings.Count(a.Body, "<h1"); n != 1 && strings.HasPrefix(a.Header.Get("Content-Type"), "text/html") {
				t.Errorf("%s in %s has %d h1", name, lang, n)
			}
		}
	}
}

func TestGoldenPeople(t *testing.T) {
	t.Parallel()
	n, _ := openPeople(t, gazette(), nil)
	for name, path := range map[string]string{
		"people-follow.html":  "/follow/alertes?lang=fr",
		"people-confirm.html": "/confirm/" + confirmToken,
		"people-expired.html": "/confirm/" + lateToken + "?lang=en",
		"people-leave.html":   "/leave/" + leaveToken + "?lang=en",
		"people-me.html":      "/me/" + personLink,
		"people-why.html":     "/me/" + personLink + "/why?lang=en",
	} {
		golden(t, name, n.get(path).Body)
	}
}

// TestPersonsLanguage holds that a person's own pages speak their language, unless the address names another.
func TestPersonsLanguage(t *testing.T) {
	t.Parallel()
	n, _ := openPeople(t, gazette(), nil)
	for path, want := range map[string]string{"/me/" + personLink: "fr", "/confirm/" + confirmToken: "fr", "/me/" + personLink + "?lang=en": "en", "/follow/alertes": "en"} {
		if got := n.get(path, "Accept-Language", "en").Header.Get("Content-Language"); got != want {
			t.Errorf("%s speaks %s to an English browser, want %s", path, got, want)
		}
	}
	if body := n.get("/me/" + personLink).Body; !strings.Contains(body, `depuis le 3 octobre 2026`) {
		t.Error("the date is not that of the person's zone and language")
	}
}

// TestWaysIn holds that channels and the front page lead to what is offered, and follow when that changes.
func TestWaysIn(t *testing.T) {
	t.Parallel()
	n, p := openFilled(t, gazette())
	buttons := func(path string) (out []string) {
		for d := range parse(t, n.get(path).Body).Descendants() {
			if d.Data == "a" && d.Type == html.ElementNode && (strings.Contains(attribute(d, "href"), "/follow/") || strings.Contains(attribute(d, "href"), "gazette_bot")) {
				out = append(out, text(d)+" → "+attribute(d, "href"))
			}
		}
		return out
	}
	mail := "Suivre par e-mail → /follow/alertes?lang=fr"
	want := []string{mail, "Suivre avec le bot Telegram → https://t.me/gazette_bot?start=alertes"} // the channel is on Telegram too
	if diff := cmp.Diff(want, buttons("/c/alertes?lang=fr")); diff != "" {
		t.Errorf("the channel (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"Follow on Telegram → https://t.me/gazette_bot?start=culture"}, buttons("/c/culture?lang=en")); diff != "" {
		t.Errorf("a channel on a bot alone (-want +got):\n%s", diff)
	}
	if got := buttons("/c/concours"); len(got) > 0 {
		t.Errorf("a channel that is not offered leads to %q", got)
	}
	if got := buttons("/?lang=fr"); !slices.Contains(got, mail) || len(got) != 4 {
		t.Errorf("the front page leads to %q", got)
	}
	p.offers = p.offers[1:]
	n.server.Use(n.config)
	if got := buttons("/c/alertes?lang=fr"); len(got) > 0 {
		t.Errorf("after a change of the configuration the channel leads to %q", got)
	}
	p.offers = nil
	n.server.Changed()
	if got := buttons("/?lang=fr"); len(got) > 0 {
		t.Errorf("after a change the front page leads to %q", got)
	}
}

func attribute(d *html.Node, key string) string {
	for _, a := range d.Attr {
		if a.Key == key {
			return a.Val
		}
	}
	return ""
}

// TestHostilePeople holds that no text from outside is more than text on these pages.
func TestHostilePeople(t *testing.T) {
	t.Parallel()
	for name, evil := range hostile {
		config := gazette()
		config.Site.Title = evil
		n, p := openPeople(t, config, nil)
		for i := range p.offers {
			o := &p.offers[i]
			o.Title, o.Description, o.Topics, o.Languages, o.Lang = map[string]string{"": evil}, map[string]string{"": evil}, []string{evil}, []string{evil, "fr"}, evil
			o.Slots = append(slices.Clone(o.Slots), evil)
			for j := range o.Media {
				if o.Media[j].Link != "" {
					o.Media[j].Link = evil
				}
			}
		}
		p.reader.Ref, p.reader.Addresses = evil, []consent.Masked{{Medium: evil, Text: evil}}
		for i := range p.reader.Grants {
			p.reader.Grants[i].Medium, p.reader.Grants[i].Preferences.Topics = evil, []string{evil}
		}
		for i := range p.record.Events {
			p.record.Events[i].Evidence = consent.Evidence{Wording: evil, Version: evil, Lang: evil, Where: evil, Method: consent.Method(evil)}
			p.record.Events[i].Kind, p.record.Events[i].Medium = evil, evil
		}
		for i := range p.record.Messages {
			p.record.Messages[i].Title, p.record.Messages[i].URL, p.record.Messages[i].Outcome, p.record.Messages[i].Reason = evil, evil, evil, evil
		}
		asked := p.asked[confirmToken]
		asked.Masked, asked.Medium, asked.Preferences.Topics = evil, evil, []string{evil}
		p.asked[confirmToken] = asked
		answers := map[string]answer{}
		for _, path := range personPaths {
			answers["GET "+path] = n.get(path)
			answers["POST "+path] = n.form(path, url.Values{"address": {evil}, "medium": {"email"}, "zone": {evil}, "slot": {evil}, "mode": {evil}, "lang": {evil}, "started": {evil}, "wording": {evil},
				"quiet_from": {evil}, "quiet_until": {evil}, "per_day": {evil}, "grant": {evil}, "grant-11": {"1"}, "mode-11": {evil}})
		}
		answers["a token"] = n.get("/confirm/" + url.PathEscape(evil))
		answers["a link"] = n.get("/me/" + url.PathEscape(evil))
		answers["leaving"] = n.form("/leave/"+url.PathEscape(evil), nil)
		for what, a := range answers {
			if !strings.HasPrefix(a.Header.Get("Content-Type"), "text/html") {
				continue
			}
			for d := range parse(t, a.Body).Descendants() {
				if d.Type != html.ElementNode {
					continue
				}
				if slices.Contains([]string{"script", "img", "b", "entry", "iframe", "style"}, d.Data) {
					t.Errorf("%s, %s: there is a <%s>", name, what, d.Data)
				}
				for _, attr := range d.Attr {
					if strings.HasPrefix(attr.Key, "on") || attr.Key == "style" || strings.HasPrefix(strings.ToLower(strings.TrimSpace(attr.Val)), "javascript:") {
						if attr.Key == "value" {
							continue
						}
						t.Errorf("%s, %s: <%s %s=%q>", name, what, d.Data, attr.Key, attr.Val)
					}
				}
			}
			for key, values := range a.Header {
				if strings.ContainsAny(strings.Join(values, ""), "\r\n") || key == "Set-Cookie" {
					t.Errorf("%s, %s: header %s: %q", name, what, key, values)
				}
			}
		}
	}
}

// TestFormsStayOurs holds that other sites can send no form to a person's own pages, and that our own can, whatever the
// browser says of where it comes from.
func TestFormsStayOurs(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		headers []string
		status  int
	}{
		"our own":                         {[]string{"Sec-Fetch-Site", "same-origin", "Origin", "null"}, 303},
		"a page loaded again":             {[]string{"Sec-Fetch-Site", "none"}, 303},
		"an old browser":                  {[]string{"Origin", "https://canaux.gazette.example"}, 303},
		"an old browser, no referrer":     {[]string{"Origin", "null"}, 303},
		"a program":                       {nil, 303},
		"by the name in the request":      {[]string{"Origin", "http://example.com"}, 303}, // the Host of the test's requests
		"another site":                    {[]string{"Sec-Fetch-Site", "cross-site", "Origin", "https://evil.example"}, 403},
		"another site without its origin": {[]string{"Sec-Fetch-Site", "cross-site"}, 403},
		"a neighbour":                     {[]string{"Sec-Fetch-Site", "same-site"}, 403},
		"another site, old browser":       {[]string{"Origin", "https://evil.example"}, 403},
		"no address":                      {[]string{"Origin", "::"}, 403},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n, p := openPeople(t, gazette(), nil)
			a := n.form("/me/"+personLink, url.Values{"pause": {"day"}}, c.headers...)
			if done := p.changes(); a.Status != c.status || (len(done) == 1) != (c.status == 303) {
				t.Errorf("status %d, want %d; did %q", a.Status, c.status, done)
			}
			ok := 200
			if c.status == 403 {
				ok = 403
			}
			if a := n.form("/confirm/"+confirmToken, url.Values{"act": {"confirm"}}, c.headers...); a.Status != ok {
				t.Errorf("confirming: status %d, want %d", a.Status, ok)
			}
		})
	}
}

// TestLargeAndBrokenForms holds that what cannot be read changes nothing, and is answered with a page.
func TestLargeAndBrokenForms(t *testing.T) {
	t.Parallel()
	n, p := openPeople(t, gazette(), nil)
	for _, path := range []string{"/follow/alertes", "/confirm/" + confirmToken, "/me/" + personLink, "/me/" + personLink + "/leave", "/me/" + personLink + "/forget"} {
		large := "act=confirm&address=a%40example.org&x=" + strings.Repeat("x", 70<<10)
		if a := n.ask(http.MethodPost, path, strings.NewReader(large), "Content-Type", "application/x-www-form-urlencoded"); a.Status != 413 || a.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s with a large form: status %d, %s", path, a.Status, a.Header.Get("Cache-Control"))
		}
		for kind, body := range map[string]string{"application/x-www-form-urlencoded": "act=%zz&sure=%zz", "multipart/form-data": "x", "multipart/form-data; boundary=b": "--b\r\nbroken"} {
			if a := n.ask(http.MethodPost, path, strings.NewReader(body), "Content-Type", kind); a.Status != 422 && a.Status != 200 {
				t.Errorf("%s with a broken %s: status %d", path, kind, a.Status)
			}
		}
	}
	if done := p.changes(); len(done) > 0 {
		t.Errorf("broken forms did %q", done)
	}
}

// TestClassesHaveNoSecrets holds that what is counted is counted by fixed names.
func TestClassesHaveNoSecrets(t *testing.T) {
	t.Parallel()
	n, p := openPeople(t, gazette(), nil)
	classes := map[string]bool{}
	n.server = web.New(web.Settings{Store: silent{}, Config: n.config, Now: n.clock.now, People: p, Served: func(class string, _ int, _ time.Duration) { classes[class] = true }})
	for _, path := range personPaths {
		n.get(path)
		n.form(path, nil)
	}
	if diff := cmp.Diff(map[string]bool{"people": true}, classes); diff != "" {
		t.Errorf("classes (-want +got):\n%s", diff)
	}
}

// TestNothingLooksAlike: where there is nothing, every part of the site says so in the same way.
func TestNothingLooksAlike(t *testing.T) {
	t.Parallel()
	main := regexp.MustCompile(`(?s)<main.*</main>`)
	for name, people := range map[string]bool{"with people": true, "without": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := open(t, gazette())
			if people {
				n, _ = openPeople(t, gazette(), nil)
			}
			for _, lang := range []string{"en", "fr"} {
				want := main.FindString(n.get("/nope?lang=" + lang).Body)
				for _, path := range []string{"/c/nope", "/follow/nope", "/follow/", "/confirm/", "/leave/a/b", "/me/"} {
					a := n.get(path + "?lang=" + lang)
					if got := main.FindString(a.Body); a.Status != 404 || got != want || want == "" {
						t.Errorf("%s answers %d with\n%s\nwant\n%s", path, a.Status, got, want)
					}
				}
			}
		})
	}
}
