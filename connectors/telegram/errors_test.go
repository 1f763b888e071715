package telegram_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/belfry-news/belfry/connectors/telegram/telegramtest"
	"github.com/belfry-news/belfry/sdk"
	"github.com/belfry-news/belfry/sdk/sdktest/fault"
)

// refusals are what the Bot API may answer, and what it means for a send, and for an edit or a deletion where that differs.
var refusals = []struct {
	name    string
	fault   fault.Fault
	code    sdk.Code
	scope   sdk.Scope
	later   sdk.Code // of an edit or deletion; empty: the same
	wait    time.Duration
	because string // in the sentence of a send
}{
	{"429", telegramtest.Refusal(429, "Too Many Requests: retry after 17", 17, 0), sdk.CodeRateLimited,
		sdk.ScopeDestination, "", 17 * time.Second,
		"Telegram asks to wait 17s before the next call to @gazette"},
	{"429, header longer", with(telegramtest.Refusal(429, "Too Many Requests: retry after 5", 5, 0), "Retry-After", "9"),
		sdk.CodeRateLimited, sdk.ScopeDestination, "", 9 * time.Second, "wait 9s"},
	{"429, header shorter", with(telegramtest.Refusal(429, "Too Many Requests: retry after 5", 5, 0), "Retry-After", "2"),
		sdk.CodeRateLimited, sdk.ScopeDestination, "", 5 * time.Second, "wait 5s"},
	{"429, header only", with(telegramtest.Refusal(429, "Too Many Requests", 0, 0), "Retry-After", "3"),
		sdk.CodeRateLimited, sdk.ScopeDestination, "", 3 * time.Second, "wait 3s"},
	{"429, nothing said", telegramtest.Refusal(429, "Too Many Requests", 0, 0), sdk.CodeRateLimited, sdk.ScopeDestination,
		"", 0, "wait a while"},
	{"429 of a proxy", with(fault.Fault{Status: 429, Body: "<html>slow down</html>"}, "Retry-After", "4"),
		sdk.CodeRateLimited, sdk.ScopeAccount, "", 4 * time.Second, "asks for fewer calls"},
	{"kicked", telegramtest.Refusal(403, "Forbidden: bot was kicked from the channel chat", 0, 0), sdk.CodeForbidden,
		sdk.ScopeDestination, "", 0,
		`bot @gazette_bot may not post in @gazette (Telegram: 403 "bot was kicked from the channel chat"); mend: ` +
			`@gazette → Administrators → add @gazette_bot with "Post messages" and "Edit messages", then: belfry ` +
			`destination check telegram`},
	{"not a member", telegramtest.Refusal(403, "Forbidden: bot is not a member of the channel chat", 0, 0),
		sdk.CodeForbidden, sdk.ScopeDestination, "", 0, "may not post in @gazette"},
	{"deleted", telegramtest.Refusal(403, "Forbidden: the group chat was deleted", 0, 0), sdk.CodeForbidden,
		sdk.ScopeDestination, "", 0, "@gazette was deleted"},
	{"blocked", telegramtest.Refusal(403, "Forbidden: bot was blocked by the user", 0, 0), sdk.CodeGone, sdk.ScopePerson,
		"", 0, "will not let bot @gazette_bot write there"},
	{"deactivated", telegramtest.Refusal(403, "Forbidden: user is deactivated", 0, 0), sdk.CodeGone, sdk.ScopePerson, "",
		0, "user is deactivated"},
	{"never started", telegramtest.Refusal(403, "Forbidden: bot can't initiate conversation with a user", 0, 0),
		sdk.CodeGone, sdk.ScopePerson, "", 0, "can't initiate"},
	{"chat not found", telegramtest.Refusal(400, "Bad Request: chat not found", 0, 0), sdk.CodeForbidden,
		sdk.ScopeDestination, "", 0, "Telegram knows no @gazette"},
	{"not enough rights", telegramtest.Refusal(400, "Bad Request: not enough rights to send photos to the chat", 0, 0),
		sdk.CodeForbidden, sdk.ScopeDestination, sdk.CodeForbidden, 0, "may not post"},
	{"need administrator rights", telegramtest.Refusal(400, "Bad Request: need administrator rights in the channel chat",
		0, 0), sdk.CodeForbidden, sdk.ScopeDestination, sdk.CodeForbidden, 0, "may not post"},
	{"CHAT_WRITE_FORBIDDEN", telegramtest.Refusal(400, "Bad Request: CHAT_WRITE_FORBIDDEN", 0, 0), sdk.CodeForbidden,
		sdk.ScopeDestination, sdk.CodeForbidden, 0, "may not post"},
	{"can't parse entities", telegramtest.Refusal(400,
		"Bad Request: can't parse entities: unexpected end tag at byte offset 4", 0, 0), sdk.CodeInvalid,
		sdk.ScopeMessage, "", 0, "refuses the text"},
	{"too long", telegramtest.Refusal(400, "Bad Request: message is too long", 0, 0), sdk.CodeTooLarge, sdk.ScopeMessage,
		"", 0, "too long for Telegram"},
	{"caption too long", telegramtest.Refusal(400, "Bad Request: message caption is too long", 0, 0), sdk.CodeTooLarge,
		sdk.ScopeMessage, "", 0, "too long"},
	{"empty", telegramtest.Refusal(400, "Bad Request: message text is empty", 0, 0), sdk.CodeInvalid, sdk.ScopeTemplate,
		"", 0, "the template gives no text"},
	{"a bad picture", telegramtest.Refusal(400, "Bad Request: PHOTO_INVALID_DIMENSIONS", 0, 0), sdk.CodeInvalid,
		sdk.ScopeMessage, "", 0, "refuses a picture"},
	{"an address of a picture", telegramtest.Refusal(400, "Bad Request: failed to get HTTP URL content", 0, 0),
		sdk.CodeInvalid, sdk.ScopeMessage, "", 0, "refuses a picture"},
	{"another 400", telegramtest.Refusal(400, "Bad Request: SOMETHING_NEW", 0, 0), sdk.CodeInvalid, sdk.ScopeMessage, "",
		0, `refuses the call sendMessage for @gazette (Telegram: 400 "SOMETHING_NEW")`},
	{"401", telegramtest.Refusal(401, "Unauthorized", 0, 0), sdk.CodeUnauthenticated, sdk.ScopeAccount, "", 0,
		"does not accept the token"},
	{"404", telegramtest.Refusal(404, "Not Found", 0, 0), sdk.CodeUnauthenticated, sdk.ScopeAccount, "", 0,
		"the token is not spelt as @BotFather gave it"},
	{"409", telegramtest.Refusal(409, "Conflict: terminated by other getUpdates request", 0, 0), sdk.CodeForbidden,
		sdk.ScopeAccount, "", 0, "another program reads this bot's updates"},
	{"413", telegramtest.Refusal(413, "Request Entity Too Large", 0, 0), sdk.CodeTooLarge, sdk.ScopeMessage, "", 0,
		"too large for Telegram"},
	{"an unknown 4xx", telegramtest.Refusal(418, "I'm a teapot", 0, 0), sdk.CodeInvalid, sdk.ScopeMessage, "", 0,
		"refuses the call"},
	{"500", telegramtest.Refusal(500, "Internal Server Error", 0, 0), sdk.CodeUnknownOutcome, sdk.ScopeMessage,
		sdk.CodeUnavailable, 0, "whether it is out is not known: look into @gazette"},
	{"502", telegramtest.Refusal(502, "Bad Gateway", 0, 0), sdk.CodeUnknownOutcome, sdk.ScopeMessage, sdk.CodeUnavailable,
		0, "whether it is out is not known"},
	{"502 of a proxy", fault.Fault{Status: 502, Body: "<html>Bad Gateway</html>"}, sdk.CodeUnknownOutcome,
		sdk.ScopeMessage, sdk.CodeUnavailable, 0, "not as the Bot API does"},
	{"403 of a proxy", fault.Fault{Status: 403, Body: "<html>Forbidden</html>"}, sdk.CodeForbidden, sdk.ScopeAccount, "",
		0, "whether a proxy stands in between"},
	{"413 of a proxy", fault.Fault{Status: 413, Body: "<html>too large</html>"}, sdk.CodeTooLarge, sdk.ScopeMessage, "",
		0, "too large for it"},
	{"a redirect", with(fault.Fault{Status: 302}, "Location", "https://login.example/?t=secret"), sdk.CodeUnavailable,
		sdk.ScopeAccount, "", 0, "sends on to login.example instead"},
	{"a page with 200", fault.Fault{Status: 200, Body: "<html>Welcome to the hotel</html>"}, sdk.CodeUnknownOutcome,
		sdk.ScopeMessage, sdk.CodeUnavailable, 0, "whether it is out is not known"},
	{"nothing with 200", fault.Fault{Status: 200}, sdk.CodeUnknownOutcome, sdk.ScopeMessage, sdk.CodeUnavailable, 0,
		"whether it is out is not known"},
	{"a bare no with 200", fault.Fault{Status: 200, Body: `{"ok":false}`}, sdk.CodeUnknownOutcome, sdk.ScopeMessage,
		sdk.CodeUnavailable, 0, "whether it is out is not known"},
	{"a reasoned no with 200", fault.Fault{Status: 200,
		Body: `{"ok":false,"error_code":400,"description":"Bad Request: message is too long"}`}, sdk.CodeTooLarge,
		sdk.ScopeMessage, "", 0, "too long"},
	{"half an object with 200", fault.Fault{Status: 200, Body: `{"ok":true,"result":{"message_id":5,"ch`},
		sdk.CodeUnknownOutcome, sdk.ScopeMessage, sdk.CodeUnavailable, 0, "whether it is out is not known"},
	{"yes without a result", fault.Fault{Status: 200, Body: `{"ok":true}`}, sdk.CodeUnknownOutcome, sdk.ScopeMessage,
		sdk.CodeUnavailable, 0, "whether it is out is not known"},
	{"a huge answer", fault.Fault{Status: 200, Body: `{"ok":true,"result":{"x":"` + strings.Repeat("x", 2<<20) + `"}}`},
		sdk.CodeUnknownOutcome, sdk.ScopeMessage, sdk.CodeUnavailable, 0, "whether it is out is not known"},
	{"the connection breaks off", fault.Fault{Drop: true}, sdk.CodeUnknownOutcome, sdk.ScopeMessage, sdk.CodeUnavailable,
		0, "broke off the connection; whether it arrived is not known"},
	{"half an answer", fault.Fault{Accepted: true, Half: true}, sdk.CodeUnknownOutcome, sdk.ScopeMessage,
		sdk.CodeUnavailable, 0, "whether it arrived is not known"},
}

func with(f fault.Fault, name, value string) fault.Fault {
	f.Header = f.Header.Clone()
	if f.Header == nil {
		f.Header = http.Header{}
	}
	f.Header.Set(name, value)
	return f
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	for _, c := range refusals {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, options(), nil)
			ref := b.publish(t, article("un"))
			part := b.plan(t, article("deux"), 1)[0]
			later := c.later
			if later == "" {
				later = c.code
			}
			for _, act := range []struct {
				name string
				code sdk.Code
				do   func() error
			}{
				{"publish", c.code, func() error { _, err := b.Publish(t.Context(), b.to, part); return err }},
				{"edit", later, func() error { _, err := b.Edit(t.Context(), ref, part); return err }},
				{"delete", later, func() error { return b.Delete(t.Context(), ref) }},
			} {
				b.server.Faults.Add(c.fault)
				err := act.do()
				e := sdk.AsError(err)
				if e == nil || e.Code != act.code {
					t.Errorf("%s: got %v, want %s", act.name, err, act.code)
					continue
				}
				if act.name == "publish" && (e.Scope != c.scope && (e.Scope != "" || c.scope != sdk.ScopeMessage) || !strings.Contains(e.Public, c.because)) {
					t.Errorf("%s: got (%s) %s\nwant (%s) …%s…", act.name, e.Scope, e.Public, c.scope, c.because)
				}
				if act.name != "publish" && c.later == sdk.CodeForbidden && e.Scope != sdk.ScopeMessage {
					t.Errorf("%s: a right that is missing for a correction stops the destination: %v", act.name, err)
				}
				if e.RetryAfter != c.wait {
					t.Errorf("%s: wait %s, want %s", act.name, e.RetryAfter, c.wait)
				}
				secretFree(t, act.name, err)
			}
		})
	}
}

// secretFree checks that no token appears in an error or in anything it wraps.
func secretFree(t *testing.T, what string, err error) {
	t.Helper()
	for ; err != nil; err = errors.Unwrap(err) {
		if s := fmt.Sprintf("%v %+v %#v", err, err, err); strings.Contains(s, "a-token_that") {
			t.Errorf("%s: the token appears in %s", what, strings.ReplaceAll(s, "a-token_that", "…"))
		}
	}
}

// A token appears in no error, whatever goes wrong and whatever the other side says.
func TestErrorsHoldNoToken(t *testing.T) {
	t.Parallel()
	echo := telegramtest.Refusal(400, "Bad Request: no such path /bot"+token+"/sendMessage or "+token[7:], 0, 0)
	for name, f := range map[string]fault.Fault{
		"an echo": echo, "a lost answer": {Accepted: true, Drop: true}, "a redirect": with(fault.Fault{Status: 301},
			"Location", "https://x.example/bot"+token+"/sendMessage"),
		"a slow answer": {Before: time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, options(), nil)
			part := b.plan(t, article("un"), 1)[0]
			b.server.Faults.Add(f)
			ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
			defer cancel()
			_, err := b.Publish(ctx, b.to, part)
			if err == nil {
				t.Fatal("no error")
			}
			secretFree(t, name, err)
		})
	}
	t.Run("nobody there", func(t *testing.T) {
		t.Parallel()
		conn := open(t, map[string]any{"token": token, "api": "http://127.0.0.1:1", "allow_private": []any{"127.0.0.1/32"}})
		_, err := conn.Publish(t.Context(), sdk.ChannelRef{ID: "-100"}, mustPlan(t, conn)[0])
		if e := sdk.AsError(err); e == nil || e.Code != sdk.CodeUnavailable || e.Public != "127.0.0.1:1 refuses connections" {
			t.Errorf("got %v", err)
		}
		secretFree(t, "refused", err)
	})
	t.Run("a private address", func(t *testing.T) {
		t.Parallel()
		conn := open(t, map[string]any{"token": token, "api": "https://127.0.0.1:1"})
		_, _, err := conn.ResolveChannel(t.Context(), "@gazette")
		if e := sdk.AsError(err); e == nil || e.Code != sdk.CodeForbidden || !strings.Contains(e.Public, "127.0.0.1 is a loopback address") {
			t.Errorf("got %v", err)
		}
		secretFree(t, "guarded", err)
	})
	t.Run("the connector itself", func(t *testing.T) {
		t.Parallel()
		b := setup(t, options(), nil)
		part := b.plan(t, article("un", "one.png"), 1)[0]
		ref, err := b.Publish(t.Context(), b.to, part)
		if err != nil {
			t.Fatal(err)
		}
		if s := fmt.Sprintf("%s %s %+v %+v", part.Request, part.Text, b.to, ref); strings.Contains(s, "a-token_that") {
			t.Error("the token appears in a part or a reference")
		}
	})
}

func mustPlan(t *testing.T, conn interface {
	Plan(to sdk.ChannelRef, p sdk.Post) ([]sdk.Part, error)
}) []sdk.Part {
	t.Helper()
	parts, err := conn.Plan(sdk.ChannelRef{ID: "-100"}, article("un"))
	if err != nil {
		t.Fatal(err)
	}
	return parts
}

// A send whose answer was lost after it was accepted is unknown, and is there once.
func TestLostAnswer(t *testing.T) {
	t.Parallel()
	b := setup(t, options(), nil)
	b.server.Faults.Add(fault.Fault{Accepted: true, Drop: true, On: telegramtest.On("sendPhoto")})
	_, err := b.Publish(t.Context(), b.to, b.plan(t, article("un", "one.png"), 1)[0])
	if e := sdk.AsError(err); e == nil || e.Code != sdk.CodeUnknownOutcome {
		t.Errorf("got %v", err)
	}
	if got := len(b.server.Messages(gazette)); got != 1 {
		t.Errorf("%d messages, want 1", got)
	}
}

func TestServerKeepsToTheRates(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 20, 7, 0, 0, 0, time.UTC)
	b := setup(t, telegramtest.Options{Rates: true, Now: func() time.Time { return now }}, nil)
	for range 20 {
		b.publish(t, article("x"))
		now = now.Add(time.Second)
	}
	_, err := b.Publish(t.Context(), b.to, b.plan(t, article("x"), 1)[0])
	if e := sdk.AsError(err); e == nil || e.Code != sdk.CodeRateLimited || e.RetryAfter != 41*time.Second {
		t.Fatalf("got %v", err)
	}
	now = now.Add(41 * time.Second)
	b.publish(t, article("x"))
}
