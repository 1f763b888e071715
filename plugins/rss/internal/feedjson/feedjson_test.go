package feedjson

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/belfry-news/belfry/sdk"
)

func TestScan(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, doc string
		head      string
		want      []string
		repair    string
	}{
		{name: "plain", doc: `{"version":"1", "items":[{"id":"a"},{"id":2}], "title" : "T"}`, head: `{"version":"1","title":"T"}`, want: []string{`{"id":"a"}`, `{"id":2}`}},
		{name: "blanks", doc: " {\n\"items\" : [ { \"a\" : [ 1 , 2 ] , \"b\" : { } } ] } ", head: `{}`, want: []string{`{"a":[1,2],"b":{}}`}},
		{name: "no items", doc: `{"items":[]}`, head: `{}`},
		{name: "brackets in texts", doc: `{"items":[{"a":"]}\"[{,"}]}`, head: `{}`, want: []string{`{"a":"]}\"[{,"}`}},
		{name: "commas at ends", doc: `{"items":[{"a":[1,2,],},],}`, head: `{}`, want: []string{`{"a":[1,2]}`}, repair: "commas without a value"},
		{name: "control characters", doc: "{\"items\":[{\"a\":\"b\nc\x01d\"}]}", head: `{}`, want: []string{`{"a":"b cd"}`}, repair: "control characters, which JSON forbids, were left out of texts (2)"},
		{name: "items that are no objects", doc: `{"items":[1,"x",null,{"id":"a"},[{}]]}`, head: `{}`, want: []string{`{"id":"a"}`}, repair: "items that are no objects, were left out (4)"},
		{name: "a long list", doc: `{"items":[{"tags":[` + strings.Repeat(`"x",`, 300) + `"y"],"id":"a"}]}`, head: `{}`, want: []string{`{"tags":[` + strings.TrimSuffix(strings.Repeat(`"x",`, 256), ",") + `],"id":"a"}`}, repair: "too long"},
		{name: "broken off in an item", doc: `{"title":"T","items":[{"id":"a"},{"id":"b"`, head: `{"title":"T"}`, want: []string{`{"id":"a"}`}, repair: "complete items: 1"},
		{name: "broken off between items", doc: `{"items":[{"id":"a"},`, head: `{}`, want: []string{`{"id":"a"}`}, repair: "ends early"},
		{name: "broken off behind items", doc: `{"items":[{"id":"a"}],"title":"T`, head: `{}`, want: []string{`{"id":"a"}`}, repair: "ends early"},
		{name: "broken off before the brace", doc: `{"items":[{"id":"a"}],"title":"T"`, head: `{"title":"T"}`, want: []string{`{"id":"a"}`}, repair: "ends early"},
		{name: "items within items", doc: `{"x":{"items":[{"id":"no"}]},"items":[{"items":[{"id":"b"}]}]}`, head: `{"x":{"items":[{"id":"no"}]}}`, want: []string{`{"items":[{"id":"b"}]}`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			d, err := Scan(context.Background(), []byte(c.doc), Options{Keep: 1000})
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, i := range d.Items {
				got = append(got, string(i))
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("items (-want +got):\n%s", diff)
			}
			if string(d.Head) != c.head {
				t.Errorf("the head is %s, want %s", d.Head, c.head)
			}
			notes := strings.Join(d.Repairs, "; ")
			if (notes == "") != (c.repair == "") || !strings.Contains(notes, c.repair) {
				t.Errorf("repairs are %q, want %q", notes, c.repair)
			}
			if d.Truncated != strings.Contains(c.repair, "complete items") && d.Truncated != strings.Contains(c.repair, "ends early") {
				t.Errorf("truncated is %v", d.Truncated)
			}
		})
	}
}

func TestScanKeepsAWindowOfItems(t *testing.T) {
	t.Parallel()
	d, err := Scan(context.Background(), []byte(`{"items":[{"id":0},{"id":1},{"id":2},{"id":3}]}`), Options{Skip: 1, Keep: 2})
	if err != nil {
		t.Fatal(err)
	}
	if d.Total != 4 || string(Wrap(d.Items)) != `{"items":[{"id":1},{"id":2}]}` {
		t.Errorf("kept %s of %d", Wrap(d.Items), d.Total)
	}
}

func TestScanRefuses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, doc string
		code      sdk.Code
		says      string
	}{
		{"a list a million deep", strings.Repeat("[", 1_000_000), sdk.CodeInvalid, "not an object"},
		{"a member a million deep", `{"a":` + strings.Repeat("[", 1_000_000), sdk.CodeTooLarge, "nested more than 64 levels"},
		{"an item a million deep", `{"items":[` + strings.Repeat(`{"a":`, 1_000_000), sdk.CodeTooLarge, "nested more than 64 levels"},
		{"a million items", `{"items":[` + strings.Repeat(`{},`, 1_000_000) + `]}`, sdk.CodeTooLarge, "more than 50000 items"},
		{"two million values", `{"items":[{"a":[` + strings.Repeat(`0,`, 2_000_000) + `0]}]}`, sdk.CodeTooLarge, "more than 1000000 values"},
		{"another kind of object", `{"error":"no"}`, sdk.CodeInvalid, "no list of items"},
		{"items that are no list", `{"items":{"a":1}}`, sdk.CodeInvalid, "no list of items"},
		{"no JSON", `{items:[]}`, sdk.CodeInvalid, "not well-formed JSON at byte 1"},
		{"no colon", `{"items" []}`, sdk.CodeInvalid, "a colon is missing"},
		{"crossed brackets", `{"items":[{"a":[1}]}]}`, sdk.CodeInvalid, "does not fit"},
		{"a member without a name", `{"items":[{1:2}]}`, sdk.CodeInvalid, "a name is missing"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := Scan(context.Background(), []byte(c.doc), Options{Keep: 1000})
			if e := sdk.AsError(err); err == nil || e.Code != c.code || !strings.Contains(e.Public, c.says) {
				t.Fatalf("the error is %v, want %s with %q", err, c.code, c.says)
			}
		})
	}
}

func TestScanTakesLinearTime(t *testing.T) {
	t.Parallel()
	for _, begin := range []string{"{", `{"items":[`, `{"items":[{"a":`, `{"items":[{"a":"`} {
		for _, p := range []string{`"`, `\`, `[`, `{`, `,`, `"a":`, `{"a":`, `[[],`, `{},`, "\x01", `0`, `[0,`} {
			began := time.Now()
			_, _ = Scan(context.Background(), []byte(begin+strings.Repeat(p, 1<<20/len(p))), Options{Keep: 1000}) // any result will do
			if took := time.Since(began); took > 5*time.Second {
				t.Errorf("%q and then %q took %s", begin, p, took)
			}
		}
	}
}

// FuzzScan holds that every item that comes out of JSON is JSON, and that what is no error is bounded.
func FuzzScan(f *testing.F) {
	f.Add([]byte(`{"version":"https://jsonfeed.org/version/1.1","title":"T","items":[{"id":"1","tags":["a","b"],"n":1.5e3}]}`))
	f.Add([]byte(`{"items":[{"a":"\u00e9\n"},{"b":[[],{}]},`))
	f.Add([]byte(`{"items":[{"a":[1,,2,]}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		d, err := Scan(context.Background(), data, Options{Keep: 50})
		if err != nil {
			if _, ok := errors.AsType[*sdk.Error](err); !ok {
				t.Fatalf("an unknown error: %v", err)
			}
			return
		}
		whole := json.Valid(data)
		size := len(d.Head)
		for _, i := range d.Items {
			size += len(i)
			if whole && !json.Valid(i) {
				t.Fatalf("%q is no JSON", i)
			}
		}
		if whole && !json.Valid(d.Head) {
			t.Fatalf("the head %q is no JSON", d.Head)
		}
		if size > len(data)+2 || len(d.Items) > 50 || utf8.Valid(data) && !utf8.Valid(d.Head) {
			t.Fatalf("%d bytes became %d with %d items", len(data), size, len(d.Items))
		}
	})
}
