package metrics

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/belfry-news/belfry/configs"
	"github.com/belfry-news/belfry/internal/alert"
	"github.com/belfry-news/belfry/internal/compose"
	"github.com/belfry-news/belfry/internal/store"
	"github.com/belfry-news/belfry/internal/websub"
)

// Store is what is read for a scrape. *store.DB is one.
type Store interface {
	SourceHealths(ctx context.Context) ([]store.SourceHealth, error)
	ChannelCounts(ctx context.Context) (map[string]store.ChannelCount, error)
	DestinationRows(ctx context.Context) (map[string]store.DestinationRow, error)
	DeadCopies(ctx context.Context) (map[string]map[string]int, error)
	AlertCounts(ctx context.Context) (map[alert.Code]int, error)
	UnheardAlerts(ctx context.Context) (n int, since time.Time, err error)
	AlertPlaces(ctx context.Context) ([]store.AlertPlace, error)
	Pauses(ctx context.Context) ([]store.Pause, error)
	PausedChannels(ctx context.Context) (map[string]time.Time, error)
	CallCounts(ctx context.Context) (map[string]store.CallCount, error)
	Subscriptions(ctx context.Context) ([]websub.Subscription, error)
}

const (
	// fresh is how long what was read is given again: several scrapers cost no more than one.
	fresh = 5 * time.Second
	// deadline bounds the reading. It is well below the ten seconds that Prometheus waits by default.
	deadline = 3 * time.Second
)

// collector reads the store when Prometheus asks.
type collector struct {
	s     Settings
	descs map[string]*prometheus.Desc

	mu   sync.Mutex
	at   time.Time
	read []prometheus.Metric
}

func newCollector(s Settings) *collector {
	c := &collector{s: s, descs: map[string]*prometheus.Desc{}}
	for _, f := range families() {
		switch f.name {
		case deliveryLag, callDuration, fetchDuration, pluginRestarts, pluginRefused, requestDuration, webhookDuration, webhooksMapped, buildInfo: // instruments
		case pluginProcesses, pluginMemory, pluginCPU, pluginStarts, pluginHeld, pluginCalls: // see pluginCollector
		default:
			c.descs[f.name] = prometheus.NewDesc(f.name, f.help, f.labels, nil)
		}
	}
	return c
}

// Describe implements prometheus.Collector.
func (c *collector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range c.descs {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (c *collector) Collect(ch chan<- prometheus.Metric) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now := c.s.Now(); c.at.IsZero() || now.Sub(c.at) >= fresh || now.Before(c.at) {
		c.at, c.read = now, c.look(now)
	}
	for _, m := range c.read {
		ch <- m
	}
}

// look reads everything. When the store cannot be read there is nothing but that it could not: old figures would look
// like a daemon that is well.
func (c *collector) look(now time.Time) []prometheus.Metric {
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	begun := time.Now()
	g := &gauges{c: c}
	var err error
	for _, part := range []func(context.Context, *gauges, *configs.Loaded, time.Time) error{c.sources, c.channels, c.destinations, c.people, c.telling} {
		if err = part(ctx, g, c.s.Config(), now); err != nil {
			break
		}
	}
	success := 1.0
	if err != nil {
		c.s.Log.Warn("the store cannot be read for metrics", "err", err)
		g.list, success = nil, 0
	}
	g.add(collectSuccess, success)
	g.add(collectDuration, time.Since(begun).Seconds())
	return g.list
}

// gauges are what was read so far.
type gauges struct {
	c    *collector
	list []prometheus.Metric
}

func (g *gauges) add(name string, v float64, labels ...string) {
	g.list = append(g.list, prometheus.MustNewConstMetric(g.c.descs[name], prometheus.GaugeValue, v, labels...))
}

func (g *gauges) addTime(name string, t time.Time, labels ...string) { g.add(name, unix(t), labels...) }

func unix(t time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return float64(t.UnixMilli()) / 1000
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func (c *collector) sources(ctx context.Context, g *gauges, cfg *configs.Loaded, now time.Time) error {
	rows, err := c.s.Store.SourceHealths(ctx)
	for _, r := range rows {
		if _, ok := cfg.Sources[r.Name]; !ok {
			continue // a reload took it away a moment ago
		}
		g.addTime(sourceLastSuccess, r.OKAt, r.Name)
		g.add(sourceFailures, float64(r.Failures), r.Name)
		g.add(sourceGone, truth(r.Gone), r.Name)
		g.add(sourceHeld, float64(r.Held), r.Name)
	}
	if err != nil {
		return err
	}
	calls, err := c.s.Store.CallCounts(ctx)
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(calls)) {
		if _, ok := cfg.Sources[name]; ok {
			g.add(webhooksWaiting, float64(calls[name].Waiting), name)
			g.add(webhooksFailed, float64(calls[name].Failed), name)
		}
	}
	subs, err := c.s.Store.Subscriptions(ctx)
	active := map[string]bool{}
	for _, s := range subs {
		if _, ok := cfg.Sources[s.Source]; ok && s.State != websub.Leaving {
			active[s.Source] = active[s.Source] || s.State == websub.Active && now.Before(s.ExpiresAt)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(active)) {
		g.add(hubActive, truth(active[name]), name)
	}
	return err
}

func (c *collector) channels(ctx context.Context, g *gauges, cfg *configs.Loaded, now time.Time) error {
	counts, err := c.s.Store.ChannelCounts(ctx)
	if err != nil {
		return err
	}
	program := c.s.Program()
	paused, err := c.s.Store.PausedChannels(ctx)
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(cfg.Channels)) {
		n := counts[name]
		g.add(channelPosts, float64(n.Posts), name)
		g.add(channelWaiting, float64(n.Waiting), name)
		g.add(channelHeld, float64(n.Held), name)
		g.addTime(channelLastPost, n.LastPost, name)
		if cfg.Channels[name].Digest == nil {
			continue
		}
		if next := program.NextDigest(compose.Rows{Paused: paused}, name, now); !next.At.IsZero() {
			g.addTime(channelNextDigest, next.At, name)
		}
	}
	return nil
}

func (c *collector) destinations(ctx context.Context, g *gauges, cfg *configs.Loaded, now time.Time) error {
	rows, err := c.s.Store.DestinationRows(ctx)
	if err != nil {
		return err
	}
	dead, err := c.s.Store.DeadCopies(ctx)
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(cfg.Destinations)) {
		r := rows[name]
		g.add(destinationWaiting, float64(r.Waiting), name)
		oldest := 0.0
		if !r.OldestAt.IsZero() {
			oldest = max(0, now.Sub(r.OldestAt).Seconds())
		}
		g.add(destinationOldest, oldest, name)
		g.add(destinationUnknown, float64(r.Unknown), name)
		g.add(destinationHeld, float64(r.Held), name)
		g.add(destinationNeeds, float64(r.Listed), name)
		for _, state := range []string{"failed", "expired", "dropped"} {
			g.add(destinationDead, float64(dead[name][state]), name, state)
		}
		stopped := !r.StoppedAt.IsZero() || slices.ContainsFunc(r.Lanes, func(l store.LaneRow) bool { return !l.StoppedAt.IsZero() })
		g.add(destinationStopped, truth(stopped), name)
		g.addTime(destinationLastSuccess, r.OKAt, name)
	}
	return nil
}

// people reads what concerns a person: alerts and pauses.
func (c *collector) people(ctx context.Context, g *gauges, _ *configs.Loaded, _ time.Time) error {
	byCode, err := c.s.Store.AlertCounts(ctx)
	if err != nil {
		return err
	}
	for _, code := range slices.Sorted(maps.Keys(byCode)) {
		g.add(alertsOpen, float64(byCode[code]), string(code))
	}
	pauses, err := c.s.Store.Pauses(ctx)
	for _, p := range pauses {
		g.add(paused, 1, p.Scope, p.Name)
	}
	return err
}

// telling reads whether people are told of trouble.
func (c *collector) telling(ctx context.Context, g *gauges, cfg *configs.Loaded, _ time.Time) error {
	if len(cfg.Alerts.To) == 0 {
		return nil
	}
	n, _, err := c.s.Store.UnheardAlerts(ctx)
	if err != nil {
		return err
	}
	g.add(alertsUntold, float64(n))
	places, err := c.s.Store.AlertPlaces(ctx)
	refused := map[string]bool{}
	for _, to := range cfg.Alerts.To {
		refused[to.Destination] = refused[to.Destination] || slices.ContainsFunc(places, func(p store.AlertPlace) bool { return p.Destination == to.Destination && p.Chat == to.Chat })
	}
	for _, name := range slices.Sorted(maps.Keys(refused)) {
		g.add(alertsRefused, truth(refused[name]), name)
	}
	return err
}
