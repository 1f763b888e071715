package webhook

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/belfry-news/belfry/sdk"
)

// Bounds of what a body may hold.
const (
	maxDepth   = 64
	maxEntries = 1000
)

// form is how a body is written.
type form int

const (
	formUnknown form = iota
	formJSON
	formLines // NDJSON
	formForm
)

// formOf tells by the type that the sender declares, or where it declares none by how the body begins.
func formOf(r sdk.WebhookRequest) form {
	declared := http.Header(r.Header).Get("Content-Type")
	if declared == "" {
		if start := bytes.TrimLeft(r.Body, " \t\r\n"); len(start) > 0 && (start[0] == '{' || start[0] == '[') {
			return formJSON
		}
		return formUnknown
	}
	typ, _, err := mime.ParseMediaType(declared)
	switch {
	case err != nil:
		return formUnknown
	case typ == "application/x-ndjson" || typ == "application/jsonl" || typ == "application/ndjson":
		return formLines
	case typ == "application/json" || typ == "text/json" || strings.HasSuffix(typ, "+json"):
		return formJSON
	case typ == "application/x-www-form-urlencoded":
		return formForm
	}
	return formUnknown
}

// check looks whether a body can be read at all, without making anything of it.
func check(r sdk.WebhookRequest, f form) error {
	if !utf8.Valid(r.Body) {
		return errors.New("the body is not UTF-8; encode it so, whatever its declared charset")
	}
	switch f {
	case formForm:
		if _, err := url.ParseQuery(string(r.Body)); err != nil {
			return errors.New("the body is no form; write it as name=value&name=value, with % for other characters")
		}
		return nil
	case formLines:
		n := 0
		for line := range bytes.Lines(r.Body) {
			if n++; len(bytes.TrimSpace(line)) == 0 {
				continue
			}
			if err := checkJSON(line); err != nil {
				return fmt.Errorf("line %d: %w", n, err)
			}
		}
		return nil
	}
	return checkJSON(r.Body)
}

func checkJSON(text []byte) error {
	if depth(text) > maxDepth {
		return fmt.Errorf("the JSON is nested deeper than %d; send less of what surrounds the article", maxDepth)
	}
	if json.Valid(text) {
		return nil
	}
	var into json.RawMessage
	err := json.Unmarshal(text, &into)
	if se, ok := errors.AsType[*json.SyntaxError](err); ok {
		return fmt.Errorf("the body is no JSON at byte %d: %w", se.Offset, err)
	}
	return errors.New("the body is no JSON")
}

// depth is how deep the brackets of a JSON text go.
func depth(text []byte) int {
	now, most := 0, 0
	inside := false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case inside && c == '\\':
			i++
		case c == '"':
			inside = !inside
		case inside:
		case c == '{' || c == '[':
			now++
			most = max(most, now)
		case c == '}' || c == ']':
			now--
		}
	}
	return most
}

// read makes values of a body: map[string]any, []any, string, int, float64, bool and nil.
func read(r sdk.WebhookRequest) (any, error) {
	f := formOf(r)
	if f == formUnknown {
		return nil, sdk.Errorf(sdk.CodeInvalid, opMap, "the call is of type %.80q; JSON, NDJSON and forms are read", http.Header(r.Header).Get("Content-Type"))
	}
	if err := check(r, f); err != nil {
		return nil, &sdk.Error{Code: sdk.CodeInvalid, Op: opMap, Public: err.Error()}
	}
	switch f {
	case formLines:
		all := []any{}
		for line := range bytes.Lines(r.Body) {
			if len(bytes.TrimSpace(line)) == 0 {
				continue
			}
			v, err := readJSON(line)
			if err != nil {
				return nil, err
			}
			all = append(all, v)
		}
		return all, nil
	case formForm:
		fields, err := url.ParseQuery(string(r.Body))
		if err != nil {
			return nil, sdk.Errorf(sdk.CodeInvalid, opMap, "the body is no form")
		}
		out := map[string]any{}
		for name, values := range fields {
			if out[name] = values[0]; len(values) > 1 {
				many := make([]any, len(values))
				for i, v := range values {
					many[i] = v
				}
				out[name] = many
			}
		}
		// Some senders put the JSON into a form.
		if payload := fields.Get("payload"); len(fields) == 1 && checkJSON([]byte(payload)) == nil {
			return readJSON([]byte(payload))
		}
		return out, nil
	}
	return readJSON(r.Body)
}

func readJSON(text []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, sdk.Errorf(sdk.CodeInvalid, opMap, "the body is no JSON")
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, sdk.Errorf(sdk.CodeInvalid, opMap, "something stands after the end of the JSON")
	}
	return numbers(v), nil
}

// numbers makes numbers of what JSON writes as such: whole ones stay whole, since many are ids.
func numbers(v any) any {
	switch v := v.(type) {
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return int(n)
		}
		f, err := v.Float64()
		if err != nil {
			return v.String()
		}
		return f
	case []any:
		for i := range v {
			v[i] = numbers(v[i])
		}
	case map[string]any:
		for k := range v {
			v[k] = numbers(v[k])
		}
	}
	return v
}

// cloudEvents gives the events of a call in the structured, batched or binary form of CloudEvents 1.0.
func cloudEvents(r sdk.WebhookRequest, body any) []any {
	h := http.Header(r.Header)
	if h.Get("Ce-Specversion") != "" {
		event := map[string]any{"data": body}
		for name := range h {
			if attribute, ok := strings.CutPrefix(strings.ToLower(name), "ce-"); ok {
				value := h.Get(name)
				if plain, err := url.PathUnescape(value); err == nil {
					value = plain // the binding writes what is not ASCII with percent signs
				}
				event[attribute] = value
			}
		}
		return []any{event}
	}
	is := func(v any) bool {
		object, _ := v.(map[string]any)
		return object["specversion"] != nil
	}
	if list, ok := body.([]any); ok {
		var out []any
		for _, e := range list {
			if is(e) {
				out = append(out, e)
			}
		}
		return out
	}
	if is(body) {
		return []any{body}
	}
	return nil
}

// eventOf is what the sender calls what happened, by the headers and members in which senders say it.
func eventOf(r sdk.WebhookRequest, body any) string {
	h := http.Header(r.Header)
	for _, name := range []string{"X-Github-Event", "X-Wc-Webhook-Topic", "X-Contentful-Topic", "X-Strapi-Event", "X-Event-Type", "Ce-Type"} {
		if v := h.Get(name); v != "" {
			return v
		}
	}
	object, _ := body.(map[string]any)
	for _, name := range []string{"event", "type", "event_type"} {
		if v, ok := object[name].(string); ok {
			return v
		}
	}
	return ""
}
