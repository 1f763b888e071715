package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/belfry-news/belfry/configs"
	"github.com/belfry-news/belfry/internal/filetree"
	"github.com/belfry-news/belfry/internal/metrics"
	"github.com/belfry-news/belfry/internal/pluginhost"
	"github.com/belfry-news/belfry/internal/trust"
	"github.com/belfry-news/belfry/sdk"
)

// pluginEnd bounds the end of processes that were started to be asked, and nothing else.
const pluginEnd = 5 * time.Second

// PluginReport is what asking third parties' plugins about a configuration showed.
type PluginReport struct {
	// Wrong are options that a plugin refuses by its own schema, and types that are used as what they are not.
	Wrong []configs.Located
	// Down are plugins that cannot be asked: the file is missing or another one, or does not start.
	Down []configs.Located
}

// CheckPlugins starts each plugin of a third party that a configuration names by its path, once, asks it about the options
// that are meant for it, and ends it. It waits no longer than a start and a call may take. A trusted plugin is not started: it
// is compared with what was trusted.
func CheckPlugins(ctx context.Context, l *configs.Loaded, runDir string, log *slog.Logger) PluginReport {
	kinds := kindsToCheck(l)
	if len(kinds) == 0 {
		return PluginReport{}
	}
	host := pluginhost.New(pluginhost.Config{RunDir: runDir, Log: log, Command: func(kind string) (pluginhost.Command, error) { return PluginCommand(l, kind) },
		Limits: pluginhost.Limits{Memory: int64(l.Plugins.Memory) << 20, Call: l.Plugins.Deadline.Std()}})
	defer func() {
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), pluginEnd)
		defer cancel()
		host.Close(end) // what does not end by itself is killed
	}()
	reports := make([]PluginReport, len(kinds))
	var wg sync.WaitGroup
	for i, kind := range kinds {
		wg.Go(func() { reports[i] = askPlugin(ctx, l, host, kind) })
	}
	wg.Wait()
	var all PluginReport
	for _, r := range reports {
		all.Wrong, all.Down = append(all.Wrong, r.Wrong...), append(all.Down, r.Down...)
	}
	return all
}

// kindsToCheck are the types that plugins.external names by a path, and of each trusted plugin that is used one type.
func kindsToCheck(l *configs.Loaded) []string {
	var out []string
	seen := map[string]bool{}
	for _, kind := range l.PluginTypes() {
		p, _ := l.Plugin(kind)
		if p.Trusted == nil {
			out = append(out, kind)
		} else if l.Uses(kind) && !seen[p.Trusted.Name] {
			seen[p.Trusted.Name] = true
			out = append(out, kind)
		}
	}
	return out
}

// lookAtTrusted finds a trusted plugin that is not what was trusted, or that others could change.
func lookAtTrusted(l *configs.Loaded, kind string, t configs.Trusted) (r PluginReport) {
	command, err := PluginCommand(l, kind)
	if err == nil {
		err = pluginhost.Verify(command)
	}
	if err != nil {
		what, fix := sdk.Sentence(err)
		if _, changed := errors.AsType[*trust.ChangedError](err); !changed {
			what = fmt.Sprintf("plugin %s cannot be used: %s", t.Name, what)
		}
		r.Down = append(r.Down, l.Locate(sdk.Problem{Pointer: "/plugins/folder", What: what, Fix: fix}))
	}
	return r
}

// foreignCommand is how a third party's program is started.
func foreignCommand(p configs.Plugin) (pluginhost.Command, error) {
	c := pluginhost.Command{Path: p.Path, Args: p.Args, Foreign: true, Folder: p.Folder, SHA256: p.Checksum, Read: p.Read}
	if p.Trusted == nil {
		return c, nil
	}
	if err := trust.CheckFolder(filepath.Dir(p.Folder)); err != nil {
		return c, err
	}
	c.Explain = func(tree filetree.Tree) error { return trust.Explain(filepath.Dir(p.Folder), p.Trusted.Name, tree) }
	return c, nil
}

// TrustedTypes are the types of the plugins that are trusted in a folder, for configs.Options.
func TrustedTypes(folder string) ([]configs.Trusted, error) {
	records, err := trust.Records(folder)
	if err != nil {
		return nil, err
	}
	var out []configs.Trusted
	for _, r := range records {
		for _, t := range r.Types {
			var schema map[string]any
			_ = json.Unmarshal(t.Schema, &schema) // a schema of another form is a Go boolean, and says nothing
			out = append(out, configs.Trusted{Name: r.Name, Type: t.Type, Summary: t.Summary, Roles: t.Roles, Medium: t.Medium.SDK(), Fields: t.FieldsOf(), Schema: schema,
				Check: t.Checker().Check, Path: r.Path(folder), Args: r.Args, Folder: filepath.Join(folder, r.Name), Checksum: r.Checksum, Record: trust.RecordPath(folder, r.Name)})
		}
	}
	return out, nil
}

// confined says of a built-in kind whether its process is confined. That of exec is not: it starts commands, each in a sandbox
// of its own, and in one itself it could start none.
func confined(kind string) bool { return kind != "exec" }

// tellGaps logs what this system cannot keep from the plugins of a configuration, each once in the daemon's life: of third
// parties' all of it, of Belfry's own that they could open every file.
func (a *App) tellGaps(l *configs.Loaded) {
	foreign, own := len(l.PluginTypes()) > 0, false
	for _, s := range l.Sources {
		own = own || isolated(s) && confined(s.Type)
	}
	if !foreign && !own {
		return
	}
	for _, ability := range a.probe() {
		if ability.Have || a.gapsTold[ability.Name] || !foreign && ability.Name != "files" {
			continue
		}
		if a.gapsTold == nil {
			a.gapsTold = map[string]bool{}
		}
		a.gapsTold[ability.Name] = true
		a.log.Warn("the sandbox of plugins has a gap", "what", ability.What, "mend", ability.Mend)
	}
}

func askPlugin(ctx context.Context, l *configs.Loaded, host *pluginhost.Host, kind string) (r PluginReport) {
	if p, _ := l.Plugin(kind); p.Trusted != nil {
		return lookAtTrusted(l, kind, *p.Trusted) // its options were checked when the configuration was read
	}
	at := sdk.Pointer("plugins", "external", kind)
	down := func(setting string, err error) PluginReport {
		said := pluginSentence(kind, err)
		var fix string
		if e, asked := errors.AsType[*sdk.Error](err); asked && e != nil {
			said, fix = strings.TrimSuffix(said, "; its last words are in the log"), "look: "+pluginCheckCommand(l, kind)
		} else {
			said, fix = sdk.Sentence(errors.New(said))
		}
		if fix == "" {
			fix = "write the path of the program, from the root on or relative to the configuration"
		}
		r.Down = append(r.Down, l.Locate(sdk.Problem{Pointer: at + "/" + setting, What: fmt.Sprintf("plugin %s cannot be used: %s", kind, said), Fix: fix}))
		return r
	}
	command, err := PluginCommand(l, kind)
	if err == nil {
		err = pluginhost.Verify(command)
	}
	if _, another := errors.AsType[*pluginhost.DigestError](err); another {
		return down("sha256", err)
	}
	if err != nil {
		return down("path", err)
	}
	found, err := host.Describe(ctx, kind)
	if err != nil {
		return down("path", err)
	}
	if what, clashes := configs.Clash(found.Roles, found.Fields); clashes {
		return down("path", errors.New(what+"; its author has to give it another name"))
	}
	ask := func(section, name string, own []sdk.Field, options map[string]any, roles ...sdk.Role) {
		if !slices.ContainsFunc(roles, func(role sdk.Role) bool { return slices.Contains(found.Roles, role) }) {
			r.Wrong = append(r.Wrong, l.Locate(sdk.Problem{Pointer: sdk.Pointer(section, name, "type"),
				What: fmt.Sprintf("plugin %s provides no type of %s", kind, section), Fix: "see what it can do: belfry plugin check " + command.Path}))
			return
		}
		err := host.Check(ctx, kind, options)
		if ps, wrong := errors.AsType[sdk.Problems](err); wrong {
			r.Wrong = append(r.Wrong, l.LocateOptions(section, name, configs.NamedKeys(ps, options, slices.Concat(own, found.Fields)))...)
		} else if err != nil {
			down("path", err)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(l.Sources)) {
		if s := l.Sources[name]; s.Type == kind {
			ask("sources", name, sdk.Fields(&configs.Source{}), s.Options, sdk.RoleSource, sdk.RoleWebhook)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(l.Destinations)) {
		if d := l.Destinations[name]; d.Type == kind {
			ask("destinations", name, sdk.Fields(&configs.Destination{}), d.Options, sdk.RolePublisher, sdk.RoleAssistant, sdk.RoleMessenger)
		}
	}
	return r
}

// pluginSentence is an error of a plugin in the midst of a sentence that names the plugin and says itself what comes next.
func pluginSentence(kind string, err error) string {
	s := err.Error()
	if e, ok := errors.AsType[*sdk.Error](err); ok && e.Public != "" {
		s = e.Public
	}
	s = strings.TrimPrefix(strings.TrimPrefix(s, "plugin "+kind+": "), "it cannot be started: ")
	s, _, _ = strings.Cut(s, "; it is started again in ")
	return s
}

// pluginCheckCommand is the command with which a person looks at a plugin.
func pluginCheckCommand(l *configs.Loaded, typ string) string {
	p, _ := l.Plugin(typ)
	if p.Trusted != nil {
		return "belfry plugin doctor " + p.Trusted.Name
	}
	return fmt.Sprintf("belfry plugin check %s --type %s", p.Path, typ)
}

// pluginsMeasured is what the host knows of each kind, for the metrics. Nobody asks before the host is there.
func (a *App) pluginsMeasured() []metrics.Plugin {
	var out []metrics.Plugin
	for _, p := range a.host.Status() {
		m := metrics.Plugin{Kind: p.Kind, Starts: p.Starts, Running: p.Running, Resident: p.Resident, CPU: p.CPU, Calls: p.Calls, Waiting: p.Waiting}
		for _, i := range p.Instances {
			if p.State == pluginhost.StateHeld || i.State == pluginhost.StateHeld {
				m.Held++
			}
		}
		out = append(out, m)
	}
	return out
}
