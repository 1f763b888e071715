package web_test

import (
	"bytes"
	"context"
	"fmt"
	"image/jpeg"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/belfry-news/belfry/configs"
	"github.com/belfry-news/belfry/internal/compose"
	"github.com/belfry-news/belfry/internal/media"
	"github.com/belfry-news/belfry/internal/outbox"
	"github.com/belfry-news/belfry/internal/store"
	"github.com/belfry-news/belfry/internal/store/sqlite/sqlitetest"
	"github.com/belfry-news/belfry/internal/web"
	"github.com/belfry-news/belfry/sdk"
)

// clock is the time of a newsroom; tests move it.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

// newsroom is a real store with the pages over it.
type newsroom struct {
	t      testing.TB
	db     *store.DB
	files  *media.Files
	server *web.Server
	config *configs.Config
	clock  *clock
}

func paris(t testing.TB, text string) time.Time {
	t.Helper()
	zone, err := time.LoadLocation("Europe/Paris")
	if err != nil {
		t.Fatal(err)
	}
	at, err := time.ParseInLocation("2006-01-02 15:04:05", text, zone)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

func channel(title configs.Localized, change func(*configs.Channel)) configs.Channel {
	var c configs.Channel
	c.SetDefaults()
	c.Title = title
	if change != nil {
		change(&c)
	}
	return c
}

// gazette is the configuration of a newsroom in Paris.
func gazette() *configs.Config {
	c := configs.Default()
	c.Timezone = "Europe/Paris"
	c.Privacy.Controller, c.Privacy.Policy = "La Gazette, 1 rue Haute, Lyon", "https://gazette.example/vie-privee"
	c.Site = configs.Site{Title: "La Gazette", URL: "https://canaux.gazette.example", Lang: "fr", Description: "Les canaux de la rédaction, tels qu’ils sonnent."}
	c.Channels = map[string]configs.Channel{
		"alertes": channel(configs.Localized{"fr": "Dernière minute", "en": "Breaking"}, func(c *configs.Channel) {
			c.Description = configs.Localized{"fr": "Ce qui vient d’arriver, vérifié avant d’être dit.", "en": "What has just happened, checked before it is said."}
			c.PublishTo = []configs.Target{{Destination: "telegram", Chat: "@gazette"}}
		}),
		"culture": channel(configs.Localized{"": "Culture"}, func(c *configs.Channel) {
			c.Description = configs.Localized{"": "Expositions, livres, scènes."}
			c.Content = "full"
		}),
		"brief": channel(configs.Localized{"fr": "Le brief de 7 h", "en": "The 7 o’clock brief"}, func(c *configs.Channel) {
			c.Description = configs.Localized{"fr": "L’essentiel du matin, du lundi au vendredi."}
		}),
		"paris-letter": channel(configs.Localized{"en": "The Paris letter"}, func(c *configs.Channel) {
			c.Lang, c.Description = "en", configs.Localized{"en": "The city, for readers who know it from afar."}
		}),
		"transports": channel(configs.Localized{"fr": "Transports", "en": "Transport"}, func(c *configs.Channel) {
			c.Description = configs.Localized{"fr": "Trains, routes, pistes cyclables."}
			c.HideAfter = sdk.D(48 * time.Hour)
		}),
		"concours": channel(configs.Localized{"fr": "Jeux et concours"}, nil),
		"coulisses": channel(configs.Localized{"fr": "Les coulisses"}, func(c *configs.Channel) {
			c.Listed = false
		}),
	}
	c.Destinations = map[string]configs.Destination{"telegram": {Type: "telegram"}}
	return &c
}

// open makes a newsroom without any post.
func open(t testing.TB, config *configs.Config) *newsroom {
	t.Helper()
	db := sqlitetest.Open(t, filepath.Join(t.TempDir(), "belfry.db"))
	t.Cleanup(func() { _ = db.Close() })
	files, err := media.NewFiles(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	n := &newsroom{t: t, db: db, files: files, config: config, clock: &clock{t: paris(t, "2026-11-20 07:41:20")}}
	n.server = web.New(web.Settings{Store: db, Files: files, Config: config, Now: n.clock.now, Log: slog.New(slog.NewTextHandler(t.Output(), nil))})
	return n
}

// post publishes a post and gives its public id. at is in Paris; empty means now.
func (n *newsroom) post(channel, at string, kind compose.PostKind, c compose.Content) string {
	n.t.Helper()
	when := n.clock.now()
	if at != "" {
		when = paris(n.t, at)
	}
	if c.Lang == "" {
		c.Lang = "fr"
	}
	id, err := n.db.CreatePost(n.t.Context(), compose.NewPost{Channel: channel, Kind: kind, Status: compose.PostLive, Content: c, VisibleAt: when}, nil, "test", when)
	if err != nil {
		n.t.Fatal(err)
	}
	return id
}

// revise gives a post another content.
func (n *newsroom) revise(id, at string, change func(*compose.Content)) {
	n.t.Helper()
	p, err := n.db.PostByID(n.t.Context(), id)
	if err != nil {
		n.t.Fatal(err)
	}
	change(&p.Content)
	if err := n.db.EditPost(n.t.Context(), p.ID, p.Revision, p.Content, nil, "test", paris(n.t, at)); err != nil {
		n.t.Fatal(err)
	}
}

// withdraw takes a post back as its source does.
func (n *newsroom) withdraw(id, at string) {
	n.t.Helper()
	p, err := n.db.PostByID(n.t.Context(), id)
	if err != nil {
		n.t.Fatal(err)
	}
	c := compose.Content{Lang: p.Content.Lang, Title: p.Content.Title, URL: p.Content.URL, Withdrawn: true, Reason: "gone"}
	if err := n.db.CommitRevision(n.t.Context(), compose.Revise{Post: p.ID, On: p.Revision, Content: &c, Status: compose.PostWithdrawn}, paris(n.t, at)); err != nil {
		n.t.Fatal(err)
	}
}

var drawn sync.Map // of pictures by their number; drawing takes a while

// picture stores a drawn picture and gives it as a source would.
func (n *newsroom) picture(number int, alt, credit string) sdk.Media {
	n.t.Helper()
	once, _ := drawn.LoadOrStore(number, sync.OnceValues(func() (media.Picture, error) {
		w, h := 1200, 800
		if number >= 100 {
			w, h = 700, 1050
		}
		var file bytes.Buffer
		if err := jpeg.Encode(&file, scenes[number%len(scenes)].draw(w, h), &jpeg.Options{Quality: 95}); err != nil {
			return media.Picture{}, err
		}
		return media.Process(file.Bytes(), media.Bounds{MaxBytes: 15 << 20, MaxPixels: 50_000_000, Width: 1280})
	}))
	p, err := once.(func() (media.Picture, error))()
	if err != nil {
		n.t.Fatal(err)
	}
	f, err := n.files.Put(p)
	if err != nil {
		n.t.Fatal(err)
	}
	m := sdk.Media{URL: fmt.Sprintf("https://gazette.example/photos/%d.jpg", number), Type: "image/jpeg", Alt: alt, Credit: credit}
	if err := n.db.PutImage(n.t.Context(), m.URL, f, n.clock.now()); err != nil {
		n.t.Fatal(err)
	}
	return m
}

// ids are the posts of a filled newsroom that tests look at.
type ids struct{ fire, storm, withdrawn, rtl, exhibition, brief, letter, editor, retracted string }

// fill publishes a morning's news.
func (n *newsroom) fill() ids {
	n.t.Helper()
	var id ids
	article := func(slug string) string { return "https://gazette.example/2026/11/20/" + slug }
	n.lane()
	id.letter = n.post("paris-letter", "2026-11-19 17:30:00", compose.KindEach, compose.Content{Lang: "en", Title: "The bouquinistes stay, and so do their green boxes",
		Summary: "After two years of talks the city has given up its plan to move the booksellers from the quays. What they gave in return, and what a box costs now.",
		URL:     article("bouquinistes"), Authors: []sdk.Author{{Name: "Helen Marsh"}}, Media: []sdk.Media{n.picture(3, "Fog over the river and low hills behind it", "Helen Marsh / La Gazette")}})
	n.post("transports", "2026-11-18 18:05:00", compose.KindEach, compose.Content{Title: "Ligne 9 : reprise normale après la panne de signalisation", URL: article("ligne-9")})
	n.post("transports", "2026-11-20 06:20:00", compose.KindEach, compose.Content{Title: "Neige sur l’A6 : les poids lourds stockés avant Auxerre jusqu’à 10 heures",
		Summary: "Les chasse-neige passent toutes les vingt minutes. La préfecture demande de reporter les trajets.", URL: article("neige-a6"),
		Media: []sdk.Media{n.picture(1, "Des collines claires sous un soleil bas d’hiver", "Préfecture de l’Yonne")}})
	id.exhibition = n.post("culture", "2026-11-19 10:00:00", compose.KindEach, compose.Content{Title: "Au musée des Beaux-Arts, cent dessins sortent de l’ombre",
		Summary: "Conservés à l’abri de la lumière depuis 1931, ils n’avaient jamais été montrés ensemble.", URL: article("dessins"),
		Authors: []sdk.Author{{Name: "Inès Marchetti", URL: "https://gazette.example/auteurs/ines"}, {Name: "Paul Noël"}},
		Media:   []sdk.Media{n.picture(4, "Des dunes rousses sous un ciel de fin de jour", "Musée des Beaux-Arts / M. Roy"), n.picture(103, "Un port dans la brume, en hauteur", "")},
		Body: sdk.Body{
			sdk.Paragraph(sdk.Text("La salle est basse, la lumière aussi : "), sdk.Strong(sdk.Text("cinquante lux")), sdk.Text(", pas un de plus. On entre comme dans une pièce où quelqu’un dort.")),
			{Kind: sdk.NodeHeading, Level: 2, Children: []sdk.Node{sdk.Text("Une lumière comptée")}},
			sdk.Paragraph(sdk.Text("Chaque feuille ne peut être exposée que trois mois tous les quatre ans. "), sdk.Link(article("conservation"), sdk.Text("Notre enquête sur la conservation")), sdk.Text(" expliquait pourquoi.")),
			{Kind: sdk.NodeQuote, Children: []sdk.Node{sdk.Paragraph(sdk.Text("« Un dessin n’attend pas d’être vu. Il attend d’être regardé. »"))}},
			{Kind: sdk.NodeList, Children: []sdk.Node{
				{Kind: sdk.NodeItem, Children: []sdk.Node{sdk.Paragraph(sdk.Text("Jusqu’au 14 février, du mardi au dimanche."))}},
				{Kind: sdk.NodeItem, Children: []sdk.Node{sdk.Paragraph(sdk.Text("Entrée libre le premier dimanche du mois."))}}}},
		}})
	id.brief = n.post("brief", "2026-11-20 07:00:00", compose.KindDigest, compose.Content{Title: "Le brief de 7 h, 20 novembre 2026", Media: []sdk.Media{
		n.picture(2, "La ville de nuit, des fenêtres allumées", "Agence Clair"), n.picture(5, "Des prés en pente au bord d’un lac", "")},
		Entries: []compose.Entry{
			{Title: "Le budget de la région voté à trois heures du matin", Summary: "Les transports gagnent 40 millions d’euros, la culture en perd 6.", URL: article("budget"),
				Media: []sdk.Media{n.picture(2, "La ville de nuit, des fenêtres allumées", "Agence Clair")}},
			{Title: "Le lac d’Annecy n’a jamais été aussi chaud en novembre", Summary: "11,2 °C à deux mètres de fond : deux degrés de plus que la moyenne.", URL: article("lac"),
				Media: []sdk.Media{n.picture(5, "Des prés en pente au bord d’un lac", "")}},
			{Title: "Une école sur cinq sans directeur titulaire", URL: article("ecoles")},
			{Title: "Rugby : trois retours pour le match de samedi", Summary: "Le capitaine est forfait.", URL: article("rugby")},
			{Title: "Ce soir : veillée aux flambeaux sur les quais", URL: article("veillee")}}})
	id.editor = n.post("alertes", "2026-11-18 20:15:00", compose.KindEditor, compose.Content{Title: "", Body: sdk.Body{
		sdk.Paragraph(sdk.Text("Nous couvrons la soirée électorale en direct dès 19 h 30. Les premiers résultats tomberont ici."))}})
	id.withdrawn = n.post("alertes", "2026-11-19 21:40:00", compose.KindEach, compose.Content{Title: "Un secret à ne pas montrer", Summary: "Un résumé à ne pas montrer", URL: article("secret"),
		Media: []sdk.Media{n.picture(100, "Une image à ne pas montrer", "")}})
	n.withdraw(id.withdrawn, "2026-11-19 22:05:00")
	id.rtl = n.post("alertes", "2026-11-19 23:10:00", compose.KindEach, compose.Content{Lang: "ar", Title: "إغلاق محطة القطار الشمالية حتى إشعار آخر",
		Summary: "تُحوَّل القطارات إلى المحطة الشرقية، وتنصح السلطات بتأجيل الرحلات غير الضرورية.", URL: article("gare-ar")})
	id.storm = n.post("alertes", "2026-11-20 05:52:00", compose.KindEach, compose.Content{Title: "Tempête Aurélie : 38 000 foyers sans électricité en Bretagne, les écoles fermées dans le Finistère",
		Summary: "Des rafales à 142 km/h à la pointe du Raz. Les secours demandent de rester chez soi jusqu’à midi.", URL: article("tempete"),
		Media: []sdk.Media{n.picture(0, "Une ville au bord de l’eau, au lever du jour", "Agence Clair / T. Le Goff")}})
	n.revise(id.storm, "2026-11-20 06:30:00", func(c *compose.Content) { c.Summary = strings.Replace(c.Summary, "midi", "14 heures", 1) })
	id.fire = n.post("alertes", "2026-11-20 07:12:00", compose.KindEach, compose.Content{Title: "Incendie à la gare du Nord : les trains arrêtés, aucun blessé",
		Summary: "Le feu a pris dans un local technique peu avant 7 heures. Les pompiers en sont maîtres ; la reprise est attendue en fin de matinée.", URL: article("incendie"),
		Authors: []sdk.Author{{Name: "Camille Roux"}}, Media: []sdk.Media{n.picture(2, "La ville de nuit, des fenêtres allumées", "Agence Clair")}})
	n.revise(id.fire, "2026-11-20 07:31:00", func(c *compose.Content) {
		c.Note = "l’incendie s’est déclaré dans un local technique, et non sur un quai."
	})
	n.post("alertes", "2026-11-20 07:05:30", compose.KindEach, compose.Content{Title: "Grève des contrôleurs aériens levée pour le week-end", URL: "https://www.gazette.example/greve"})
	id.retracted = n.post("coulisses", "2026-11-19 08:00:00", compose.KindEach, compose.Content{Title: "Un nom à ne pas montrer", URL: article("nom")})
	p, err := n.db.PostByID(n.t.Context(), id.retracted)
	if err != nil {
		n.t.Fatal(err)
	}
	if _, err := n.db.RetractPost(n.t.Context(), p.ID, true, "décision de justice", "test", paris(n.t, "2026-11-19 12:00:00")); err != nil {
		n.t.Fatal(err)
	}
	n.server.Changed()
	return id
}

// lane records where Telegram shows the channel, as its connector resolved it.
func (n *newsroom) lane() {
	n.t.Helper()
	l := outbox.Lane{Destination: "telegram", Chat: "@gazette", ResolvedAt: n.clock.now(), Ref: sdk.ChannelRef{ID: "-100", Title: "La Gazette", URL: "https://t.me/gazette"}}
	if err := n.db.SaveLane(n.t.Context(), l); err != nil {
		n.t.Fatal(err)
	}
}

// answer is what a reader gets.
type answer struct {
	Status int
	Header http.Header
	Body   string
}

// get asks for a path with headers in pairs.
func (n *newsroom) get(path string, headers ...string) answer {
	n.t.Helper()
	return n.ask(http.MethodGet, path, nil, headers...)
}

func (n *newsroom) ask(method, path string, body io.Reader, headers ...string) answer {
	n.t.Helper()
	r := httptest.NewRequestWithContext(context.Background(), method, path, body)
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	n.server.Handler().ServeHTTP(w, r)
	return answer{w.Code, w.Result().Header, w.Body.String()}
}
