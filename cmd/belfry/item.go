package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"strings"

	"github.com/belfry-news/belfry/internal/desk"
	"github.com/belfry-news/belfry/internal/filetree"
	"github.com/belfry-news/belfry/sdk"
	"github.com/belfry-news/belfry/sdk/render"
)

// itemJSON is an item as try prints it, one object on a line, and as render and page read it. Outside programs rely on
// its names, and tests keep them. Every field is there; what is unknown is "", [] or null.
type itemJSON struct {
	Key         string      `json:"key"`
	URL         string      `json:"url"`
	Title       string      `json:"title"`
	Summary     string      `json:"summary"`
	ContentHTML string      `json:"content_html"`
	ContentText string      `json:"content_text"`
	Authors     []string    `json:"authors"`
	Tags        []string    `json:"tags"`
	Lang        string      `json:"lang"`
	Published   desk.Stamp  `json:"published"`
	Updated     desk.Stamp  `json:"updated"`
	Media       []mediaJSON `json:"media"`
}

type mediaJSON struct {
	URL    string `json:"url"`
	Type   string `json:"type"`
	Alt    string `json:"alt"`
	Width  *int   `json:"width"`
	Height *int   `json:"height"`
}

// feedJSON is the first line of try.
type feedJSON struct {
	Title       string     `json:"title"`
	URL         string     `json:"url"`
	Description string     `json:"description"`
	Lang        string     `json:"lang"`
	Updated     desk.Stamp `json:"updated"`
}

func newItemJSON(it sdk.Item) itemJSON {
	out := itemJSON{Key: it.Key, URL: it.URL, Title: it.Title, Summary: it.Summary, ContentHTML: render.Render(it.Body, render.HTML),
		ContentText: render.Render(it.Body, render.Plain), Authors: []string{}, Tags: append([]string{}, it.Tags...), Lang: it.Lang,
		Published: desk.Stamp{Time: it.Published}, Updated: desk.Stamp{Time: it.Updated}, Media: []mediaJSON{}}
	for _, a := range it.Authors {
		out.Authors = append(out.Authors, a.Name)
	}
	for _, m := range it.Media {
		out.Media = append(out.Media, mediaJSON{URL: m.URL, Type: m.Type, Alt: m.Alt, Width: known(m.Width), Height: known(m.Height)})
	}
	return out
}

func known(n int) *int {
	if n == 0 {
		return nil
	}
	return &n
}

// maxItemFile bounds an item's file, in bytes.
const maxItemFile = 4 << 20

// readItem reads an item from a file, or from standard input for "-". The lines that try prints before it are skipped, so
// that the output of try can be used as it is; the first item counts.
func readItem(path string, std streams) (sdk.Item, error) {
	text, err := readInput(path, std, maxItemFile)
	if err != nil {
		return sdk.Item{}, err
	}
	d := json.NewDecoder(bytes.NewReader(text))
	for {
		var raw json.RawMessage
		if err := d.Decode(&raw); err != nil {
			if errors.Is(err, io.EOF) {
				return sdk.Item{}, unusable("%s holds no item; see what one looks like: belfry try rss FILE --json", inputName(path))
			}
			return sdk.Item{}, unusable("%s is no JSON: %s", inputName(path), jsonPlace(err, text))
		}
		var first map[string]json.RawMessage
		if json.Unmarshal(raw, &first) == nil && len(first) == 1 && first["feed"] != nil {
			continue
		}
		it, err := decodeItem(raw, path)
		if n := further(d); n > 0 && err == nil {
			fmt.Fprintf(std.err, "belfry: %s holds %d items; this is the first of them, %q\n", inputName(path), n+1, desk.Plain(it.Title))
		}
		return it, err
	}
}

// further counts the objects that follow.
func further(d *json.Decoder) (n int) {
	var more map[string]json.RawMessage
	for d.Decode(&more) == nil {
		n++
	}
	return n
}

func decodeItem(raw json.RawMessage, path string) (sdk.Item, error) {
	var in itemJSON
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(&in); err != nil {
		return sdk.Item{}, unusable("%s is no item: %s; known are key, url, title, summary, content_html, content_text, authors, tags, lang, published, updated, media",
			inputName(path), strings.TrimPrefix(err.Error(), "json: "))
	}
	it := sdk.Item{Key: in.Key, URL: in.URL, Title: render.Line(in.Title), Summary: in.Summary, Tags: in.Tags, Lang: in.Lang,
		Published: in.Published.Time, Updated: in.Updated.Time}
	if it.Key == "" {
		it.Key = in.URL
	}
	var base *url.URL
	if in.URL != "" {
		link, err := sdk.CheckLink(in.URL)
		if err != nil {
			return it, unusable("%s: url: %s", inputName(path), sdk.AsError(err).Public)
		}
		it.URL = link
		base, _ = url.Parse(link)
	}
	if in.ContentHTML != "" {
		it.Body = render.FromHTML(in.ContentHTML, base).Body
	} else if in.ContentText != "" {
		body, err := render.Parse(in.ContentText, render.Plain)
		if err != nil {
			return it, unusable("%s: content_text: %s", inputName(path), sdk.AsError(err).Public)
		}
		it.Body = body
	}
	for _, name := range in.Authors {
		it.Authors = append(it.Authors, sdk.Author{Name: name})
	}
	for i, m := range in.Media {
		link, err := sdk.CheckLink(m.URL)
		if err != nil {
			return it, unusable("%s: media %d: %s", inputName(path), i+1, sdk.AsError(err).Public)
		}
		medium := sdk.Media{URL: link, Type: m.Type, Alt: m.Alt}
		if m.Width != nil && m.Height != nil {
			medium.Width, medium.Height = *m.Width, *m.Height
		}
		it.Media = append(it.Media, medium)
	}
	if it.Title == "" && it.Summary == "" && len(it.Body) == 0 {
		return it, unusable("%s: the item has neither a title nor a text", inputName(path))
	}
	return it, nil
}

// readInput reads a file, or standard input for "-".
func readInput(path string, std streams, limit int64) ([]byte, error) {
	in := std.in
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return nil, unusable("%s cannot be read: %w", path, filetree.Cause(err))
		}
		defer f.Close()
		in = f
	}
	text, err := io.ReadAll(io.LimitReader(in, limit+1))
	if err != nil {
		return nil, unusable("%s cannot be read: %w", inputName(path), filetree.Cause(err))
	}
	if int64(len(text)) > limit {
		return nil, unusable("%s has more than %d MiB", inputName(path), limit>>20)
	}
	return text, nil
}

func inputName(path string) string {
	if path == "-" {
		return "standard input"
	}
	return path
}

// jsonPlace says where a JSON text is wrong.
func jsonPlace(err error, text []byte) string {
	var syntax *json.SyntaxError
	if !errors.As(err, &syntax) {
		return err.Error()
	}
	before := text[:min(int(syntax.Offset), len(text))]
	return fmt.Sprintf("line %d: %s", bytes.Count(before, []byte("\n"))+1, err)
}
