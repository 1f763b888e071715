package telegram_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/google/go-cmp/cmp"

	"github.com/belfry-news/belfry/connectors/telegram/telegramtest"
	"github.com/belfry-news/belfry/sdk"
	"github.com/belfry-news/belfry/sdk/sdktest"
	"github.com/belfry-news/belfry/sdk/sdktest/fault"
)

// direct is a message to somebody of the fake.
func direct(t *testing.T, id int64, c sdk.MessageContent) sdk.DirectMessage {
	t.Helper()
	return sdk.NewDirectMessage(sdktest.Permit(t, "d1", "telegram", strconv.FormatInt(id, 10)), c)
}

func news() *sdk.Common {
	return &sdk.Common{ID: "c1", Kind: sdk.CommonPost, Lang: "fr", Subject: "Incendie à la gare",
		Body: sdk.Body{sdk.Paragraph(sdk.Text("Bonjour "+sdk.Slot("name")+", "), sdk.Strong(sdk.Text("incendie à la gare")),
			sdk.Text(". "), sdk.Link("https://news.example/a/1", sdk.Text("Lire l’article")))},
		Reason: "Vous suivez Alertes depuis le " + sdk.Slot("since") + ".",
		Links: []sdk.CommonLink{{Text: "Pourquoi ?", Slot: sdk.SlotWhy}, {Text: "Préférences", Slot: sdk.SlotPreferences},
			{Text: "Sans adresse", Slot: "nothing"}, {Text: "Mauvaise", Slot: "bad"}},
	}
}

func annasOwn() map[string]string {
	return map[string]string{"name": "Anna <b>&amp; fils</b>", "since": "1er mars 2026", sdk.SlotWhy: "https://news.example/me/k/why",
		sdk.SlotPreferences: "https://news.example/me/k?a=1&b=2", "bad": "javascript:alert(1)"}
}

func writing(t *testing.T, settings map[string]any) *bench {
	t.Helper()
	return unresolved(t, telegramtest.Options{Chats: []telegramtest.Chat{person(anna, "member")}}, settings)
}

func TestMessage(t *testing.T) {
	t.Parallel()
	for name, settings := range map[string]map[string]any{"html": nil, "markdown": {"markup": "markdown"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := writing(t, settings)
			ref, err := b.Message(t.Context(), direct(t, anna, sdk.MessageContent{Common: news(), Slots: annasOwn(), ReplyTo: "99",
				Buttons: [][]sdk.Button{{{Text: "Ne plus suivre", Data: "1:leave:3"}, {Text: "Ouvrir", URL: "https://news.example/a/1"}}, {}}}))
			if err != nil {
				t.Fatal(err)
			}
			got := b.server.Messages(anna)[0]
			if ref.ID != strconv.FormatInt(got.ID, 10) {
				t.Errorf("the reference is %q, the message %d", ref.ID, got.ID)
			}
			want := telegramtest.Message{
				Text: "Bonjour Anna <b>&amp; fils</b>, incendie à la gare. Lire l’article\n\n" +
					"Vous suivez Alertes depuis le 1er mars 2026.\nPourquoi ? · Préférences",
				HTML: `<p>Bonjour Anna &lt;b&gt;&amp;amp; fils&lt;/b&gt;, <strong>incendie à la gare</strong>. ` +
					`<a href="https://news.example/a/1">Lire l’article</a></p>` + "\n" + `<p><em>Vous suivez Alertes depuis le 1er mars 2026.</em><br>` + "\n" +
					`<a href="https://news.example/me/k/why">Pourquoi ?</a> · ` +
					`<a href="https://news.example/me/k?a=1&amp;b=2">Préférences</a></p>`,
				Preview: telegramtest.LinkPreview{URL: "https://news.example/a/1"},
				Buttons: [][]telegramtest.Button{{{Text: "Ne plus suivre", Data: "1:leave:3"}, {Text: "Ouvrir", URL: "https://news.example/a/1"}}},
			}
			got.ID, got.Date, got.Raw, got.Mode = 0, time.Time{}, "", ""
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// Telegram opens the first address of a text to make its preview. It must never be one that holds a person's token.
func TestMessagePreview(t *testing.T) {
	t.Parallel()
	own := map[string]string{sdk.SlotPreferences: "https://news.example/me/token", "address": "https://news.example/confirm/token"}
	links := []sdk.CommonLink{{Text: "Préférences", Slot: sdk.SlotPreferences}}
	article := sdk.Paragraph(sdk.Link("https://news.example/a/1", sdk.Text("Lire")))
	for name, c := range map[string]struct {
		common   sdk.Common
		settings map[string]any
		want     telegramtest.LinkPreview
	}{
		"an article":         {sdk.Common{Body: sdk.Body{article}, Links: links}, nil, telegramtest.LinkPreview{URL: "https://news.example/a/1"}},
		"no article":         {sdk.Common{Body: sdk.Body{sdk.Paragraph(sdk.Text("x"))}, Links: links}, nil, telegramtest.LinkPreview{Disabled: true}},
		"an address in text": {sdk.Common{Body: sdk.Body{sdk.Paragraph(sdk.Text(sdk.Slot("address")))}}, nil, telegramtest.LinkPreview{Disabled: true}},
		"a confirmation":     {sdk.Common{Kind: sdk.CommonConfirm, Body: sdk.Body{article}}, nil, telegramtest.LinkPreview{Disabled: true}},
		"an answer":          {sdk.Common{Kind: sdk.CommonAnswer, Body: sdk.Body{article}}, nil, telegramtest.LinkPreview{Disabled: true}},
		"switched off":       {sdk.Common{Body: sdk.Body{article}}, map[string]any{"link_preview": "off"}, telegramtest.LinkPreview{Disabled: true}},
		"small, above": {sdk.Common{Body: sdk.Body{article}}, map[string]any{"link_preview": "small", "preview_above": true},
			telegramtest.LinkPreview{URL: "https://news.example/a/1", Small: true, Above: true}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := writing(t, c.settings)
			if _, err := b.Message(t.Context(), direct(t, anna, sdk.MessageContent{Common: &c.common, Slots: own})); err != nil {
				t.Fatal(err)
			}
			if got := b.server.Messages(anna)[0].Preview; got != c.want {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
		})
	}
}

func TestMessageThatIsTooLong(t *testing.T) {
	t.Parallel()
	long := news()
	long.Permalink = "https://news.example/p/1"
	long.Body = sdk.Body{sdk.Paragraph(sdk.Text(strings.Repeat("Un très long récit 🔥 de la nuit. ", 400)))}
	for name, values := range map[string]map[string]string{
		"a long text": annasOwn(),
		"long values": {"since": strings.Repeat("très ", 2000), "name": strings.Repeat("x", 9000), sdk.SlotWhy: "https://news.example/why"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := writing(t, nil)
			if _, err := b.Message(t.Context(), direct(t, anna, sdk.MessageContent{Common: long, Slots: values})); err != nil {
				t.Fatal(err)
			}
			text := b.server.Messages(anna)[0].Text
			n := len(utf16.Encode([]rune(text)))
			if n > 4096 || n < 3900 {
				t.Errorf("the text has %d units", n)
			}
			for _, part := range []string{"Un très long récit", "…", "https://news.example/p/1", "Vous suivez Alertes depuis le ", "Pourquoi ?"} {
				if !strings.Contains(text, part) {
					t.Errorf("%q is missing", part)
				}
			}
		})
	}
}

func TestMessagesThatAreRefusedHere(t *testing.T) {
	t.Parallel()
	button := func(bs ...sdk.Button) sdk.MessageContent {
		return sdk.MessageContent{Common: news(), Buttons: [][]sdk.Button{bs}}
	}
	b := writing(t, nil)
	for name, c := range map[string]struct {
		message sdk.DirectMessage
		code    sdk.Code
		says    string
	}{
		"a template":          {direct(t, anna, sdk.MessageContent{Template: "welcome"}), sdk.CodeUnsupported, "no templates"},
		"nothing":             {direct(t, anna, sdk.MessageContent{}), sdk.CodeInvalid, "no text"},
		"an empty text":       {direct(t, anna, sdk.MessageContent{Common: &sdk.Common{Body: sdk.Body{sdk.Paragraph(sdk.Text("\u200b "))}}}), sdk.CodeInvalid, "no text"},
		"no button text":      {direct(t, anna, button(sdk.Button{Data: "x"})), sdk.CodeInvalid, "no text"},
		"a button of both":    {direct(t, anna, button(sdk.Button{Text: "x", Data: "x", URL: "https://x.example/"})), sdk.CodeInvalid, "not both"},
		"a button of nothing": {direct(t, anna, button(sdk.Button{Text: "x"})), sdk.CodeInvalid, "not both"},
		"long data":           {direct(t, anna, button(sdk.Button{Text: "x", Data: strings.Repeat("é", 33)})), sdk.CodeInvalid, "66 bytes"},
		"a script":            {direct(t, anna, button(sdk.Button{Text: "x", URL: "javascript:x"})), sdk.CodeInvalid, "no web address"},
		"a mail address": {sdk.NewDirectMessage(sdktest.Permit(t, "d", "telegram", "anna@example.invalid"), sdk.MessageContent{Common: news()}),
			sdk.CodeInvalid, "no private chat"},
		"another medium": {sdk.NewDirectMessage(sdktest.Permit(t, "d", "sms", strconv.FormatInt(anna, 10)), sdk.MessageContent{Common: news()}),
			sdk.CodeInvalid, "no private chat"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := b.Message(t.Context(), c.message)
			if e := sdk.AsError(err); err == nil || e.Code != c.code || !strings.Contains(e.Public, c.says) {
				t.Errorf("got %v", err)
			}
		})
	}
	if calls := b.server.Calls(); len(calls) > 0 {
		t.Errorf("Telegram was called: %v", calls)
	}
}

func TestMessagesThatTelegramRefuses(t *testing.T) {
	t.Parallel()
	address := strconv.FormatInt(anna, 10)
	for name, c := range map[string]struct {
		chat  telegramtest.Chat
		fault *fault.Fault
		code  sdk.Code
		scope sdk.Scope
		after time.Duration
	}{
		"blocked":       {person(anna, "kicked"), nil, sdk.CodeGone, sdk.ScopePerson, 0},
		"never started": {person(anna, ""), nil, sdk.CodeForbidden, sdk.ScopePerson, 0},
		"deactivated":   {func() telegramtest.Chat { c := person(anna, "member"); c.Closed = true; return c }(), nil, sdk.CodeGone, sdk.ScopePerson, 0},
		"unknown":       {person(anna+1, "member"), nil, sdk.CodeForbidden, sdk.ScopePerson, 0},
		"not found, with the address": {person(anna, "member"), refusal(400, "Bad Request: private chat not found: "+address, 0),
			sdk.CodeForbidden, sdk.ScopePerson, 0},
		"another 403":  {person(anna, "member"), refusal(403, "Forbidden: something new", 0), sdk.CodeForbidden, sdk.ScopePerson, 0},
		"rate":         {person(anna, "member"), refusal(429, "Too Many Requests: retry after 7", 7), sdk.CodeRateLimited, sdk.ScopePerson, 7 * time.Second},
		"unauthorized": {person(anna, "member"), refusal(401, "Unauthorized", 0), sdk.CodeUnauthenticated, sdk.ScopeAccount, 0},
		"entities":     {person(anna, "member"), refusal(400, "Bad Request: can't parse entities: x", 0), sdk.CodeInvalid, sdk.ScopeMessage, 0},
		"a button":     {person(anna, "member"), refusal(400, "Bad Request: BUTTON_DATA_INVALID", 0), sdk.CodeInvalid, sdk.ScopeMessage, 0},
		"a server error": {person(anna, "member"), refusal(500, "Internal Server Error", 0),
			sdk.CodeUnknownOutcome, sdk.ScopeMessage, 0},
		"a proxy's page":       {person(anna, "member"), &fault.Fault{Status: 200, Body: "<html>"}, sdk.CodeUnknownOutcome, sdk.ScopeMessage, 0},
		"a lost answer":        {person(anna, "member"), &fault.Fault{Drop: true, Accepted: true}, sdk.CodeUnknownOutcome, sdk.ScopeMessage, 0},
		"somebody else's chat": {person(anna, "member"), &fault.Fault{Status: 200, Body: `{"ok":true,"result":{"message_id":5,"chat":{"id":6}}}`}, sdk.CodeUnknownOutcome, sdk.ScopeMessage, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := unresolved(t, telegramtest.Options{Chats: []telegramtest.Chat{c.chat}}, nil)
			if c.fault != nil {
				b.server.Faults.Add(*c.fault)
			}
			_, err := b.Message(t.Context(), direct(t, anna, sdk.MessageContent{Common: news(), Slots: annasOwn()}))
			e := sdk.AsError(err)
			if err == nil || e.Code != c.code || e.Scope != c.scope && !(e.Scope == "" && c.scope == sdk.ScopeMessage) || e.RetryAfter != c.after {
				t.Errorf("got %s about %q, wait %s: %v", e.Code, e.Scope, e.RetryAfter, err)
			}
			for _, secret := range []string{address, token, token[7:], "Anna", "incendie"} {
				if strings.Contains(fmt.Sprintf("%v %+v %v", err, e, e.Err), secret) {
					t.Errorf("%q stands in the error %v", secret, err)
				}
			}
		})
	}
}

func refusal(code int, says string, after int) *fault.Fault {
	f := telegramtest.Refusal(code, says, after, 0)
	return &f
}

// A wait that meets a second chat while the first still waits is about the bot.
func TestMessageRatesOfManyChats(t *testing.T) {
	t.Parallel()
	b := unresolved(t, telegramtest.Options{Chats: []telegramtest.Chat{person(anna, "member"), person(anna+1, "member")}}, nil)
	var scopes []sdk.Scope
	for _, id := range []int64{anna, anna, anna + 1} {
		b.server.Faults.Add(*refusal(429, "Too Many Requests: retry after 60", 60))
		_, err := b.Message(t.Context(), direct(t, id, sdk.MessageContent{Common: news()}))
		scopes = append(scopes, sdk.AsError(err).Scope)
	}
	if diff := cmp.Diff([]sdk.Scope{sdk.ScopePerson, sdk.ScopePerson, sdk.ScopeAccount}, scopes); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// What is meant for a person goes to no group, whatever an answer claims.
func TestMessageDoesNotFollowAMigration(t *testing.T) {
	t.Parallel()
	b := unresolved(t, telegramtest.Options{Chats: []telegramtest.Chat{person(anna, "member"), channelChat()}}, nil)
	b.server.Faults.Add(telegramtest.Refusal(400, "Bad Request: group chat was upgraded to a supergroup chat", 0, gazette))
	_, err := b.Message(t.Context(), direct(t, anna, sdk.MessageContent{Common: news()}))
	if sdk.AsError(err).Code != sdk.CodeInvalid || len(b.server.Messages(gazette)) > 0 || len(b.server.Calls()) > 0 {
		t.Errorf("got %v, calls %v", err, b.server.Calls())
	}
}

// The rates that the connector names are within those of the platform.
func TestMessageLimits(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 20, 7, 0, 0, 0, time.UTC)
	b := unresolved(t, telegramtest.Options{Rates: true, Now: func() time.Time { return now },
		Chats: []telegramtest.Chat{person(anna, "member")}}, nil)
	for _, r := range b.MessageLimits().Rules.Rates {
		if r.Scope != sdk.RatePerson {
			continue
		}
		for range 3 {
			for range r.Events {
				if _, err := b.Message(t.Context(), direct(t, anna, sdk.MessageContent{Common: news()})); err != nil {
					t.Fatal(err)
				}
			}
			now = now.Add(r.Per)
		}
		return
	}
	t.Error("there is no rate for a person")
}
