package plugindev

import (
	"log/slog"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// A line of the log is a sentence and what belongs to it, whoever says it.
func TestLogLines(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		log  func(l *slog.Logger)
		want []Line
	}{
		"the daemon": {func(l *slog.Logger) { l.Info("items taken", "source", "plugin", "new", 2) },
			[]Line{{From: "belfry", Level: "INFO", Text: "items taken", More: []More{{"source", "plugin"}, {"new", "2"}}}}},
		"the plugin": {func(l *slog.Logger) {
			l.With("plugin", "our-cms").Warn("the list is \"long\"", "took", 2*time.Second, "stream", "stderr")
		},
			[]Line{{From: "our-cms", Level: "WARN", Text: `the list is "long"`, More: []More{{"took", "2s"}}}}},
		"groups": {func(l *slog.Logger) { l.With("a", 1).WithGroup("g").Error("no", "b", true, slog.Group("h", "c", "d")) },
			[]Line{{From: "belfry", Level: "ERROR", Text: "no", More: []More{{"a", "1"}, {"g.b", "true"}, {"g.h.c", "d"}}}}},
		"one beside another": {func(l *slog.Logger) {
			one := l.With("a", 1)
			one.With("b", 2).Info("x")
			one.With("c", 3).Info("y")
		}, []Line{{From: "belfry", Level: "INFO", Text: "y", More: []More{{"a", "1"}, {"c", "3"}}}, {From: "belfry", Level: "INFO", Text: "x", More: []More{{"a", "1"}, {"b", "2"}}}}},
		"too quiet": {func(l *slog.Logger) { l.Debug("x") }, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			j := newJournal("our-cms")
			c.log(slog.New(newLogHandler(j, slog.LevelInfo)))
			if d := cmp.Diff(c.want, j.read().log, cmpopts.IgnoreFields(Line{}, "At"), cmpopts.EquateEmpty()); d != "" {
				t.Error(d)
			}
		})
	}
}
