package plugindev

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/belfry-news/belfry/configs"
	"github.com/belfry-news/belfry/internal/app"
	"github.com/belfry-news/belfry/internal/pluginhost"
	"github.com/belfry-news/belfry/sdk"
)

// The names in the configuration of the daemon.
const (
	channelName = "dev"
	samplesName = "samples"
	// pluginName is the source's or the destination's.
	pluginName = "plugin"
	// dataDir is the folder of its store.
	dataDir = "data"
)

// sampleTemplate posts the whole text, so that long ones are long.
const sampleTemplate = "**{{.Title}}**\n\n{{with .Text}}{{.}}{{else}}{{.Summary}}{{end}}\n\n{{.URL}}\n"

const (
	// stopTime is how long the daemon may take to stop.
	stopTime = 8 * time.Second
	// callTime is how long a plugin may take to say what it is.
	callTime = 20 * time.Second
)

// troubleError is what the developer mends: something was tried, and this was said.
type troubleError struct{ trouble, said string }

func (e *troubleError) Error() string { return e.trouble + ": " + e.said }

// daemon is the daemon with the plugin that was built last and ran.
type daemon struct {
	o       Options
	dir     string
	project string
	log     *slog.Logger
	journal *journal
	samples *samples
	reader  *reader

	app     *app.App
	listen  string
	program string
	roles   []sdk.Role
}

// use lets a program run in place of the one before. What is wrong is looked for before that is touched: it still runs unless
// d.app is nil afterwards.
func (d *daemon) use(ctx context.Context, program string, s settings, address string) error {
	host := d.host(program)
	defer d.end(ctx, host)
	found, err := host.Describe(ctx, s.Type)
	if err != nil {
		return &troubleError{"The plugin does not start", d.sentence(s.Type, err)}
	}
	if slices.Contains(found.Roles, sdk.RoleMessenger) {
		if err := d.receive(program, s, found); err != nil {
			return err
		}
	}
	tree, err := d.configuration(s, found.Roles, program, address)
	if err != nil {
		return err
	}
	text, err := written(tree)
	if err != nil {
		return err
	}
	old, next := filepath.Join(d.dir, "belfry.yaml"), filepath.Join(d.dir, "next.yaml")
	if err := os.WriteFile(next, text, 0o600); err != nil {
		return err
	}
	if err := d.check(ctx, host, next, s); err != nil {
		return &troubleError{cannotBeUsed, err.Error()}
	}
	d.end(ctx, host)
	if err := d.stop(ctx); err != nil {
		return err
	}
	if slices.Contains(found.Roles, sdk.RoleMessenger) && !d.reader.following() {
		// The plugin before could not ask the reader; this one is asked to by a daemon that knows nobody.
		if err := os.RemoveAll(filepath.Join(d.dir, dataDir)); err != nil {
			return err
		}
		d.reader.again()
	}
	if err := os.Rename(next, old); err != nil {
		return err
	}
	a, err := app.New(d.options(old))
	if err == nil {
		err = a.Start(ctx)
	}
	if err != nil {
		return fmt.Errorf("the daemon does not start: %w", err)
	}
	d.app, d.listen, d.program, d.roles = a, a.Addr(), program, found.Roles
	return nil
}

const cannotBeUsed = "The settings in " + SettingsFile + " cannot be used"

func (d *daemon) options(path string) app.Options {
	specs := append(slices.Clone(d.o.Specs), d.samples.spec())
	return app.Options{Config: configs.Options{Path: path, Specs: specs, Trusted: app.TrustedTypes}, Log: d.log, Version: d.o.Version,
		Observe: func(name string, c sdk.Connector) sdk.Connector {
			if name != pluginName {
				return c
			}
			return &recorder{c, d.journal, d.reader}
		}}
}

// stop ends the daemon that runs, if any.
func (d *daemon) stop(ctx context.Context) error {
	if d.app == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTime)
	defer cancel()
	err := d.app.Stop(ctx)
	d.app = nil
	if err != nil {
		return fmt.Errorf("the daemon did not stop within %s: %w", stopTime, err)
	}
	return nil
}

// host starts a program once, to ask what it can do and what it says of its settings.
func (d *daemon) host(program string) *pluginhost.Host {
	return pluginhost.New(pluginhost.Config{RunDir: filepath.Join(d.dir, "ask"), Log: d.log, Limits: pluginhost.Limits{Memory: int64(d.o.Memory) << 20, Call: callTime},
		Command: func(string) (pluginhost.Command, error) {
			return pluginhost.Command{Path: program, Foreign: true, Read: []string{d.project}}, nil
		}})
}

func (d *daemon) end(ctx context.Context, host *pluginhost.Host) {
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTime)
	defer cancel()
	host.Close(end) // what does not end by itself is killed
}

// sentence takes out of an error of the host what only a daemon's operator would need.
func (d *daemon) sentence(typ string, err error) string {
	text := err.Error()
	if e, ok := errors.AsType[*sdk.Error](err); ok && e.Public != "" {
		text = e.Public
	}
	text = strings.TrimPrefix(text, "plugin "+typ+": ")
	text, _, _ = strings.Cut(text, "; it is started again in ")
	return text
}

// check says what is wrong with the settings and with the configuration made of them, with its place in the dev.yaml.
func (d *daemon) check(ctx context.Context, host *pluginhost.Host, path string, s settings) error {
	loaded, err := configs.Load(d.options(path).Config)
	if invalid, ok := errors.AsType[*configs.Invalid](err); ok {
		// The configuration is one that nobody sees: its places say nothing.
		said := make(configs.Places, len(invalid.Problems))
		for i, p := range invalid.Problems {
			said[i] = configs.Located{Position: configs.Position{File: SettingsFile}, What: d.own(p.What), Fix: d.own(p.Fix)}
		}
		return said
	}
	if err != nil {
		return err
	}
	section, options := "destinations", loaded.Destinations[pluginName].Options
	if source, ok := loaded.Sources[pluginName]; ok {
		section, options = "sources", source.Options
	}
	err = host.Check(ctx, s.Type, options)
	ps := sdk.Problems{}
	if !errors.As(err, &ps) {
		if err != nil {
			err = errors.New(d.sentence(s.Type, err))
		}
		return err
	}
	said := s.refused(ps)
	for i, masked := range loaded.LocateOptions(section, pluginName, ps) {
		said[i].What, said[i].Fix = masked.What, masked.Fix // without what references stand for
	}
	return said
}

// own puts the names of a dev.yaml in the place of those of the daemon's configuration.
func (d *daemon) own(text string) string {
	return strings.NewReplacer("sources."+pluginName, "config", "destinations."+pluginName, "config").Replace(text)
}

// configuration makes the daemon's configuration. Its error says what of the settings is wrong for every source or destination.
func (d *daemon) configuration(s settings, roles []sdk.Role, program, address string) (map[string]any, error) {
	listen := d.listen
	if listen == "" {
		listen = "127.0.0.1:0"
	}
	if d.listen == "" && slices.Contains(roles, sdk.RoleMessenger) {
		var err error
		if listen, err = freeAddress(); err != nil { // the addresses in messages name it
			return nil, err
		}
	}
	tree := map[string]any{
		"site": map[string]any{"title": s.Type, "lang": "en"}, "listen": listen, "admin_listen": configs.AdminNone, "data_dir": dataDir, "alerts": "none", "shutdown_grace": "5s",
		"media":   map[string]any{"allow_private": []string{"127.0.0.0/8"}},
		"plugins": map[string]any{"memory": d.o.Memory, "external": map[string]any{s.Type: map[string]any{"path": program, "read": []string{d.project}}}},
	}
	options := s.filled(address, d.project)
	options["type"] = s.Type
	channel := map[string]any{"title": s.Type, "lang": "en", "each": map[string]any{"settle": "0s"}, "content": "full"}
	switch can := func(role sdk.Role) bool { return slices.Contains(roles, role) }; {
	case can(sdk.RolePublisher):
		to := map[string]any{"destination": pluginName, "media": 4, "template": sampleTemplate}
		if s.Channel != "" {
			to["chat"] = s.Channel
		}
		tree["sources"] = map[string]any{samplesName: map[string]any{"type": samplesType, "isolation": "none", "poll": "1s", "baseline": "all"}}
		if err := s.decode(options, new(configs.Destination)); err != nil {
			return nil, err
		}
		tree["destinations"] = map[string]any{pluginName: options}
		channel["sources"], channel["publish_to"] = []string{samplesName}, []any{to}
		d.addReader(tree, channel, s, roles, program, listen)
	case can(sdk.RoleMessenger):
		tree["sources"] = map[string]any{samplesName: map[string]any{"type": samplesType, "isolation": "none", "poll": "1s", "baseline": "all"}}
		if err := s.decode(options, new(configs.Destination)); err != nil {
			return nil, err
		}
		tree["destinations"] = map[string]any{pluginName: options}
		channel["sources"] = []string{samplesName}
		d.addReader(tree, channel, s, roles, program, listen)
	case can(sdk.RoleSource), can(sdk.RoleWebhook):
		if options["baseline"] == nil {
			options["baseline"] = "all"
		}
		if options["poll"] == nil && can(sdk.RoleSource) {
			options["poll"] = "1s"
		}
		if err := s.decode(options, new(configs.Source)); err != nil {
			return nil, err
		}
		tree["sources"] = map[string]any{pluginName: options}
		channel["sources"] = []string{pluginName}
	default:
		return nil, &troubleError{"The plugin can do nothing that Belfry could ask of it", fmt.Sprintf("its roles are %v; implement sdk.Source, sdk.Resolver and sdk.Publisher, or sdk.Messenger", roles)}
	}
	tree["channels"] = map[string]any{channelName: channel}
	return tree, nil
}

// written is a tree of settings as YAML, numbers as they were read.
func written(tree map[string]any) ([]byte, error) {
	return yaml.MarshalWithOptions(tree, yaml.CustomMarshaler(func(n json.Number) ([]byte, error) { return []byte(n), nil }))
}

// publishes says whether the plugin posts, and writes whether it writes to people.
func (d *daemon) publishes() bool { return slices.Contains(d.roles, sdk.RolePublisher) }
func (d *daemon) writes() bool    { return slices.Contains(d.roles, sdk.RoleMessenger) }

// sampled says whether the plugin is given samples.
func (d *daemon) sampled() bool { return d.publishes() || d.writes() }

// fetch makes the source due.
func (d *daemon) fetch(ctx context.Context, force bool) error {
	name := pluginName
	if d.sampled() {
		name = samplesName
	} else if !slices.Contains(d.roles, sdk.RoleSource) {
		return nil // it is called
	}
	if d.app == nil {
		return nil
	}
	return d.app.Store().FetchNow(ctx, name, force, time.Now())
}

// Post is a post of the channel, with what became of it.
type Post struct {
	Title, Status, Page string
	At                  time.Time
	Revision            int
	Copy                string
	URL                 string
	Trouble             string
	settled             bool
}

// posts lists the newest posts, the newest first.
func (d *daemon) posts(ctx context.Context) ([]Post, error) {
	if d.app == nil {
		return nil, nil
	}
	rows, err := d.app.Store().Posts(ctx, channelName, false, 40)
	if err != nil {
		return nil, err
	}
	var out []Post
	for _, r := range rows {
		p := Post{Title: r.Content.Title, Status: string(r.Status), At: r.ChangedAt, Revision: r.Revision, Page: "http://" + d.listen + "/c/" + channelName + "/" + r.PublicID, settled: !d.publishes()}
		copies, err := d.app.Store().Copies(ctx, r.ID)
		if err != nil {
			return nil, err
		}
		for _, c := range copies {
			p.Copy = c.State
			if c.Waiting != "" {
				p.Copy = c.Waiting
			}
			if len(c.URLs) > 0 {
				p.URL = c.URLs[0]
			}
			p.Trouble = c.Error
			p.settled = c.Waiting == "" && (c.Have == c.Want || c.HaveGone)
		}
		out = append(out, p)
	}
	return out, nil
}
