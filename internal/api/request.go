package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/belfry-news/belfry/internal/desk"
	"github.com/belfry-news/belfry/sdk"
)

// maxDepth is deeper than any body here is.
const maxDepth = 16

// readBody reads a body into the struct that into points to. It is as strict as a configuration: an unknown field, a value
// of another type, a key that stands twice and a second document are refused, all of them named. An empty body is an empty
// object.
func readBody(r *http.Request, into any) ([]byte, error) {
	if media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); r.Header.Get("Content-Type") != "" && (err != nil || media != "application/json") {
		return nil, problemf(http.StatusUnsupportedMediaType, "unsupported_media_type", "the body is %s; send JSON as Content-Type: application/json", r.Header.Get("Content-Type"))
	}
	raw, err := io.ReadAll(r.Body)
	if _, large := errors.AsType[*http.MaxBytesError](err); large {
		return nil, tooLarge()
	}
	if err != nil {
		return nil, problemf(http.StatusBadRequest, "invalid", "the body ended before its end; send it again")
	}
	var tree any = map[string]any{}
	if len(bytes.TrimSpace(raw)) > 0 {
		if tree, err = readTree(raw); err != nil {
			return raw, problemf(http.StatusBadRequest, "invalid", "the body is no JSON: %s", err)
		}
	}
	if _, ok := tree.(map[string]any); !ok {
		return raw, problemf(http.StatusBadRequest, "invalid", "the body is no JSON object; write {…}")
	}
	if ps, ok := errors.AsType[sdk.Problems](sdk.Decode(tree, into)); ok {
		return raw, badInput("the body", ps)
	}
	return raw, nil
}

// readTree reads one JSON document, with numbers as they are written.
func readTree(raw []byte) (any, error) {
	if !utf8.Valid(raw) {
		return nil, errors.New("it is not UTF-8")
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	tree, err := readValue(dec, 0)
	if err != nil {
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return nil, errors.New("it ends too early")
		}
		return nil, err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something follows the object")
	}
	return tree, nil
}

func readValue(dec *json.Decoder, depth int) (any, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("it is nested deeper than %d", maxDepth)
	}
	t, err := dec.Token()
	if err != nil {
		return nil, err
	}
	switch t {
	case json.Delim('{'):
		out := map[string]any{}
		for dec.More() {
			k, err := dec.Token()
			if err != nil {
				return nil, err
			}
			key, _ := k.(string) // the decoder gives nothing else here
			if _, twice := out[key]; twice {
				return nil, fmt.Errorf("the key %q stands twice", key)
			}
			if out[key], err = readValue(dec, depth+1); err != nil {
				return nil, err
			}
		}
		_, err = dec.Token()
		return out, err
	case json.Delim('['):
		out := []any{}
		for dec.More() {
			v, err := readValue(dec, depth+1)
			if err != nil {
				return nil, err
			}
			out = append(out, v)
		}
		_, err = dec.Token()
		return out, err
	}
	return t, nil
}

// param is one query parameter.
type param struct {
	name, doc string
	// kind is text, number, truth, time or span.
	kind string
	enum []string
	// min and max bound a number; otherwise is its value when it is not given.
	min, max, otherwise int
}

// query are the parameters of a request.
type query struct {
	values url.Values
	zone   *time.Location
	number map[string]int
}

// readQuery checks the parameters: an unknown one, one that stands twice and one of another kind are refused.
func readQuery(r *http.Request, params []param, zone *time.Location) (query, error) {
	q := query{zone: zone, number: map[string]int{}}
	var ps sdk.Problems
	var err error
	if q.values, err = url.ParseQuery(r.URL.RawQuery); err != nil {
		return q, problemf(http.StatusBadRequest, "invalid", "the query cannot be read; write it like ?name=value&other=value, with %%XX for what is not plain")
	}
	names := []string{}
	for _, p := range params {
		names = append(names, p.name)
		q.number[p.name] = p.otherwise
	}
	for _, name := range slices.Sorted(maps.Keys(q.values)) {
		at, values := "?"+name, q.values[name]
		i := slices.Index(names, name)
		switch {
		case i < 0:
			fix := "there are none here"
			if near := sdk.Nearest(name, names); near != "" {
				fix = fmt.Sprintf("did you mean %q?", near)
			} else if len(names) > 0 {
				fix = "known are " + strings.Join(names, ", ")
			}
			ps.Add(at, fmt.Sprintf("unknown query parameter %q", name), fix)
		case len(values) > 1:
			ps.Add(at, "it stands twice", "keep one")
		default:
			if what, fix := params[i].check(values[0], q); what != "" {
				ps.Add(at, what, fix)
			}
		}
	}
	if len(ps) > 0 {
		return q, badInput("the query", ps)
	}
	return q, nil
}

// check says what is wrong with a value, and keeps a number.
func (p param) check(v string, q query) (what, fix string) {
	switch p.kind {
	case "number":
		n, err := strconv.Atoi(v)
		if err != nil || n < p.min || n > p.max {
			return fmt.Sprintf("%q is no number for %s", v, p.name), fmt.Sprintf("write one from %d to %d", p.min, p.max)
		}
		q.number[p.name] = n
	case "truth":
		if v != "true" && v != "false" {
			return fmt.Sprintf("%q says neither yes nor no", v), "write true or false"
		}
	case "time":
		if _, err := desk.ParseTime(v, q.zone, time.Time{}); err != nil {
			return err.Error(), ""
		}
	case "span":
		var d sdk.Duration
		if err := d.UnmarshalText([]byte(v)); err != nil {
			return err.Error(), ""
		}
		if d.Std() <= 0 || d.Std() > mostAhead {
			return fmt.Sprintf("%q is not possible here", v), "write a time up to 366d, such as 24h"
		}
	}
	if p.enum != nil && !slices.Contains(p.enum, v) {
		return fmt.Sprintf("%q is not possible here", v), "one of " + strings.Join(p.enum, ", ")
	}
	return "", ""
}

// mostAhead bounds how far a plan looks ahead.
const mostAhead = 366 * 24 * time.Hour

func (q query) text(name string) string { return q.values.Get(name) }

func (q query) truth(name string) bool { return q.values.Get(name) == "true" }

// time is a time that was checked.
func (q query) time(name string, otherwise time.Time) time.Time {
	t, _ := desk.ParseTime(q.values.Get(name), q.zone, otherwise)
	return t
}

// span is a length of time that was checked.
func (q query) span(name string, otherwise time.Duration) time.Duration {
	d := sdk.D(otherwise)
	if v := q.values.Get(name); v != "" {
		_ = d.UnmarshalText([]byte(v))
	}
	return d.Std()
}
