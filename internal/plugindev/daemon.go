package plugindev

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
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

	app     *app.App
	listen  string
	program string
	roles   []sdk.Role
	memory  int
}

// use lets a program run in place of the one before. Its error is a *troubleError when the one before still runs.
func (d *daemon) use(ctx context.Context, program string, s settings, address string) error {
	roles, err := d.describe(ctx, s.Type, program)
	if err != nil {
		return &troubleError{"The plugin does not start", err.Error()}
	}
	old := filepath.Join(d.dir, "belfry.yaml")
	next := filepath.Join(d.dir, "next.yaml")
	text, err := d.configuration(s, roles, program, address)
	if err != nil {
		return err
	}
	if err := os.WriteFile(next, text, 0o600); err != nil {
		return err
	}
	if err := d.check(ctx, next, s); err != nil {
		return err
	}
	if err := d.stop(ctx); err != nil {
		return err
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
	d.app, d.listen, d.program, d.roles = a, a.Addr(), program, roles
	return nil
}

func (d *daemon) options(path string) app.Options {
	specs := append(slices.Clone(d.o.Specs), d.samples.spec())
	return app.Options{Config: configs.Options{Path: path, Specs: specs}, Log: d.log, Version: d.o.Version,
		Observe: func(name string, c sdk.Connector) sdk.Connector {
			if name != pluginName {
				return c
			}
			return &recorder{c, d.journal}
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

// describe starts a program once, and asks what it can do.
func (d *daemon) describe(ctx context.Context, typ, program string) ([]sdk.Role, error) {
	host := pluginhost.New(pluginhost.Config{RunDir: filepath.Join(d.dir, "ask"), Log: d.log, Limits: pluginhost.Limits{Memory: int64(d.memory) << 20, Call: callTime},
		Command: func(string) (pluginhost.Command, error) {
			return pluginhost.Command{Path: program, Foreign: true, Read: []string{d.project}}, nil
		}})
	defer func() {
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTime)
		defer cancel()
		_ = host.Close(end) // what does not end by itself is killed
	}()
	found, err := host.Describe(ctx, typ)
	if err != nil {
		return nil, sentence(typ, err)
	}
	return found.Roles, nil
}

// sentence takes out of an error of the host what only a daemon's operator would need.
func sentence(typ string, err error) error {
	text := err.Error()
	if e, ok := errors.AsType[*sdk.Error](err); ok && e.Public != "" {
		text = e.Public
	}
	text = strings.TrimPrefix(text, "plugin "+typ+": ")
	text, _, _ = strings.Cut(text, "; it is started again in ")
	return errors.New(text)
}

// check says what is wrong with a configuration before anything that runs is touched.
func (d *daemon) check(ctx context.Context, path string, s settings) error {
	options := d.options(path).Config
	loaded, err := configs.Load(options)
	if err != nil {
		return &troubleError{"The settings in " + SettingsFile + " cannot be used", d.own(err.Error(), s)}
	}
	report := app.CheckPlugins(ctx, loaded, filepath.Join(d.dir, "ask"), d.log)
	var said []string
	for _, p := range append(report.Wrong, report.Down...) {
		text := p.What
		if p.Fix != "" {
			text += "; " + p.Fix
		}
		said = append(said, d.own(text, s))
	}
	if len(said) > 0 {
		return &troubleError{"The settings in " + SettingsFile + " cannot be used", strings.Join(said, "\n")}
	}
	return nil
}

// own puts the names of a dev.yaml in the place of those of the daemon's configuration, which nobody sees.
func (d *daemon) own(text string, s settings) string {
	return strings.NewReplacer(filepath.Join(d.dir, "next.yaml"), SettingsFile, "sources."+pluginName, "settings", "destinations."+pluginName, "settings", "plugin "+pluginName, "plugin "+s.Type).Replace(text)
}

// configuration writes the daemon's configuration.
func (d *daemon) configuration(s settings, roles []sdk.Role, program, address string) ([]byte, error) {
	listen := d.listen
	if listen == "" {
		listen = "127.0.0.1:0"
	}
	tree := map[string]any{
		"site": map[string]any{"title": s.Type, "lang": "en"}, "listen": listen, "admin_listen": configs.AdminNone, "data_dir": "data", "alerts": "none", "shutdown_grace": "5s",
		"media":   map[string]any{"allow_private": []string{"127.0.0.0/8"}},
		"plugins": map[string]any{"memory": d.memory, "external": map[string]any{s.Type: map[string]any{"path": program, "read": []string{d.project}}}},
	}
	own, _ := filled(s.Config, address, d.project).(map[string]any)
	options := map[string]any{}
	maps.Copy(options, own)
	options["type"] = s.Type
	channel := map[string]any{"title": s.Type, "lang": "en", "each": map[string]any{"settle": "0s"}, "content": "full"}
	switch can := func(role sdk.Role) bool { return slices.Contains(roles, role) }; {
	case can(sdk.RolePublisher):
		to := map[string]any{"destination": pluginName, "media": 4, "template": sampleTemplate}
		if s.Channel != "" {
			to["chat"] = s.Channel
		}
		tree["sources"] = map[string]any{samplesName: map[string]any{"type": samplesType, "isolation": "none", "poll": "1s", "baseline": "all"}}
		tree["destinations"] = map[string]any{pluginName: options}
		channel["sources"], channel["publish_to"] = []string{samplesName}, []any{to}
	case can(sdk.RoleSource), can(sdk.RoleWebhook):
		if options["baseline"] == nil {
			options["baseline"] = "all"
		}
		if options["poll"] == nil && can(sdk.RoleSource) {
			options["poll"] = "1s"
		}
		tree["sources"] = map[string]any{pluginName: options}
		channel["sources"] = []string{pluginName}
	default:
		return nil, &troubleError{"The plugin can do nothing that Belfry could ask of it", fmt.Sprintf("its roles are %v; implement sdk.Source, or sdk.Resolver and sdk.Publisher", roles)}
	}
	tree["channels"] = map[string]any{channelName: channel}
	return yaml.Marshal(tree)
}

// publishes says whether the plugin posts, and so is given samples.
func (d *daemon) publishes() bool { return slices.Contains(d.roles, sdk.RolePublisher) }

// fetch makes the source due.
func (d *daemon) fetch(ctx context.Context, force bool) error {
	name := pluginName
	if d.publishes() {
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
