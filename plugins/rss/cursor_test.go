package rss

import (
	"net/http"
	"testing"

	"github.com/belfry-news/belfry/sdk"
	"github.com/belfry-news/belfry/sdk/fetch"
)

func TestValidatorsOfA304(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		header http.Header
		etag   string
		fresh  bool
	}{
		"none":             {http.Header{}, `"1"`, false},
		"the same":         {http.Header{"Etag": {`"1"`}}, `"1"`, false},
		"another":          {http.Header{"Etag": {`"2"`}}, `"2"`, true},
		"a date besides":   {http.Header{"Etag": {`"1"`}, "Last-Modified": {"Fri, 20 Nov 2026 10:00:00 GMT"}}, `"1"`, true},
		"one that is long": {http.Header{"Etag": {string(make([]byte, maxValidator+1))}}, `"1"`, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := cursor{ETag: []byte(`"1"`)}
			if fresh := c.refresh(&fetch.Answer{Header: tc.header}); fresh != tc.fresh || string(c.ETag) != tc.etag {
				t.Errorf("%v, %s", fresh, c.ETag)
			}
		})
	}
}

// TestTheLastCursorIsKept: one that is given again is not read again, and no other is taken for it.
func TestTheLastCursorIsKept(t *testing.T) {
	t.Parallel()
	write := func(c cursor) sdk.Cursor {
		c.V, c.Source = cursorVersion, "s"
		raw, err := c.encode()
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	one, two := write(cursor{Body: "one"}), write(cursor{Body: "two"})
	shared := write(cursor{Body: "shared", Shared: map[string]string{"a": "b"}})
	var l lastCursor
	for _, tc := range []struct {
		raw        sdk.Cursor
		body, kept string
	}{{one, "one", "one"}, {one, "one", "one"}, {two, "two", "two"}, {shared, "shared", "two"}, {one, "one", "one"}, {nil, "", ""}, {shared, "shared", ""}} {
		if c := l.read(tc.raw, "s"); c.Body != tc.body || l.is.Body != tc.kept {
			t.Errorf("%s: read %q, kept %q", tc.raw, c.Body, l.is.Body)
		}
	}
}
