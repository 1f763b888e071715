package app

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/belfry-news/belfry/configs"
	"github.com/belfry-news/belfry/internal/direct"
	"github.com/belfry-news/belfry/internal/intake"
	"github.com/belfry-news/belfry/internal/outbox"
	"github.com/belfry-news/belfry/internal/store"
	"github.com/belfry-news/belfry/sdk"
)

func channelNames(l *configs.Loaded) []string { return slices.Sorted(maps.Keys(l.Channels)) }

// useChannels keeps since when there are channels, and since when they write to people, before the first of their posts is made.
func (a *App) useChannels(ctx context.Context, l *configs.Loaded) error {
	now := time.Now()
	if err := a.db.UseChannels(ctx, channelNames(l), now); err != nil {
		return err
	}
	return a.beginMessages(ctx, l, now)
}

// fingerprint identifies a configuration's part, credentials included, without telling anything of it to who has no key.
func fingerprint(key []byte, v ...any) string {
	h := hmac.New(sha256.New, key)
	for _, x := range v {
		b, err := json.Marshal(x)
		if err != nil {
			b = fmt.Append(nil, x)
		}
		h.Write(b)
		h.Write([]byte{0})
	}
	return hex.EncodeToString(h.Sum(nil))
}

// isolated says whether instances of a source run in a process of their own.
func isolated(s configs.Source) bool { return s.Isolation == "process" }

// openSources opens the sources of a configuration; those that did not change are kept. On an error nothing new is open.
func (a *App) openSources(ctx context.Context, l *configs.Loaded) (all map[string]*instance, fresh []*instance, err error) {
	key, err := a.db.Secret(ctx, "fingerprint")
	if err != nil {
		return nil, nil, err
	}
	all = map[string]*instance{}
	old := a.sources.all()
	for _, name := range slices.Sorted(maps.Keys(l.Sources)) {
		s := l.Sources[name]
		program, _ := l.Plugin(s.Type) // it is a part of the source
		mark := fingerprint(key, s.Type, s.Isolation, s.Options, l.Site.URL, program)
		rules := sourceRules(name, s)
		if before, ok := old[name]; ok && before.fingerprint == mark && before.rules == rules {
			all[name] = before
			continue
		}
		i, err := a.open(ctx, l, "sources", name, s.Type, isolated(s), s.Options, mark)
		if err != nil {
			a.drop(ctx, fresh)
			return nil, nil, fmt.Errorf("source %s cannot be opened: %w", name, err)
		}
		i.rules = rules
		all[name] = i
		fresh = append(fresh, i)
	}
	return all, fresh, nil
}

// open opens an instance of a source or destination, or has it opened when it is needed.
func (a *App) open(ctx context.Context, l *configs.Loaded, section, name, typ string, isolated bool, options map[string]any, mark string) (*instance, error) {
	if a.opener.Specs[typ] == nil {
		late := a.later(l, section, name, typ, options)
		return newInstance(late, late, mark), nil
	}
	c, err := a.opener.Open(ctx, name, typ, isolated, options)
	if err != nil {
		return nil, err
	}
	return newInstance(c, nil, mark), nil
}

// drop closes what was opened for a configuration that is not used.
func (a *App) drop(ctx context.Context, fresh []*instance) {
	for _, i := range fresh {
		_ = i.close(ctx, a.log, "") // nobody uses it
	}
}

// called says of a type of source that it is called and not fetched.
func (a *App) called(typ string) bool {
	spec := a.opener.Specs[typ]
	return spec != nil && spec.Has(sdk.RoleWebhook) && !spec.Has(sdk.RoleSource)
}

func sourceRules(name string, s configs.Source) intake.Rules {
	return intake.Rules{Name: name, Poll: s.Poll.Std(), Baseline: s.Baseline.Newest, BaselineAll: s.Baseline.All, MaxNew: s.MaxNew,
		HoldFuture: s.Future == "hold", Watch: s.Watch.Std(), StaleAfter: s.StaleAfter.Std()}
}

// useSources opens the sources and puts them in force.
func (a *App) useSources(ctx context.Context, l *configs.Loaded) error {
	all, _, err := a.openSources(ctx, l)
	if err != nil {
		return err
	}
	return a.putSources(ctx, l, all)
}

func (a *App) putSources(ctx context.Context, l *configs.Loaded, all map[string]*instance) error {
	settings := make([]store.SourceSetting, 0, len(l.Sources))
	for _, name := range slices.Sorted(maps.Keys(l.Sources)) {
		settings = append(settings, store.SourceSetting{Name: name, Poll: l.Sources[name].Poll.Std(), Called: a.called(l.Sources[name].Type)})
	}
	if err := a.db.UseSources(ctx, settings, time.Now()); err != nil {
		return err
	}
	a.sources.use(all)
	return nil
}

// openDestinations opens the destinations of a configuration; those that did not change are kept. On an error nothing
// new is open.
func (a *App) openDestinations(ctx context.Context, l *configs.Loaded) (all map[string]*instance, fresh []*instance,
	settings []store.DestinationSetting, err error) {
	key, err := a.db.Secret(ctx, "fingerprint")
	if err != nil {
		return nil, nil, nil, err
	}
	all = map[string]*instance{}
	for _, name := range slices.Sorted(maps.Keys(l.Destinations)) {
		d := l.Destinations[name]
		mark := destinationMark(key, l, d)
		settings = append(settings, store.DestinationSetting{Name: name, Fingerprint: mark})
		if before, ok := a.destinations.all()[name]; ok && before.fingerprint == mark {
			all[name] = before
			continue
		}
		i, err := a.open(ctx, l, "destinations", name, d.Type, false, d.Options, mark)
		if err != nil {
			a.drop(ctx, fresh)
			return nil, nil, nil, fmt.Errorf("destination %s cannot be opened: %w", name, err)
		}
		if a.rehearsal != nil {
			i.conn = a.rehearsal.standIn(name, a.opener.Specs[d.Type], d.Options, i.conn)
		}
		all[name] = i
		fresh = append(fresh, i)
	}
	return all, fresh, settings, nil
}

// destinationMark changes with everything that a destination is, its program included.
func destinationMark(key []byte, l *configs.Loaded, d configs.Destination) string {
	if program, foreign := l.Plugin(d.Type); foreign {
		return fingerprint(key, d.Type, d.Options, program)
	}
	return fingerprint(key, d.Type, d.Options)
}

// useDestinations opens the destinations and puts them in force.
func (a *App) useDestinations(ctx context.Context, l *configs.Loaded) error {
	all, _, settings, err := a.openDestinations(ctx, l)
	if err != nil {
		return err
	}
	return a.putDestinations(ctx, l, all, settings)
}

func (a *App) putDestinations(ctx context.Context, l *configs.Loaded, all map[string]*instance, settings []store.DestinationSetting) error {
	// What stopped a destination is taken back once nobody calls with the old settings any more, who would stop it anew.
	before := a.destinations.all()
	again := a.endLanes(ctx, func(name string) bool { return all[name] != nil && all[name] == before[name] })
	writers := a.writersOf(l, all)
	if err := a.keepDestinations(ctx, l, settings, writers); err != nil {
		again()
		return err
	}
	lanes := map[string]outbox.Destination{}
	for name, i := range all {
		d := l.Destinations[name]
		lanes[name] = outbox.Destination{Name: name, Conn: i.conn, Resend: d.OnUnknown == "resend", NoRates: d.Rates.Off, Rates: d.Rates.Own(), Timeout: d.Timeout.Std(),
			RetryFor: d.Retry.Std(), Parallel: d.Parallel}
	}
	a.destinations.use(all)
	a.serve(ctx, l, all, lanes)
	if a.direct != nil {
		a.serveWriters(ctx, l, writers)
	}
	a.retire(before, all)
	return nil
}

// keepDestinations puts the destinations in force in the store.
func (a *App) keepDestinations(ctx context.Context, l *configs.Loaded, settings []store.DestinationSetting, writers map[string]direct.Destination) error {
	if err := a.db.UseDestinations(ctx, settings); err != nil {
		return err
	}
	if a.rehearsal != nil {
		// What has stopped would show nothing; in a rehearsal every platform takes what it is sent.
		for _, s := range settings {
			if err := a.db.StartAgain(ctx, s.Name, time.Now()); err != nil {
				return err
			}
		}
	}
	if a.direct == nil {
		return nil
	}
	byMedium := map[string]string{}
	for _, name := range slices.Backward(slices.Sorted(maps.Keys(writers))) {
		byMedium[writers[name].Medium] = name
	}
	if err := a.db.UseWriters(ctx, byMedium); err != nil {
		return err
	}
	return a.ownMedia(ctx, l, writers)
}
