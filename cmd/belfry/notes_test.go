package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"

	"github.com/belfry-news/belfry/sdk"
)

// notesConfig are the options of a third party's source, as scripts try it.
type notesConfig struct {
	Folder string `yaml:"folder" required:"true" doc:"The folder with the notes."`
}

type notes struct{ notesConfig }

func notesSpec() *sdk.Spec {
	return sdk.Define("notes", "a folder of text files", notesConfig{},
		func(_ context.Context, _ sdk.Settings, c notesConfig) (*notes, error) { return &notes{c}, nil })
}

// Fetch implements sdk.Source.
func (n *notes) Fetch(_ context.Context, r sdk.FetchRequest) (sdk.Batch, error) {
	batch := sdk.Batch{About: sdk.About{Title: filepath.Base(n.Folder)}}
	if r.Document != nil {
		title, _, _ := strings.Cut(string(r.Document.Body), "\n")
		batch.Items = append(batch.Items, sdk.Item{Key: "document", Title: title})
		return batch, nil
	}
	entries, err := os.ReadDir(n.Folder)
	if err != nil {
		return sdk.Batch{}, sdk.Errorf(sdk.CodeInvalid, "fetch", "the folder %s cannot be read", n.Folder)
	}
	for _, e := range entries {
		batch.Items = append(batch.Items, sdk.Item{Key: e.Name(), Title: e.Name()})
	}
	return batch, nil
}

// Close implements sdk.Connector.
func (n *notes) Close(context.Context) error { return nil }
