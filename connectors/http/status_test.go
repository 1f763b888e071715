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

func answering(status int, header ...string) fault.Fault {
	f := fault.Fault{Status: status, Header: http.Header{}}
	for i := 0; i < len(header); i += 2 {
		f.Header.Set(header[i], header[i+1])
	}
	return f
}

// What an answer means: in the standard form for a post, and for a correction and a withdrawal (later); and, where it
// differs, for a receiver with a form of its own that has the post (about).
var answers = []struct {
	name         string
	fault        fault.Fault
	code         sdk.Code // empty: a success
	later, about sdk.Code // "=" is the same as code
	scope        sdk.Scope
	wait         time.Duration
	says         string
}{
	{"200", answering(200), "", "=", "=", "", 0, ""},
	{"202", answering(202), "", "=", "=", "", 0, ""},
	{"204", answering(204), "", "=", "=", "", 0, ""},
	{"301", answering(301, "Location", "https://new.example/hook?token=x"), sdk.CodeForbidden, "=", "=",
		sdk.ScopeDestination, 0, "has moved to new.example (301 Moved Permanently), and a call is not sent on; " +
			"write the new address into url:"},
	{"308", answering(308, "Location", "/elsewhere"), sdk.CodeForbidden, "=", "=", sdk.ScopeDestination, 0,
		"has moved to another address (308 Permanent Redirect)"},
	{"307", answering(307, "Location", "https://new.example/"), sdk.CodeUnavailable, "=", "=", sdk.ScopeDestination, 0,
		"sends on to new.example"},
	{"302", answering(302, "Location", "https://login.example/?token=x"), sdk.CodeUnknownOutcome, sdk.CodeUnavailable,
		sdk.CodeUnavailable, sdk.ScopeMessage, 0, "sends on to login.example (302 Found), as sign-in pages do"},
	{"303", answering(303), sdk.CodeUnknownOutcome, sdk.CodeUnavailable, sdk.CodeUnavailable, sdk.ScopeMessage, 0,
		"whether it did is not known"},
	{"400", answering(400), sdk.CodeInvalid, "=", "=", sdk.ScopeMessage, 0, "refuses the call (400 Bad Request)"},
	{"400 with a reason", fault.Fault{Status: 400, Header: http.Header{"Content-Type": {"application/problem+json"}},
		Body: "{\"title\":\n\"no such room\"}"}, sdk.CodeInvalid, "=", "=", sdk.ScopeMessage, 0,
		`refuses the call (400 Bad Request: {"title": "no such room"})`},
	{"400 with a page", fault.Fault{Status: 400, Header: http.Header{"Content-Type": {"text/html"}},
		Body: "<h1>Bad</h1>"}, sdk.CodeInvalid, "=", "=", sdk.ScopeMessage, 0, "refuses the call (400 Bad Request)"},
	{"401", answering(401), sdk.CodeUnauthenticated, "=", "=", sdk.ScopeAccount, 0,
		"does not accept the credential (401 Unauthorized); check secret, basic and headers, then: belfry destination " +
			"check ops"},
	{"403", answering(403), sdk.CodeForbidden, "=", "=", sdk.ScopeDestination, 0,
		"forbids the call (403 Forbidden); check what the credential may do there, then: belfry destination check ops"},
	{"404", answering(404), sdk.CodeForbidden, "=", sdk.CodeGone, sdk.ScopeDestination, 0,
		"has nothing at this address (404 Not Found); check url:, then: belfry destination check ops"},
	{"405", answering(405), sdk.CodeForbidden, "=", "=", sdk.ScopeDestination, 0, "does not take POST at this address"},
	{"408", answering(408), sdk.CodeUnavailable, "=", "=", sdk.ScopeDestination, 0,
		"cannot take the call now (408 Request Timeout)"},
	{"409", answering(409), sdk.CodeUnavailable, "=", sdk.CodeInvalid, sdk.ScopeDestination, 0,
		"is still busy with an earlier attempt"},
	{"410", answering(410), sdk.CodeForbidden, "=", sdk.CodeGone, sdk.ScopeDestination, 0,
		"asks for no further calls (410 Gone); take the destination out, or write its new address into url:"},
	{"413", answering(413), sdk.CodeTooLarge, "=", "=", sdk.ScopeMessage, 0, "too large"},
	{"415", answering(415), sdk.CodeInvalid, "=", "=", sdk.ScopeMessage, 0, "refuses the call"},
	{"422", answering(422), sdk.CodeInvalid, "=", "=", sdk.ScopeMessage, 0, "refuses the call"},
	{"425", answering(425), sdk.CodeUnavailable, "=", "=", sdk.ScopeDestination, 0, "cannot take the call now"},
	{"429", answering(429), sdk.CodeRateLimited, "=", "=", sdk.ScopeDestination, 0,
		"asks for fewer calls (429 Too Many Requests); rates: can keep to its limit"},
	{"429, seconds", answering(429, "Retry-After", "120"), sdk.CodeRateLimited, "=", "=", sdk.ScopeDestination,
		2 * time.Minute, ""},
	{"429, a fraction", answering(429, "Retry-After", "0.5"), sdk.CodeRateLimited, "=", "=", sdk.ScopeDestination,
		500 * time.Millisecond, ""},
	{"429, a wait in the body", fault.Fault{Status: 429, Body: `{"message":"slow down","retry_after":64.57}`},
		sdk.CodeRateLimited, "=", "=", sdk.ScopeDestination, 64570 * time.Millisecond, ""},
	{"429, a wait in milliseconds", fault.Fault{Status: 429, Body: `{"errcode":"M_LIMIT_EXCEEDED","retry_after_ms":1500}`},
		sdk.CodeRateLimited, "=", "=", sdk.ScopeDestination, 1500 * time.Millisecond, ""},
	{"429, the longer of two waits", fault.Fault{Status: 429, Header: http.Header{"Retry-After": {"5"}},
		Body: `{"parameters":{"retry_after":9}}`}, sdk.CodeRateLimited, "=", "=", sdk.ScopeDestination, 9 * time.Second, ""},
	{"429, a negative wait", fault.Fault{Status: 429, Header: http.Header{"Retry-After": {"-5"}}, Body: `{"retry_after":-9}`},
		sdk.CodeRateLimited, "=", "=", sdk.ScopeDestination, 0, ""},
	{"429, nonsense", answering(429, "Retry-After", "soon"), sdk.CodeRateLimited, "=", "=", sdk.ScopeDestination, 0, ""},
	{"503, a date", answering(503, "Retry-After", "Fri, 20 Nov 2026 07:00:30 GMT", "Date",
		"Fri, 20 Nov 2026 07:00:00 GMT"), sdk.CodeUnavailable, "=", "=", sdk.ScopeDestination, 30 * time.Second, ""},
	{"503, an old date", answering(503, "Retry-After", "Friday, 20-Nov-26 07:00:30 GMT", "Date",
		"Fri, 20 Nov 2026 07:00:00 GMT"), sdk.CodeUnavailable, "=", "=", sdk.ScopeDestination, 30 * time.Second, ""},
	{"503, a date past", answering(503, "Retry-After", "Fri, 20 Nov 2026 07:00:00 GMT", "Date",
		"Fri, 20 Nov 2026 07:01:00 GMT"), sdk.CodeUnavailable, "=", "=", sdk.ScopeDestination, 0, ""},
	{"451", answering(451), sdk.CodeForbidden, "=", "=", sdk.ScopeDestination, 0, ""},
	{"500", answering(500), sdk.CodeUnknownOutcome, sdk.CodeUnavailable, sdk.CodeUnavailable, sdk.ScopeMessage, 0,
		"failed (500 Internal Server Error); whether it took the call is not known"},
	{"501", answering(501), sdk.CodeUnsupported, "=", "=", sdk.ScopeMessage, 0, "cannot do this"},
	{"502", answering(502, "Retry-After", "5"), sdk.CodeUnknownOutcome, sdk.CodeUnavailable, sdk.CodeUnavailable,
		sdk.ScopeMessage, 5 * time.Second, ""},
	{"504", answering(504), sdk.CodeUnknownOutcome, sdk.CodeUnavailable, sdk.CodeUnavailable, sdk.ScopeMessage, 0, ""},
	{"507", answering(507), sdk.CodeForbidden, "=", "=", sdk.ScopeDestination, 0, "is full"},
	{"599", answering(599), sdk.CodeUnknownOutcome, sdk.CodeUnavailable, sdk.CodeUnavailable, sdk.ScopeMessage, 0,
		"failed (599)"},
	{"a broken connection", fault.Fault{Drop: true}, sdk.CodeUnknownOutcome, sdk.CodeUnavailable, sdk.CodeUnavailable,
		sdk.ScopeMessage, 0, "broke off the connection; whether it arrived is not known"},
	{"half of a yes", fault.Fault{Accepted: true, Half: true}, sdk.CodeUnknownOutcome, sdk.CodeUnavailable,
		sdk.CodeUnavailable, sdk.ScopeMessage, 0, "answers 200 OK and breaks off before it has said all"},
	{"half of a no", fault.Fault{Status: 400, Body: strings.Repeat("x", 100), Half: true}, sdk.CodeInvalid, "=", "=",
		sdk.ScopeMessage, 0, "refuses the call"},
	{"a page with 200", fault.Fault{Status: 200, Body: "<html>"}, sdk.CodeUnknownOutcome, sdk.CodeUnavailable,
		sdk.CodeUnavailable, sdk.ScopeMessage, 0, `answers 200 OK with a web page where a receiver says yes or no`},
}

func TestAnswers(t *testing.T) {
	t.Parallel()
	for _, c := range answers {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			same := func(code sdk.Code) sdk.Code {
				if code == "=" {
					return c.code
				}
				return code
			}
			check := func(what string, err error, want sdk.Code) *sdk.Error {
				t.Helper()
				e := sdk.AsError(err)
				switch {
				case e == nil && want != "" || e != nil && e.Code != want:
					t.Errorf("%s: got %v, want %q", what, err, want)
					return nil
				case e != nil && e.RetryAfter != c.wait:
					t.Errorf("%s: wait %s, want %s", what, e.RetryAfter, c.wait)
				}
				return e
			}

			s := standard(t, receivertest.StandardOptions{})
			b := serve(t, s, tree{"secret": secret})
			ref := b.publish(t, article("un"))
			part := b.plan(t, article("deux"))
			// net/http itself repeats a call with a key once, when a kept connection breaks; the fault stays for that.
			always := c.fault
			always.Every = 1
			s.Faults.Add(always)
			_, err := b.Publish(t.Context(), b.to, part)
			if e := check("publish", err, c.code); e != nil {
				if scope := e.Scope; scope != c.scope && (scope != "" || c.scope != sdk.ScopeMessage) || !strings.Contains(e.Public, c.says) || !strings.Contains(e.Public, b.to.ID) {
					t.Errorf("got (%s) %s\nwant (%s) …%s…", e.Scope, e.Public, c.scope, c.says)
				}
			}
			part.Key = "k-edit"
			_, err = b.Edit(t.Context(), ref, part)
			check("edit", err, same(c.later))
			check("delete", b.Delete(t.Context(), ref), same(c.later))

			var faults fault.Script
			own := serve(t, faults.Wrap(script(`{"id":"m1"}`)), tree{"body": `{"a":{{json .Title}}}`, "ref": "/id",
				"update": tree{"url": "URL/m/{{.Ref}}"}, "delete": tree{"url": "URL/m/{{.Ref}}"}})
			ref = own.publish(t, article("un"))
			faults.Add(always)
			_, err = own.Edit(t.Context(), ref, own.plan(t, article("deux")))
			check("own edit", err, same(c.about))
			want := same(c.about)
			if want == sdk.CodeGone {
				want = "" // what is gone need not be deleted
			}
			check("own delete", own.Delete(t.Context(), ref), want)
		})
	}
}

// A receiver with a form of its own that does not deduplicate: a lost answer is never repeated by itself.
func TestLostAnswerWithoutDeduplication(t *testing.T) {
	t.Parallel()
	log := script(`{"id":"m1"}`)
	var faults fault.Script
	faults.Add(fault.Fault{Accepted: true, Drop: true, Every: 2})
	b := serve(t, faults.Wrap(log), tree{"body": `{"a":{{json .Title}}}`, "ref": "/id"})
	for i := range 4 {
		_, err := b.Publish(t.Context(), b.to, b.plan(t, article("un")))
		if i%2 == 1 && (sdk.AsError(err) == nil || sdk.AsError(err).Code != sdk.CodeUnknownOutcome) {
			t.Errorf("%d: got %v", i, err)
		}
	}
	if len(log.seen()) != 4 || b.limits.Rules.SameKeyFor != 0 {
		t.Errorf("%d calls for 4 posts", len(log.seen()))
	}
	for _, c := range log.seen() {
		if c.header.Get("Idempotency-Key") != "" {
			t.Error("a key makes net/http repeat a call by itself")
		}
	}
}

func TestNobodyThere(t *testing.T) {
	t.Parallel()
	conn := open(t, tree{"url": "http://127.0.0.1:1/hook", "secret": secret, "allow_private": []any{"127.0.0.1/32"}})
	part, err := conn.Plan(sdk.ChannelRef{ID: "127.0.0.1:1"}, article("un"))
	if err != nil {
		t.Fatal(err)
	}
	part[0].Key = "k"
	_, err = conn.Publish(t.Context(), sdk.ChannelRef{ID: "127.0.0.1:1"}, part[0])
	if e := sdk.AsError(err); e == nil || e.Code != sdk.CodeUnavailable || e.Public != "127.0.0.1:1 refuses connections" {
		t.Errorf("got %v", err)
	}
	guarded := open(t, tree{"url": "https://localhost:1/hook", "secret": secret})
	_, err = guarded.Publish(t.Context(), sdk.ChannelRef{ID: "localhost:1"}, part[0])
	if e := sdk.AsError(err); e == nil || e.Code != sdk.CodeForbidden || e.Scope != sdk.ScopeDestination || !strings.Contains(e.Public, "1 is a loopback address") {
		t.Errorf("got %v", err)
	}
}
