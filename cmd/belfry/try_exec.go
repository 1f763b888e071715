package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/belfry-news/belfry/internal/desk"
	"github.com/belfry-news/belfry/sdk"
)

// runs reports whether the source runs a command.
func (c *tryCmd) runs() bool { return c.Type == "exec" }

// commandOptions are those of the source that is named, or the program that is, with what --set says in their place.
func (c *tryCmd) commandOptions(g *global) (map[string]any, error) {
	if c.BaseURL != "" || c.ContentType != "" || len(c.AllowPrivate) > 0 {
		return nil, errors.New("--base-url, --content-type and --allow-private are for documents, and a command reads none; see --set base_url=…")
	}
	if c.From == "" && c.Source == "" && g.Set["command"] == "" {
		return nil, errors.New("FROM is missing: give the program, such as ./cms.py, or --source NAME; see: belfry try --help")
	}
	options := typed(optionsTree(g.Set))
	if c.Source != "" {
		var err error
		if options, _, err = c.calledOptions(g); err != nil {
			return nil, err
		}
	}
	if c.From != "" {
		path, err := filepath.Abs(c.From)
		if err != nil {
			return nil, fmt.Errorf("%s is no path: %w", c.From, err)
		}
		options["command"] = []any{path}
	}
	return options, nil
}

// typed makes plain text of what --set says for the command's config, which the source takes for secrets otherwise: whoever
// typed it may see it.
func typed(set map[string]any) map[string]any {
	var plain func(tree any) any
	plain = func(tree any) any {
		switch t := tree.(type) {
		case sdk.Untyped:
			return string(t)
		case map[string]any:
			for key, value := range t {
				t[key] = plain(value)
			}
		}
		return tree
	}
	if config, ok := set["config"]; ok {
		set["config"] = plain(config)
	}
	return set
}

// endJSON is what the last line of a command said.
type endJSON struct {
	Cursor   json.RawMessage `json:"cursor"`
	Complete bool            `json:"complete"`
	More     bool            `json:"more"`
	Whole    []string        `json:"whole"`
}

// printRun prints what a command printed, line by line, as Belfry understood it.
func (c *tryCmd) printRun(batch sdk.Batch, std streams) error {
	about := batch.About
	if err := writeLine(std.out, map[string]feedJSON{"feed": {about.Title, about.URL, about.Description, about.Lang, desk.Stamp{Time: about.Updated}}}); err != nil {
		return err
	}
	if err := printCalled(batch, std); err != nil {
		return err
	}
	var stored struct {
		Cursor json.RawMessage `json:"cursor"`
	}
	if err := json.Unmarshal(batch.Next, &stored); err != nil {
		return fmt.Errorf("the cursor cannot be read: %w", err)
	}
	if err := writeLine(std.out, map[string]endJSON{"end": {stored.Cursor, batch.Complete, batch.More, append([]string{}, batch.Whole...)}}); err != nil {
		return err
	}
	return printRemarks(batch, std.err)
}
