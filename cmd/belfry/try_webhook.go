package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"path/filepath"
	"strings"
	"time"

	"github.com/belfry-news/belfry/configs"
	"github.com/belfry-news/belfry/internal/desk"
	"github.com/belfry-news/belfry/sdk"
)

// calledItemJSON is an item of a call, with what only a mapping may say of it.
type calledItemJSON struct {
	itemJSON
	Group         string     `json:"group"`
	NotBefore     desk.Stamp `json:"not_before"`
	Expires       desk.Stamp `json:"expires"`
	Urgency       int        `json:"urgency"`
	Correction    string     `json:"correction"`
	TranslationOf string     `json:"translation_of"`
}

type withdrawnJSON struct {
	Key    string `json:"key"`
	Reason string `json:"reason"`
}

// noticeJSON is a notice to one person.
type noticeJSON struct {
	Notice    string            `json:"notice"`
	Reference string            `json:"reference"`
	Key       string            `json:"key"`
	Title     string            `json:"title"`
	Text      string            `json:"text"`
	URL       string            `json:"url"`
	Slots     map[string]string `json:"slots"`
}

// mapCall maps a file as if it had been called with it, and prints what comes of it.
func (c *tryCmd) mapCall(ctx context.Context, g *global, std streams) error {
	batch, err := c.mapped(ctx, g, std)
	if err != nil {
		return err
	}
	if !g.JSON {
		c.print(batch, std)
		return nil
	}
	return printCalled(batch, std)
}

// printCalled prints items, withdrawals and notices, one a line.
func printCalled(batch sdk.Batch, std streams) error {
	for _, it := range batch.Items {
		if err := writeLine(std.out, calledItemJSON{newItemJSON(it), it.Group, desk.Stamp{Time: it.NotBefore}, desk.Stamp{Time: it.ExpiresAt}, it.Urgency, it.Correction, it.TranslationOf}); err != nil {
			return err
		}
	}
	for _, r := range batch.Removed {
		if err := writeLine(std.out, map[string]withdrawnJSON{"withdrawn": {r.Key, r.Reason}}); err != nil {
			return err
		}
	}
	for _, n := range batch.PersonNotices {
		if err := writeLine(std.out, map[string]noticeJSON{"notice": {n.Notice, n.Reference, n.Key, n.Title, n.Text, n.URL, n.Slots}}); err != nil {
			return err
		}
	}
	return nil
}

func (c *tryCmd) mapped(ctx context.Context, g *global, std streams) (sdk.Batch, error) {
	if c.From == "" || isAddress(c.From) {
		return sdk.Batch{}, errors.New("give the file that holds the body of a call, or - for standard input")
	}
	options, cfg, err := c.calledOptions(g)
	if err != nil {
		return sdk.Batch{}, err
	}
	r := sdk.WebhookRequest{Method: http.MethodPost, Path: "/hooks/" + c.Source, Header: map[string][]string{}, ReceivedAt: time.Now().UTC()}
	if c.ContentType != "" {
		r.Header["Content-Type"] = []string{c.ContentType}
	} else if ext := filepath.Ext(c.From); ext == ".ndjson" || ext == ".jsonl" {
		r.Header["Content-Type"] = []string{"application/x-ndjson"}
	}
	for _, h := range c.Header {
		name, value, ok := strings.Cut(h, ":")
		if !ok || strings.TrimSpace(name) == "" {
			return sdk.Batch{}, fmt.Errorf("%q is no header; write it like %q", h, "X-GitHub-Event: release")
		}
		key := http.CanonicalHeaderKey(strings.TrimSpace(name))
		r.Header[key] = append(r.Header[key], strings.TrimSpace(value))
	}
	if r.Body, err = readInput(c.From, std, maxDocument); err != nil {
		return sdk.Batch{}, err
	}
	shop, err := newWorkshop(cfg, c.Memory, g.quiet(std.err))
	if err != nil {
		return sdk.Batch{}, err
	}
	defer shop.close()
	ctx, cancel := context.WithTimeout(ctx, configs.Default().Plugins.Deadline.Std())
	defer cancel()
	source, err := shop.Open(ctx, "try", c.Type, true, options)
	if err != nil {
		return sdk.Batch{}, errors.New(onCommandLine(optionError(c.Type, err)))
	}
	defer source.Close(context.WithoutCancel(ctx))
	receiver, ok := sdk.As[sdk.WebhookReceiver](source)
	if !ok {
		return sdk.Batch{}, fmt.Errorf("%s is no source that is called", c.Type)
	}
	batch, err := receiver.Map(ctx, r)
	if err == nil {
		err = batch.Validate()
	}
	if err != nil {
		return sdk.Batch{}, fmt.Errorf("%s: %w", inputName(c.From), pluginSentence(err))
	}
	return batch, nil
}

// calledOptions are those of the source that is named, with what --set says in their place. Without a source a signature is
// made up: nothing is verified here.
func (c *tryCmd) calledOptions(g *global) (map[string]any, *configs.Loaded, error) {
	set := optionsTree(g.Set)
	if c.runs() {
		set = typed(set)
	}
	if c.Source == "" {
		if set["signature"] == nil {
			set["signature"], set["secret"] = "bearer", strings.Repeat("0", 16)
		}
		return set, nil, nil
	}
	if err := noConfig(g.Config); err != nil {
		return nil, nil, err
	}
	o := g.options()
	o.Flags = nil // --set means the source's options here
	cfg, err := configs.Load(o)
	if err != nil {
		return nil, nil, err
	}
	s, known := cfg.Sources[c.Source]
	switch {
	case !known:
		var names []string
		for name, other := range cfg.Sources {
			if other.Type == c.Type {
				names = append(names, name)
			}
		}
		return nil, nil, desk.UnknownName("source", c.Source, names)
	case s.Type != c.Type:
		return nil, nil, fmt.Errorf("source %s is of type %s, and not %s", c.Source, s.Type, c.Type)
	}
	return overlaid(s.Options, set), cfg, nil
}

// overlaid is a tree with what another one has in its place, setting by setting.
func overlaid(tree, over map[string]any) map[string]any {
	out := maps.Clone(tree)
	for key, value := range over {
		below, deeper := value.(map[string]any)
		if own, there := out[key].(map[string]any); deeper && there {
			out[key] = overlaid(own, below)
			continue
		}
		out[key] = value
	}
	return out
}
