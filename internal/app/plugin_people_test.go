//go:build unix

package app

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/belfry-news/belfry/internal/alert"
	"github.com/belfry-news/belfry/internal/consent"
	"github.com/belfry-news/belfry/internal/filetree"
	"github.com/belfry-news/belfry/internal/pagertest"
	"github.com/belfry-news/belfry/internal/trust"
	"github.com/belfry-news/belfry/plugins/rss/feedtest"
	"github.com/belfry-news/belfry/sdk"
)

const paged = head + `
  mail: {type: email, relay: "smtp://%RELAY%", tls: none, sender: "La Gazette <brief@gazette.example>"}
  pager: {type: pager, api: "%PAGER%/api", token: canary-token, webhook_secret: canary-webhook-secret, allow_private: [127.0.0.0/8]}
privacy: {key: "${file:people.key}", controller: "La Gazette, 1 rue Haute, Lyon"}
plugins: {folder: plugins}
channels:
  alertes:
    title: Alertes
    sources: [articles]
    each: {}
    messages: [{destination: mail}, {destination: pager}]
notices:
  parcels: {title: Colis, destinations: [pager]}
`

// pagingHouse is a newsroom whose readers get mails and pages, the latter by a plugin.
type pagingHouse struct {
	*post
	service *pagertest.Service
	folder  string
}

func newPagingHouse(t *testing.T, program string) *pagingHouse {
	t.Helper()
	return newHearingHouse(t, program, trust.Medium{}, sdk.RoleMessenger)
}

// newHearingHouse is a house whose plugin was trusted with a medium, for some roles.
func newHearingHouse(t *testing.T, program string, m trust.Medium, can ...sdk.Role) *pagingHouse {
	t.Helper()
	h := &pagingHouse{post: newPost(t), service: pagertest.New("canary-token")}
	h.folder = filepath.Join(h.dir, "plugins")
	if err := os.Mkdir(h.folder, 0o755); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(h.folder, "paging"), b, 0o755); err != nil {
		t.Fatal(err)
	}
	h.trustPager("paging", m, can...)
	server := httptest.NewServer(h.service)
	t.Cleanup(server.Close)
	h.config(strings.NewReplacer("%RELAY%", h.relay.Addr, "%PAGER%", server.URL).Replace(paged))
	return h
}

// trustPager records the trust in the plugin.
func (h *pagingHouse) trustPager(name string, m trust.Medium, can ...sdk.Role) {
	h.t.Helper()
	if len(can) == 0 {
		can = []sdk.Role{sdk.RoleMessenger}
	}
	tree, err := filetree.Read(filepath.Join(h.folder, name))
	if err != nil {
		h.t.Fatal(err)
	}
	r := trust.Record{Name: name, Program: ".", Checksum: tree.Sum(), Files: tree, Trusted: time.Now().UTC(),
		Types: []trust.Type{{Type: "pager", Summary: "pages", Roles: can, Medium: &m, Schema: []byte(`{"type":"object"}`)}}}
	if _, err := r.Write(h.folder); err != nil {
		h.t.Fatal(err)
	}
}

// TestPeopleByAPlugin has a third party's plugin write to people.
func TestPeopleByAPlugin(t *testing.T) {
	t.Parallel()
	program := newStage(t).built("./pager", "pager")
	for name, test := range map[string]func(t *testing.T, program string){
		"a reader follows and leaves": followsByAPlugin, "messages wait for it": waitsForAPlugin, "it takes no medium over": takesNoMediumOver,
		"a reader writes": followsByWriting, "its platform calls": heardByCalls, "it hears what was agreed": hearsWhatWasAgreed, "it is heard after it was away": heardAfterItWasAway, "it keeps its rule for addresses": keepsItsRule,
	} {
		t.Run(name, func(t *testing.T) { t.Parallel(); test(t, program) })
	}
}

// followsByAPlugin goes the whole way over a third party's plugin: a form, the question, the button, news once, the way out
// by the link of the message; and of the people whom it does not write to, the plugin and its platform hear nothing.
func followsByAPlugin(t *testing.T, program string) {
	const anna, bert = "anna.pager@example.invalid", "bert.mail@example.invalid"
	h := newPagingHouse(t, program)
	a := h.start()
	pages := func() []string { return h.service.Texts(anna) }
	mailed := func() int { return len(h.letters()) }
	if _, err := a.people.Follow(context.Background(), consent.Follow{From: sdk.Handle{Medium: consent.Email, Value: bert}, Purposes: []consent.Purpose{alertes},
		Evidence: consent.Evidence{Method: consent.ByButton, Actor: consent.Self}}); err != nil {
		t.Fatal(err)
	}
	code, page := h.page("/follow/alertes?medium=pager")
	if code != http.StatusOK || !strings.Contains(page, `name="address"`) || !strings.Contains(page, "Pager") {
		t.Fatalf("the form answers %d:\n%s", code, page)
	}
	form := formOf(t, page)
	form.Set("address", anna)
	time.Sleep(formPause)
	if code, page = h.send("/follow/alertes", form); code != http.StatusOK {
		t.Fatalf("the form was answered with %d:\n%s", code, page)
	}
	h.until("the plugin asks", func() bool { return len(pages()) == 1 })
	confirm := linkOf.FindStringSubmatch(pages()[0])
	if confirm == nil {
		t.Fatalf("there is no link in %q", pages()[0])
	}
	h.publish(feedtest.Article{ID: "early", Title: "Trop tôt", Summary: "Texte."})
	h.until("who follows by mail gets it", func() bool { return mailed() == 1 })
	if code, page = h.page(confirm[1]); code != http.StatusOK { // as a scanner does
		t.Fatalf("the link answers %d:\n%s", code, page)
	}
	if code, page = h.send(confirm[1], url.Values{"act": {"confirm"}}); code != http.StatusOK {
		t.Fatalf("the button answers %d:\n%s", code, page)
	}
	time.Sleep(20 * time.Millisecond)
	h.publish(feedtest.Article{ID: "a", Title: "Incendie à la gare", Summary: "Les pompiers sont là."})
	h.until("the news is paged, and mailed", func() bool { return len(pages()) == 2 && mailed() == 2 })
	news := pages()[1]
	if !strings.Contains(news, "Incendie à la gare") || !strings.Contains(news, "parce que vous suivez «\u00a0Alertes\u00a0» depuis le") {
		t.Errorf("it reads %q", news)
	}
	var leave string
	for _, m := range linkOf.FindAllStringSubmatch(news, -1) {
		if strings.HasPrefix(m[1], "/leave/") {
			leave = m[1]
		}
	}
	if leave == "" {
		t.Fatalf("nobody can leave by %q", news)
	}
	for range 2 { // repeats succeed
		if code, page = h.send(leave, url.Values{"List-Unsubscribe": {"One-Click"}}); code != http.StatusOK {
			t.Fatalf("leaving is answered with %d:\n%s", code, page)
		}
	}
	h.publish(feedtest.Article{ID: "b", Title: "Après", Summary: "Texte."})
	h.until("who stays gets it", func() bool { return mailed() == 3 })

	// Nothing makes the plugin write to somebody whom it names, or who never agreed on its medium.
	for reference, at := range map[string]sdk.Handle{"unknown": {}, "bert": {Medium: consent.Email, Value: bert}} {
		if r, found, err := a.people.ReaderOf(context.Background(), at); err == nil && found {
			if err := a.people.SetReference(context.Background(), r.ID, reference); err != nil {
				t.Fatal(err)
			}
		}
		outcome, err := a.people.Notify(context.Background(), consent.Notify{Purpose: parcels, Reference: reference, Key: "1", Text: consent.NoticeText{Text: "Il arrive."}, Digest: "x", Expires: time.Now().Add(time.Hour)})
		if err != nil || outcome != consent.NoticeNobody {
			t.Errorf("a notice to %s: %v, %v", reference, outcome, err)
		}
	}
	h.never("who has left was written to", func() bool { return len(pages()) > 2 })
	if pages, wrong, heard := h.service.Record(); pages != 2 || len(wrong) > 0 || strings.Contains(heard, "bert") {
		t.Errorf("the service got %d pages, and %q\n%s", pages, wrong, heard)
	}
}

// waitsForAPlugin: what cannot be opened costs nobody a message; it leaves once the plugin works.
func waitsForAPlugin(t *testing.T, program string) {
	const anna = "anna.pager@example.invalid"
	h := newPagingHouse(t, program)
	installed := filepath.Join(h.folder, "paging")
	if err := os.Rename(installed, installed+".away"); err != nil {
		t.Fatal(err)
	}
	a := h.start()
	h.until("it is known that the plugin is away", func() bool { return h.alerts()[string(alert.DestinationDown)] != "" })
	if _, err := a.people.Follow(context.Background(), consent.Follow{From: sdk.Handle{Medium: "pager", Value: anna}, Purposes: []consent.Purpose{alertes},
		Evidence: consent.Evidence{Method: consent.ByButton, Actor: consent.Self}}); err != nil {
		t.Fatal(err)
	}
	time.Sleep(20 * time.Millisecond)
	h.publish(feedtest.Article{ID: "a", Title: "Incendie à la gare", Summary: "Texte."})
	h.until("it is shown", func() bool { return len(h.posts()) == 1 })
	if err := os.Rename(installed+".away", installed); err != nil {
		t.Fatal(err)
	}
	if r := a.Reload(context.Background()); r.Err != nil {
		t.Fatal(r.Err)
	}
	h.until("the message leaves", func() bool { return len(h.service.Texts(anna)) == 1 })
}

// takesNoMediumOver: while the store holds an address that was given for one plugin, another one that calls its type the same
// is refused, at a reload and at a start.
func takesNoMediumOver(t *testing.T, program string) {
	h := newPagingHouse(t, program)
	a := h.start()
	swap := func(from, to string) {
		t.Helper()
		if err := os.Remove(trust.RecordPath(h.folder, from)); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(filepath.Join(h.folder, from), filepath.Join(h.folder, to)); err != nil {
			t.Fatal(err)
		}
		h.trustPager(to, trust.Medium{})
	}
	swap("paging", "beeper")
	if r := a.Reload(context.Background()); r.Err != nil {
		t.Fatalf("nobody is there yet: %v", r.Err)
	}
	if _, err := a.people.Follow(context.Background(), consent.Follow{From: sdk.Handle{Medium: "pager", Value: "anna.pager@example.invalid"}, Purposes: []consent.Purpose{alertes},
		Evidence: consent.Evidence{Method: consent.ByButton, Actor: consent.Self}}); err != nil {
		t.Fatal(err)
	}
	swap("beeper", "paging")
	const want = "people gave their addresses on the medium pager to be written to by the plugin beeper, and the plugin paging would take them over; if it is the same plugin, call its file or folder beeper as before, and trust it again"
	if r := a.Reload(context.Background()); r.Err == nil || !strings.Contains(r.Err.Error(), want) || !strings.Contains(r.Err.Error(), "belfry.yaml:15:17: ") {
		t.Errorf("got %v", r.Err)
	}
	h.stop(a)
	b, err := New(a.o)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Start(context.Background()); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("it starts, or says %v", err)
	}
	swap("paging", "beeper")
	h.start()
	h.until("the old one writes", func() bool {
		h.publish(feedtest.Article{ID: "a", Title: "Incendie", Summary: "Texte."})
		return len(h.service.Texts("anna.pager@example.invalid")) == 1
	})
}
