package sdk_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/belfry-news/belfry/sdk"
	"github.com/belfry-news/belfry/sdk/sdktest"
	"github.com/google/go-cmp/cmp"
)

func TestError(t *testing.T) {
	t.Parallel()
	cause := io.ErrUnexpectedEOF
	for name, tc := range map[string]struct {
		e    sdk.Error
		want string
	}{
		"a sentence":             {sdk.Error{Code: sdk.CodeGone, Op: "fetch", Public: "it is gone", Err: cause}, "fetch: it is gone"},
		"without an operation":   {sdk.Error{Code: sdk.CodeGone, Public: "it is gone"}, "it is gone"},
		"a cause for a sentence": {sdk.Error{Code: sdk.CodeGone, Op: "fetch", Err: cause}, "fetch: unexpected EOF"},
		"the code alone":         {sdk.Error{Code: sdk.CodeGone}, "gone"},
	} {
		if got := tc.e.Error(); got != tc.want {
			t.Errorf("%s: got %q, want %q", name, got, tc.want)
		}
	}
	err := fmt.Errorf("outer: %w", sdk.Errorf(sdk.CodeRateLimited, "send", "too fast: %w", cause))
	var e *sdk.Error
	if !errors.As(err, &e) || e.Public != "too fast: unexpected EOF" || !errors.Is(err, cause) || !errors.Is(err, &sdk.Error{Code: sdk.CodeRateLimited}) {
		t.Errorf("%+v", e)
	}
	if errors.Is(err, &sdk.Error{Code: sdk.CodeGone}) || errors.Is(err, &sdk.Error{Code: sdk.CodeRateLimited, Op: "send"}) || errors.Is(err, io.EOF) {
		t.Error("it is everything")
	}
	if e := sdk.Errorf(sdk.CodeInvalid, "x", "100%% of %d", 3); e.Public != "100% of 3" || e.Err != nil {
		t.Errorf("%+v", e)
	}
}

func TestAsError(t *testing.T) {
	t.Parallel()
	known := sdk.Errorf(sdk.CodeGone, "x", "gone")
	if sdk.AsError(nil) != nil || sdk.AsError(fmt.Errorf("a: %w", known)) != known {
		t.Error("it does not find what is there")
	}
	for _, err := range []error{io.EOF, context.Canceled, errors.New("token hunter2")} {
		if e := sdk.AsError(err); e.Code != sdk.CodeUnknownOutcome || !errors.Is(e, err) || strings.Contains(e.Public, "hunter2") {
			t.Errorf("%v became %+v", err, e)
		}
	}
}

// What a platform says stands in sentences, and must not turn or command the terminal of who reads them.
func TestSentencesAreOrderly(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"plain, été, שלום 👩‍👩‍👧":                       "plain, été, שלום 👩‍👩‍👧",
		"two\nlines\tand a tab":                        "two\nlines\tand a tab",
		"evil \u202egnp.exe\u202c \u2066x\u2069\ufeff": "evil gnp.exe x",
		"\x1b]0;title\x07\x00 \u009b31m\u2028red\r\n":  " ]0;title    31m red \n",
	} {
		e := &sdk.Error{Code: sdk.CodeInvalid, Scope: sdk.ScopeMessage, Op: "send", Public: in, RetryAfter: time.Second, Err: io.EOF}
		got := sdk.AsError(fmt.Errorf("outside: %w", e))
		if got.Public != want || got.Code != e.Code || got.Scope != e.Scope || got.RetryAfter != e.RetryAfter || got.Err != e.Err || e.Error() != "send: "+want {
			t.Errorf("%q: %+v, %q", in, got, e)
		}
		if again := sdk.AsError(got); again != got {
			t.Errorf("%q: one that is orderly is made anew", in)
		}
		// A plugin names the operation, too.
		e = &sdk.Error{Code: sdk.CodeInvalid, Op: in}
		if got := sdk.AsError(e); got.Op != want || e.Error() != want+": invalid" {
			t.Errorf("%q as an operation: %+v, %q", in, got, e)
		}
	}
}

func TestDispositions(t *testing.T) {
	t.Parallel()
	for code, want := range map[sdk.Code]sdk.Disposition{
		sdk.CodeRateLimited: sdk.DispositionRetry, sdk.CodeUnavailable: sdk.DispositionRetry, sdk.CodeUnknownOutcome: sdk.DispositionAsk,
		sdk.CodeInvalid: sdk.DispositionGiveUp, sdk.CodeTooLarge: sdk.DispositionGiveUp, sdk.CodeUnsupported: sdk.DispositionGiveUp,
		sdk.CodeUnauthenticated: sdk.DispositionStop, sdk.CodeForbidden: sdk.DispositionStop, sdk.CodeGone: sdk.DispositionSuppress,
		sdk.CodeNoConsent: sdk.DispositionSuppress, sdk.CodeWindowClosed: sdk.DispositionWait, sdk.CodeNotAChannel: sdk.DispositionRefuse,
		"": sdk.DispositionAsk, "of_tomorrow": sdk.DispositionAsk,
	} {
		if got := code.Disposition(); got != want {
			t.Errorf("%s: %s, want %s", code, got, want)
		}
	}
}

func TestSecret(t *testing.T) {
	t.Parallel()
	s := sdk.NewSecret("hunter2")
	if s.Reveal() != "hunter2" || s.Empty() || !(sdk.Secret{}).Empty() {
		t.Error("the secret is lost")
	}
	var out strings.Builder
	for _, v := range []any{s, &s, struct{ S sdk.Secret }{s}, []sdk.Secret{s}, map[string]sdk.Secret{"a": s}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			fmt.Fprintf(&out, verb, v)
		}
		b, err := json.Marshal(v)
		if err != nil {
			t.Error(err)
		}
		out.Write(b)
		slog.New(slog.NewJSONHandler(&out, nil)).Info("m", "v", v)
		slog.New(slog.NewTextHandler(&out, nil)).Info("m", "v", v)
	}
	if strings.Contains(out.String(), "hunter2") || strings.Contains(out.String(), "68756e74657232") {
		t.Errorf("the secret shows:\n%s", out.String())
	}
}

// able has two abilities; limited hides one of them, as a decorator or another process does.
type able struct{}

func (able) Close(context.Context) error { return nil }
func (able) Fetch(context.Context, sdk.FetchRequest) (sdk.Batch, error) {
	return sdk.Batch{}, nil
}
func (able) CheckItems(context.Context, []sdk.ItemRef) ([]sdk.Presence, error) { return nil, nil }

type limited struct{ able }

func (l limited) As(target any) bool {
	s, ok := target.(*sdk.Source)
	if ok {
		*s = l.able
	}
	return ok
}

func TestAs(t *testing.T) {
	t.Parallel()
	if _, ok := sdk.As[sdk.Source](able{}); !ok {
		t.Error("a source is none")
	}
	if _, ok := sdk.As[sdk.Publisher](able{}); ok {
		t.Error("a source is a publisher")
	}
	if s, ok := sdk.As[sdk.Source](limited{}); !ok || s != sdk.Source(able{}) {
		t.Error("a decorator's ability is not found")
	}
	if c, ok := sdk.As[sdk.Checker](limited{}); ok || c != nil {
		t.Error("a hidden ability is found")
	}
}

type config struct {
	URL   string   `yaml:"url" required:"true"`
	Depth int      `yaml:"depth"`
	Tags  []string `yaml:"tags"`
}

func TestDefine(t *testing.T) {
	t.Parallel()
	var got config
	var settings sdk.Settings
	spec := sdk.Define("thing", "a thing", config{Depth: 3, Tags: []string{"a"}}, func(_ context.Context, s sdk.Settings, c config) (able, error) {
		got, settings = c, s
		if c.URL == "fail" {
			return able{}, sdk.Errorf(sdk.CodeForbidden, "x", "not you")
		}
		return able{}, nil
	})
	if diff := cmp.Diff([]sdk.Role{sdk.RoleSource, sdk.RoleChecker}, spec.Roles); diff != "" || !spec.Has(sdk.RoleChecker) || spec.Has(sdk.RoleEditor) {
		t.Error(diff)
	}
	conn, err := spec.Open(t.Context(), sdk.Settings{Instance: "one"}, map[string]any{"url": "u"})
	if _, ok := conn.(able); err != nil || !ok || settings.Instance != "one" || settings.Log == nil {
		t.Errorf("%v, %v, %+v", conn, err, settings)
	}
	if diff := cmp.Diff(config{URL: "u", Depth: 3, Tags: []string{"a"}}, got); diff != "" {
		t.Error(diff)
	}
	conn, err = spec.Open(t.Context(), sdk.Settings{}, map[string]any{"ulr": "u"})
	var ps sdk.Problems
	if !errors.As(err, &ps) || len(ps) != 1 || conn != nil {
		t.Errorf("%v, %v", conn, err)
	}
	if err := spec.Check(map[string]any{"depth": "3"}); !errors.As(err, &ps) || len(ps) != 2 {
		t.Errorf("%v", err)
	}
	conn, err = spec.Open(t.Context(), sdk.Settings{}, map[string]any{"url": "fail"})
	if conn != nil || err.Error() != "open thing: x: not you" || !errors.Is(err, &sdk.Error{Code: sdk.CodeForbidden}) && sdk.AsError(err).Code != sdk.CodeForbidden {
		t.Errorf("%v, %v", conn, err)
	}
	if !json.Valid(spec.SchemaJSON()) || len(spec.Fields()) != 3 {
		t.Errorf("%s", spec.SchemaJSON())
	}
}

func TestDirectMessage(t *testing.T) {
	t.Parallel()
	end := time.Now().Add(time.Minute)
	p := sdktest.PermitFor(t, "d1", "email", "reader@example.invalid", sdk.PurposeDelivery, end)
	m := sdk.NewDirectMessage(p, sdk.MessageContent{Template: "t"})
	to, err := m.Recipient(time.Now())
	if value, _ := to.Reveal(); err != nil || value != "reader@example.invalid" || m.ID() != "d1" || m.Purpose() != sdk.PurposeDelivery || !m.NotAfter().Equal(end) {
		t.Errorf("%q, %v", value, err)
	}
	for name, tc := range map[string]struct {
		m   sdk.DirectMessage
		now time.Time
	}{
		"too late":         {m, end.Add(time.Nanosecond)},
		"without a permit": {sdk.NewDirectMessage(sdk.Permit{}, sdk.MessageContent{}), time.Now()},
		"an empty message": {sdk.DirectMessage{}, time.Now()},
	} {
		to, err := tc.m.Recipient(tc.now)
		if _, ok := to.Reveal(); ok || !errors.Is(err, &sdk.Error{Code: sdk.CodeNoConsent}) && sdk.AsError(err).Code != sdk.CodeNoConsent {
			t.Errorf("%s: %v", name, err)
		}
	}
	if s := fmt.Sprintf("%v %+v %#v", m, m, m); strings.Contains(s, "reader") {
		t.Errorf("the address shows: %s", s)
	}
}

func TestDigest(t *testing.T) {
	t.Parallel()
	base := sdk.Part{Kind: "a", Type: "b", Request: []byte("c"), Files: []sdk.File{{SHA256: "d"}}}
	same := base
	same.Text, same.Thread, same.Key, same.ReplyTo = "x", true, "k", &sdk.PartRef{}
	same.Files = []sdk.File{{SHA256: "d", Name: "n", Data: []byte("x")}}
	if base.Digest() != same.Digest() {
		t.Error("what a reader does not see changes the digest")
	}
	seen := map[string]string{base.Digest(): "base"}
	for name, p := range map[string]sdk.Part{
		"kind":     {Kind: "ab", Type: "", Request: []byte("c"), Files: base.Files},
		"type":     {Kind: "a", Type: "bc", Request: nil, Files: base.Files},
		"request":  {Kind: "a", Type: "b", Request: []byte("cc"), Files: base.Files},
		"file":     {Kind: "a", Type: "b", Request: []byte("c"), Files: []sdk.File{{SHA256: "e"}}},
		"no file":  {Kind: "a", Type: "b", Request: []byte("c")},
		"two":      {Kind: "a", Type: "b", Request: []byte("c"), Files: []sdk.File{{SHA256: "d"}, {SHA256: "d"}}},
		"shifted":  {Kind: "", Type: "ab", Request: []byte("c"), Files: base.Files},
		"shifted2": {Kind: "a", Type: "b", Request: []byte("cd")},
	} {
		if other, ok := seen[p.Digest()]; ok {
			t.Errorf("%s and %s have one digest", name, other)
		}
		seen[p.Digest()] = name
	}
}
