package api

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/belfry-news/belfry/configs"
	"github.com/belfry-news/belfry/internal/desk"
	"github.com/belfry-news/belfry/internal/store"
	"github.com/belfry-news/belfry/internal/store/sqlite"
	"github.com/belfry-news/belfry/sdk"
)

type doctorBody struct {
	Online bool `yaml:"online" doc:"Ask the platform of every destination too. Nothing is posted."`
}

type backupBody struct {
	Images string `yaml:"images" enum:"own|all|none" doc:"Which images are in it: those that editors gave as files (own, the default), all, or none."`
}

// configProblem is what is wrong with the configuration.
type configProblem struct {
	File   string `json:"file"`
	Line   int    `json:"line"`
	Column int    `json:"column"`
	What   string `json:"what"`
	Fix    string `json:"fix"`
}

// settings are a configuration as an object.
type settings struct {
	Path       string         `json:"path"`
	Generation int            `json:"generation"`
	Settings   map[string]any `json:"settings"`
}

// version is that of the daemon.
type version struct {
	Version string `json:"version"`
}

// operations lists what concerns the daemon as a whole.
func (h *handler) operations() []route {
	return []route{
		{method: get, path: "/version", id: "getVersion", scope: ScopeRead, summary: "The version of the daemon", answer: version{},
			action: does(func(context.Context, *call) (any, error) { return version{h.Version}, nil })},
		{method: get, path: "/doctor", id: "getDiagnosis", scope: ScopeRead, summary: "What needs a person, and what to do", answer: desk.Diagnosis{},
			text:   "What `belfry doctor` finds, without asking others.",
			action: does(func(ctx context.Context, c *call) (any, error) { return h.examine(ctx, c, nil) })},
		{method: post, path: "/doctor", id: "examine", scope: ScopeOperate, summary: "Look at everything, and ask the platforms too", answer: desk.Diagnosis{},
			action: takes(func(ctx context.Context, c *call, b *doctorBody) (any, error) {
				if b.Online {
					return h.examine(ctx, c, h.Open)
				}
				return h.examine(ctx, c, nil)
			})},
		{method: post, path: "/alerts/test", id: "testAlerts", scope: ScopeOperate, summary: "Send one test alert to everybody who is told of trouble", answer: List[desk.TestedAlert]{},
			text: "It is sent to every place of `alerts.to`, at once. Status and doctor go by what came of it.",
			action: takes(func(ctx context.Context, c *call, _ *emptyBody) (any, error) {
				all, err := c.d.TestAlerts(ctx, h.Open)
				return List[desk.TestedAlert]{Items: all}, err
			})},

		{method: get, path: "/store/size", id: "getStoreSize", scope: ScopeRead, summary: "What takes room, and how much is left", answer: desk.StoreSize{},
			text:   "The whole database is read, which takes a while when it is large.",
			action: does(func(ctx context.Context, c *call) (any, error) { return c.d.StoreSize(ctx) })},
		{method: post, path: "/store/backup", id: "backUp", scope: ScopeOperate, summary: "Take a backup of the store along", answer: download{}, within: backupTime,
			text: "The answer is the file that `belfry store backup` writes: everything at one moment, checked, with what is not published yet. " +
				"Write it to a disk elsewhere, for its owner alone; `belfry store restore` puts it in place. One is made at a time.",
			action: takes(h.backUp)},

		{method: get, path: "/config", id: "getConfig", scope: ScopeRead, summary: "The configuration in force", answer: settings{},
			text: "With every default, and without secrets.", action: does(h.getConfig)},
		{method: get, path: "/config/origins", id: "listSettings", scope: ScopeRead, summary: "Every single setting, with where it comes from", answer: List[desk.Setting]{},
			action: does(func(_ context.Context, c *call) (any, error) { return List[desk.Setting]{Items: c.d.Settings()}, nil })},
		{method: get, path: "/config/problems", id: "checkConfig", scope: ScopeRead, summary: "What is wrong with the configuration as its file is now", answer: List[configProblem]{},
			text: "By itself and against the store, as `belfry check` finds it; empty when a reload would take it.", action: does(h.checkConfig)},
		{method: get, path: "/plugins", id: "listPlugins", scope: ScopeRead, summary: "The types of sources and destinations", answer: List[desk.ConnectorType]{}, query: listed(),
			action: does(func(_ context.Context, c *call) (any, error) {
				all := desk.Types(h.Specs, c.d.Config)
				return byName(c, sorted(all, func(t desk.ConnectorType) string { return t.Type }), func(t desk.ConnectorType) string { return t.Type }), nil
			})},
		{method: get, path: "/schedule", id: "listDueTimes", scope: ScopeRead, summary: "The next times at which a schedule is due", answer: List[desk.Due]{},
			text: "Whether or not a channel has such a schedule. `shift` says that a clock change moved (gap) or doubled (overlap) the local time.",
			query: []param{{name: "cron", kind: "text", doc: "The schedule: five fields, @daily or @every 90m. Required."},
				{name: "zone", kind: "text", doc: "The zone of the schedule; UTC when it is not given."},
				{name: "from", kind: "text", doc: "List what is due after this time: RFC 3339, or a date with or without a time in the zone; now when it is not given."},
				{name: "to", kind: "text", doc: "List what is due up to and at this time."},
				{name: "count", kind: "number", min: 1, max: mostDue, otherwise: desk.DueCount, doc: "The most that are listed."}}, action: does(listDue)},
	}
}

// mostDue bounds how many times are listed.
const mostDue = 500

func (h *handler) examine(ctx context.Context, c *call, open desk.Open) (any, error) {
	x := desk.Examination{Path: c.d.Config.Path, StartPlugin: h.StartPlugin, Open: open,
		Inspect: func(ctx context.Context) (store.Inspection, error) {
			return sqlite.Inspect(ctx, filepath.Join(h.Dir, sqlite.FileName))
		}}
	var err error
	if x.Problems, err = h.problems(ctx); err != nil {
		return nil, err
	}
	return c.d.Examine(ctx, x), nil
}

// problems are what is wrong with the configuration as its file is now.
func (h *handler) problems(ctx context.Context) ([]configs.Located, error) {
	if h.Problems == nil {
		return nil, nil
	}
	return h.Problems(ctx)
}

func (h *handler) checkConfig(ctx context.Context, _ *call) (any, error) {
	found, err := h.problems(ctx)
	out := List[configProblem]{Items: []configProblem{}}
	for _, p := range found {
		out.Items = append(out.Items, configProblem{p.File, p.Line, p.Column, p.What, p.Fix})
	}
	return out, err
}

func (h *handler) getConfig(ctx context.Context, c *call) (any, error) {
	s, err := c.d.Store.Applied(ctx)
	if errors.Is(err, store.ErrNotFound) {
		err = nil // it has no number yet
	}
	return settings{c.d.Config.Path, s.Generation, c.d.Config.Tree()}, err
}

func listDue(_ context.Context, c *call) (any, error) {
	cron := c.query.text("cron")
	if strings.TrimSpace(cron) == "" {
		return nil, badInput("the query", sdk.Problems{{Pointer: "?cron", What: "\"cron\" is missing", Fix: "give a schedule, such as 0 7 * * mon-fri"}})
	}
	list, _, _, err := desk.Schedule(desk.DueQuery{Cron: cron, Zone: cmp.Or(c.query.text("zone"), "UTC"), From: c.query.text("from"), To: c.query.text("to"),
		Count: c.query.number["count"]}, c.d.Now)
	return List[desk.Due]{Items: list}, err
}

// backUp makes a backup in a folder of its own, which goes when it was taken along.
func (h *handler) backUp(ctx context.Context, c *call, b *backupBody) (any, error) {
	if !h.backup.TryLock() {
		return nil, problemf(409, "conflict", "another backup is being taken; ask again when it is done")
	}
	d := &download{name: "belfry-" + c.d.Now.In(c.d.Zone()).Format("2006-01-02-1504") + ".db", media: backupMedia, done: h.backup.Unlock}
	if err := d.make(h.Dir, func(file string) error {
		_, err := sqlite.WriteBackup(ctx, sqlite.Backup{From: filepath.Join(h.Dir, sqlite.FileName), To: file, Folder: filepath.Join(h.Dir, "media"),
			Images: sqlite.Images(cmp.Or(b.Images, string(sqlite.OwnImages))), Now: c.d.Now})
		return err
	}); err != nil {
		d.end()
		return nil, fmt.Errorf("the backup cannot be made: %w", err)
	}
	h.Log.Info("a backup is taken along", "by", c.d.Actor, "bytes", d.size)
	return d, nil
}
