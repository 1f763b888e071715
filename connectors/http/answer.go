package http

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/belfry-news/belfry/sdk"
)

func success(code int) bool { return code >= 200 && code <= 299 }

func status(code int) string {
	if text := http.StatusText(code); text != "" {
		return fmt.Sprintf("%d %s", code, text)
	}
	return strconv.Itoa(code)
}

// judge says what an answer other than 2xx means.
//
// 401 and 403 stop the destination until somebody mends the credential; 404 and 410 stop it too, unless the call was
// about a post that the receiver had. 408, 425, 429 and 503 say that nothing was done. Any other 5xx may come after the
// receiver did its work.
func (c *Connector) judge(a act, answer sdk.Answer) *sdk.Error {
	e := &sdk.Error{Op: a.op, Scope: sdk.ScopeDestination}
	said := status(answer.Status) + c.excerpt(answer)
	e.RetryAfter = bodyWait(answer.Body)
	if after, ok := sdk.RetryAfter(answer.Header, answer.At); ok {
		e.RetryAfter = max(e.RetryAfter, after)
	}
	set := func(code sdk.Code, scope sdk.Scope, format string, args ...any) *sdk.Error {
		e.Code, e.Scope, e.Public = code, scope, fmt.Sprintf(format, args...)
		return e
	}
	switch answer.Status {
	case 301, 308:
		return set(sdk.CodeForbidden, sdk.ScopeDestination,
			"%s has moved to %s (%s), and a call is not sent on; write the new address into url:",
			c.host, movedTo(answer.Header), said)
	case 307:
		return set(sdk.CodeUnavailable, sdk.ScopeDestination,
			"%s sends on to %s (%s), and a call is not sent on; if that is its address now, write it into url:",
			c.host, movedTo(answer.Header), said)
	case 401, 407:
		return set(sdk.CodeUnauthenticated, sdk.ScopeAccount,
			"%s does not accept the credential (%s); check secret, basic and headers, then: %s", c.host, said, c.check())
	case 402, 403, 451:
		return set(sdk.CodeForbidden, sdk.ScopeDestination,
			"%s forbids the call (%s); check what the credential may do there, then: %s", c.host, said, c.check())
	case 404, 410:
		switch {
		case a.about:
			return set(sdk.CodeGone, sdk.ScopeMessage, "%s does not have the post any more (%s)", c.host, said)
		case answer.Status == 410:
			return set(sdk.CodeForbidden, sdk.ScopeDestination,
				"%s asks for no further calls (%s); take the destination out, or write its new address into url:", c.host,
				said)
		}
		return set(sdk.CodeForbidden, sdk.ScopeDestination, "%s has nothing at this address (%s); check url:, then: %s",
			c.host, said, c.check())
	case 405:
		return set(sdk.CodeForbidden, sdk.ScopeDestination,
			"%s does not take %s at this address (%s); check url: and method:, then: %s", c.host, a.method, said, c.check())
	case 408, 425, 503:
		return set(sdk.CodeUnavailable, sdk.ScopeDestination, "%s cannot take the call now (%s)", c.host, said)
	case 409:
		if c.config.deduplicates() && !a.about {
			// The key is in use: an attempt before this one is still under way (draft-ietf-httpapi-idempotency-key-header).
			return set(sdk.CodeUnavailable, sdk.ScopeDestination, "%s is still busy with an earlier attempt (%s)", c.host,
				said)
		}
	case 413:
		return set(sdk.CodeTooLarge, sdk.ScopeMessage, "the call is too large for %s (%s); a smaller max_text may help",
			c.host, said)
	case 429:
		return set(sdk.CodeRateLimited, sdk.ScopeDestination,
			"%s asks for fewer calls (%s); rates: can keep to its limit", c.host, said)
	case 501:
		return set(sdk.CodeUnsupported, sdk.ScopeMessage, "%s cannot do this (%s)", c.host, said)
	case 507:
		return set(sdk.CodeForbidden, sdk.ScopeDestination, "%s is full (%s); make room there, then: %s", c.host, said,
			c.check())
	}
	switch {
	case answer.Status >= 400 && answer.Status < 500 && a.missing != "" && bytes.Contains(answer.Body, []byte(a.missing)):
		return set(sdk.CodeGone, sdk.ScopeMessage, "%s does not have the post any more (%s)", c.host, said)
	case answer.Status >= 500:
		return set(sdk.CodeUnknownOutcome, sdk.ScopeMessage, "%s failed (%s); whether it took the call is not known",
			c.host, said)
	case answer.Status >= 400:
		return set(sdk.CodeInvalid, sdk.ScopeMessage, "%s refuses the call (%s)", c.host, said)
	}
	if answer.Status >= 300 && answer.Header.Get("Location") != "" {
		return set(sdk.CodeUnknownOutcome, sdk.ScopeMessage,
			"%s sends on to %s (%s), as sign-in pages do, and a call is not sent on; whether it took the call is not known",
			c.host, movedTo(answer.Header), said)
	}
	return set(sdk.CodeUnknownOutcome, sdk.ScopeMessage,
		"%s answers %s instead of taking the call; whether it did is not known", c.host, said)
}

func (c *Connector) check() string {
	return strings.TrimSpace("belfry destination check " + c.instance)
}

func movedTo(h http.Header) string {
	u, err := url.Parse(h.Get("Location"))
	if err != nil || u.Host == "" {
		return "another address"
	}
	return u.Host
}

// maxExcerpt is how much of a receiver's words an error repeats, in runes.
const maxExcerpt = 160

// excerpt is the beginning of what the receiver says, when that is meant for reading and without anything secret.
func (c *Connector) excerpt(answer sdk.Answer) string {
	mediaType, _, _ := mime.ParseMediaType(answer.Header.Get("Content-Type"))
	if !strings.HasSuffix(mediaType, "json") && mediaType != "text/plain" {
		return ""
	}
	if text := c.cleaned(answer.Body); text != "" {
		return ": " + text
	}
	return ""
}

// cleaned is a text of the receiver's without secrets, on one line, and not longer than anybody reads.
func (c *Connector) cleaned(said []byte) string {
	// Some encoders of JSON write a slash as \/; a secret path must be found all the same.
	text := strings.ReplaceAll(strings.ToValidUTF8(string(said), ""), `\/`, "/")
	for _, secret := range c.secrets {
		text = strings.ReplaceAll(text, secret, "[secret]")
	}
	text = strings.Join(strings.FieldsFunc(text, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }),
		" ")
	if r := []rune(text); len(r) > maxExcerpt {
		text = string(r[:maxExcerpt]) + "…"
	}
	return text
}

// Acceptance is what the body of a 2xx answer must say: the whole text, or values at JSON Pointers (RFC 6901).
type Acceptance struct {
	text   string
	values map[string]any
}

// DecodeTree reads a text, or a map from JSON Pointers to values.
func (a *Acceptance) DecodeTree(tree any) error {
	*a = Acceptance{}
	switch t := tree.(type) {
	case string:
		a.text = t
	case sdk.Untyped:
		a.text = string(t)
	case map[string]any:
		a.values = t
		for pointer, value := range t {
			_, number := value.(json.Number)
			_, text := value.(string)
			_, truth := value.(bool)
			if !strings.HasPrefix(pointer, "/") {
				return sdk.Problems{{Pointer: sdk.Pointer(pointer), OnKey: true,
					What: fmt.Sprintf("%q is no JSON Pointer", pointer), Fix: "it begins with a slash, like /success"}}
			}
			if !number && !text && !truth {
				return sdk.Problems{{Pointer: sdk.Pointer(pointer), What: "a text, a number, true or false expected",
					Fix: "name the value itself, like /status/ok: true"}}
			}
		}
	default:
		return fmt.Errorf("a text or values by JSON Pointer expected; write it like ok, or {/success: true}")
	}
	if !a.asks() {
		return fmt.Errorf("nothing is asked of the answer; take accept: out, or write it like {/success: true}")
	}
	return nil
}

// Tree gives the setting back as DecodeTree reads it.
func (a Acceptance) Tree() any {
	if a.values != nil {
		return a.values
	}
	return a.text
}

// JSONSchema describes the setting.
func (a Acceptance) JSONSchema() map[string]any {
	return map[string]any{"anyOf": []any{
		map[string]any{"type": "string"},
		map[string]any{"type": "object", "propertyNames": map[string]any{"pattern": "^/"},
			"additionalProperties": map[string]any{"type": []any{"string", "number", "boolean"}}},
	}}
}

// TypeName describes the setting on the reference page.
func (a Acceptance) TypeName() string { return "text, or values by JSON Pointer" }

func (a Acceptance) asks() bool { return a.text != "" || len(a.values) > 0 }

// reads says that an answer must be read whole.
func (a Acceptance) reads() bool { return a.asks() && a.text != anything }

// accepted judges the body of a 2xx answer. A plain "no" in it is a refusal; a body that says neither yes nor no, such as
// a proxy's page, leaves open whether the receiver took the call. whole says that the answer came in full.
func (c *Connector) accepted(a act, answer sdk.Answer, whole bool) *sdk.Error {
	want := c.config.Accept
	switch {
	case want.text == anything:
		return nil
	case !want.asks():
		return c.contradicted(a, answer, whole)
	}
	refused := func(what string) *sdk.Error {
		return sdk.Errorf(sdk.CodeInvalid, a.op, "%s answers %s but refuses: %s%s", c.host, status(answer.Status), what,
			c.excerpt(answer))
	}
	unclear := func(what string) *sdk.Error {
		return sdk.Errorf(sdk.CodeUnknownOutcome, a.op,
			"%s answers %s, but %s (accept:); whether it took the call is not known", c.host, status(answer.Status), what)
	}
	if want.text != "" && string(bytes.TrimSpace(answer.Body)) != want.text {
		return unclear(fmt.Sprintf("does not say %q", want.text))
	}
	for _, pointer := range slices.Sorted(maps.Keys(want.values)) {
		found, ok := pointed(answer.Body, pointer)
		switch {
		case !ok:
			return unclear("says nothing at " + pointer)
		case found != want.values[pointer]:
			return refused(fmt.Sprintf("%s is not %v", pointer, want.values[pointer]))
		}
	}
	return nil
}

// pointed finds the value at a JSON Pointer (RFC 6901) in a JSON text; false when there is none, or when it is no scalar.
func pointed(text []byte, pointer string) (any, bool) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var v any
	if d.Decode(&v) != nil || d.More() {
		return nil, false
	}
	for token := range strings.SplitSeq(strings.TrimPrefix(pointer, "/"), "/") {
		token = strings.NewReplacer("~1", "/", "~0", "~").Replace(token)
		switch at := v.(type) {
		case map[string]any:
			sub, ok := at[token]
			if !ok {
				return nil, false
			}
			v = sub
		case []any:
			i, err := strconv.Atoi(token)
			if err != nil || i < 0 || i >= len(at) {
				return nil, false
			}
			v = at[i]
		default:
			return nil, false
		}
	}
	switch v.(type) {
	case string, bool, json.Number:
		return v, true
	}
	return nil, false
}

// maxRef is the longest name of a post that is kept, in bytes.
const maxRef = 512

// reference makes a PartRef's id of a value: a text without control characters that is no step in a path, or a number.
func reference(v any, ok bool) (string, bool) {
	var s string
	switch v := v.(type) {
	case string:
		s = v
	case json.Number:
		s = v.String()
	}
	if !ok || s == "" || s == "." || s == ".." || len(s) > maxRef || strings.ContainsFunc(s, unicode.IsControl) {
		return "", false
	}
	return s, true
}
