package telegram_test

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/belfry-news/belfry/connectors/telegram"
	"github.com/belfry-news/belfry/connectors/telegram/telegramtest"
	"github.com/belfry-news/belfry/sdk"
)

const readers = -1002223334445 // a group

func inbox(t *testing.T, settings map[string]any) *bench {
	t.Helper()
	return unresolved(t, telegramtest.Options{Chats: []telegramtest.Chat{person(anna, ""), channelChat(),
		{ID: readers, Type: "supergroup", Title: "Lecteurs", Bot: telegramtest.Member{Status: "member"}}}}, settings)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func listen(t *testing.T, b *bench) sdk.Events {
	t.Helper()
	e, err := b.Listen(t.Context(), nil)
	must(t, err)
	t.Cleanup(func() { _ = e.Close() })
	return e
}

func next(t *testing.T, e sdk.Events) (sdk.InboxEvent, sdk.Cursor) {
	t.Helper()
	event, c, err := e.Next(t.Context())
	must(t, err)
	return event, c
}

var from = sdk.Handle{Medium: "telegram", Value: strconv.FormatInt(anna, 10)}

func TestEvents(t *testing.T) {
	t.Parallel()
	b := inbox(t, nil)
	must(t, b.server.SayIn(readers, anna, "/start alertes")) // groups never become people
	must(t, b.server.Say(anna, "/start alertes"))
	if _, err := b.Message(t.Context(), direct(t, anna, sdk.MessageContent{Common: news(),
		Buttons: [][]sdk.Button{{{Text: "Suivre", Data: "1:f:alertes"}}}})); err != nil {
		t.Fatal(err)
	}
	query, err := b.server.Press(anna, b.server.Messages(anna)[0].ID, "1:f:alertes")
	must(t, err)
	must(t, b.server.Block(anna))
	must(t, b.server.Unblock(anna))
	e := listen(t, b)
	want := []sdk.InboxEvent{
		{Kind: sdk.EventMessage, Text: "/start alertes", Ref: "1", ReplyTo: "1"},
		{Kind: sdk.EventButton, Data: "1:f:alertes", Ref: "2"},
		{Kind: sdk.EventStop},
		{Kind: sdk.EventReopen},
	}
	seen := map[string]bool{}
	for _, w := range want {
		w.From, w.Name, w.Lang = from, "@annab", "fr"
		got, _ := next(t, e)
		if diff := cmp.Diff(w, got, cmpopts.IgnoreFields(sdk.InboxEvent{}, "ID", "At")); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if time.Since(got.At).Abs() > time.Minute || seen[got.ID] || got.ID == "" {
			t.Errorf("the event %q has the time %s", got.ID, got.At)
		}
		seen[got.ID] = true
		if w.Kind == sdk.EventButton && b.server.Answered(query) {
			t.Error("the press was answered before the event was acknowledged")
		}
	}
	if !b.server.Answered(query) {
		t.Error("the press was never answered")
	}
	if n := b.server.Waiting(); n != 5 {
		t.Errorf("%d updates wait; none may be confirmed before Next asks for more than was given", n)
	}
}

// Only a call of Next confirms an update, and one that waits ends when its context does.
func TestConfirmation(t *testing.T) {
	t.Parallel()
	b := inbox(t, nil)
	must(t, b.server.Say(anna, "one"))
	e := listen(t, b)
	next(t, e)
	ctx, cancel := context.WithCancel(t.Context())
	over := make(chan error, 1)
	polling := b.server.Polling()
	go func() {
		_, _, err := e.Next(ctx)
		over <- err
	}()
	<-polling
	if n := b.server.Waiting(); n != 0 {
		t.Errorf("%d updates wait after they were acknowledged", n)
	}
	cancel()
	if err := <-over; sdk.AsError(err).Code != sdk.CodeUnavailable {
		t.Errorf("got %v", err)
	}
}

func TestOneReaderForEachToken(t *testing.T) {
	t.Parallel()
	b := inbox(t, nil)
	first := listen(t, b)
	over := make(chan error, 1)
	polling := b.server.Polling()
	go func() {
		_, _, err := first.Next(t.Context())
		over <- err
	}()
	<-polling
	ctx, cancel := context.WithCancel(t.Context())
	second := listen(t, b)
	ended := make(chan error, 1)
	go func() {
		_, _, err := second.Next(ctx)
		ended <- err
	}()
	e := sdk.AsError(<-over)
	if e.Code != sdk.CodeForbidden || e.Scope != sdk.ScopeAccount || !strings.Contains(e.Public, "another program") {
		t.Errorf("got %v", e)
	}
	cancel()
	<-ended
}

func TestAWebhookElsewhere(t *testing.T) {
	t.Parallel()
	taken := func(t *testing.T, settings map[string]any) (*bench, error) {
		t.Helper()
		b := inbox(t, settings)
		resp, err := http.Post(b.url+"/bot"+token+"/setWebhook", "application/json", strings.NewReader(`{"url":"https://other.example/x"}`))
		must(t, err)
		_ = resp.Body.Close()
		must(t, b.server.Say(anna, "one"))
		_, _, err = listen(t, b).Next(t.Context())
		return b, err
	}
	_, err := taken(t, nil)
	if e := sdk.AsError(err); e.Code != sdk.CodeForbidden || !strings.Contains(e.Public, "other.example; write webhook:") {
		t.Errorf("got %v", err)
	}
	b, err := taken(t, map[string]any{"replace_webhook": true})
	if hook, _ := b.server.Webhook(); err != nil || hook != "" {
		t.Errorf("the webhook is %q, %v", hook, err)
	}
}

func TestCursors(t *testing.T) {
	t.Parallel()
	b := inbox(t, nil)
	must(t, b.server.Say(anna, "one"))
	// A cursor of another bot counts for nothing.
	e, err := b.Listen(t.Context(), sdk.Cursor(`{"bot":"999","offset":990000000}`))
	must(t, err)
	if got, _ := next(t, e); got.Text != "one" {
		t.Errorf("got %+v", got)
	}
	_ = e.Close()
	for _, bad := range []string{"x", `{"bot":"123456","offset":-1}`, "[]"} {
		if _, err := b.Listen(t.Context(), sdk.Cursor(bad)); sdk.AsError(err).Code != sdk.CodeInvalid {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

var hooked = map[string]any{"webhook": "https://news.example/hooks/telegram", "webhook_secret": "a-secret-of-the-webhook"}

func TestWebhook(t *testing.T) {
	t.Parallel()
	b := inbox(t, hooked)
	e := listen(t, b)
	hook, allowed := b.server.Webhook()
	if diff := cmp.Diff([]string{"message", "callback_query", "my_chat_member"}, allowed); hook != hooked["webhook"] || diff != "" {
		t.Errorf("the webhook is %q, (-want +got):\n%s", hook, diff)
	}
	var events []sdk.InboxEvent
	stored := true
	host := func(r *http.Request) (*http.Response, error) {
		body := make([]byte, r.ContentLength)
		if _, err := r.Body.Read(body); err != nil && len(body) == 0 {
			return nil, err
		}
		reply, got, err := b.ReceiveEvents(t.Context(), sdk.WebhookRequest{Method: r.Method, Path: r.URL.Path, Header: r.Header,
			Body: body, ReceivedAt: time.Now()})
		if err != nil {
			return nil, err
		}
		w := httptest.NewRecorder()
		if !stored {
			w.WriteHeader(http.StatusServiceUnavailable)
			return w.Result(), nil
		}
		events = append(events, got...)
		w.WriteHeader(reply.Status)
		_, err = w.Write(reply.Body)
		return w.Result(), err
	}
	must(t, b.server.Say(anna, "/start"))
	stored = false
	if status, err := b.server.Deliver(host); status != 503 || err != nil || b.server.Waiting() != 1 {
		t.Fatalf("%d, %v", status, err)
	}
	stored = true
	deliver := func() {
		t.Helper()
		if status, err := b.server.Deliver(host); status != 200 || err != nil {
			t.Fatalf("%d, %v", status, err)
		}
	}
	deliver()
	_, err := b.Message(t.Context(), direct(t, anna, sdk.MessageContent{Common: news(), Buttons: [][]sdk.Button{{{Text: "Suivre", Data: "x"}}}}))
	must(t, err)
	query, err := b.server.Press(anna, b.server.Messages(anna)[0].ID, "x")
	must(t, err)
	deliver()
	must(t, b.server.SayIn(readers, anna, "hello"))
	deliver()
	if !b.server.Answered(query) {
		t.Error("the press was not answered")
	}
	var kinds []sdk.EventKind
	for _, event := range events {
		if event.From != from || time.Since(event.At).Abs() > time.Minute {
			t.Errorf("%+v", event)
		}
		kinds = append(kinds, event.Kind)
	}
	if diff := cmp.Diff([]sdk.EventKind{sdk.EventMessage, sdk.EventButton}, kinds); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	// Listening gives nothing, and ends with its context.
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := e.Next(ctx); sdk.AsError(err).Code != sdk.CodeUnavailable {
		t.Errorf("got %v", err)
	}
}

func TestForgedCalls(t *testing.T) {
	t.Parallel()
	secret := http.Header{"X-Telegram-Bot-Api-Secret-Token": {"a-secret-of-the-webhook"}}
	with, without := inbox(t, hooked), inbox(t, nil)
	for name, c := range map[string]struct {
		b      *bench
		method string
		header http.Header
		body   string
		status int
	}{
		"no secret":        {with, "POST", nil, "{}", 401},
		"another secret":   {with, "POST", http.Header{"X-Telegram-Bot-Api-Secret-Token": {"a-secret-of-the-webhooK"}}, "{}", 401},
		"an empty secret":  {with, "POST", http.Header{"X-Telegram-Bot-Api-Secret-Token": {""}}, "{}", 401},
		"no webhook":       {without, "POST", http.Header{"X-Telegram-Bot-Api-Secret-Token": {""}}, "{}", 401},
		"a question":       {with, "GET", secret, "", 405},
		"no update":        {with, "POST", secret, "<html>", 400},
		"without a number": {with, "POST", secret, `{"message":{}}`, 400},
		"a new form":       {with, "POST", secret, `{"update_id":7,"message":"text"}`, 200},
		"an unknown kind":  {with, "POST", secret, `{"update_id":7,"poll":{}}`, 200},
		"a channel's post": {with, "POST", secret, `{"update_id":7,"message":{"message_id":1,"chat":{"id":-5,"type":"channel"},"from":{"id":-5},"text":"x"}}`, 200},
		"somebody else's private chat": {with, "POST", secret,
			`{"update_id":7,"message":{"message_id":1,"chat":{"id":5,"type":"private"},"from":{"id":6},"text":"x"}}`, 200},
		"a bot": {with, "POST", secret,
			`{"update_id":7,"message":{"message_id":1,"chat":{"id":5,"type":"private"},"from":{"id":5,"is_bot":true},"text":"x"}}`, 200},
	} {
		t.Run(name, func(t *testing.T) {
			reply, events, err := c.b.ReceiveEvents(t.Context(), sdk.WebhookRequest{Method: c.method, Header: c.header, Body: []byte(c.body), ReceivedAt: time.Now()})
			if reply.Status != c.status || len(events) > 0 || err != nil {
				t.Errorf("got %d, %+v, %v", reply.Status, events, err)
			}
		})
	}
}

func TestFollowLink(t *testing.T) {
	t.Parallel()
	b := inbox(t, nil)
	for range 2 {
		got, err := b.FollowLink(t.Context(), "alertes-2_x")
		if err != nil || got != "https://t.me/gazette_bot?start=alertes-2_x" {
			t.Errorf("got %q, %v", got, err)
		}
	}
	if diff := cmp.Diff([]string{"getMe"}, b.server.Calls()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for _, bad := range []string{"", "é", "a b", "a.b", strings.Repeat("x", 65), "a\n"} {
		if got, err := b.FollowLink(t.Context(), bad); sdk.AsError(err).Code != sdk.CodeInvalid || got != "" {
			t.Errorf("%q gives %q, %v", bad, got, err)
		}
	}
}

func TestOfferCommands(t *testing.T) {
	t.Parallel()
	b := inbox(t, nil)
	must(t, b.OfferCommands(t.Context(), "", []sdk.Command{{Name: "channels", Text: "What you can follow"}}))
	must(t, b.OfferCommands(t.Context(), "fr", []sdk.Command{{Name: "channels", Text: "Ce que vous pouvez suivre"}}))
	if diff := cmp.Diff([]telegramtest.Command{{Command: "channels", Description: "Ce que vous pouvez suivre"}}, b.server.Commands("fr")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for name, c := range map[string]struct {
		lang string
		list []sdk.Command
	}{
		"nothing": {"", nil}, "a long language": {"fr-FR", []sdk.Command{{Name: "x", Text: "x"}}},
		"a hyphen": {"", []sdk.Command{{Name: "pause-channel", Text: "x"}}}, "no text": {"", []sdk.Command{{Name: "x"}}},
	} {
		if err := b.OfferCommands(t.Context(), c.lang, c.list); sdk.AsError(err).Code != sdk.CodeInvalid {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestWebhookSettings(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		settings map[string]any
		says     string
	}{
		"plain http":         {map[string]any{"webhook": "http://news.example/x", "webhook_secret": "0123456789abcdef"}, "https addresses only"},
		"another port":       {map[string]any{"webhook": "https://news.example:8080/x", "webhook_secret": "0123456789abcdef"}, "8443"},
		"no secret":          {map[string]any{"webhook": "https://news.example/x"}, "pretend to be Telegram"},
		"a short secret":     {map[string]any{"webhook": "https://news.example/x", "webhook_secret": "abc"}, "pretend to be Telegram"},
		"an odd secret":      {map[string]any{"webhook": "https://news.example/x", "webhook_secret": "0123456789abcdef é"}, "pretend to be Telegram"},
		"only a secret":      {map[string]any{"webhook_secret": "0123456789abcdef"}, "without a webhook"},
		"set and taken away": {map[string]any{"webhook": "https://news.example/x", "webhook_secret": "0123456789abcdef", "replace_webhook": true}, "takes webhooks away"},
	} {
		settings := map[string]any{"token": token}
		maps.Copy(settings, c.settings)
		if err := telegram.Spec().Check(settings); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Whatever an update holds, only somebody's private chat gives an event, of that person.
func FuzzUpdate(f *testing.F) {
	for _, s := range []string{
		`{"update_id":7,"message":{"message_id":1,"chat":{"id":5,"type":"private"},"from":{"id":5},"date":1,"text":"x"}}`,
		`{"update_id":7,"message":{"message_id":1,"chat":{"id":-5,"type":"group"},"from":{"id":5},"text":"x"}}`,
		`{"update_id":7,"callback_query":{"id":"q","from":{"id":5},"message":{"message_id":1,"chat":{"id":5,"type":"private"}},"data":"d"}}`,
		`{"update_id":7,"my_chat_member":{"chat":{"id":5,"type":"private"},"from":{"id":5},"old_chat_member":{"status":"member"},"new_chat_member":{"status":"kicked"}}}`,
		`{"update_id":1e9}`, `{"update_id":-1}`, `[]`, ``,
	} {
		f.Add([]byte(s))
	}
	conn, err := telegram.Spec().Open(context.Background(), sdk.Settings{}, map[string]any{"token": token,
		"webhook": "https://news.example/x", "webhook_secret": "0123456789abcdef"})
	if err != nil {
		f.Fatal(err)
	}
	c, ok := sdk.As[sdk.Receiver](conn)
	if !ok {
		f.Fatal("no receiver")
	}
	header := http.Header{"X-Telegram-Bot-Api-Secret-Token": {"0123456789abcdef"}}
	f.Fuzz(func(t *testing.T, body []byte) {
		now := time.Now()
		reply, events, err := c.ReceiveEvents(t.Context(), sdk.WebhookRequest{Method: "POST", Header: header, Body: body, ReceivedAt: now})
		if err != nil || reply.Status != 200 && reply.Status != 400 || len(events) > 1 {
			t.Fatalf("%d, %v, %v", reply.Status, events, err)
		}
		if len(reply.Body) > 0 && !json.Valid(reply.Body) {
			t.Fatalf("the reply %q", reply.Body)
		}
		for _, e := range events {
			id, err := strconv.ParseInt(e.From.Value, 10, 64)
			if err != nil || id <= 0 || e.From.Medium != "telegram" || e.ID == "" || e.At.IsZero() || e.At.After(now.Add(2*time.Hour)) {
				t.Fatalf("%q gives %+v", body, e)
			}
		}
	})
}
