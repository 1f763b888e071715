package web_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/belfry-news/belfry/internal/consent"
)

func TestAnotherAddress(t *testing.T) {
	t.Parallel()
	n, p := openPeople(t, gazette(), nil)
	me := "/me/" + personLink
	if page := n.get(me); !strings.Contains(page.Body, `action="`+me+`/address"`) || !strings.Contains(page.Body, "Nouvelle adresse e-mail") {
		t.Errorf("there is no form:\n%s", page.Body)
	}
	for address, want := range map[string]string{"": "Écrivez votre adresse", "moi": "pas d’arobase", "mine@example.org": "déjà la vôtre", "a b@example.org": "espace"} {
		a := n.form(me+"/address", url.Values{"address": {address}})
		if a.Status != http.StatusUnprocessableEntity || !strings.Contains(a.Body, want) || !strings.Contains(a.Body, `value="`+address+`"`) || !strings.Contains(a.Body, `aria-invalid="true" aria-describedby="address-fault moving-text"`) {
			t.Errorf("%q: status %d, or not told %q", address, a.Status, want)
		}
	}
	a := n.form(me+"/address", url.Values{"address": {" new@example.org "}})
	if a.Status != http.StatusSeeOther || a.Header.Get("Location") != me+"?done=address" {
		t.Errorf("status %d, to %s", a.Status, a.Header.Get("Location"))
	}
	if diff := cmp.Diff([]string{"new@example.org fr"}, p.moves); diff != "" {
		t.Errorf("what was asked for (-want +got):\n%s", diff)
	}
	if page := n.get(me + "?done=address"); !strings.Contains(page.Body, "Tant que vous n’y avez pas appuyé") {
		t.Error("it is not said what comes")
	}
	if a := n.form(me+"x/address", url.Values{"address": {"new@example.org"}}); a.Status != http.StatusNotFound || len(p.moves) != 1 {
		t.Errorf("with another's link: status %d", a.Status)
	}
	p.reader.Addresses = []consent.Masked{{Medium: "telegram", Text: "…214"}}
	if page := n.get(me); strings.Contains(page.Body, "/address") {
		t.Error("who is not reached by mail is offered another address")
	}
}

func TestConfirmingAnotherAddress(t *testing.T) {
	t.Parallel()
	n, p := openPeople(t, gazette(), nil)
	asked := p.asked[confirmToken]
	asked.Change, asked.From = true, "m…@example.org"
	asked.Masked = "n…@example.org"
	p.asked[confirmToken] = asked
	path := "/confirm/" + confirmToken
	page := n.get(path)
	for _, want := range []string{"Recevoir vos messages ici", "plutôt qu’à m…@example.org", "Dernière minute", "n…@example.org", "Utiliser cette adresse", "Ne plus jamais m’écrire"} {
		if !strings.Contains(page.Body, want) {
			t.Errorf("the page does not say %q:\n%s", want, page.Body)
		}
	}
	form := filled(t, page.Body)
	form.Set("act", "confirm")
	if a := n.form(path, form); a.Status != http.StatusOK || !strings.Contains(a.Body, "Votre adresse est changée") {
		t.Errorf("status %d:\n%s", a.Status, a.Body)
	}
	if e := p.last(t); !strings.Contains(e.Wording, "plutôt qu’à m…@example.org") {
		t.Errorf("the evidence is %+v", e)
	}
}

// TestConfirmingWhereTheyFollow: who becomes one person with who is reached there is told so, and agrees to that.
func TestConfirmingWhereTheyFollow(t *testing.T) {
	t.Parallel()
	n, p := openPeople(t, gazette(), nil)
	asked := p.asked[confirmToken]
	asked.Change, asked.From, asked.Joins = true, "m…@example.org", true
	p.asked[confirmToken] = asked
	path := "/confirm/" + confirmToken
	form := filled(t, n.get(path).Body)
	form.Set("act", "confirm")
	if a := n.form(path, form); a.Status != http.StatusOK {
		t.Errorf("status %d:\n%s", a.Status, a.Body)
	}
	if e := p.last(t); !strings.Contains(e.Wording, "tout est réuni") {
		t.Errorf("the evidence is %+v", e)
	}
}

func TestANoticeIsSeenLeftAndAskedForAgain(t *testing.T) {
	t.Parallel()
	n, p := openPeople(t, gazette(), nil)
	me := "/me/" + personLink
	if page := n.get(me); !strings.Contains(page.Body, "Votre livraison") || !strings.Contains(page.Body, `name="grant" value="12"`) {
		t.Errorf("the notice is not on the page:\n%s", page.Body)
	}
	if a := n.form(me+"/leave", url.Values{"grant": {"12"}}); a.Status != http.StatusOK || !strings.Contains(a.Body, "Votre livraison") {
		t.Errorf("leaving it: status %d", a.Status)
	}
	page := n.get(me)
	if !strings.Contains(page.Body, `action="`+me+`/again"`) || !strings.Contains(page.Body, "Le redemander") {
		t.Errorf("it cannot be asked for again:\n%s", page.Body)
	}
	if a := n.form(me+"/again", url.Values{"grant": {"12"}}); a.Status != http.StatusSeeOther || a.Header.Get("Location") != me+"?done=again" {
		t.Errorf("asking again: status %d", a.Status)
	}
	if diff := cmp.Diff([]int64{12}, p.again); diff != "" {
		t.Errorf("what was asked for (-want +got):\n%s", diff)
	}
	for _, grant := range []string{"99", "x", ""} {
		if a := n.form(me+"/again", url.Values{"grant": {grant}}); a.Status != http.StatusUnprocessableEntity || !strings.Contains(a.Body, "Impossible de le redemander") {
			t.Errorf("grant %q: status %d", grant, a.Status)
		}
	}
}
