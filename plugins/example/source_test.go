package main

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/belfry-news/belfry/sdk"
	"github.com/belfry-news/belfry/sdk/sdktest"
)

// notes makes a folder with two notes.
func notes(t testing.TB) string {
	t.Helper()
	folder := t.TempDir()
	write(t, folder, "fire.txt", "Fire at the station\n\nTrains do not run.\nBuses do.\n\nMore at noon.\n")
	write(t, folder, "storm.txt", "Storm tonight\r\n\r\nStay at home.")
	write(t, folder, "draft.md", "not a note")
	return folder
}

func write(t testing.TB, folder, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestConformance runs Belfry's own suite, on the source itself and on the source behind the wire.
func TestConformance(t *testing.T) {
	spec := Spec()
	for name, open := range map[string]sdktest.Opener{"direct": spec.Open, "over the wire": sdktest.Loopback(t, spec)} {
		t.Run(name, func(t *testing.T) {
			folder, changes := notes(t), 0
			sdktest.Source(t, sdktest.SourceOptions{
				Options: sdktest.Options{
					Open:   open,
					Config: map[string]any{"folder": folder, "link": "https://notes.example/"},
					Break: func(t testing.TB) func() {
						away := folder + "-away"
						move(t, folder, away)
						return func() { move(t, away, folder) }
					},
				},
				Change: func(t testing.TB) {
					changes++
					write(t, folder, "fire.txt", "Fire at the station\n\nTrains run again, number "+strconv.Itoa(changes)+".\n")
				},
			})
		})
	}
}

func move(t testing.TB, from, to string) {
	t.Helper()
	if err := os.Rename(from, to); err != nil {
		t.Fatal(err)
	}
}

func TestItems(t *testing.T) {
	conn, err := Spec().Open(t.Context(), sdk.Settings{}, map[string]any{"folder": notes(t), "lang": "en"})
	if err != nil {
		t.Fatal(err)
	}
	source, _ := sdk.As[sdk.Source](conn)
	b, err := source.Fetch(t.Context(), sdk.FetchRequest{})
	if err != nil || len(b.Items) != 2 || !b.Complete {
		t.Fatalf("%+v, %v", b, err)
	}
	fire := b.Items[0]
	if fire.Key != "fire" || fire.Title != "Fire at the station" || fire.Lang != "en" || len(fire.Body) != 2 {
		t.Errorf("%+v", fire)
	}
	if got := sdk.PlainText(fire.Body[0].Children); got != "Trains do not run. Buses do." {
		t.Errorf("got %q", got)
	}
	again, err := source.Fetch(t.Context(), sdk.FetchRequest{Cursor: b.Next})
	if err != nil || !again.Unchanged {
		t.Errorf("nothing changed, and the source says %+v, %v", again, err)
	}
}

func TestConfiguration(t *testing.T) {
	for name, tc := range map[string]struct {
		config map[string]any
		want   string
	}{
		"no folder":         {map[string]any{}, `/folder: "folder" is missing: the folder with the notes, one file each; write folder: "/srv/notes"`},
		"a relative folder": {map[string]any{"folder": "notes"}, `/folder: "notes" is no absolute path; write it from the root on, like /srv/notes`},
		"an odd link":       {map[string]any{"folder": "/srv", "link": "ftp://x"}, `/link: link: "ftp://x" is neither http, https nor mailto; write an address like https://notes.example/`},
	} {
		t.Run(name, func(t *testing.T) {
			err := Spec().Check(tc.config)
			if ps := (sdk.Problems{}); !errors.As(err, &ps) || err.Error() != tc.want {
				t.Errorf("got %v, want %s", err, tc.want)
			}
		})
	}
}
