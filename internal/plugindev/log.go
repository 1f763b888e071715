package plugindev

import (
	"context"
	"log/slog"
	"slices"
	"time"
)

// logHandler shows the lines of the daemon's log, and those of the plugin in it, as a person reads them.
type logHandler struct {
	j     *journal
	level slog.Level
	from  string
	group string
	more  []More
}

// newLogHandler shows what is logged from a level on.
func newLogHandler(j *journal, level slog.Level) *logHandler {
	return &logHandler{j: j, level: level, from: "belfry"}
}

// Enabled implements slog.Handler.
func (h *logHandler) Enabled(_ context.Context, level slog.Level) bool { return level >= h.level }

// Handle implements slog.Handler.
func (h *logHandler) Handle(_ context.Context, r slog.Record) error {
	said := h.with(nil)
	r.Attrs(func(a slog.Attr) bool { said.add(h.group, a); return true })
	h.j.logged(Line{At: time.Now(), From: said.from, Level: r.Level.String(), Text: r.Message, More: said.more})
	return nil
}

// WithAttrs implements slog.Handler.
func (h *logHandler) WithAttrs(attrs []slog.Attr) slog.Handler { return h.with(attrs) }

// WithGroup implements slog.Handler.
func (h *logHandler) WithGroup(name string) slog.Handler {
	out := h.with(nil)
	if name != "" {
		out.group += name + "."
	}
	return out
}

func (h *logHandler) with(attrs []slog.Attr) *logHandler {
	out := *h
	out.more = slices.Clone(h.more)
	for _, a := range attrs {
		out.add(h.group, a)
	}
	return &out
}

func (h *logHandler) add(group string, a slog.Attr) {
	value := a.Value.Resolve()
	switch {
	case value.Kind() == slog.KindGroup:
		if a.Key != "" {
			group += a.Key + "."
		}
		for _, inner := range value.Group() {
			h.add(group, inner)
		}
	case group == "" && a.Key == "plugin": // what its process says, and what the host says of it
		h.from = value.String()
	case group == "" && a.Key == "stream", a.Equal(slog.Attr{}): // which of its outputs it wrote to says nothing here
	default:
		h.more = append(h.more, More{group + a.Key, value.String()})
	}
}
