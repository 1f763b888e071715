package desk_test

import (
	"strings"
	"testing"
	"time"

	"github.com/belfry-news/belfry/internal/compose"
	"github.com/belfry-news/belfry/internal/desk"
	"github.com/belfry-news/belfry/internal/outbox"
)

func TestRetractItem(t *testing.T) {
	t.Parallel()
	d, n := newDesk(t)
	out, err := d.RetractItem(t.Context(), n.Waiting, "", "jugement", 0)
	if err != nil || !out.Done || !out.Purged || out.Again || len(out.Items) != 1 || out.Items[0].Key != n.Waiting {
		t.Fatalf("%+v, %v", out, err)
	}
	if again, err := d.RetractItem(t.Context(), n.Waiting, "articles", "jugement", 0); err != nil || !again.Again || !again.Done {
		t.Errorf("%+v, %v", again, err)
	}
	address := "https://news.example/" + n.Waiting
	_, err = d.RetractItem(t.Context(), address, "", "jugement", 0)
	wants(t, err, desk.Conflict, "was retracted for good on")
	_, err = d.RetractItem(t.Context(), "nope", "", "jugement", 0)
	wants(t, err, desk.Missing, `no item "nope" is known`)
	_, err = d.RetractItem(t.Context(), "nope", "article", "jugement", 0)
	wants(t, err, desk.Unknown, `did you mean "articles"?`)
	// Neither the key nor the address is unknown afterwards, and nothing of the text is told.
	for _, c := range []struct {
		source, name string
		number       bool
		says         string
	}{{"", n.Waiting, true, "retracted for good on "}, {"articles", n.Waiting, true, "retracted for good on "}, {"", address, false, "blocked by the retraction of "},
		{"articles", address + "/?utm_source=x", false, "blocked by the retraction of "}} {
		why, err := d.WhyItem(t.Context(), c.name, c.source, "")
		if err != nil || len(why) != 1 || why[0].State != "blocked" || (why[0].Number > 0) != c.number || why[0].Title != "" ||
			!strings.HasPrefix(why[0].Sentence, c.says+d.Now.In(d.Zone()).Format(time.DateOnly)+" (jugement)") {
			t.Errorf("%q of %q: %+v, %v", c.name, c.source, why, err)
		}
	}
	_, err = d.WhyItem(t.Context(), n.Waiting, "agenda", "")
	wants(t, err, desk.Missing, "is known of source agenda")
	n.Fetch(t, "agenda")
	_, err = d.Create(t.Context(), desk.NewPost{Channel: "desk", Draft: compose.Draft{Text: "Lisez.", Link: address + "?utm_source=x"}})
	wants(t, err, desk.Conflict, "(jugement): no post may lead there")
	link := address
	_, err = d.Edit(t.Context(), n.Post, compose.Redraft{Link: &link})
	wants(t, err, desk.Conflict, "(jugement): no post may lead there")
}

// What could not leave in time says so once, in the zone of the configuration.
func TestExpiredInTheZoneOfTheSite(t *testing.T) {
	t.Parallel()
	d, n := newDesk(t)
	over := n.Now.Add(30 * time.Minute)
	id := n.Write(t, "desk", "Trop tard", compose.NewTarget{Destination: "wire", ExpiresAt: over})
	n.Now = n.Now.Add(time.Hour)
	for range 2 {
		s := n.Begin(t, "wire")
		w, err := n.Store.Work(t.Context(), s.Delivery)
		if err != nil {
			t.Fatal(err)
		}
		if w.PublicID == id {
			s.State, s.Error = outbox.Expired, "it waited longer than max_age"
		} else {
			s.State, s.Error = outbox.Failed, "no"
		}
		if _, err := n.Store.Settle(t.Context(), s, n.Now); err != nil {
			t.Fatal(err)
		}
	}
	p, err := d.PostOn(t.Context(), id, "wire")
	if err != nil || len(p.Copies) != 1 {
		t.Fatalf("%+v, %v", p, err)
	}
	if want := "not sent: it could not leave before " + over.In(d.Zone()).Format("2006-01-02 15:04 MST") + " (max_age)"; p.Copies[0].Sentence != want {
		t.Errorf("got %q, want %q", p.Copies[0].Sentence, want)
	}
}

// A digest's copy that is corrected counts as over, and one that still shows the item does not.
func TestCopiesOfDigestsCount(t *testing.T) {
	t.Parallel()
	var states []string
	for _, state := range []string{desk.CopyThere, desk.CopyGone, desk.CopyNotSent, desk.CopyWaiting, desk.CopyStays, desk.CopyByHand, desk.CopyUnknown, desk.CopyHeld} {
		if (desk.RetractedCopy{Digest: true, Copy: desk.Copy{State: state}}).Over() {
			states = append(states, state)
		}
		if (desk.RetractedCopy{Copy: desk.Copy{State: state}}).Over() != (state == desk.CopyGone) {
			t.Errorf("a post's copy that is %s", state)
		}
	}
	if got := strings.Join(states, " "); got != "there gone not_sent" {
		t.Errorf("over are %s", got)
	}
}
