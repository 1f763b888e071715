package app

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/belfry-news/belfry/configs"
	"github.com/belfry-news/belfry/internal/alert"
	"github.com/belfry-news/belfry/internal/compose"
	"github.com/belfry-news/belfry/internal/desk"
	"github.com/belfry-news/belfry/internal/store"
	"github.com/belfry-news/belfry/sdk"
)

// ReloadReport says what a reload did.
type ReloadReport struct {
	// Generation in force afterwards.
	Generation int
	At         time.Time
	Changes    []configs.Change
	// NeedRestart are the changed settings that count from the next start only.
	NeedRestart []string
	// Err is why nothing was changed; nil when the new configuration is in force.
	Err error
}

// Status says what the last start or reload did.
func (a *App) Status() ReloadReport { return *a.lastReload.Load() }

// Reload reads the configuration again and puts it in force, or changes nothing and says why. Everything fallible is done
// before anything running is touched; what did not change keeps running.
func (a *App) Reload(ctx context.Context) ReloadReport {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.reloadLocked(ctx)
}

// tryReload is Reload unless the daemon is being started, reloaded or stopped, which it says. Who is waited for by a stop does
// not wait for it.
func (a *App) tryReload(ctx context.Context) bool {
	if !a.mu.TryLock() {
		return false
	}
	defer a.mu.Unlock()
	a.reloadLocked(ctx)
	return true
}

func (a *App) reloadLocked(ctx context.Context) ReloadReport {
	if a.phase != phaseStarted {
		return ReloadReport{At: time.Now(), Err: errors.New("the daemon does not run")}
	}
	report := ReloadReport{Generation: a.generation, At: time.Now()}
	report.Err = a.reload(ctx, &report)
	a.lastReload.Store(&report)
	if report.Err != nil {
		a.log.Error("the changed configuration was refused; the running one stays in force", "generation", a.generation, "err", report.Err)
		_ = a.db.Raise(context.WithoutCancel(ctx), alert.Alert{Code: alert.ConfigRefused, Subject: a.Config().Path,
			Sentence: fmt.Sprintf("the changed configuration was refused; generation %d stays in force: %s", a.generation, firstLine(report.Err)),
			Mend:     "see every problem: belfry check --config " + a.Config().Path}, report.At)
		return report
	}
	a.log.Info("the configuration was applied", "generation", report.Generation, "changes", len(report.Changes), "need_restart", report.NeedRestart)
	return report
}

func firstLine(err error) string { return strings.SplitN(err.Error(), "\n", 2)[0] }

func (a *App) reload(ctx context.Context, report *ReloadReport) error {
	o := a.o.Config
	loaded, err := configs.Load(o)
	if err != nil {
		return err
	}
	if len(loaded.Sources) == 0 && len(a.Config().Sources) > 0 && len(loaded.Channels) == 0 {
		return errors.New("the new configuration names neither sources nor channels; it looks like a file that was being saved")
	}
	if err := a.checkStore(ctx, loaded); err != nil {
		return err
	}
	program, problems := compose.Compile(&loaded.Config)
	if len(problems) > 0 {
		return problems
	}
	if err := a.checkPlugins(ctx, loaded); err != nil {
		return err
	}
	sources, fresh, err := a.openSources(ctx, loaded)
	if err != nil {
		return err
	}
	destinations, freshDestinations, settings, err := a.openDestinations(ctx, loaded)
	if err != nil {
		a.drop(ctx, fresh)
		return err
	}
	report.Changes = configs.Diff(a.Config().Marked(a.marks), loaded.Marked(a.marks))
	// What was started counts, and not what was reloaded since.
	report.NeedRestart = NeedRestart(configs.Diff(a.started, loaded.Marked(a.marks)))
	if err := context.Cause(ctx); err != nil {
		a.drop(ctx, append(fresh, freshDestinations...))
		return err
	}
	// From here on nothing can fail but the store itself, and nobody composes by the old names what the new ones hold.
	ctx = context.WithoutCancel(ctx)
	if err := a.swap(ctx, program, func() error {
		if err := a.rename(ctx, loaded); err != nil {
			return err
		}
		return a.useChannels(ctx, loaded)
	}); err != nil {
		a.drop(ctx, append(fresh, freshDestinations...))
		return err
	}
	a.programs.Store(loaded)
	a.tellGaps(loaded)
	a.renewPlugins(loaded)
	lanes, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(a.life, cancel)()
	if err := a.putDestinations(lanes, loaded, destinations, settings); err != nil {
		return err
	}
	before := a.sources.all()
	if err := a.putSources(ctx, loaded, sources); err != nil {
		return err
	}
	a.retire(before, sources)
	a.web.Use(&loaded.Config)
	if a.tokens != nil {
		if err := a.tokens.Use(loaded.Admin.Tokens); err != nil {
			return err
		}
	}
	a.retryPlugins(ctx)
	a.poller.Wake()
	a.hubs.Wake()
	if report.Generation, err = a.db.Apply(ctx, loaded.Marked(a.marks), report.At, loaded.Outside()...); err != nil {
		return err
	}
	a.loaded.Store(loaded)
	a.generation = report.Generation
	return a.endAlerts(ctx, loaded, time.Now())
}

// endAlerts ends the alerts about sources, destinations and channels that are not configured any more, and about a refused
// configuration: this one is in force.
func (a *App) endAlerts(ctx context.Context, l *configs.Loaded, now time.Time) error {
	rows, err := a.db.Alerts(ctx)
	if err != nil {
		return err
	}
	var over []alert.Key
	for _, r := range rows {
		name, _, _ := strings.Cut(r.Subject, " ") // a destination may be followed by a place there
		ends := false
		switch r.Code {
		case alert.ConfigRefused:
			ends = true
		case alert.SourceFailing, alert.SourceGone, alert.SourceStale, alert.SourceHeld, alert.WebhookFailed, alert.PluginHeld:
			ends = !configured(l, "source", name)
		case alert.DestinationStop, alert.DestinationDown:
			ends = !configured(l, "destination", name)
		case alert.ScheduleMissed, alert.HeldForRelease:
			ends = !configured(l, "channel", name)
		}
		if ends {
			over = append(over, r.Key())
		}
	}
	if len(over) == 0 {
		return nil
	}
	return a.db.ResolveAlerts(ctx, over, now)
}

// checkPlugins refuses options that a third party's plugin says are wrong, of what a configuration changes. A plugin that
// cannot be asked is no reason to refuse: it fails for itself.
func (a *App) checkPlugins(ctx context.Context, l *configs.Loaded) error {
	changed := false
	for _, c := range configs.Diff(a.Config().Marked(a.marks), l.Marked(a.marks)) {
		changed = changed || slices.Contains([]string{"sources", "destinations", "plugins"}, strings.SplitN(c.Path, ".", 2)[0])
	}
	if len(l.PluginTypes()) == 0 || !changed && a.Config().Hash == l.Hash {
		return nil
	}
	r := CheckPlugins(ctx, l, runDir(DataDir(l)), a.log)
	for _, p := range r.Down {
		a.log.Warn("a plugin of the changed configuration cannot be used", "at", p.Position.String(), "what", p.What)
	}
	if len(r.Wrong) > 0 {
		return &configs.Invalid{Problems: r.Wrong}
	}
	return nil
}

// renewPlugins has the processes of third parties' plugins replaced that were started as something else.
func (a *App) renewPlugins(l *configs.Loaded) {
	for _, p := range a.host.Status() {
		program, foreign := l.Plugin(p.Kind)
		ran, started := a.ran.Load(p.Kind)
		if before, ok := ran.(configs.Plugin); foreign && started && ok && !before.Same(program) {
			a.host.Renew(p.Kind)
		}
	}
}

// NeedRestart lists the settings that are read at the start only, of those that changed since.
func NeedRestart(changes []configs.Change) []string {
	var out []string
	for _, c := range changes {
		top, _, _ := strings.Cut(c.Path, ".")
		if strings.HasPrefix(c.Path, "plugins.external") || c.Path == "plugins.folder" {
			continue // read whenever a plugin is started; see renewPlugins
		}
		if slices.Contains([]string{"listen", "admin_listen", "data_dir", "storage", "media", "plugins", "privacy"}, top) && !slices.Contains(out, top) {
			out = append(out, top)
		}
	}
	return out
}

// CheckStore names what a store holds something for and a configuration does not have any more, neither under another
// name (was:) nor as retired, and media that a plugin would take over.
func CheckStore(ctx context.Context, db *store.DB, l *configs.Loaded) ([]configs.Located, error) {
	held, err := db.Held(ctx)
	if err != nil {
		return nil, err
	}
	was := renames(l)
	var problems []configs.Located
	for _, h := range held {
		if configured(l, h.Kind, h.Name) || slices.Contains(l.Retired, h.Name) {
			continue
		}
		if _, renamed := was[[2]string{h.Kind, h.Name}]; renamed {
			continue
		}
		holds := map[string]string{"channel": fmt.Sprintf("%d posts", h.Posts), "source": fmt.Sprintf("%d items that were posted", h.Items),
			"destination": fmt.Sprintf("%d copies of posts", h.Copies)}[h.Kind]
		if h.Grants > 0 {
			grants := desk.Thousands(h.Grants) + " active grants"
			if h.Grants == 1 {
				grants = "1 active grant"
			}
			if holds += " and " + grants; h.Posts == 0 {
				holds = grants
			}
		}
		fix := fmt.Sprintf("renamed? add   was: %s   to the new %s; closed? add   retired: [%s]", h.Name, h.Kind, h.Name)
		if h.Kind == "notice" {
			fix = fmt.Sprintf("write it as before; closed? add   retired: [%s]", h.Name)
		}
		problems = append(problems, l.Locate(sdk.Problem{Pointer: sdk.Pointer(h.Kind + "s"), OnKey: true,
			What: fmt.Sprintf("%s %q is gone from the configuration but holds %s", h.Kind, h.Name, holds),
			Fix:  fix}))
	}
	owned, err := checkOwners(ctx, db, l)
	return append(problems, owned...), err
}

// renames are the new names that a configuration asks for, by kind and old name.
func renames(l *configs.Loaded) map[[2]string]string {
	was := map[[2]string]string{}
	for name, c := range l.Channels {
		was[[2]string{"channel", c.Was}] = name
	}
	for name, s := range l.Sources {
		was[[2]string{"source", s.Was}] = name
	}
	for name, d := range l.Destinations {
		was[[2]string{"destination", d.Was}] = name
	}
	return was
}

// checkStore refuses a configuration in which a name is gone that the store holds something for.
func (a *App) checkStore(ctx context.Context, l *configs.Loaded) error {
	problems, err := CheckStore(ctx, a.db, l)
	if err != nil {
		return err
	}
	if len(problems) > 0 {
		return &configs.Invalid{Problems: problems}
	}
	return nil
}

// rename carries out the renames that a configuration asks for.
func (a *App) rename(ctx context.Context, l *configs.Loaded) error {
	for key, name := range renames(l) {
		if key[1] != "" && !configured(l, key[0], key[1]) {
			if err := a.db.Rename(ctx, key[0], key[1], name, time.Now()); err != nil {
				return err
			}
		}
	}
	return nil
}

func configured(l *configs.Loaded, kind, name string) bool {
	ok := false
	switch kind {
	case "channel":
		_, ok = l.Channels[name]
	case "source":
		_, ok = l.Sources[name]
	case "destination":
		_, ok = l.Destinations[name]
	case "notice":
		_, ok = l.Notices[name]
	}
	return ok
}
