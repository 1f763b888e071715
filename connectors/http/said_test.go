package http_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/belfry-news/belfry/connectors/http/receivertest"
	"github.com/belfry-news/belfry/sdk"
	"github.com/belfry-news/belfry/sdk/sdktest/fault"
)

// A 200 is a yes unless its body says otherwise, in both forms, and accept: has the last word.
func TestWhat200Says(t *testing.T) {
	t.Parallel()
	const html, js, text = "text/html; charset=utf-8", "application/json", "text/plain"
	unknown, invalid := sdk.CodeUnknownOutcome, sdk.CodeInvalid
	page := `<!DOCTYPE html><html><head><title>Sign&nbsp;in to Example</title></head><body>…</body></html>`
	for _, c := range []struct {
		name, contentType, body string
		code                    sdk.Code
		says                    string
	}{
		{"nothing", "", "", "", ""},
		{"nothing, called html", html, "", "", ""},
		{"nothing, called JSON", js, "", "", ""},
		{"a text", text, "ok", "", ""},
		{"a text, called html", html, "ok", "", ""},
		{"a text with a tag in it", text, "taken <3", "", ""},
		{"a name", js, `{"id":"m1"}`, "", ""},
		{"a yes", js, `{"ok":true,"message":"taken"}`, "", ""},
		{"a yes with an empty error", js, `{"success":true,"error":""}`, "", ""},
		{"a yes beside a warning that is called an error", js, `{"ok":true,"error":"the preview failed"}`, "", ""},
		{"no error", js, `{"error":null,"errors":[],"id":1}`, "", ""},
		{"a word that is no verdict", js, `{"status":"draft"}`, "", ""},
		{"a word that is a yes", js, `{"result":"success","msg":""}`, "", ""},
		{"a list", js, `[{"ok":false}]`, "", ""},
		{"no JSON", js, `{ok}`, "", ""},
		{"a page", html, page, unknown, `answers 200 OK with a web page ("Sign&nbsp;in to Example") where a receiver says yes or no`},
		{"a page without a type", "", "\ufeff\n<HTML><body>hello", unknown, "with a web page"},
		{"a page called JSON", js, page, unknown, "with a web page"},
		{"a piece of a page", html, "<div>Thank you</div>", unknown, `(accept: "*" takes that for a yes); whether it took the call is not known`},
		{"a plain no", js, `{"ok":false}`, invalid, "answers 200 OK but refuses: ok is false"},
		{"a plain no without a type", "", `{"success":false,"message":"no such room"}`, invalid, "success is false"},
		{"a no in a number", js, `{"success":0,"failure":1}`, invalid, "success is 0"},
		{"a no in a word", js, `{"status":"error","message":"quota"}`, invalid, `status is error: {"status":"error","message":"quota"}`},
		{"both", js, `{"success":true,"status":"failed"}`, invalid, "status is failed"},
		{"an error", js, `{"error":{"code":17}}`, unknown, `answers 200 OK with an error in its answer: {"error":{"code":17}}; whether it took the call is not known`},
		{"errors", js, `{"data":null,"errors":[{"message":"denied"}]}`, unknown, "with an error in its answer"},
		{"a no for now", js, `{"ok":false,"error":"ratelimited","retry_after":30}`, sdk.CodeRateLimited, "ok is false"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := fault.Fault{Status: 200, Header: http.Header{}, Body: c.body, Every: 1}
			if c.contentType != "" {
				f.Header.Set("Content-Type", c.contentType)
			}
			s := standard(t, receivertest.StandardOptions{})
			s.Faults.Add(f)
			var faults fault.Script
			faults.Add(f)
			own := tree{"body": `{"a":{{json .Title}}}`}
			for form, b := range map[string]*bench{
				"standard": serve(t, s, tree{"secret": secret}),
				"custom":   serve(t, faults.Wrap(script(`{}`)), own),
			} {
				_, err := b.Publish(t.Context(), b.to, b.plan(t, article("un")))
				e := sdk.AsError(err)
				switch {
				case e == nil && c.code != "", e != nil && (e.Code != c.code || !strings.Contains(e.Public, c.says)):
					t.Errorf("%s: got %v, want %q …%s…", form, err, c.code, c.says)
				case e != nil && c.code == sdk.CodeRateLimited && e.RetryAfter != 30*time.Second:
					t.Errorf("%s: the wait is %s", form, e.RetryAfter)
				}
			}
			own["accept"] = "*"
			b := serve(t, faults.Wrap(script(`{}`)), own)
			if _, err := b.Publish(t.Context(), b.to, b.plan(t, article("un"))); err != nil {
				t.Errorf(`accept: "*": %v`, err)
			}
		})
	}
}

// An answer that breaks off is a yes unless what is missing could have been a no.
func TestWhatABrokenOffAnswerSays(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, contentType, body string
		code                    sdk.Code
	}{
		{"a text", "text/plain", "taken, thank you", ""},
		{"JSON", "application/json", `{"message":"taken","ok":true}`, sdk.CodeUnknownOutcome},
		{"the first byte of JSON", "application/json", `{`, sdk.CodeUnknownOutcome},
		{"a page", "text/html", "<!doctype html><html><body>hello</body></html>", sdk.CodeUnknownOutcome},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var faults fault.Script
			faults.Add(fault.Fault{Status: 200, Header: http.Header{"Content-Type": {c.contentType}}, Body: c.body, Half: true})
			b := serve(t, faults.Wrap(script(`{}`)), tree{"body": `{"a":{{json .Title}}}`})
			_, err := b.Publish(t.Context(), b.to, b.plan(t, article("un")))
			if e := sdk.AsError(err); e == nil && c.code != "" || e != nil && e.Code != c.code {
				t.Errorf("got %v, want %q", err, c.code)
			}
		})
	}
}
