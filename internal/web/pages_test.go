package web_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/belfry-news/belfry/configs"
	"github.com/belfry-news/belfry/internal/compose"
	"github.com/belfry-news/belfry/internal/web"
	"github.com/belfry-news/belfry/sdk"
	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"golang.org/x/net/html"
)

var update = flag.Bool("update", false, "write the golden files anew")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var unstable = []struct {
	name    string
	pattern *regexp.Regexp
}{
	{"image", regexp.MustCompile(`[0-9a-f]{64}`)},
	{"uuid", regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}`)},
	{"post", regexp.MustCompile(`(?:/c/[a-z-]+/|before=|["#][pt]-)[0-9a-hjkmnp-tv-z]{8}\b`)},
	{"style", regexp.MustCompile(`(?:belfry|people)-[0-9a-f]{12}\.css`)},
}

// steady replaces what differs from run to run by names in the order of their appearance.
func steady(text string) string {
	for _, u := range unstable {
		names := map[string]string{}
		text = u.pattern.ReplaceAllStringFunc(text, func(found string) string {
			key, before := found, ""
			switch u.name {
			case "post":
				before, key = found[:len(found)-8], found[len(found)-8:]
			case "style":
				return found[:6] + ".css"
			}
			if names[key] == "" {
				names[key] = fmt.Sprintf("%s-%d", u.name, len(names)+1)
			}
			return before + names[key]
		})
	}
	return text
}

// golden compares a text with a file of testdata/golden.
func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata/golden", name)
	got = steady(got)
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("%v; write it with: go test ./internal/web -run %s -update", err, t.Name())
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s differs (-want +got); look, and then: go test ./internal/web -run %s -update\n%s", file, t.Name(), diff)
	}
}

func TestGolden(t *testing.T) {
	t.Parallel()
	n := open(t, gazette())
	id := n.fill()
	for name, path := range map[string]string{
		"front.html":        "/?lang=fr",
		"channel.html":      "/c/alertes?lang=fr",
		"channel-en.html":   "/c/alertes?lang=en",
		"post.html":         "/c/alertes/" + id.fire + "?lang=fr",
		"post-en.html":      "/c/alertes/" + id.fire + "?lang=en",
		"post-full.html":    "/c/culture/" + id.exhibition + "?lang=fr",
		"post-updated.html": "/c/alertes/" + id.storm + "?lang=en",
		"digest.html":       "/c/brief/" + id.brief + "?lang=fr",
		"gone.html":         "/c/alertes/" + id.withdrawn + "?lang=fr",
		"notfound.html":     "/c/nowhere?lang=en",
		"feed.atom":         "/c/alertes/feed.atom",
		"feed.json":         "/c/alertes/feed.json",
		"feed-full.atom":    "/c/culture/feed.atom",
		"feed-digest.json":  "/c/brief/feed.json",
		"sitemap.xml":       "/sitemap.xml",
		"robots.txt":        "/robots.txt",
	} {
		golden(t, name, n.get(path).Body)
	}
}

func TestStatus(t *testing.T) {
	t.Parallel()
	config := gazette()
	config.Retired = []string{"ancien", "flux-ferme"}
	alerts := config.Channels["alertes"]
	alerts.Was = "urgences"
	config.Channels["alertes"] = alerts
	n := open(t, config)
	id := n.fill()
	old := n.post("ancien", "2026-11-01 09:00:00", compose.KindEach, compose.Content{Title: "Un dernier mot", URL: "https://gazette.example/mot"})
	orphan := n.post("disparu", "2026-11-01 09:00:00", compose.KindEach, compose.Content{Title: "Un mot de plus"})
	for _, c := range []struct {
		name, path string
		status     int
		location   string
		holds      string
	}{
		{"front page", "/", 200, "", "La Gazette"},
		{"channel", "/c/alertes", 200, "", "Dernière minute"},
		{"channel with a slash", "/c/alertes/", 308, "/c/alertes", ""},
		{"unlisted channel", "/c/coulisses", 200, "", "Les coulisses"},
		{"unknown channel", "/c/nowhere", 404, "", "Page introuvable"},
		{"no name", "/c/No%20where", 404, "", "Page introuvable"},
		{"channel by its former name", "/c/urgences?lang=en", 308, "/c/alertes?lang=en", ""},
		{"feed by its former name", "/c/urgences/feed.atom", 308, "/c/alertes/feed.atom", ""},
		{"retired channel", "/c/ancien", 410, "", "Ce canal est fermé"},
		{"feed of a retired channel", "/c/ancien/feed.json", 410, "", "Ce canal est fermé"},
		{"retired name that never was a channel", "/c/flux-ferme", 404, "", ""},
		{"post of a retired channel", "/c/ancien/" + old, 200, "", "Un dernier mot"},
		{"post of a channel nobody knows", "/c/disparu/" + orphan, 200, "", "Un mot de plus"},
		{"post", "/c/alertes/" + id.fire, 200, "", "Incendie"},
		{"post under another channel", "/c/culture/" + id.fire, 308, "/c/alertes/" + id.fire, ""},
		{"post under a former name", "/c/urgences/" + id.fire, 308, "/c/alertes/" + id.fire, ""},
		{"unknown post", "/c/alertes/00000000", 404, "", ""},
		{"no id", "/c/alertes/' OR 1=1", 404, "", ""},
		{"withdrawn post", "/c/alertes/" + id.withdrawn, 410, "", "Cette publication a été retirée"},
		{"retracted post", "/c/coulisses/" + id.retracted, 410, "", "Cette publication a été retirée"},
		{"older posts", "/c/alertes?before=" + id.fire, 200, "", "Tempête"},
		{"older than a withdrawn post", "/c/alertes?before=" + id.withdrawn, 200, "", "soirée électorale"},
		{"older than a post of another channel", "/c/alertes?before=" + id.brief, 404, "", ""},
		{"older than nothing", "/c/alertes?before=00000000", 404, "", ""},
		{"no cursor", "/c/alertes?before=%00", 404, "", ""},
		{"deeper than there is anything", "/c/alertes/x/y", 404, "", ""},
		{"no such file", "/static/other.css", 404, "", ""},
		{"robots", "/robots.txt", 200, "", "Sitemap: https://canaux.gazette.example/sitemap.xml"},
		{"mark", "/favicon.svg", 200, "", "<svg"},
		{"health", "/healthz", 200, "", "ok"},
		{"readiness", "/readyz", 200, "", "ok"},
	} {
		path := strings.ReplaceAll(c.path, " ", "%20")
		a := n.get(path)
		if a.Status != c.status || a.Header.Get("Location") != c.location || !strings.Contains(a.Body, c.holds) {
			t.Errorf("%s: %s: status %d to %q, want %d to %q with %q", c.name, path, a.Status, a.Header.Get("Location"), c.status, c.location, c.holds)
		}
		if a.Status >= 400 && strings.HasPrefix(a.Header.Get("Content-Type"), "text/html") && a.Header.Get("X-Robots-Tag") != "noindex" {
			t.Errorf("%s: search engines may list it", c.name)
		}
	}
}

// TestNothingOfWithdrawn holds that nothing of a post that was taken back is shown anywhere.
func TestNothingOfWithdrawn(t *testing.T) {
	t.Parallel()
	n := open(t, gazette())
	id := n.fill()
	for _, path := range []string{"/", "/c/alertes", "/c/coulisses", "/c/alertes/" + id.withdrawn, "/c/coulisses/" + id.retracted, "/c/alertes/feed.atom",
		"/c/alertes/feed.json", "/c/coulisses/feed.atom", "/c/coulisses/feed.json"} {
		for _, lang := range []string{"fr", "en"} {
			body := n.get(path + "?lang=" + lang).Body
			for _, secret := range []string{"à ne pas montrer", "2026/11/20/secret", "2026/11/20/nom", "décision de justice"} {
				if strings.Contains(body, secret) {
					t.Errorf("%s (%s) shows %q", path, lang, secret)
				}
			}
		}
	}
	if body := n.get("/c/alertes?lang=fr").Body; !strings.Contains(body, "Publication retirée à 22\u00a0h\u00a005") {
		t.Error("the channel does not say that a post was withdrawn")
	}
}

func TestBeforeItsTime(t *testing.T) {
	t.Parallel()
	n := open(t, gazette())
	hidden := map[string]string{}
	for name, status := range map[string]compose.PostStatus{"scheduled": compose.PostScheduled, "held": compose.PostHeld, "live, but ahead": compose.PostLive} {
		at := n.clock.now().Add(90 * time.Second)
		m := n.picture(3, "Une image sous embargo", "")
		if status == compose.PostHeld {
			at = time.Time{}
		}
		id, err := n.db.CreatePost(t.Context(), compose.NewPost{Channel: "alertes", Kind: compose.KindEditor, Status: status, VisibleAt: at,
			Content: compose.Content{Lang: "fr", Title: "Sous embargo : " + name, Media: []sdk.Media{m}}}, nil, "test", n.clock.now())
		if err != nil {
			t.Fatal(err)
		}
		hidden[name] = id
	}
	paths := []string{"/", "/c/alertes", "/c/alertes/feed.atom", "/c/alertes/feed.json"}
	for _, path := range paths {
		if strings.Contains(n.get(path).Body, "embargo") {
			t.Errorf("%s shows a post before its time", path)
		}
	}
	for name, id := range hidden {
		if a := n.get("/c/alertes/" + id); a.Status != http.StatusNotFound {
			t.Errorf("the page of a post that is %s: status %d, want 404", name, a.Status)
		}
	}
	if a := n.get("/media/" + storedName(t, n, 3)); a.Status != http.StatusNotFound {
		t.Errorf("the image of an embargoed post: status %d, want 404", a.Status)
	}
	// The moment it is due, without any hint.
	n.clock.advance(90 * time.Second)
	for _, path := range paths {
		body := n.get(path).Body
		if !strings.Contains(body, "live, but ahead") {
			t.Errorf("%s does not show a post whose time has come", path)
		}
		if strings.Contains(body, "scheduled") || strings.Contains(body, "held") {
			t.Errorf("%s shows a post that nobody let out", path)
		}
	}
}

func TestHideAfter(t *testing.T) {
	t.Parallel()
	n := open(t, gazette())
	old := n.post("transports", "2026-11-18 07:41:30", compose.KindEach, compose.Content{Title: "Ligne 9"})
	has := func(path string) bool { return strings.Contains(n.get(path).Body, "Ligne 9") }
	paths := []string{"/", "/c/transports", "/c/transports/feed.atom", "/c/transports/feed.json"}
	for _, path := range paths {
		if !has(path) {
			t.Errorf("%s hides a post before its time", path)
		}
	}
	n.clock.advance(11 * time.Second)
	for _, path := range paths {
		if has(path) {
			t.Errorf("%s still shows a post after hide_after", path)
		}
	}
	if !has("/c/transports/" + old) {
		t.Error("the permalink of a hidden post is gone")
	}
	if body := n.get("/c/transports?lang=fr").Body; !strings.Contains(body, "Rien de nouveau dans ce canal ces derniers temps") {
		t.Error("the empty page does not say why it is empty")
	}
}

func TestTimes(t *testing.T) {
	t.Parallel()
	n := open(t, gazette())
	id := n.post("alertes", "2026-11-20 07:38:50", compose.KindEach, compose.Content{Title: "Grève levée"})
	for _, c := range []struct {
		now, path, want string
	}{
		{"2026-11-20 07:38:55", "/c/alertes?lang=fr", `<time datetime="2026-11-20T07:38:50+01:00">7 h 38</time> <span class="ago">à l’instant</span>`},
		{"2026-11-20 07:39:05", "/c/alertes?lang=fr", `>il y a 1 minute<`},
		{"2026-11-20 08:37:59", "/c/alertes?lang=en", `<time datetime="2026-11-20T07:38:50+01:00">07:38</time> <span class="ago">59 minutes ago</span>`},
		{"2026-11-20 08:38:00", "/c/alertes?lang=en", `<time datetime="2026-11-20T07:38:50+01:00">07:38</time></a>`},
		{"2026-11-20 12:00:00", "/?lang=fr", `<time datetime="2026-11-20T07:38:50+01:00">7 h 38</time></a>`},
		{"2026-11-21 00:00:00", "/?lang=fr", `<time datetime="2026-11-20T07:38:50+01:00">20 novembre 2026 à 7 h 38</time></a>`},
		{"2026-11-21 00:00:00", "/?lang=fr", `<time datetime="2026-11-21">Samedi 21 novembre 2026</time>`},
		{"2026-11-21 00:00:00", "/c/alertes/" + id + "?lang=en", `<time datetime="2026-11-20T07:38:50+01:00">Friday 20 November 2026, 07:38 (Paris)</time>`},
	} {
		n.clock.advance(paris(t, c.now).Sub(n.clock.now()))
		body := strings.NewReplacer("\u00a0", " ", "&#43;", "+").Replace(n.get(c.path).Body)
		if !strings.Contains(body, c.want) {
			t.Errorf("at %s, %s does not hold %s", c.now, c.path, c.want)
		}
	}
}

func TestHistory(t *testing.T) {
	t.Parallel()
	n := open(t, gazette())
	id := n.post("alertes", "2026-11-20 06:00:00", compose.KindEach, compose.Content{Title: "Un train déraille", URL: "https://gazette.example/train"})
	line := func() string {
		n.server.Changed()
		body := strings.ReplaceAll(n.get("/c/alertes/"+id+"?lang=en").Body, "\u00a0", " ")
		var out []string
		for _, m := range regexp.MustCompile(`(?s)<p class="(?:correction|update)">(.*?)</p>`).FindAllStringSubmatch(body, -1) {
			out = append(out, strings.TrimSpace(regexp.MustCompile(`<[^>]*>`).ReplaceAllString(m[1], "")))
		}
		return strings.Join(out, " | ")
	}
	for _, c := range []struct {
		at     string
		change func(*compose.Content)
		want   string
	}{
		{"2026-11-20 06:10:00", func(c *compose.Content) { c.Summary = "Trois wagons." }, "Updated 06:10"},
		{"2026-11-20 06:20:00", func(c *compose.Content) { c.Note = "Trois wagons et non deux." }, "Corrected 06:20: Trois wagons et non deux."},
		{"2026-11-20 06:30:00", func(c *compose.Content) { c.Summary = "Trois wagons, sans blessés." }, "Corrected 06:20: Trois wagons et non deux. | Updated 06:30"},
		{"2026-11-20 06:40:00", func(c *compose.Content) { c.Note = "À Lyon." }, "Corrected 06:20: Trois wagons et non deux. | Corrected 06:40: À Lyon."},
		{"2026-11-21 09:00:00", func(c *compose.Content) { c.Summary += " Voie rouverte." },
			"Corrected 06:20: Trois wagons et non deux. | Corrected 06:40: À Lyon. | Updated 21 November 2026, 09:00"},
	} {
		n.clock.advance(max(0, paris(t, c.at).Sub(n.clock.now())))
		n.revise(id, c.at, c.change)
		if got := line(); got != c.want {
			t.Errorf("after %s:\n got %s\nwant %s", c.at, got, c.want)
		}
	}
}

func TestPagination(t *testing.T) {
	t.Parallel()
	n := open(t, gazette())
	const many = 47
	at := paris(t, "2026-11-19 08:00:00")
	for i := range many {
		// Several at the same moment: the order must be stable all the same.
		n.post("alertes", at.Add(time.Duration(i/3)*time.Minute).Format("2006-01-02 15:04:05"), compose.KindEach, compose.Content{Title: fmt.Sprintf("Numéro %d.", i)})
	}
	title := regexp.MustCompile(`Numéro (\d+)\.</a></h3>`)
	older := regexp.MustCompile(`rel="next" href="([^"]*)"`)
	var seen []string
	path := "/c/alertes"
	for pages := 0; path != ""; pages++ {
		if pages > 5 {
			t.Fatal("the pages do not end")
		}
		body := n.get(path).Body
		for _, m := range title.FindAllStringSubmatch(body, -1) {
			seen = append(seen, m[1])
		}
		if (pages > 0) != strings.Contains(body, "Revenir aux plus récentes") {
			t.Errorf("page %d: the way back to the newest is wrong", pages)
		}
		path = ""
		if m := older.FindStringSubmatch(body); m != nil {
			path = html.UnescapeString(m[1])
		}
		if pages == 0 {
			// A post that comes meanwhile moves nothing.
			n.post("alertes", "2026-11-20 07:41:00", compose.KindEach, compose.Content{Title: "Entre deux pages"})
		}
	}
	var want []string
	for i := many - 1; i >= 0; i-- {
		want = append(want, fmt.Sprint(i))
	}
	if diff := cmp.Diff(want, seen); diff != "" {
		t.Errorf("posts are lost or doubled between pages (-want +got):\n%s", diff)
	}
}

func TestFrontPage(t *testing.T) {
	t.Parallel()
	n := open(t, gazette())
	n.fill()
	body := n.get("/?lang=fr").Body
	order := regexp.MustCompile(`<h2[^>]*><a href="/c/([a-z-]+)\?lang=fr">`)
	var channels []string
	for _, m := range order.FindAllStringSubmatch(body, -1) {
		channels = append(channels, m[1])
	}
	if diff := cmp.Diff([]string{"alertes", "brief", "transports", "paris-letter", "culture", "concours"}, channels); diff != "" {
		t.Errorf("the channels stand in another order (-want +got):\n%s", diff)
	}

	empty := configs.Default()
	empty.Site.Lang = "fr"
	if body := open(t, &empty).get("/").Body; !strings.Contains(body, "Rien n’est encore publié ici") || !strings.Contains(body, "sous «\u00a0channels\u00a0»") {
		t.Error("the empty front page does not say what to do next")
	}
}

func TestLanguages(t *testing.T) {
	t.Parallel()
	n := open(t, gazette())
	id := n.fill()
	for _, c := range []struct{ path, accept, want, control string }{
		{"/c/alertes", "", "fr", "Accept-Encoding, Accept-Language"},
		{"/c/paris-letter", "", "en", "Accept-Encoding, Accept-Language"},
		{"/c/alertes", "en-GB,en;q=0.9,fr;q=0.5", "en", "Accept-Encoding, Accept-Language"},
		{"/c/alertes", "de, ja;q=0.5", "fr", "Accept-Encoding, Accept-Language"},
		{"/c/alertes?lang=fr", "en", "fr", "Accept-Encoding"},
		{"/c/alertes?lang=de", "en", "en", "Accept-Encoding, Accept-Language"},
		{"/c/alertes?lang=", "en", "en", "Accept-Encoding, Accept-Language"},
		{"/nowhere", "fr", "fr", "Accept-Encoding, Accept-Language"},
		{"/c/alertes/feed.atom", "en", "fr", "Accept-Encoding"},
	} {
		a := n.get(c.path, "Accept-Language", c.accept)
		if a.Header.Get("Content-Language") != c.want || a.Header.Get("Vary") != c.control {
			t.Errorf("%s for %q: in %s, varies by %s; want %s, %s", c.path, c.accept, a.Header.Get("Content-Language"), a.Header.Get("Vary"), c.want, c.control)
		}
	}
	// A chosen language stays chosen along the links of the page, and the other one can be chosen.
	body := n.get("/c/alertes?before=" + id.fire + "&lang=en").Body
	for _, want := range []string{`href="/?lang=en"`, `href="/c/alertes/` + id.storm + `?lang=en"`, `href="/c/alertes?before=` + id.fire + `&amp;lang=fr" lang="fr" hreflang="fr"`,
		`<link rel="alternate" hreflang="fr" href="https://canaux.gazette.example/c/alertes?before=` + id.fire + `&amp;lang=fr">`,
		`<link rel="alternate" hreflang="x-default" href="https://canaux.gazette.example/c/alertes?before=` + id.fire + `">`, `<html lang="en">`} {
		if !strings.Contains(body, want) {
			t.Errorf("the English page does not hold %s", want)
		}
	}
}

func TestDescription(t *testing.T) {
	t.Parallel()
	n := open(t, gazette())
	id := n.fill()
	doc := parse(t, n.get("/c/alertes/"+id.fire+"?lang=fr").Body)
	meta := map[string]string{}
	canonical := ""
	for node := range doc.Descendants() {
		switch {
		case node.Data == "meta" && attr(node, "property")+attr(node, "name") != "":
			meta[attr(node, "property")+attr(node, "name")] = attr(node, "content")
		case node.Data == "link" && attr(node, "rel") == "canonical":
			canonical = attr(node, "href")
		}
	}
	if want := "https://gazette.example/2026/11/20/incendie"; canonical != want {
		t.Errorf("the canonical address is %s, want that of the article, %s", canonical, want)
	}
	for name, want := range map[string]string{
		"og:type": "article", "og:site_name": "La Gazette", "og:url": "https://canaux.gazette.example/c/alertes/" + id.fire,
		"og:title": "Incendie à la gare du Nord\u00a0: les trains arrêtés, aucun blessé", "twitter:card": "summary_large_image",
		"og:image": "https://canaux.gazette.example/media/" + storedName(t, n, 2), "og:image:width": "1200", "og:image:alt": "La ville de nuit, des fenêtres allumées",
		"article:published_time": "2026-11-20T06:12:00Z", "article:modified_time": "2026-11-20T06:31:00Z",
	} {
		if meta[name] != want {
			t.Errorf("%s is %q, want %q", name, meta[name], want)
		}
	}
	linked := linkedData(t, doc)
	if linked["@type"] != "NewsArticle" || linked["datePublished"] != "2026-11-20T07:12:00+01:00" || linked["dateModified"] != "2026-11-20T07:31:00+01:00" {
		t.Errorf("the linked data are %v", linked)
	}
	want := []any{map[string]any{"@type": "CorrectionComment", "text": "l’incendie s’est déclaré dans un local technique, et non sur un quai.", "datePublished": "2026-11-20T07:31:00+01:00"}}
	if diff := cmp.Diff(want, linked["correction"]); diff != "" {
		t.Errorf("corrections in linked data (-want +got):\n%s", diff)
	}
}

// The text of an editor's post stands once on its page.
func TestAnEditorsTextStandsOnce(t *testing.T) {
	t.Parallel()
	config := gazette()
	n := open(t, config)
	ch := &compose.Channel{Name: "alertes", Lang: "fr"}
	c, err := ch.Write(compose.Draft{Title: "Deux points", Text: "Ce qui change :\n\n- les horaires\n- les tarifs", Link: "https://www.gazette.example/a"}, n.clock.now())
	if err != nil {
		t.Fatal(err)
	}
	id := n.post("alertes", "2026-11-20 07:00:00", compose.KindEditor, c)
	page := n.get("/c/alertes/" + id).Body
	_, body, _ := strings.Cut(page, "<article")
	if got := strings.Count(body, "les horaires"); got != 1 || !strings.Contains(body, "<li>") || strings.Contains(body, "•") {
		t.Errorf("the text stands %d times:\n%s", got, body)
	}
	if !strings.Contains(page, `name="description" content="Ce qui change`) {
		t.Error("the page has no description")
	}
}

func TestFullTextOnlyWhereTheChannelSaysSo(t *testing.T) {
	t.Parallel()
	config := gazette()
	n := open(t, config)
	id := n.fill()
	path := "/c/culture/" + id.exhibition
	if !strings.Contains(n.get(path).Body, "cinquante lux") {
		t.Error("the full text is missing where the channel asks for it")
	}
	other := *config
	other.Channels = maps.Clone(config.Channels)
	culture := other.Channels["culture"]
	culture.Content = "summary"
	other.Channels["culture"] = culture
	n.server.Use(&other)
	for _, p := range []string{path, "/c/culture/feed.atom", "/c/culture/feed.json"} {
		if strings.Contains(n.get(p).Body, "cinquante lux") {
			t.Errorf("%s shows the full text though the channel does not ask for it any more", p)
		}
	}
	delete(other.Channels, "culture")
	n.server.Use(&other)
	if a := n.get(path); a.Status != http.StatusOK || strings.Contains(a.Body, "cinquante lux") || strings.Contains(a.Body, `href="/c/culture"`) {
		t.Errorf("the permalink of a channel that is gone: status %d, or it shows too much", a.Status)
	}
}

func TestSize(t *testing.T) {
	t.Parallel()
	n := open(t, gazette())
	n.fill()
	long := strings.Repeat("Une phrase comme on en lit dans les dépêches du matin. ", 6)
	for i := range 25 {
		n.post("alertes", fmt.Sprintf("2026-11-20 07:%02d:00", i), compose.KindEach, compose.Content{Title: fmt.Sprintf("La nouvelle numéro %d, dite en une ligne et demie de titre, comme il sied", i),
			Summary: long, URL: "https://gazette.example/2026/11/20/une-adresse-assez-longue-pour-un-article", Media: []sdk.Media{n.picture(i%4, "Ce que montre la photographie, en une phrase", "Agence Clair")}})
	}
	n.server.Changed()
	css := regexp.MustCompile(`/static/[^"]*`).FindString(n.get("/").Body)
	style := len(n.get(css).Body)
	for _, path := range []string{"/", "/c/alertes", "/c/culture", "/c/brief"} {
		if size := len(n.get(path).Body) + style; size > 50<<10 {
			t.Errorf("%s and its stylesheet have %d bytes, more than 50 KB", path, size)
		} else {
			t.Logf("%s: %d bytes with its stylesheet", path, size)
		}
	}
	if posts := strings.Count(n.get("/c/alertes").Body, `<article class="post`); posts < 16 {
		t.Errorf("a page of ordinary posts holds only %d of them", posts)
	}
}

func TestItemPage(t *testing.T) {
	t.Parallel()
	at := paris(t, "2026-11-20 07:12:00")
	it := sdk.Item{Key: "1", Title: "Un titre <b>simple</b>", Summary: "Un résumé.", URL: "https://gazette.example/1", Published: at, Updated: at.Add(19 * time.Minute), Correction: "une note.",
		Body: sdk.Body{sdk.Paragraph(sdk.Text("Tout le texte."))}, Media: []sdk.Media{{URL: "https://gazette.example/1.jpg", Alt: "Une image"}}}
	page := func(pr web.Preview) string {
		t.Helper()
		b, err := web.ItemPage(it, pr)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	plain := page(web.Preview{})
	if plain != page(web.Preview{}) {
		t.Error("the same item gives two pages")
	}
	for _, want := range []string{"Un titre &lt;b&gt;simple&lt;/b&gt;", "Un résumé.", `href="https://gazette.example/1"`, "06:12 (UTC)", "Corrected 06:31:", "une note."} {
		if !strings.Contains(plain, want) {
			t.Errorf("the page does not hold %q", want)
		}
	}
	if strings.Contains(plain, "Tout le texte") || strings.Contains(plain, "1.jpg") {
		t.Error("the page shows the full text, or an image that is not stored")
	}
	config := gazette()
	in := page(web.Preview{Config: config, Channel: "culture"})
	for _, want := range []string{"Tout le texte.", "Rectifié à 7\u00a0h\u00a031\u00a0:", ">Culture</a>", `<html lang="fr">`} {
		if !strings.Contains(in, want) {
			t.Errorf("the page in a channel does not hold %q", want)
		}
	}
	if _, there := config.Channels["preview"]; there {
		t.Error("showing an item changed the configuration")
	}
	if full := page(web.Preview{Full: true, Files: compose.Files{"https://gazette.example/1.jpg": {Name: strings.Repeat("a", 64) + ".jpg", Width: 300, Height: 200}}}); !strings.Contains(full, "Tout le texte.") || !strings.Contains(full, `alt="Une image"`) {
		t.Error("the page does not show the full text or the stored image")
	}
}

// parse reads a page.
func parse(t testing.TB, text string) *html.Node {
	t.Helper()
	doc, err := html.Parse(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

func attr(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

// text is what a reader sees of a node.
func text(n *html.Node) string {
	var b strings.Builder
	for d := range n.Descendants() {
		if d.Type == html.TextNode && d.Parent.Data != "script" {
			b.WriteString(d.Data)
		}
	}
	return b.String()
}

// linkedData reads the JSON-LD of a page.
func linkedData(t testing.TB, doc *html.Node) map[string]any {
	t.Helper()
	for n := range doc.Descendants() {
		if n.Data == "script" && n.FirstChild != nil {
			var out map[string]any
			if err := json.Unmarshal([]byte(n.FirstChild.Data), &out); err != nil {
				t.Fatalf("the linked data are no JSON: %v\n%s", err, n.FirstChild.Data)
			}
			return out
		}
	}
	t.Fatal("the page has no linked data")
	return nil
}

// storedName is the file of a drawn picture.
func storedName(t testing.TB, n *newsroom, number int) string {
	t.Helper()
	url := fmt.Sprintf("https://gazette.example/photos/%d.jpg", number)
	files, err := n.db.Files(t.Context(), []string{url})
	if err != nil || files[url].Name == "" {
		t.Fatalf("no stored picture %d (%v); there are %v", number, err, slices.Sorted(maps.Keys(files)))
	}
	return files[url].Name
}
