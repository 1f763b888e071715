package web_test

import (
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/html"

	"github.com/belfry-news/belfry/internal/consent"
	"github.com/belfry-news/belfry/sdk"
)

// filled gives the fields of a page's first form as a browser would send them.
func filled(t *testing.T, body string) url.Values {
	t.Helper()
	out := url.Values{}
	doc := parse(t, body)
	for d := range doc.Descendants() {
		if d.Type != html.ElementNode {
			continue
		}
		name := attribute(d, "name")
		switch d.Data {
		case "input":
			kind := attribute(d, "type")
			checked := false
			for _, a := range d.Attr {
				checked = checked || a.Key == "checked"
			}
			if (kind != "radio" && kind != "checkbox" || checked) && name != "" {
				out.Add(name, attribute(d, "value"))
			}
		case "select":
			for o := range d.Descendants() {
				for _, a := range o.Attr {
					if a.Key == "selected" {
						out.Add(name, attribute(o, "value"))
					}
				}
			}
		}
	}
	return out
}

// inClass is the text of the first element of a class.
func inClass(t *testing.T, body, class string) string {
	t.Helper()
	for d := range parse(t, body).Descendants() {
		if d.Type == html.ElementNode && attribute(d, "class") == class {
			return strings.TrimSpace(text(d))
		}
	}
	return ""
}

func TestFollowing(t *testing.T) {
	t.Parallel()
	n, p := openPeople(t, gazette(), nil)
	page := n.get("/follow/alertes?lang=en")
	form := filled(t, page.Body)
	shown := inClass(t, page.Body, "wording")
	if !strings.Contains(shown, "La Gazette") || !strings.Contains(shown, "Breaking") || !strings.Contains(shown, "e-mail") {
		t.Errorf("the wording says neither who nor what nor how: %s", shown)
	}
	form.Set("address", " Reader@Example.org ")
	form["mode"], form["slot"] = []string{"digest"}, []string{"18:00", "07:00"}
	form["topic"], form["language"] = []string{"météo"}, []string{"fr"}
	form.Set("breaking", "yes")
	form.Set("zone", "America/New_York")
	n.clock.advance(20 * time.Second)
	a := n.form("/follow/alertes?lang=en", form, "X-Test-Origin", "198.51.100.0/24")
	if a.Status != 200 || len(p.signUps) != 1 {
		t.Fatalf("status %d, %d sign-ups:\n%s", a.Status, len(p.signUps), a.Body)
	}
	want := consent.SignUp{Medium: "email", Address: "Reader@Example.org", Purposes: []consent.Purpose{{Kind: consent.Channel, Name: "alertes"}},
		Preferences: consent.Preferences{Mode: consent.Digest, Slots: []string{"07:00", "18:00"}, Topics: []string{"météo"}, Languages: []string{"fr"}, Breaking: true},
		Habits:      consent.Habits{Lang: "en", Zone: "America/New_York"},
		Evidence: consent.Evidence{At: n.clock.now().UTC(), Method: consent.ByForm, Actor: consent.Self, Wording: shown, Version: form.Get("wording"), Lang: "en", Where: "/follow/alertes",
			Origin: "198.51.100.0/24"}}
	if diff := cmp.Diff(want, p.signUps[0]); diff != "" {
		t.Errorf("the sign-up (-want +got):\n%s", diff)
	}
	if want.Evidence.Version == "" {
		t.Error("the wording has no version")
	}
}

// TestDefaults holds what a form has chosen for a reader who chose nothing: the site's zone, the first way, and nothing that
// widens what comes.
func TestDefaults(t *testing.T) {
	t.Parallel()
	n, _ := openPeople(t, gazette(), nil)
	form := filled(t, n.get("/follow/alertes?lang=fr").Body)
	form.Del("started")
	form.Del("wording")
	want := url.Values{"medium": {"email"}, "lang": {"fr"}, "address": {""}, "website": {""}, "mode": {"instant"}, "slot": {"07:00"}, "zone": {"Europe/Paris"}}
	if diff := cmp.Diff(want, form); diff != "" {
		t.Errorf("the form (-want +got):\n%s", diff)
	}
	for path, holds := range map[string][]string{
		"/follow/brief?lang=en":   {"Posts come collected, at 07:00."},
		"/follow/culture?lang=en": {"Follow on Telegram", "https://t.me/gazette_bot?start=culture", `aria-label="QR code that opens Telegram"`},
	} {
		body := n.get(path).Body
		for _, want := range holds {
			if !strings.Contains(body, want) {
				t.Errorf("%s does not say %q", path, want)
			}
		}
	}
	if body := n.get("/follow/culture").Body; strings.Contains(body, "<form") {
		t.Error("a channel that is followed in an app has a form for addresses")
	}
	if a := n.form("/follow/culture?lang=en", url.Values{"address": {"a@example.org"}}); a.Status != 422 || !strings.Contains(a.Body, `href="#bot-0"`) || !strings.Contains(a.Body, `id="bot-0"`) {
		t.Errorf("an address for a channel that takes none: status %d", a.Status)
	}
}

// TestTheAnswerIsAlwaysTheSame holds that the answer tells nobody who follows what, nor a program that it was found out.
func TestTheAnswerIsAlwaysTheSame(t *testing.T) {
	t.Parallel()
	n, p := openPeople(t, gazette(), nil)
	form := filled(t, n.get("/follow/alertes?lang=en").Body)
	n.clock.advance(5 * time.Second)
	ask := func(change func(url.Values)) answer {
		t.Helper()
		f := url.Values{}
		for k, v := range form {
			f[k] = append([]string(nil), v...)
		}
		f.Set("address", "new@example.org")
		change(f)
		return n.form("/follow/alertes?lang=en", f)
	}
	first := ask(func(url.Values) {})
	if first.Status != 200 || strings.Contains(first.Body, "new@") {
		t.Fatalf("status %d:\n%s", first.Status, first.Body)
	}
	for name, change := range map[string]func(url.Values){
		"a known address":             func(f url.Values) { f.Set("address", "known@example.org") },
		"another address":             func(f url.Values) { f.Set("address", "somebody.else@another.example") },
		"the same again":              func(url.Values) {},
		"a program in the trap":       func(f url.Values) { f.Set("website", "https://spam.example") },
		"a program in a hurry":        func(f url.Values) { f.Set("started", started(n)) },
		"a form opened long ago":      func(f url.Values) { f.Set("started", "1") },
		"a clock that makes no sense": func(f url.Values) { f.Set("started", "½") },
	} {
		got := ask(change)
		if got.Status != first.Status || got.Body != first.Body {
			t.Errorf("%s: status %d, or another page:\n%s", name, got.Status, cmp.Diff(first.Body, got.Body))
		}
		if diff := cmp.Diff(first.Header, got.Header); diff != "" {
			t.Errorf("%s: other headers:\n%s", name, diff)
		}
	}
	if len(p.signUps) != 6 {
		t.Errorf("%d sign-ups, want 6: two were programs", len(p.signUps))
	}
}

// started is the field of a form that was opened this instant.
func started(n *newsroom) string {
	return filled(n.t.(*testing.T), n.get("/follow/alertes").Body).Get("started")
}

func TestFaultsOfAForm(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(url.Values)
		says   string
		field  string
	}{
		"no address":         {func(f url.Values) { f.Set("address", "  ") }, "Write your address", "address"},
		"no @":               {func(f url.Values) { f.Set("address", "reader.example.org") }, "has no @", "address"},
		"two @":              {func(f url.Values) { f.Set("address", "a@example.org@example.org") }, "more than one @", "address"},
		"two addresses":      {func(f url.Values) { f.Set("address", "a@example.org, b@example.org") }, "holds a space", "address"},
		"a name":             {func(f url.Values) { f.Set("address", "Reader <a@example.org>") }, "holds a space", "address"},
		"brackets":           {func(f url.Values) { f.Set("address", "<a@example.org>") }, "brackets", "address"},
		"no domain":          {func(f url.Values) { f.Set("address", "reader@localhost") }, "is no domain", "address"},
		"nothing behind @":   {func(f url.Values) { f.Set("address", "reader@") }, "is no domain", "address"},
		"nothing before @":   {func(f url.Values) { f.Set("address", "@example.org") }, "no e-mail address", "address"},
		"a broken domain":    {func(f url.Values) { f.Set("address", "a@-x-.example..org") }, "no domain", "address"},
		"a header":           {func(f url.Values) { f.Set("address", "a@example.org\r\nBcc: b@example.org") }, "characters that no address has", "address"},
		"a lone line feed":   {func(f url.Values) { f.Set("address", "a@exam\nple.org") }, "characters that no address has", "address"},
		"a zero":             {func(f url.Values) { f.Set("address", "a\x00@example.org") }, "characters that no address has", "address"},
		"a change of course": {func(f url.Values) { f.Set("address", "a\u202e@example.org") }, "characters that no address has", "address"},
		"no UTF-8":           {func(f url.Values) { f.Set("address", "a\xff@example.org") }, "characters that no address has", "address"},
		"endless":            {func(f url.Values) { f.Set("address", strings.Repeat("a", 400)+"@example.org") }, "longer than any address", "address"},
		"a long local part":  {func(f url.Values) { f.Set("address", strings.Repeat("a", 65)+"@example.org") }, "longer than 64 bytes", "address"},
		"dots in a row":      {func(f url.Values) { f.Set("address", "a..b@example.org") }, "dot", "address"},
		"an app":             {func(f url.Values) { f.Set("medium", "telegram") }, "not offered here", "address"},
		"an unknown medium":  {func(f url.Values) { f.Set("medium", "pigeon") }, "not offered here", "address"},
		"no time":            {func(f url.Values) { f.Set("mode", "digest"); f.Del("slot") }, "at least one time", "slot-0"},
		"another time":       {func(f url.Values) { f.Set("mode", "digest"); f["slot"] = []string{"07:00", "03:00"} }, "no longer offered", "slot-0"},
		"another topic":      {func(f url.Values) { f.Set("topic", "sport") }, "no longer offered", "topic-0"},
		"another language":   {func(f url.Values) { f.Set("language", "tlh") }, "no longer offered", "language-0"},
		"another mode":       {func(f url.Values) { f.Set("mode", "hourly") }, "Choose how", "mode-0"},
		"another zone":       {func(f url.Values) { f.Set("zone", "Mars/Olympus") }, "time zone is unknown", "zone"},
		"a file as a zone":   {func(f url.Values) { f.Set("zone", "../../etc/passwd") }, "time zone is unknown", "zone"},
		"the local zone":     {func(f url.Values) { f.Set("zone", "Local") }, "time zone is unknown", "zone"},
		"another wording":    {func(f url.Values) { f.Set("wording", "0011223344556677") }, "has changed since", "wording"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n, p := openPeople(t, gazette(), nil)
			form := filled(t, n.get("/follow/alertes?lang=en").Body)
			n.clock.advance(5 * time.Second)
			form.Set("address", "kept@example.org")
			form.Set("zone", "Asia/Tokyo")
			form["topic"] = []string{"météo"}
			c.change(form)
			a := n.form("/follow/alertes?lang=en", form)
			if a.Status != http.StatusUnprocessableEntity || len(p.signUps) > 0 {
				t.Fatalf("status %d, %d sign-ups", a.Status, len(p.signUps))
			}
			doc := parse(t, a.Body)
			found, kept := "", ""
			ids := map[string]bool{}
			for d := range doc.Descendants() {
				ids[attribute(d, "id")] = true
				if d.Data == "a" && attribute(d, "href") == "#"+c.field {
					found = text(d)
				}
				if attribute(d, "id") == "address" {
					kept = attribute(d, "value")
				}
			}
			if !strings.Contains(found, c.says) || !ids[c.field] {
				t.Errorf("the summary says %q of #%s (there: %v), want %q", found, c.field, ids[c.field], c.says)
			}
			if strings.Count(a.Body, found) < 2 {
				t.Error("the fault stands in the summary only, not beside its field")
			}
			if want := form.Get("address"); c.field != "address" && kept != want {
				t.Errorf("the address was %q and became %q", want, kept)
			}
			again := filled(t, a.Body)
			if c.field != "zone" && again.Get("zone") != "Asia/Tokyo" || c.field != "topic-0" && again.Get("topic") != "météo" {
				t.Errorf("what was chosen is lost: %v", again)
			}
			if again.Get("started") != form.Get("started") {
				t.Error("whoever corrects a form has to wait again")
			}
			if !strings.Contains(a.Body, "<title>To correct: ") {
				t.Error("the title does not say that something is to be corrected")
			}
		})
	}
}

// TestFormsElsewhere holds that a plain form of another site signs up, that nothing is claimed about what it said, and that
// it goes on working when a channel is renamed.
func TestFormsElsewhere(t *testing.T) {
	t.Parallel()
	config := gazette()
	alerts := config.Channels["alertes"]
	alerts.Was = "urgences"
	config.Channels["alertes"] = alerts
	n, p := openPeople(t, config, nil)
	for name, c := range map[string]struct {
		fields  url.Values
		headers []string
		want    consent.SignUp
	}{
		"an address alone": {url.Values{"address": {"a@example.org"}}, []string{"Sec-Fetch-Site", "cross-site", "Origin", "https://club.example"},
			consent.SignUp{Preferences: consent.Preferences{Mode: consent.Instant}, Habits: consent.Habits{Lang: "fr", Zone: "Europe/Paris"}, Evidence: consent.Evidence{Note: "a form on https://club.example"}}},
		"everything": {url.Values{"medium": {"email"}, "address": {"a@example.org"}, "mode": {"digest"}, "slot": {"12:30"}, "topic": {"transports"}, "lang": {"en"}, "zone": {"Europe/London"}}, []string{"Origin", "null"},
			consent.SignUp{Preferences: consent.Preferences{Mode: consent.Digest, Slots: []string{"12:30"}, Topics: []string{"transports"}}, Habits: consent.Habits{Lang: "en", Zone: "Europe/London"}, Evidence: consent.Evidence{Note: "a form elsewhere"}}},
		"a digest without a time": {url.Values{"address": {"a@example.org"}, "mode": {"digest"}}, []string{"Origin", "https://x.example\r\nX: y"},
			consent.SignUp{Preferences: consent.Preferences{Mode: consent.Digest, Slots: []string{"07:00"}}, Habits: consent.Habits{Lang: "fr", Zone: "Europe/Paris"}, Evidence: consent.Evidence{Note: "a form elsewhere"}}},
	} {
		p.signUps = nil
		a := n.form("/follow/alertes", c.fields, c.headers...)
		if a.Status != 200 || len(p.signUps) != 1 {
			t.Errorf("%s: status %d, %d sign-ups", name, a.Status, len(p.signUps))
			continue
		}
		got := p.signUps[0]
		c.want.Medium, c.want.Address, c.want.Purposes = "email", "a@example.org", got.Purposes
		c.want.Evidence.At, c.want.Evidence.Method, c.want.Evidence.Actor, c.want.Evidence.Where = n.clock.now().UTC(), consent.ByForm, consent.Self, "/follow/alertes"
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	if a := n.form("/follow/urgences", url.Values{"address": {"a@example.org"}}); a.Status != 308 || a.Header.Get("Location") != "/follow/alertes" {
		t.Errorf("by the former name: status %d to %q", a.Status, a.Header.Get("Location"))
	}
	for path, says := range map[string]string{"/follow/nowhere": "Page introuvable", "/follow/concours": "ne se suit pas par message", "/follow/No%20where": "Page introuvable", "/follow/livraison": "Page introuvable"} {
		for _, a := range []answer{n.get(path), n.form(path, url.Values{"address": {"a@example.org"}})} {
			if a.Status != 404 || !strings.Contains(a.Body, says) {
				t.Errorf("%s: status %d, want 404 with %q", path, a.Status, says)
			}
		}
	}
}

// TestTheRecipeWorks holds that the form that the documentation gives to other sites does what it says there.
func TestTheRecipeWorks(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/recipes/follow-form.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "```html\n")
	snippet, _, found := strings.Cut(rest, "```")
	if !found {
		t.Fatal("the recipe has no form")
	}
	n, p := openPeople(t, gazette(), nil)
	action := ""
	for d := range parse(t, snippet).Descendants() {
		if d.Data == "form" && attribute(d, "method") == "post" {
			action = attribute(d, "action")
		}
	}
	form := filled(t, snippet)
	form.Set("address", "reader@example.org")
	a := n.form(strings.TrimPrefix(action, "https://channels.example"), form, "Sec-Fetch-Site", "cross-site", "Origin", "https://news.example")
	if a.Status != 200 || a.Header.Get("Content-Language") != "en" || len(p.signUps) != 1 || p.signUps[0].Address != "reader@example.org" {
		t.Errorf("status %d, sign-ups %+v", a.Status, p.signUps)
	}
	for _, field := range []string{"address", "medium", "mode", "slot", "topic", "language", "breaking", "zone", "lang", "website"} {
		if !strings.Contains(string(text), "`"+field+"`") {
			t.Errorf("the recipe does not explain %s", field)
		}
	}
}

// TestFloods holds that sign-ups are bounded before anybody looks at their address, each origin by itself.
func TestFloods(t *testing.T) {
	t.Parallel()
	n, p := openPeople(t, gazette(), nil)
	ask := func(origin string, i int) answer {
		return n.form("/follow/alertes?lang=en", url.Values{"address": {fmt.Sprintf("a%d@example.org", i)}}, "X-Test-Network", origin)
	}
	taken := 0
	var refused answer
	for i := range 40 {
		if a := ask("198.51.100.0", i); a.Status == 200 {
			taken++
		} else {
			refused = a
		}
	}
	if taken != 20 || refused.Status != http.StatusTooManyRequests || refused.Header.Get("Retry-After") == "" || !strings.Contains(refused.Body, "Wait a minute") {
		t.Errorf("%d of one origin were taken, want 20; then status %d", taken, refused.Status)
	}
	if a := ask("203.0.113.0", 1); a.Status != 200 {
		t.Errorf("another origin: status %d", a.Status)
	}
	if known := n.form("/follow/alertes?lang=en", url.Values{"address": {"known@example.org"}}, "X-Test-Network", "198.51.100.0"); known.Body != refused.Body {
		t.Error("a flood learns whether an address is known")
	}
	n.clock.advance(time.Minute)
	if a := ask("198.51.100.0", 2); a.Status != 200 {
		t.Errorf("a minute later: status %d", a.Status)
	}
	taken = 0
	for i := range 300 { // from everywhere at once
		if a := ask(fmt.Sprint("origin ", i), i); a.Status == 200 {
			taken++
		}
	}
	if taken < 90 || taken > 100 {
		t.Errorf("%d of a flood were taken, want about 100", taken)
	}
	if got := len(p.signUps); got > 130 {
		t.Errorf("%d reached the store", got)
	}
}

// TestTheStoreRefuses holds that what only the store knows to be wrong is said, and that a fault is no "yes".
func TestTheStoreRefuses(t *testing.T) {
	t.Parallel()
	n, p := openPeople(t, gazette(), nil)
	fields := url.Values{"address": {"a@example.org"}}
	p.fault = &sdk.Error{Code: sdk.CodeInvalid, Public: "this domain takes no mail"}
	for lang, says := range map[string]string{"en": "This domain takes no mail.", "fr": "Cherchez une faute de frappe"} {
		if a := n.form("/follow/alertes?lang="+lang, fields); a.Status != 422 || !strings.Contains(a.Body, says) {
			t.Errorf("%s: status %d without %q", lang, a.Status, says)
		}
	}
	p.fault = sdk.Errorf(sdk.CodeUnavailable, "store", "the disk is full")
	if a := n.form("/follow/alertes?lang=en", fields); a.Status != 503 || a.Header.Get("Retry-After") == "" || strings.Contains(a.Body, "disk") {
		t.Errorf("a full disk: status %d\n%s", a.Status, a.Body)
	}
}

// TestWhoWritesIsSaid: whoever is about to agree is told who is responsible, and where the policy stands (GDPR, article 13).
func TestWhoWritesIsSaid(t *testing.T) {
	t.Parallel()
	n, _ := openPeople(t, gazette(), nil)
	for _, path := range []string{"/follow/alertes", "/confirm/" + confirmToken} {
		if body := n.get(path + "?lang=fr").Body; !strings.Contains(body, "La Gazette, 1 rue Haute, Lyon") ||
			!strings.Contains(body, `<a href="https://gazette.example/vie-privee">Politique de confidentialité</a>`) {
			t.Errorf("%s does not say it:\n%s", path, body)
		}
	}
	bare := gazette()
	bare.Privacy.Controller, bare.Privacy.Policy = "", ""
	n, _ = openPeople(t, bare, nil)
	if body := n.get("/follow/alertes?lang=fr").Body; !strings.Contains(body, "La Gazette (canaux.gazette.example)") || strings.Contains(body, "Politique") {
		t.Errorf("without either:\n%s", body)
	}
}
