package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/belfry-news/belfry/configs"
	"github.com/belfry-news/belfry/internal/app"
	"github.com/belfry-news/belfry/internal/compose"
	"github.com/belfry-news/belfry/internal/desk"
	"github.com/belfry-news/belfry/internal/filetree"
	"github.com/belfry-news/belfry/internal/rehearse"
	"github.com/belfry-news/belfry/internal/store"
	"github.com/belfry-news/belfry/internal/store/sqlite"
	"github.com/belfry-news/belfry/sdk"
)

type renderCmd struct {
	Type        string            `arg:"" help:"The type of destination, such as telegram or http."`
	Item        string            `required:"" placeholder:"FILE" help:"The item, as belfry try --json prints it; - for standard input."`
	Destination string            `placeholder:"NAME" help:"A destination of the configuration, with its settings, templates and channel."`
	Channel     string            `placeholder:"NAME" help:"The channel, where several publish to the destination."`
	Options     map[string]string `short:"o" mapsep:"none" placeholder:"KEY=VALUE" help:"A setting of the type, such as token=…, without a destination. May be repeated."`
	Chat        string            `placeholder:"CHAT" help:"The chat, channel or room there."`
	Fetch       bool              `help:"Fetch images that the store does not have, as the daemon does, so that their names, types and sizes are the real ones."`
	Template    string            `placeholder:"FILE" help:"A file with the template, in place of the default or configured one."`
}

// Help is the long help.
func (*renderCmd) Help() string {
	return `Prints exactly the requests that a post of the item would send, in their order, and sends nothing: the connector runs as
it does in the daemon, and its exchanges are answered here. Credentials are masked. What only the moment decides is made
up: the post's id (preview1), the keys of the calls, signatures and the time, and without a destination the address of the
site (site.example). Images are those that the store has, or that --fetch gets; the name and the type of others are made up.
An upload stands with the address of its image as the source. The number of a Telegram channel known by its name only is made up, unless a
daemon has asked for it before.

Examples:

    belfry try rss feed.xml --json | belfry render telegram --item -
    belfry render http --item item.json --destination ops --json

With --json: a list of {op, channel, kind, text, method, url, headers, body, files}. The body is a JSON value where the
request's body is JSON, an object of its fields where it is a form, and a text otherwise.

Exit codes: 0 printed, 1 the connector or the template refuses the item, 2 the command line or the item cannot be used.`
}

// Run prints requests.
func (c *renderCmd) Run(ctx context.Context, g *global, std streams) error {
	it, err := readItem(c.Item, std)
	if err != nil {
		return err
	}
	s, err := c.stage(ctx, g)
	if err != nil {
		return err
	}
	if s.store != nil {
		defer s.store.Close()
	}
	calls, err := c.calls(ctx, g, std, s, it)
	if err != nil {
		return err
	}
	if g.JSON {
		return writeJSON(std.out, calls)
	}
	for i, call := range calls {
		if i > 0 {
			fmt.Fprintln(std.out)
		}
		printCall(std, call)
	}
	return nil
}

// stage is what an item is rendered for.
type stage struct {
	cfg     *configs.Loaded // nil without a destination
	program *compose.Program
	channel *compose.Channel
	// destination and chat name the target; options are the destination's.
	destination, chat string
	options           map[string]any
	// ref is what a daemon learnt of the chat; its zero value says that none has asked.
	ref sdk.ChannelRef
	// store may have the images; nil when there is none.
	store *store.DB
}

func (c *renderCmd) stage(ctx context.Context, g *global) (*stage, error) {
	if c.Destination == "" {
		return c.bareStage()
	}
	if len(c.Options) > 0 || c.Chat != "" {
		return nil, unusable("--options and --chat are for rendering without --destination, which has its own")
	}
	cfg, err := g.load()
	if err != nil {
		return nil, err
	}
	dest, ok := cfg.Destinations[c.Destination]
	if !ok {
		return nil, desk.UnknownName("destination", c.Destination, slices.Collect(maps.Keys(cfg.Destinations)))
	}
	if dest.Type != c.Type {
		return nil, unusable("destination %s is of type %s, not %s", c.Destination, dest.Type, c.Type)
	}
	s := &stage{cfg: cfg, destination: c.Destination, options: dest.Options}
	name, target, err := c.target(cfg)
	if err != nil {
		return nil, err
	}
	if err := c.useTemplate(func(t configs.Template) { target.Template = t }); err != nil {
		return nil, err
	}
	s.chat = target.Chat
	program, problems := compose.Compile(&cfg.Config)
	if len(problems) > 0 {
		return nil, unusable("%s", templateProblem(c.Template, problems))
	}
	s.program, s.channel = program, program.Channels[name]
	if db, err := sqlite.OpenExisting(ctx, app.Database(cfg)); err == nil {
		s.store = db
		if lane, known, err := db.Lane(ctx, s.destination, s.chat); err == nil && known {
			s.ref = lane.Ref
		}
	}
	return s, nil
}

// target finds the channel that publishes to the destination.
func (c *renderCmd) target(cfg *configs.Loaded) (string, *configs.Target, error) {
	var found []string
	var target *configs.Target
	for _, name := range slices.Sorted(maps.Keys(cfg.Channels)) {
		if c.Channel != "" && c.Channel != name {
			continue
		}
		for i := range cfg.Channels[name].PublishTo {
			if t := &cfg.Channels[name].PublishTo[i]; t.Destination == c.Destination {
				if target == nil {
					target = t
				}
				found = append(found, name)
				break
			}
		}
	}
	if _, ok := cfg.Channels[c.Channel]; c.Channel != "" && !ok {
		return "", nil, desk.UnknownName("channel", c.Channel, slices.Collect(maps.Keys(cfg.Channels)))
	}
	switch {
	case len(found) == 0:
		return "", nil, unusable("no channel publishes to %s; render it without --destination, or add it under publish_to", c.Destination)
	case len(found) > 1:
		return "", nil, unusable("several channels publish to %s (%s); choose one with --channel", c.Destination, strings.Join(found, ", "))
	}
	return found[0], target, nil
}

// bareStage renders for a type alone.
func (c *renderCmd) bareStage() (*stage, error) {
	known := typesWith(sdk.RolePublisher)
	if !slices.Contains(known, c.Type) {
		if near := sdk.Nearest(c.Type, known); near != "" {
			return nil, unusable("there is no type of destination called %q; did you mean %q?", c.Type, near)
		}
		return nil, unusable("there is no type of destination called %q; known are %s, and with --destination those of third parties", c.Type, strings.Join(known, ", "))
	}
	if c.Channel != "" {
		return nil, unusable("--channel is for --destination: a channel belongs to a configuration")
	}
	cfg := configs.Default()
	cfg.Site.URL = "https://site.example" // receivers are told of pages and pictures by address
	ch := configs.Channel{Title: configs.Localized{"": "Preview"}}
	ch.SetDefaults()
	ch.Title = configs.Localized{"": "Preview"}
	target := configs.Target{}
	target.SetDefaults()
	target.Destination, target.Media = "preview", 10
	options, chat := sampleOptions(c.Type)
	maps.Copy(options, optionsTree(c.Options))
	if c.Chat != "" {
		chat = c.Chat
	}
	target.Chat = chat
	if err := c.useTemplate(func(t configs.Template) { target.Template = t }); err != nil {
		return nil, err
	}
	ch.PublishTo = []configs.Target{target}
	cfg.Channels = map[string]configs.Channel{"preview": ch}
	program, problems := compose.Compile(&cfg)
	if len(problems) > 0 {
		return nil, unusable("%s", templateProblem(c.Template, problems))
	}
	return &stage{program: program, channel: program.Channels["preview"], destination: "preview", chat: chat, options: options}, nil
}

// useTemplate reads --template.
func (c *renderCmd) useTemplate(use func(configs.Template)) error {
	if c.Template == "" {
		return nil
	}
	text, err := os.ReadFile(c.Template)
	if err != nil {
		return unusable("the template %s cannot be read: %w", c.Template, filetree.Cause(err))
	}
	use(configs.Template{Text: string(text), File: c.Template})
	return nil
}

func templateProblem(file string, ps sdk.Problems) string {
	p := ps[0]
	if p.Line > 0 {
		return fmt.Sprintf("%s:%d:%d: %s", file, p.Line, max(p.Column, 1), p)
	}
	return fmt.Sprintf("%s: %s", file, p)
}

// calls posts the item to the stand-in of the destination.
func (c *renderCmd) calls(ctx context.Context, g *global, std streams, s *stage, it sdk.Item) ([]rehearse.Call, error) {
	shop, err := g.quietWorkshop(s.cfg, std.err)
	if err != nil {
		return nil, err
	}
	defer shop.close()
	inner, err := shop.Open(ctx, s.destination, c.Type, false, s.options)
	if err != nil {
		return nil, &exitError{exitUsage, optionError(c.Type, err)}
	}
	defer inner.Close(context.WithoutCancel(ctx))
	content := compose.ItemContent(it, s.channel.Lang, s.channel.Config.Content == "full")
	files, sources, err := c.images(ctx, g, std, s, content)
	if err != nil {
		return nil, err
	}
	calls := []rehearse.Call{}
	conn := rehearse.New(inner, rehearse.Hide(specOf(c.Type), s.options), func(call rehearse.Call) {
		for i := range call.Files {
			f := &call.Files[i]
			f.Source, f.Name, f.SHA256, f.Size = sources[f.SHA256], "", "", 0
		}
		calls = append(calls, call)
	})
	now := time.Now().UTC().Truncate(time.Second)
	post, err := s.program.Post(compose.Revision{PublicID: "preview1", Channel: s.channel.Name, Number: 1, Content: content, Published: now, At: now},
		s.destination, s.chat, files)
	if err != nil {
		return nil, desk.Sentence(err)
	}
	ref := s.ref
	if ref.ID == "" {
		if ref, _, err = conn.ResolveChannel(ctx, s.chat); err != nil {
			return nil, desk.Sentence(err)
		}
	}
	parts, err := conn.Plan(ref, post)
	if err != nil {
		return nil, desk.Sentence(err)
	}
	var before *sdk.PartRef
	for i, part := range parts {
		part.Key = fmt.Sprintf("msg_preview%d", i+1)
		if part.Thread {
			part.ReplyTo = before
		}
		for n := range part.Files {
			part.Files[n].Data = []byte(sources[part.Files[n].SHA256])
		}
		accepted, err := conn.Publish(ctx, ref, part)
		if err != nil {
			return nil, desk.Sentence(err)
		}
		before = &accepted
	}
	return calls, nil
}

// images finds the stored copies of a post's images, by their addresses, and says where each comes from: in the store, on
// the way that the daemon goes (--fetch), or made up.
func (c *renderCmd) images(ctx context.Context, g *global, std streams, s *stage, content compose.Content) (compose.Files, map[string]string, error) {
	files, sources := compose.Files{}, map[string]string{}
	if s.store != nil {
		var err error
		if files, err = s.store.Files(ctx, content.Images()); err != nil {
			return nil, nil, err
		}
	}
	for _, m := range content.Media {
		f, known := files[m.URL]
		if !known && c.Fetch {
			var err error
			if f, err = c.fetchImage(ctx, g, std, s, m.URL); err != nil {
				return nil, nil, err
			}
		} else if !known {
			f = pretendFile(m)
		}
		files[m.URL], sources[f.SHA256] = f, m.URL
	}
	return files, sources, nil
}

// fetchImage fetches and processes an image as the daemon does, and keeps nothing.
func (c *renderCmd) fetchImage(ctx context.Context, g *global, std streams, s *stage, address string) (sdk.File, error) {
	cfg := s.cfg
	if cfg == nil {
		cfg = &configs.Loaded{Config: configs.Default()}
	}
	return g.desk(cfg, std).PreviewPicture(ctx, address)
}

// pretendFile makes up the stored copy of an image that was not fetched.
func pretendFile(m sdk.Media) sdk.File {
	sum := sha256.Sum256([]byte(m.URL))
	id := hex.EncodeToString(sum[:])
	return sdk.File{SHA256: id, Name: id + ".jpg", Type: "image/jpeg", Size: int64(len(m.URL)), Width: m.Width, Height: m.Height}
}

func printCall(std streams, call rehearse.Call) {
	if call.Method != "" {
		fmt.Fprintf(std.out, "%s %s\n", call.Method, call.URL)
	} else {
		fmt.Fprintf(std.out, "%s %s\n", call.Op, call.Kind)
	}
	for _, name := range slices.Sorted(maps.Keys(call.Headers)) {
		fmt.Fprintf(std.out, "%s: %s\n", name, call.Headers[name])
	}
	for _, f := range call.Files {
		fmt.Fprintf(std.out, "file %s: %s %s\n", f.Field, f.Type, f.Source)
	}
	fmt.Fprintln(std.out)
	fmt.Fprintln(std.out, indented(call.Body))
}
