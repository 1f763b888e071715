package app

import (
	"context"
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
	"github.com/belfry-news/belfry/internal/metrics"
	"github.com/belfry-news/belfry/internal/pluginhost"
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

// CheckPlugins starts each plugin of a third party that a configuration names, once, asks it about the options that are
// meant for it, and ends it. It waits no longer than a start and a call may take.
func CheckPlugins(ctx context.Context, l *configs.Loaded, runDir string, log *slog.Logger) PluginReport {
	kinds := slices.Sorted(maps.Keys(l.Plugins.External))
	if len(kinds) == 0 {
		return PluginReport{}
	}
	host := pluginhost.New(pluginhost.Config{RunDir: runDir, Log: log, Command: func(kind string) (pluginhost.Command, error) { return PluginCommand(l, kind) },
		Limits: pluginhost.Limits{Memory: int64(l.Plugins.Memory) << 20, Call: l.Plugins.Deadline.Std()}})
	defer func() {
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), pluginEnd)
		defer cancel()
		_ = host.Close(end) // what does not end by itself is killed
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

func askPlugin(ctx context.Context, l *configs.Loaded, host *pluginhost.Host, kind string) (r PluginReport) {
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
			r.Wrong = append(r.Wrong, l.LocateOptions(section, name, namedKeys(ps, options, slices.Concat(own, found.Fields)))...)
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

// namedKeys says of keys that neither the plugin nor Belfry knows what both know: the plugin sees its own part only.
func namedKeys(ps sdk.Problems, options map[string]any, fields []sdk.Field) sdk.Problems {
	known := map[string]bool{}
	for _, f := range fields {
		top, _, _ := strings.Cut(f.Path, ".")
		known[strings.TrimSuffix(top, "[]")] = true
	}
	keys := slices.Sorted(maps.Keys(known))
	out := slices.Clone(ps)
	for i, p := range out {
		for key := range options {
			if p.OnKey && p.Pointer == sdk.Pointer(key) && !known[key] {
				out[i] = sdk.UnknownKey("", key, keys)
			}
		}
	}
	return out
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

// external is the program of a third party's type; false for built-in types.
func external(l *configs.Loaded, typ string) (configs.External, bool) {
	ext, ok := l.Plugins.External[typ]
	return ext, ok
}

// pluginCheckCommand is the command with which a person looks at a plugin.
func pluginCheckCommand(l *configs.Loaded, typ string) string {
	ext, _ := external(l, typ)
	path := ext.Path
	if !filepath.IsAbs(path) {
		path = filepath.Join(l.Dir, path)
	}
	return fmt.Sprintf("belfry plugin check %s --type %s", path, typ)
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
