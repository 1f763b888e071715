package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/belfry-news/belfry/sdk"
	"github.com/belfry-news/belfry/sdk/render"
)

// What try prints is what render and page read.
func TestItemRoundTrip(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 20, 7, 0, 0, 0, time.UTC)
	it := sdk.Item{Key: "a1", Title: "Incendie", Summary: "La gare <brûle>.", URL: "https://news.example/gare", Lang: "fr", Tags: []string{"alerte"},
		Authors: []sdk.Author{{Name: "Anna"}}, Published: at, Body: sdk.Body{sdk.Paragraph(sdk.Text("La "), sdk.Strong(sdk.Text("gare")))},
		Media: []sdk.Media{{URL: "https://news.example/gare.jpg", Type: "image/jpeg", Alt: "La gare", Width: 1200, Height: 800}, {URL: "https://news.example/b.jpg"}}}
	text, err := json.Marshal(newItemJSON(it))
	if err != nil {
		t.Fatal(err)
	}
	got, err := decodeItem(text, "item.json")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(it, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Any file is an item that is fit to be shown, or an error of the input.
func FuzzReadItem(f *testing.F) {
	for _, text := range []string{`{"title":"a"}`, `{"feed":{}}` + "\n" + `{"key":"x","title":"a","content_html":"<p>x<script>"}`, `{}`, `[]`, ``, `{"title":"a"`,
		`{"title":"a","published":"yesterday"}`, `{"title":"a","media":[{"url":"javascript:x"}]}`, `{"content_text":"a\n\nb"}`, `{"title":"a","url":"http://u:p@x/"}`,
		`{"title":"a","media":[{"url":"https://x.example/a.jpg","width":-1,"height":1e9}]}`} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		it, err := readItem("-", streams{in: bytes.NewReader(text)})
		var ee *exitError
		if err != nil {
			if !errors.As(err, &ee) || ee.code != exitUsage || err.Error() == "" {
				t.Errorf("%v is no error of the input", err)
			}
			return
		}
		if err := it.Body.Validate(); err != nil {
			t.Errorf("the text is not valid: %v", err)
		}
		if it.Title == "" && it.Summary == "" && render.Render(it.Body, render.Plain) == "" {
			t.Error("there is nothing to show")
		}
	})
}

func TestTable(t *testing.T) {
	t.Parallel()
	table := newTable("NAME", "N", "WHAT", "-")
	table.add("été 👩‍👩‍👦", "1", "a", "-")
	table.add("x", "1,204", "日本", "-")
	var out bytes.Buffer
	table.write(&out)
	const want = `NAME        N  WHAT  -
été 👩‍👩‍👦      1  a     -
x       1,204  日本  -
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestWords(t *testing.T) {
	t.Parallel()
	for want, got := range map[string]string{
		"1 item":      count(1, "item"),
		"0 items":     count(0, "item"),
		"1,204 items": count(1204, "item"),
		"59 s":        span(59 * time.Second),
		"2 h 5 min":   span(125 * time.Minute),
		"3 days":      span(80 * time.Hour),
	} {
		if want != got {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
