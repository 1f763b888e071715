package main

import (
	"bytes"
	"strings"
	"testing"
)

// What the parser cannot use is said in our own words, whatever its own are.
func TestMistakes(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		"plan --for -1h":                       `--for needs a value, and "-1h" begins like a flag; such a value is written --for=-1h; see: belfry plan --help`,
		"plan --for=-1h":                       `--for: "-1h" is negative; a duration counts forward; see: belfry plan --help`,
		"plan --for":                           `--for needs a value; see: belfry plan --help`,
		"plan --for soon":                      `--for: "soon" is no duration; write it like 90s, 10m, 1h30m or 7d; see: belfry plan --help`,
		"pause foo":                            `"foo" is none of all, source, channel, destination; see: belfry pause --help`,
		"pause chanel x":                       `"chanel" is none of all, source, channel, destination; did you mean "channel"?; see: belfry pause --help`,
		"status --log inof":                    `--log "inof" is none of debug, info, warn, error; did you mean "info"?; see: belfry status --help`,
		"why":                                  `give --item=KEY or --post=ID; see: belfry why --help`,
		"why --item a --post b":                `--item and --post do not go together; give one of them; see: belfry why --help`,
		"post resolve 3":                       `give --arrived or --missing or --done; see: belfry post resolve --help`,
		"post resolve three --done":            `DELIVERY: "three" is no whole number; see: belfry post resolve --help`,
		"post create":                          `give --channel=NAME; see: belfry post create --help`,
		"post list --limit many":               `--limit: "many" is no whole number; see: belfry post list --help`,
		"demo --speed fast":                    `--speed: "fast" is no number; see: belfry demo --help`,
		"status --set x":                       `--set: "x" gives nothing a value; write it like site.lang=fr; see: belfry status --help`,
		"status --json=perhaps":                `--json: "perhaps" is neither true nor false; see: belfry status --help`,
		"status now":                           `"now" has no place here; see: belfry status --help`,
		"try":                                  `TYPE is missing; see: belfry try --help`,
		"try rss":                              `FROM is missing; see: belfry try --help`,
		"post":                                 `which one? `,
		"frobnicate":                           `"frobnicate" has no place here; see: belfry --help`,
		"post crate":                           `"crate" has no place here; did you mean "create"?; see: belfry post --help`,
		"status --jsno":                        `there is no flag --jsno; did you mean "--json"?; see: belfry status --help`,
		"post retract x --reason r --wait -7d": `--wait needs a value, and "-7d" begins like a flag`,
		"post retract x --reason r --wait tomorrow": `--wait: "tomorrow" is no duration; write it like 90s, 10m, 1h30m or 7d`,
	} {
		t.Run(line, func(t *testing.T) {
			t.Parallel()
			var out, said bytes.Buffer
			code := run(strings.Fields(line), streams{&bytes.Buffer{}, &out, &said})
			if code != exitUsage || !strings.HasPrefix(said.String(), "belfry: "+want) || strings.Count(said.String(), "\n") != 1 {
				t.Errorf("exit code %d, %q; want %q", code, said.String(), want)
			}
		})
	}
}

// Durations take days everywhere, the usage shows what is a choice, and the help what is used without a flag.
func TestHelpShowsChoicesAndDefaults(t *testing.T) {
	t.Parallel()
	for line, wants := range map[string][]string{
		"why":          {"Usage: belfry why (--item=KEY | --post=ID) [flags]"},
		"post resolve": {"Usage: belfry post resolve (--arrived | --missing | --done) <delivery> [flags]"},
		"plan":         {"Default: 24h."},
		"post retract": {"Default: 60s."},
		"source fetch": {"Default: 60s."},
		"post list":    {"Default: 20."},
	} {
		t.Run(line, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			run(append(strings.Fields(line), "--help"), streams{&bytes.Buffer{}, &out, &out})
			for _, want := range wants {
				if !strings.Contains(strings.Join(strings.Fields(out.String()), " "), want) {
					t.Errorf("%q is not in\n%s", want, out.String())
				}
			}
		})
	}
}
