package pluginhost

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// lines passes what one process writes on to the log: line by line, each cut at a length, no more than a rate, the rest
// counted. It blocks a process that floods, and no other for longer than the log does.
type lines struct {
	log   *slog.Logger
	limit int
	// bytes is what may be written before flooded is told, pace how fast it is read: a flood then waits in its own pipe, and
	// costs the daemon and the others next to nothing.
	bytes, pace *rate.Limiter
	// flooded is told, once, that the process wrote more than it may.
	flooded func()

	mu      sync.Mutex
	bucket  *rate.Limiter
	dropped int
	told    time.Time
	panics  bool
	words   string // the last that it wrote on standard error, or what a panic began with
	streams []*lineWriter
}

// fastest is how many bytes a second are read of what one process writes, once it has written a sixteenth of them at once.
const fastest = 16 << 20

func newLines(log *slog.Logger, l Limits, flooded func()) *lines {
	return &lines{log: log, limit: l.LogLine, bucket: rate.NewLimiter(rate.Limit(l.LogRate), l.LogBurst),
		bytes: rate.NewLimiter(rate.Limit(l.Output)/60, l.Output), pace: rate.NewLimiter(fastest, fastest/16), flooded: sync.OnceFunc(flooded)}
}

// stream gives a writer for one of the process's outputs.
func (l *lines) stream(name string) *lineWriter {
	l.mu.Lock()
	defer l.mu.Unlock()
	w := &lineWriter{to: l, name: name}
	l.streams = append(l.streams, w)
	return w
}

// The names of the streams.
const (
	stdout = "stdout"
	stderr = "stderr"
)

// lineWriter cuts a stream into lines.
type lineWriter struct {
	to   *lines
	name string

	mu   sync.Mutex
	buf  []byte
	over int // bytes beyond the limit of the line that is being read
}

// Write implements io.Writer. It takes everything.
func (w *lineWriter) Write(p []byte) (int, error) {
	if !w.to.bytes.AllowN(time.Now(), len(p)) {
		w.to.flooded()
	}
	if r := w.to.pace.ReserveN(time.Now(), min(len(p), w.to.pace.Burst())); r.Delay() > 0 {
		time.Sleep(r.Delay()) // milliseconds: the pieces are small
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for rest := p; len(rest) > 0; {
		line, after, ended := bytes.Cut(rest, []byte("\n"))
		room := w.to.limit - len(w.buf)
		if len(line) > room {
			w.over += len(line) - room
			line = line[:room]
		}
		w.buf = append(w.buf, line...)
		if ended {
			w.flush()
		}
		rest = after
	}
	return len(p), nil
}

// end passes on what stands in an unfinished line.
func (w *lineWriter) end() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.buf) > 0 {
		w.flush()
	}
}

func (w *lineWriter) flush() {
	w.to.line(w.name, bytes.TrimRight(w.buf, "\r"), w.over)
	w.buf, w.over = w.buf[:0], 0
}

// line passes one line on, if there is room for it.
func (l *lines) line(stream string, b []byte, over int) {
	if len(bytes.TrimSpace(b)) == 0 {
		return
	}
	l.mu.Lock()
	if !l.bucket.Allow() {
		l.dropped++
		l.mu.Unlock()
		return
	}
	dropped := 0
	if l.dropped > 0 && time.Since(l.told) >= time.Second {
		dropped, l.dropped, l.told = l.dropped, 0, time.Now()
	}
	l.mu.Unlock()
	l.tellDropped(dropped)

	level, message, attrs := l.read(stream, b)
	if over > 0 {
		attrs = append(attrs, slog.Int("cut_bytes", over))
	}
	l.log.LogAttrs(context.Background(), level, message, attrs...)
}

// end passes on unfinished lines and tells what was dropped and not told yet.
func (l *lines) end() {
	l.mu.Lock()
	streams := l.streams
	l.mu.Unlock()
	for _, w := range streams {
		w.end()
	}
	l.mu.Lock()
	dropped := l.dropped
	l.dropped = 0
	l.mu.Unlock()
	l.tellDropped(dropped)
}

func (l *lines) tellDropped(n int) {
	if n > 0 {
		l.log.Warn("plugin writes too much; lines were dropped", "lines", n)
	}
}

// maxAttrs is the most attributes that are kept of one line.
const maxAttrs = 24

// read understands a line in the JSON of hclog; anything else is its own message.
func (l *lines) read(stream string, b []byte) (slog.Level, string, []slog.Attr) {
	var raw map[string]any
	if len(b) > 0 && b[0] == '{' && json.Unmarshal(b, &raw) == nil {
		if message, ok := raw["@message"].(string); ok {
			word, _ := raw["@level"].(string)
			for _, k := range []string{"@message", "@level", "@timestamp", "@module", "@caller"} {
				delete(raw, k)
			}
			var attrs []slog.Attr
			for _, k := range slices.Sorted(maps.Keys(raw)) {
				if len(attrs) == maxAttrs {
					break
				}
				attrs = append(attrs, slog.Any(printable(k), plainValue(raw[k])))
			}
			return levelOf(word), printable(message), attrs
		}
	}
	text := printable(string(b))
	attrs := []slog.Attr{slog.String("stream", stream)}
	l.mu.Lock()
	defer l.mu.Unlock()
	if strings.HasPrefix(text, "panic: ") || strings.HasPrefix(text, "fatal error: ") {
		l.panics, l.words = true, text
	}
	if l.panics {
		return slog.LevelError, text, attrs
	}
	if stream == stderr {
		l.words = text
	}
	return slog.LevelInfo, text, attrs
}

// lastWords are what a process said before it ended, in quotation marks behind a colon; nothing when it said nothing.
func (l *lines) lastWords() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.words == "" {
		return ""
	}
	return fmt.Sprintf(": %.200q", strings.Join(strings.Fields(l.words), " "))
}

func levelOf(word string) slog.Level {
	switch strings.ToLower(word) {
	case "trace":
		return slog.LevelDebug - 4
	case "debug":
		return slog.LevelDebug
	case "warn":
		return slog.LevelWarn
	case "error":
		return slog.LevelError
	}
	return slog.LevelInfo
}

// plainValue keeps scalars and writes everything else as JSON.
func plainValue(v any) any {
	switch t := v.(type) {
	case string:
		return printable(t)
	case nil, bool, float64:
		return t
	}
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprintf("%T", v)
	}
	return string(b)
}

// printable takes control characters out of what a stranger wrote, so that it cannot write on a terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return r
		case r < 0x20 || r == 0x7f || r >= 0x80 && r < 0xa0:
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
}
