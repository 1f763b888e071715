package plugin

import (
	"io"
	"log/slog"
	"strings"
)

// newLogHandler writes records as lines that the host reads: JSON with @level, @message and @timestamp, as hclog names
// them.
func newLogHandler(w io.Writer, level slog.Leveler) slog.Handler {
	return slog.NewJSONHandler(w, &slog.HandlerOptions{Level: level, ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
		if len(groups) > 0 {
			return a
		}
		switch a.Key {
		case slog.TimeKey:
			return slog.String("@timestamp", a.Value.Time().Format("2006-01-02T15:04:05.000000Z07:00"))
		case slog.LevelKey:
			return slog.String("@level", levelWord(a.Value))
		case slog.MessageKey:
			return slog.Attr{Key: "@message", Value: a.Value}
		}
		return a
	}})
}

// levelWord rounds a level down to one that has a word in hclog.
func levelWord(v slog.Value) string {
	level, ok := v.Any().(slog.Level)
	switch {
	case !ok:
		return strings.ToLower(v.String())
	case level < slog.LevelDebug:
		return "trace"
	case level < slog.LevelInfo:
		return "debug"
	case level < slog.LevelWarn:
		return "info"
	case level < slog.LevelError:
		return "warn"
	}
	return "error"
}
