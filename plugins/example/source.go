package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/belfry-news/belfry/sdk"
)

// Config is what stands in Belfry's configuration below the source. The tags yield the strict decoding, the JSON Schema
// and the reference page.
type Config struct {
	Folder  string `yaml:"folder" required:"true" doc:"The folder with the notes, one file each." example:"/srv/notes"`
	Suffix  string `yaml:"suffix" doc:"Which files are notes, by the end of their name."`
	Max     int    `yaml:"max" min:"1" max:"1000" doc:"The most notes; a folder with more is an error."`
	Lang    string `yaml:"lang" doc:"The language of the notes, as a BCP 47 tag." example:"fr"`
	LinkURL string `yaml:"link" doc:"Where the notes are published: their address is this, followed by the name of the file without its suffix."`
}

// Validate is called after decoding. All problems are reported at once, each with the pointer of its setting.
func (c Config) Validate() error {
	var ps sdk.Problems
	if !filepath.IsAbs(c.Folder) {
		ps.Add("/folder", fmt.Sprintf("%q is no absolute path", c.Folder), "write it from the root on, like /srv/notes")
	}
	if c.LinkURL != "" {
		if _, err := sdk.CheckLink(c.LinkURL); err != nil {
			ps.Add("/link", err.Error(), "write an address like https://notes.example/")
		}
	}
	return ps.Err()
}

// maxNote is the largest file that is read, in bytes.
const maxNote = 256 << 10

// Spec declares the source: its name after "type:", its defaults, and how an instance is opened.
func Spec() *sdk.Spec {
	return sdk.Define("notes", "a folder of text files, each of them an item", Config{Suffix: ".txt", Max: 200},
		func(_ context.Context, s sdk.Settings, c Config) (*source, error) {
			return &source{config: c, settings: s}, nil
		})
}

// source has no state of its own: what it must remember travels in the cursor.
type source struct {
	config   Config
	settings sdk.Settings
}

// Fetch implements sdk.Source. The folder is the whole truth, so each batch is complete: a note that is no longer there
// is withdrawn.
func (s *source) Fetch(ctx context.Context, r sdk.FetchRequest) (sdk.Batch, error) {
	names, err := s.names()
	if err != nil {
		return sdk.Batch{}, err
	}
	seen := sha256.New()
	batch := sdk.Batch{Complete: true, About: sdk.About{Title: filepath.Base(s.config.Folder), Lang: s.config.Lang}}
	for _, name := range names {
		if ctx.Err() != nil {
			return sdk.Batch{}, sdk.Errorf(sdk.CodeUnavailable, "fetch", "the reading was given up: %w", ctx.Err())
		}
		item, err := s.read(name)
		if err != nil {
			// Without this note the batch would not be complete, and the note would be withdrawn by mistake.
			return sdk.Batch{}, err
		}
		if err := json.NewEncoder(seen).Encode(item); err != nil {
			return sdk.Batch{}, sdk.Errorf(sdk.CodeInvalid, "fetch", "the note %q cannot be written down: %w", name, err)
		}
		batch.Items = append(batch.Items, item)
	}
	// The cursor is a digest of everything: the same digest means that nothing changed.
	batch.Next = sdk.Cursor(hex.EncodeToString(seen.Sum(nil)))
	if !r.Force && string(batch.Next) == string(r.Cursor) {
		return sdk.Batch{Unchanged: true, Next: batch.Next}, nil
	}
	s.settings.Log.Debug("read the folder", "notes", len(batch.Items))
	return batch, nil
}

// names lists the notes in the order of their names.
func (s *source) names() ([]string, error) {
	entries, err := os.ReadDir(s.config.Folder)
	if err != nil {
		return nil, readError(err, "the folder of the notes")
	}
	var names []string
	for _, e := range entries {
		if e.Type().IsRegular() && strings.HasSuffix(e.Name(), s.config.Suffix) && utf8.ValidString(e.Name()) {
			names = append(names, e.Name())
		}
	}
	if len(names) > s.config.Max {
		return nil, sdk.Errorf(sdk.CodeTooLarge, "fetch", "the folder holds %d notes; max is %d", len(names), s.config.Max)
	}
	slices.Sort(names)
	return names, nil
}

// read makes an item of a file: its first line is the title, blank lines separate paragraphs.
func (s *source) read(name string) (sdk.Item, error) {
	path := filepath.Join(s.config.Folder, name)
	info, err := os.Stat(path)
	if err != nil {
		return sdk.Item{}, readError(err, "a note")
	}
	if info.Size() > maxNote {
		return sdk.Item{}, sdk.Errorf(sdk.CodeTooLarge, "fetch", "the note %q has %d bytes; at most %d are read", name, info.Size(), maxNote)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		return sdk.Item{}, readError(err, "a note")
	}
	key := strings.TrimSuffix(name, s.config.Suffix)
	title, text, _ := strings.Cut(strings.ReplaceAll(strings.ToValidUTF8(string(content), "\uFFFD"), "\r\n", "\n"), "\n")
	item := sdk.Item{Key: key, Title: strings.TrimSpace(title), Lang: s.config.Lang, Updated: info.ModTime().UTC().Truncate(time.Second)}
	if item.Title == "" {
		item.Title = key
	}
	if s.config.LinkURL != "" {
		item.URL = s.config.LinkURL + key
	}
	for paragraph := range strings.SplitSeq(text, "\n\n") {
		if paragraph = strings.Join(strings.Fields(paragraph), " "); paragraph != "" {
			item.Body = append(item.Body, sdk.Paragraph(sdk.Text(paragraph)))
		}
	}
	return item, nil
}

// readError says what cannot be read. A file that is just being replaced may be there a moment later.
func readError(err error, what string) error {
	switch {
	case errors.Is(err, fs.ErrPermission):
		return sdk.Errorf(sdk.CodeForbidden, "fetch", "%s may not be read; name the folder under plugins.external.notes.read, and let Belfry's user read it: %w", what, err)
	case errors.Is(err, fs.ErrNotExist):
		return sdk.Errorf(sdk.CodeUnavailable, "fetch", "%s is not there: %w", what, err)
	}
	return sdk.Errorf(sdk.CodeUnavailable, "fetch", "%s cannot be read: %w", what, err)
}

// Close implements sdk.Connector.
func (s *source) Close(context.Context) error { return nil }
