package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/belfry-news/belfry/configs"
	"github.com/belfry-news/belfry/internal/desk"
	"github.com/belfry-news/belfry/sdk"
)

type tryCmd struct {
	Type         string   `arg:"" help:"The type of source, such as rss."`
	From         string   `arg:"" optional:"" name:"from" help:"An address, a file, or - for standard input; a third party's type may do without."`
	BaseURL      string   `name:"base-url" placeholder:"URL" help:"What relative links of a file are resolved against."`
	ContentType  string   `placeholder:"TYPE" help:"The media type of a file, as a server would declare it."`
	Source       string   `placeholder:"NAME" help:"Map as this source of the configuration, of a type that is called, or run its command."`
	Header       []string `placeholder:"NAME:VALUE" sep:"none" help:"A header of the call, of a type that is called. May be repeated."`
	AllowPrivate networks `placeholder:"NETWORK" help:"Allow private addresses: all of them, or this network."`
	Since        string   `name:"from" placeholder:"TIME" help:"Of a calendar: what takes place from here on; a date, or a time like 2026-11-20T18:00:00+01:00. Now, if not given."`
	Until        string   `name:"to" placeholder:"TIME" help:"Of a calendar: what takes place before then. 35 days after the beginning, if not given."`
	Memory       int      `default:"384" env:"BELFRY__PLUGINS__MEMORY" placeholder:"MIB" help:"The most memory of the source's process, in MiB."`

	window window
}

// Help is the long help.
func (*tryCmd) Help() string {
	return `The source runs in a process of its own, under the limits and the guard of the daemon. Nothing is stored and no
configuration is needed. --set sets an option of the type, such as --set zone=Europe/Paris. A plugin of a third party is
found by the configuration that --config names.

Examples:

    belfry try rss https://news.example/feed.xml
    belfry try rss http://10.0.3.7/feed.xml --allow-private
    curl -s https://news.example/ | belfry try rss - --base-url https://news.example/ --json
    belfry try calendar webcal://news.example/agenda.ics --from 2026-12-01 --to 2027-01-01
    belfry try notes --set folder=/srv/notes --config belfry.yaml
    belfry try webhook --source desk body.json --header 'X-GitHub-Event: release'
    belfry try webhook body.json --set preset=ghost
    belfry try exec ./cms.py --set config.section=politics
    belfry try exec --source desk --config belfry.yaml --json

A source of type exec runs a command; FROM is its program, --source takes a source of the configuration as it stands, and --log
debug shows what the command says on standard error. With --json, items also have what those of a webhook have, withdrawals follow
as there, and the last line is {"end": {cursor, complete, more, whole}}.

A source of type webhook is called; FROM is a file that holds the body of a call, whose signature is not asked for. --source takes
the map of a source of the configuration, in which --set changes single options.

With --json the first line is {"feed": {title, url, description, lang, updated}}, and each further line an item {key, url,
title, summary, content_html, content_text, authors, tags, lang, published, updated, media}, newest first as in most
feeds. Every name is there: unknown texts are "", unknown times and sizes null. Times are RFC 3339 in UTC; authors are
names; media are {url, type, alt, width, height}. Of a webhook there is no first line with a feed, items also have {group,
not_before, expires, urgency, correction, translation_of}, and {"withdrawn": {key, reason}} stands for each item that the
call takes back, and {"notice": {notice, reference, key, title, text, url, slots}} for each notice to a person. Notes, such as that items were cut off, go to standard error.

Of a calendar, --json prints one line for each occurrence between --from and --to, the earliest first: {uid, recurrence_id,
start, end, all_day, zone, summary, location, url, status}. Times are RFC 3339 with the offset of the event's zone;
recurrence_id is null for an event that does not repeat. What was cancelled is no occurrence.

Exit codes: 0 read, 2 everything else, with one sentence on standard error.`
}

// Run prints the items of a source.
func (c *tryCmd) Run(ctx context.Context, g *global, std streams) error {
	if spec := specOf(c.Type); spec != nil && spec.Has(sdk.RoleWebhook) && !spec.Has(sdk.RoleSource) {
		if err := c.mapCall(ctx, g, std); err != nil {
			return &exitError{exitUsage, fmt.Errorf("%s", oneLine(err))}
		}
		return nil
	}
	if c.Source != "" && !c.runs() || len(c.Header) > 0 {
		return unusable("--source and --header are for types that are called, such as webhook")
	}
	batch, err := c.fetch(ctx, g, std)
	if err != nil {
		return &exitError{exitUsage, fmt.Errorf("%s", oneLine(err))}
	}
	if c.window.agenda {
		return c.agenda(batch, g.JSON, std)
	}
	if g.JSON && c.runs() {
		return c.printRun(batch, std)
	}
	if g.JSON {
		about := batch.About
		feed := feedJSON{about.Title, about.URL, about.Description, about.Lang, desk.Stamp{Time: about.Updated}}
		if err := writeLine(std.out, map[string]feedJSON{"feed": feed}); err != nil {
			return err
		}
		for _, it := range batch.Items {
			if err := writeLine(std.out, newItemJSON(it)); err != nil {
				return err
			}
		}
		printNotes(batch, std.err)
		return nil
	}
	c.print(batch, std)
	return nil
}

// oneLine makes one sentence of an error.
func oneLine(err error) string {
	lines := strings.FieldsFunc(err.Error(), func(r rune) bool { return r == '\n' })
	for i := range lines {
		lines[i] = strings.TrimSpace(lines[i])
	}
	return strings.Join(lines, "; ")
}

func (c *tryCmd) print(batch sdk.Batch, std streams) {
	about := batch.About
	name := desk.OrDash(desk.Plain(about.Title))
	if about.Lang != "" {
		name += " (" + desk.Plain(about.Lang) + ")"
	}
	if spec := specOf(c.Type); spec == nil || spec.Has(sdk.RoleSource) { // a call says nothing of its source
		fmt.Fprintln(std.out, strings.TrimSpace(name+"  "+desk.Plain(about.URL)))
	}
	fmt.Fprintln(std.out, count(len(batch.Items), "item"))
	if len(batch.Items) > 0 {
		fmt.Fprintln(std.out)
	}
	t := newTable("PUBLISHED", "TITLE", "IMAGES", "TAGS", "URL")
	for _, it := range batch.Items {
		published := "-"
		if !it.Published.IsZero() {
			published = it.Published.UTC().Format("2006-01-02 15:04 UTC")
		}
		t.add(published, clip(desk.OrDash(it.Title), 60), fmt.Sprint(len(it.Media)), clip(desk.OrDash(strings.Join(it.Tags, ", ")), 30), desk.Plain(desk.OrDash(it.URL)))
	}
	if len(batch.Items) > 0 {
		t.write(std.out)
	}
	printNotes(batch, std.out)
}

// printNotes prints what is worth a look besides the items: what is withdrawn, and what was cut off or left out.
func printNotes(batch sdk.Batch, w io.Writer) {
	for _, r := range batch.Removed {
		fmt.Fprintf(w, "withdrawn: %s %s\n", desk.Plain(r.Key), desk.Plain(r.Reason))
	}
	for _, n := range batch.PersonNotices {
		fmt.Fprintf(w, "notice %s to %s about %s: %s\n", desk.Plain(n.Notice), desk.Plain(n.Reference), desk.Plain(n.Key), desk.Plain(strings.TrimSpace(n.Title+" "+n.Text)))
	}
	for _, n := range batch.Notices {
		fmt.Fprintln(w, "note:", desk.Plain(n))
	}
}

// fetch opens the source in a process of its own and asks it once.
func (c *tryCmd) fetch(ctx context.Context, g *global, std streams) (sdk.Batch, error) {
	spec := specOf(c.Type)
	var cfg *configs.Loaded
	if spec == nil {
		var err error
		if cfg, err = c.external(g); err != nil {
			return sdk.Batch{}, err
		}
	} else if !spec.Has(sdk.RoleSource) {
		return sdk.Batch{}, fmt.Errorf("%s is no source that is fetched; known are %s", c.Type, strings.Join(typesWith(sdk.RoleSource), ", "))
	}
	shop, err := newWorkshop(cfg, c.Memory, g.quiet(std.err))
	if err != nil {
		return sdk.Batch{}, err
	}
	defer shop.close()
	fields, err := c.fields(ctx, shop, spec)
	if err != nil {
		return sdk.Batch{}, err
	}
	options := optionsTree(g.Set)
	request := sdk.FetchRequest{Now: time.Now().UTC(), Force: true}
	if c.runs() {
		if options, err = c.commandOptions(g); err != nil {
			return sdk.Batch{}, err
		}
	} else if err := c.aim(&request, options, fields, spec == nil, std); err != nil {
		return sdk.Batch{}, err
	}
	if err := c.look(&request, options, fields); err != nil {
		return sdk.Batch{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, configs.Default().Plugins.Deadline.Std())
	defer cancel()
	source, err := shop.Open(ctx, "try", c.Type, true, options)
	if err != nil {
		return sdk.Batch{}, errors.New(onCommandLine(optionError(c.Type, err)))
	}
	defer source.Close(context.WithoutCancel(ctx))
	fetcher, ok := sdk.As[sdk.Source](source)
	if !ok {
		return sdk.Batch{}, fmt.Errorf("%s is no source that is fetched", c.Type)
	}
	batch, err := c.all(ctx, fetcher, request)
	if err != nil {
		return sdk.Batch{}, fmt.Errorf("%s: %s", c.input(), onCommandLine(pluginSentence(err)))
	}
	return batch, nil
}

// fields are the options of the type; a plugin of a third party is asked for them.
func (c *tryCmd) fields(ctx context.Context, shop *workshop, spec *sdk.Spec) ([]sdk.Field, error) {
	if spec != nil {
		return spec.Fields(), nil
	}
	about, err := shop.host.Describe(ctx, c.Type)
	if err != nil {
		return nil, pluginSentence(err)
	}
	if !slices.Contains(about.Roles, sdk.RoleSource) {
		return nil, fmt.Errorf("%s is no source that is fetched; it can: %s", c.Type, desk.OrDash(roles(about.Roles)))
	}
	return about.Fields, nil
}

// input names what was read, for a sentence.
func (c *tryCmd) input() string {
	if c.From == "" {
		return c.Type
	}
	return inputName(c.From)
}

// external finds a third party's type in the configuration.
func (c *tryCmd) external(g *global) (*configs.Loaded, error) {
	known := typesWith(sdk.RoleSource, sdk.RoleWebhook)
	unknown := fmt.Errorf("there is no type of source called %q; known are %s, and those of the plugins that the configuration names", c.Type, strings.Join(known, ", "))
	if near := sdk.Nearest(c.Type, known); near != "" {
		unknown = fmt.Errorf("there is no type of source called %q; did you mean %q?", c.Type, near)
	}
	if _, err := os.Stat(g.Config); err != nil {
		return nil, unknown
	}
	o := g.options()
	o.Flags = nil // --set means the source's options here
	cfg, err := configs.Load(o)
	if err != nil {
		return nil, fmt.Errorf("%w; and the configuration cannot be asked for others: %s", unknown, oneLine(err))
	}
	if _, ok := cfg.Plugin(c.Type); !ok {
		return nil, unknown
	}
	return cfg, nil
}

// maxDocument is the largest file that is read, in bytes; sources have limits of their own below it.
const maxDocument = 15 << 20

// aim points the source at an address, or gives it the document of a file. A plugin of a third party may need its options
// alone.
func (c *tryCmd) aim(r *sdk.FetchRequest, options map[string]any, fields []sdk.Field, foreign bool, std streams) error {
	takes := func(option string) bool {
		return slices.ContainsFunc(fields, func(f sdk.Field) bool { return f.Path == option || strings.HasPrefix(f.Path, option+"[") })
	}
	if len(c.AllowPrivate) > 0 {
		if !takes("allow_private") {
			return fmt.Errorf("a source of type %s has no allow_private", c.Type)
		}
		options["allow_private"] = c.AllowPrivate.texts()
	}
	if isAddress(c.From) {
		if c.BaseURL != "" || c.ContentType != "" {
			return fmt.Errorf("--base-url and --content-type are for files; %s has an address, and its server says the type", c.From)
		}
		if !takes("url") {
			return fmt.Errorf("a source of type %s has no address; give its options with --set, and a file", c.Type)
		}
		options["url"] = c.From
		return nil
	}
	if c.From == "" {
		return c.aimless(foreign)
	}
	if info, err := os.Stat(c.From); err == nil && info.IsDir() {
		if foreign {
			return fmt.Errorf("%s is a folder; name it in an option of the type, such as --set %s=%s", c.From, folderOption(fields), c.From)
		}
		return fmt.Errorf("%s is a folder; give a file", c.From)
	}
	body, err := readInput(c.From, std, maxDocument)
	if err != nil {
		return err
	}
	r.Document = &sdk.Document{URL: c.BaseURL, ContentType: c.ContentType, Body: body}
	if _, given := options["url"]; !given && takes("url") {
		options["url"] = "https://document.invalid/" // never asked for: the document is here
	}
	return nil
}

// aimless is for a type whose options say all.
func (c *tryCmd) aimless(foreign bool) error {
	if !foreign {
		return errors.New("FROM is missing; see: belfry try --help")
	}
	if c.BaseURL != "" || c.ContentType != "" {
		return errors.New("--base-url and --content-type are for files, and none is given")
	}
	return nil
}

// folderOption is the option of a type that is likely to name a folder.
func folderOption(fields []sdk.Field) string {
	for _, likely := range []string{"folder", "dir", "directory", "path"} {
		if slices.ContainsFunc(fields, func(f sdk.Field) bool { return f.Path == likely }) {
			return likely
		}
	}
	for _, f := range fields {
		if f.Required {
			return f.Path
		}
	}
	return "OPTION"
}

func isAddress(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (strings.Contains(s, "://") || slices.Contains([]string{"http", "https", "feed", "webcal", "webcals", "caldav", "caldavs"}, u.Scheme))
}

// optionsTree makes settings of key=value pairs; dots in a key lead into settings.
func optionsTree(pairs map[string]string) map[string]any {
	out := map[string]any{}
	for key, value := range pairs {
		at := out
		tokens := strings.Split(key, ".")
		for _, t := range tokens[:len(tokens)-1] {
			sub, ok := at[t].(map[string]any)
			if !ok {
				sub = map[string]any{}
				at[t] = sub
			}
			at = sub
		}
		at[tokens[len(tokens)-1]] = sdk.Untyped(value)
	}
	return out
}

// optionError says what is wrong with options given on the command line.
func optionError(typ string, err error) error {
	ps, ok := asProblems(err)
	if !ok {
		return err
	}
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.String()
		if p.Pointer != "" && !p.OnKey {
			lines[i] = desk.Dotted(p.Pointer) + ": " + lines[i]
		}
	}
	return fmt.Errorf("%s: %s", typ, strings.Join(lines, "; "))
}

// onCommandLine puts the flag in place of the setting which a source's sentence advises.
func onCommandLine(err error) string {
	if start, ok := strings.CutSuffix(err.Error(), "add its address to allow_private"); ok {
		return start + "add --allow-private"
	}
	return err.Error()
}
