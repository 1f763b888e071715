package plugindev

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/belfry-news/belfry/sdk"
	"github.com/belfry-news/belfry/sdk/sdktest"
)

// A page that is slow to come was made late: the reader takes their time from then on, or would pass for a program.
func TestTheReaderTakesTheirTime(t *testing.T) {
	t.Parallel()
	var made time.Time
	sent := 0
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			sent++
			return
		}
		made = time.Now()
		_, _ = io.WriteString(w, `<form><input type="hidden" name="started" value="1"></form>`)
	}))
	t.Cleanup(site.Close)
	r := newReader()
	t.Cleanup(r.close)
	step := func(now time.Time) {
		t.Helper()
		if err := r.step(t.Context(), site.URL, "beeper", defaultReader, now); err != nil {
			t.Fatal(err)
		}
	}
	step(time.Now().Add(-time.Hour)) // as if the page had taken so long
	if r.since.Before(made) {
		t.Errorf("the reader begins at %s, before the page was made at %s", r.since, made)
	}
	if step(made.Add(fillIn - time.Nanosecond)); sent != 0 {
		t.Error("the form was sent at once")
	}
	if step(r.since.Add(fillIn)); sent != 1 {
		t.Errorf("the form was sent %d times", sent)
	}
}

// What is shown of a message says its title once.
func TestLetter(t *testing.T) {
	t.Parallel()
	d := sdk.NewDirectMessage(sdktest.Permit(t, "1", "beeper", defaultReader), sdk.MessageContent{
		Common: &sdk.Common{Subject: "Fire", Body: sdk.Body{{Kind: sdk.NodeHeading, Level: 1, Children: []sdk.Node{sdk.Text("Fire")}}, sdk.Paragraph(sdk.Text("At the station."))},
			Reason: "You follow.", Links: []sdk.CommonLink{{Text: "Leave:", Slot: sdk.SlotUnsubscribe}}},
		Slots: map[string]string{sdk.SlotUnsubscribe: "https://news.example/leave/1"}})
	if got, want := letter(d), "Fire\n\nAt the station.\n\nYou follow.\nLeave: https://news.example/leave/1"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	short := *d.Common
	short.Body = nil
	d.Common = &short
	if got, want := letter(d), "Fire\n\nYou follow.\nLeave: https://news.example/leave/1"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
