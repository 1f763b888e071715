package pluginhost

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func testLines(l Limits) (*lines, *bytes.Buffer) {
	var out bytes.Buffer
	log := slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug - 4,
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		}}))
	return newLines(log, l.withDefaults(), func() {}), &out
}

func TestLines(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ in, want string }{
		"a line":             {"hello\n", "level=INFO msg=hello stream=stderr\n"},
		"without an end":     {"hello", "level=INFO msg=hello stream=stderr\n"},
		"CRLF":               {"hello\r\n", "level=INFO msg=hello stream=stderr\n"},
		"empty lines":        {"\n\n  \n", ""},
		"JSON":               {`{"@level":"warn","@message":"m","@timestamp":"x","b":2,"a":"1"}` + "\n", "level=WARN msg=m a=1 b=2\n"},
		"trace":              {`{"@level":"trace","@message":"m"}` + "\n", "level=DEBUG-4 msg=m\n"},
		"an unknown level":   {`{"@level":"loud","@message":"m"}` + "\n", "level=INFO msg=m\n"},
		"JSON of another":    {`{"level":"info","msg":"m"}` + "\n", `level=INFO msg="{\"level\":\"info\",\"msg\":\"m\"}" stream=stderr` + "\n"},
		"a message no text":  {`{"@message":{}}` + "\n", `level=INFO msg="{\"@message\":{}}" stream=stderr` + "\n"},
		"half of JSON":       {`{"@message":"m"` + "\n", `level=INFO msg="{\"@message\":\"m\"" stream=stderr` + "\n"},
		"a panic":            {"panic: boo\n\ngoroutine 1\n", "level=ERROR msg=\"panic: boo\" stream=stderr\nlevel=ERROR msg=\"goroutine 1\" stream=stderr\n"},
		"control characters": {"a\x1b[2J\x00b\x9b\n", "level=INFO msg=\"a[2Jb\uFFFD\" stream=stderr\n"},
		"not UTF-8":          {"a\xffb\n", "level=INFO msg=\"a\uFFFDb\" stream=stderr\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l, out := testLines(Limits{})
			w := l.stream("stderr")
			for _, b := range []byte(tc.in) { // byte by byte, as badly as a pipe may
				if _, err := w.Write([]byte{b}); err != nil {
					t.Fatal(err)
				}
			}
			l.end()
			if got := out.String(); got != tc.want {
				t.Errorf("got  %q\nwant %q", got, tc.want)
			}
		})
	}
}

func TestLinesAreCutAndCounted(t *testing.T) {
	t.Parallel()
	l, out := testLines(Limits{LogLine: 10, LogRate: 1, LogBurst: 3})
	w := l.stream("stdout")
	fmt.Fprintf(w, "0123456789abcdef\n%s", strings.Repeat("x\n", 1000))
	l.end()
	want := "level=INFO msg=0123456789 stream=stdout cut_bytes=6\nlevel=INFO msg=x stream=stdout\nlevel=INFO msg=x stream=stdout\n" +
		"level=WARN msg=\"plugin writes too much; lines were dropped\" lines=998\n"
	if out.String() != want {
		t.Errorf("got %q", out.String())
	}
}

// FuzzLines: whatever a plugin writes, no line of the log is longer than the limit allows, holds a control character, or
// is lost without being counted.
func FuzzLines(f *testing.F) {
	for _, seed := range []string{"a\nb", `{"@message":"m","@level":"error","k":[1,{}]}`, "panic: x\n", "\x1b]0;t\x07\n", "\xff\xfe\n{}\n{\"@message\":5}\n"} {
		f.Add([]byte(seed), 3)
	}
	f.Fuzz(func(t *testing.T, in []byte, step int) {
		l, out := testLines(Limits{LogLine: 64, LogBurst: 1 << 20})
		w := l.stream("stderr")
		for rest := in; len(rest) > 0; {
			n := min(max(step, 1), len(rest))
			if k, err := w.Write(rest[:n]); k != n || err != nil {
				t.Fatalf("Write: %d, %v", k, err)
			}
			rest = rest[n:]
		}
		l.end()
		for line := range strings.SplitSeq(out.String(), "\n") {
			if len(line) > 64*10+1000 || !utf8.ValidString(line) {
				t.Errorf("a line of %d bytes: %q", len(line), line)
			}
		}
		if strings.ContainsAny(out.String(), "\x00\x07\x1b\x7f\r") {
			t.Errorf("a control character: %q", out.String())
		}
	})
}

func TestHandshake(t *testing.T) {
	t.Parallel()
	good := "1|1|unix|/run/x|grpc|" + strings.Repeat("MIIB", 20) + "\n"
	for name, tc := range map[string]struct{ in, line, stray, failure string }{
		"at once":                         {good, good, "", ""},
		"after stray text":                {"hello\n1|2|3\n" + good + "more\n", good, "hello\n1|2|3\nmore\n", ""},
		"no end of line":                  {"1|1|unix|/run/x|grpc|MIIB", "", "1|1|unix|/run/x|grpc|MIIB", ""},
		"nothing":                         {"", "", "", ""},
		"text only":                       {"hello\n", "", "hello\n", ""},
		"another version":                 {"1|2|unix|/run/x|grpc|\n", "", "", "it speaks version 2 of the plugin protocol and Belfry speaks version 1; update Belfry, or install a release of the plugin that was made for this one"},
		"no certificate":                  {"1|1|unix|/run/x|grpc|\n", "", "", "neither a certificate nor the word \"socket\""},
		"no sixth field":                  {"1|1|unix|/run/x|grpc\n", "", "", "neither a certificate nor the word \"socket\""},
		"a certificate that was cut off":  {"1|1|unix|/run/x|grpc|MIIBMIIB\n", "", "", "neither a certificate nor the word \"socket\""},
		"a socket":                        {"1|1|unix|/run/x|grpc|socket\n", "1|1|unix|/run/x|grpc|socket\n", "", ""},
		"a version of old":                {"1|0|unix|/run/x|grpc|socket\n", "", "", "it speaks version 0 of the plugin protocol, which is no longer served"},
		"another version of a later time": {"1|99999999999999999999|unix|/run/x|grpc|\n", "", "", "it speaks version 99999999999999999999"},
		"another transport":               {"1|1|unix|/run/x|netrpc|\n", "", "", "it does not speak gRPC"},
		"too short":                       {"1|1|unix|/run/x\n", "", "", "it does not speak gRPC"},
		"a flood":                         {strings.Repeat("x", maxStray+1), "", strings.Repeat("x", maxStray+1), "it wrote 65537 bytes"},
		"a flood of lines":                {strings.Repeat("x\n", maxStray), "", strings.Repeat("x\n", maxStray), "bytes to its standard output and no handshake"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var stray bytes.Buffer
			h := newHandshake(&stray)
			read := make(chan string, 1)
			go func() {
				b, _ := io.ReadAll(h)
				read <- string(b)
			}()
			for rest := tc.in; len(rest) > 0; {
				n := min(7, len(rest))
				if _, err := io.WriteString(h, rest[:n]); err != nil {
					t.Fatal(err)
				}
				rest = rest[n:]
			}
			h.end()
			if got := <-read; got != tc.line {
				t.Errorf("go-plugin reads %q, want %q", got, tc.line)
			}
			if stray.String() != tc.stray {
				t.Errorf("stray output: %.200q, want %.200q", stray.String(), tc.stray)
			}
			if err := h.failure(); (err == nil) != (tc.failure == "") || err != nil && !strings.Contains(err.Error(), tc.failure) {
				t.Errorf("failure: %v, want %q", err, tc.failure)
			}
		})
	}
}

func TestBudget(t *testing.T) {
	t.Parallel()
	l := Limits{Budget: 3, Window: time.Minute, BackoffMin: time.Second, BackoffMax: 5 * time.Second}
	now := time.Unix(1_800_000_000, 0)
	var b budget
	for n, want := range []time.Duration{0, time.Second, 2 * time.Second, 4 * time.Second, 5 * time.Second, 5 * time.Second} {
		if _, wait := b.add(now, l, 1); wait != want {
			t.Errorf("number %d waits %s, want %s", n+1, wait, want)
		}
	}
	if !b.spent(now, l) || b.wait(now) != 5*time.Second || b.wait(now.Add(time.Hour)) != 0 {
		t.Errorf("spent %t, wait %s", b.spent(now, l), b.wait(now))
	}
	if b.spent(now.Add(time.Minute), l) {
		t.Error("the window does not pass")
	}
	for range 100 {
		if _, wait := b.add(now, l, 0); wait <= 0 || wait > l.BackoffMax {
			t.Fatalf("a wait of %s", wait)
		}
	}
}
