package telegram

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/belfry-news/belfry/sdk"
	"github.com/belfry-news/belfry/sdk/render"
)

// Whatever an answer holds, only {"ok":true} with a readable result is a success, every other answer is judged, and the
// token never comes out again.
func FuzzAnswer(f *testing.F) {
	for _, body := range []string{
		`{"ok":true,"result":{"message_id":1,"chat":{"id":-100}}}`,
		`{"ok":true,"result":[{"message_id":1},{"message_id":2}]}`, `{"ok":true}`, `{"ok":false}`, ``,
		`{"ok":false,"error_code":429,"description":"Too Many Requests","parameters":{"retry_after":1e300}}`,
		`{"ok":false,"error_code":429,"description":"Too Many Requests","parameters":{"retry_after":-5}}`,
		`{"ok":false,"error_code":400,"description":"group chat was upgraded","parameters":{"migrate_to_chat_id":-9}}`,
		`{"ok":"yes"}`, `[]`, `null`, `<html>`, `{"ok":true,"result":{"message_id":0}}`,
		`{"ok":false,"error_code":-1,"description":"` + "\x00\xff" + `123456:sEcReT"}`,
		`{"ok":true,"result":{"message_id":1,"chat":{"id":-100},"photo":[{"file_id":"` + strings.Repeat("x", 300) + `"}]}}`,
	} {
		for _, status := range []int{200, 400, 429, 502} {
			f.Add(status, "7", []byte(body))
		}
	}
	c := &Connector{config: Config{Token: sdk.NewSecret("123456:sEcReT")}, host: "api.example"}
	f.Fuzz(func(t *testing.T, status int, after string, body []byte) {
		a := sdk.Answer{Status: status, Header: http.Header{"Retry-After": {after}}, Body: body}
		for _, v := range []verb{reading, sending, messaging, editing, removing} {
			var m message
			err := c.read(a, "sendMessage", v, &m)
			if err == nil {
				if !strings.Contains(string(body), "true") {
					t.Fatalf("%d %q is taken for a success", status, body)
				}
				_, _ = c.reply(place{}, sdk.Part{Kind: kindText}, []message{m})
				continue
			}
			if r, ok := err.(*refusal); ok {
				err = c.judge(r, "sendMessage", v, place{})
				if v == messaging {
					err = c.judgePerson(r, 7, time.Now())
				}
			}
			e := sdk.AsError(err)
			if e.Code == "" || e.Public == "" || e.RetryAfter < 0 {
				t.Fatalf("%+v", e)
			}
			if strings.Contains(e.Public, "sEcReT") || strings.Contains(err.Error(), "sEcReT") || (e.Err != nil && strings.Contains(e.Err.Error(), "sEcReT")) {
				t.Fatalf("the token comes out: %q", e.Public)
			}
			if e.Code == sdk.CodeUnknownOutcome && !v.once() {
				t.Fatalf("a repeatable call is left unknown by %d %q", status, body)
			}
		}
	})
}

// A reference from the store is read without trust.
func FuzzReference(f *testing.F) {
	f.Add("1", []byte(`{"chat":-100}`))
	f.Add("1", []byte(`{"chat":-100,"photos":[{"digest":"x"}]}`))
	f.Add("-1", []byte(`{"chat":100}`))
	f.Fuzz(func(t *testing.T, id string, state []byte) {
		ids, s, err := referred(sdk.PartRef{IDs: []string{id}, State: state}, "edit")
		if err == nil && (len(ids) != 1 || ids[0] <= 0 || s.Chat >= 0) {
			t.Fatalf("%q %q gives %v %+v", id, state, ids, s)
		}
	})
}

// Whatever a person's own values and the shared text hold, the message fits, is read back by Telegram's rules, and keeps its
// way out; a value is text and never markup.
func FuzzDirect(f *testing.F) {
	f.Add("Anna <b>&amp;", "text", "since 1 March", "https://news.example/me/1", false)
	f.Add(strings.Repeat("é🔥 ", 900), strings.Repeat("x", 5000), strings.Repeat("why ", 400), "https://news.example/me/2", true)
	f.Add("\ufdd0name\ufdd1", "\ufdd0name", "\ufdd1", "https://\xff/", true)
	f.Add("*_[](~`>#+-=|{}.!\\", "`", "_", "https://news.example/?a=(b)&c=\"d\"", true)
	f.Fuzz(func(t *testing.T, name, text, reason, link string, markdown bool) {
		c := &Connector{config: Config{Markup: map[bool]string{false: "html", true: "markdown"}[markdown], LinkPreview: "auto"}}
		common := &sdk.Common{Body: sdk.Body{sdk.Paragraph(sdk.Text("For "+sdk.Slot("name")+": "), sdk.Strong(sdk.Text(text)))},
			Reason: "You get this because " + reason + sdk.Slot("name"), Links: []sdk.CommonLink{{Text: "Leave", Slot: sdk.SlotUnsubscribe}}}
		r, err := c.direct(sdk.MessageContent{Common: common, Slots: map[string]string{"name": name, sdk.SlotUnsubscribe: link}})
		if err != nil {
			t.Fatal(err)
		}
		body, err := render.Parse(r.Text, c.markup())
		if err != nil {
			t.Fatalf("Telegram refuses %q: %v", r.Text, err)
		}
		bound := render.Bound{Markup: c.markup(), Unit: sdk.UnitUTF16, Visible: true}
		if n := render.Measure(body, bound); n > maxText || n == 0 {
			t.Fatalf("the message has %d units", n)
		}
		if plain := render.Render(body, render.Plain); !strings.Contains(plain, "You get this because") || strings.ContainsAny(plain, "\ufdd0\ufdd1") {
			t.Fatalf("the message reads %q", plain)
		}
		if want, err := sdk.CheckLink(link); err == nil && strings.HasPrefix(want, "https://news.example/") && firstLink(body) == "" {
			t.Fatalf("the way out %q is missing in %q", want, r.Text)
		}
	})
}
