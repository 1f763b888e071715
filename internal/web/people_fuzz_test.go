package web_test

import (
	"bytes"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/belfry-news/belfry/internal/consent"
)

// in is a newsroom in another test: a fuzz target must not speak to the fuzzer.
func in(n *newsroom, t *testing.T) *newsroom {
	out := *n
	out.t = t
	return &out
}

// FuzzOneClick holds that whatever the body, its type and where it says to come from, an unsubscribe link ends what it is
// about and is answered with 200.
func FuzzOneClick(f *testing.F) {
	f.Add("application/x-www-form-urlencoded", "List-Unsubscribe=One-Click", "")
	f.Add("multipart/form-data; boundary=x", "--x\r\nContent-Disposition: form-data; name=\"List-Unsubscribe\"\r\n\r\nOne-Click\r\n--x--\r\n", "https://mail.example")
	f.Add("multipart/form-data; boundary=x", "--x\r\nContent-Disposition: form-data; name=\"a\"; filename=\"b\"\r\nContent-Type: a/b\r\n\r\n", "null")
	f.Add("text/plain;;;", "%zz&all=1", "\x00")
	n, p := openPeople(f, gazette(), new(bytes.Buffer))
	f.Fuzz(func(t *testing.T, kind, body, origin string) {
		if len(body) > 60<<10 {
			return
		}
		p.changes()
		a := in(n, t).ask(http.MethodPost, "/leave/"+leaveToken, strings.NewReader(body), "Content-Type", kind, "Origin", origin)
		if done := p.changes(); a.Status != 200 || len(done) != 1 || !strings.HasPrefix(done[0], "leave ") {
			t.Errorf("status %d, did %q", a.Status, done)
		}
	})
}

// FuzzFollow holds that a form is either refused with a page or signs up an address that mail can be sent to, with choices
// that are offered, and never fails.
func FuzzFollow(f *testing.F) {
	f.Add("reader@example.org", "instant", "07:00", "transports", "Europe/Paris")
	f.Add("a@b@c.example\r\nBcc: x", "digest", "25:00", "", "Local")
	f.Add("é@münchen.example", "", "", "météo", "../UTC")
	f.Add("\u202ea@example.org\xff", "hourly", "07:00", "sport", "")
	n, p := openPeople(f, gazette(), new(bytes.Buffer))
	f.Fuzz(func(t *testing.T, address, mode, slot, topic, zone string) {
		n.clock.advance(time.Minute)
		p.changes()
		a := in(n, t).form("/follow/alertes?lang=en", url.Values{"address": {address}, "mode": {mode}, "slot": {slot}, "topic": {topic}, "zone": {zone}})
		done := p.changes()
		if a.Status != 200 && a.Status != 422 && a.Status != 413 || (a.Status == 200) != (len(done) == 1) {
			t.Fatalf("status %d, did %q", a.Status, done)
		}
		if a.Status != 200 {
			return
		}
		s := p.signUps[len(p.signUps)-1]
		p.signUps = nil
		if use, _, err := consent.Normalize(s.Medium, s.Address); err != nil || strings.ContainsAny(s.Address, "\r\n\x00 ") || !strings.Contains(use, "@") {
			t.Errorf("signed up %q: %v", s.Address, err)
		}
		if _, err := time.LoadLocation(s.Habits.Zone); err != nil || s.Habits.Zone == "" || s.Habits.Zone == "Local" {
			t.Errorf("zone %q", s.Habits.Zone)
		}
	})
}
