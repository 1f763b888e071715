package configs_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/belfry-news/belfry/configs"
	"github.com/belfry-news/belfry/internal/compose"
	"github.com/belfry-news/belfry/sdk"
)

// One look tells everything that is wrong, and nothing twice.
func TestEveryProblemAtOnce(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		text string
		want []string
	}{
		"mistakes of every kind": {`timezone: Europe/Pari
sources:
  articles: {type: rs, url: "https://news.example/feed.xml"}
  local: {type: rss, url: "http://10.0.3.7/feed.xml"}
destinations:
  telegram: {type: telegram, token: "${env:NOT_SET}"}
channels:
  brief:
    title: Le brief
    sources: [article]
    digest: {cron: "0 7 31 2 *"}
    template: "{{.Titel}}"
    correction: {}
  alertes:
    title: Alertes
    sources: [articles]
    where: hasTags("x")
    each: {hours: "25:00-26:00"}
`, []string{
			`1:11: time zone "Europe/Pari" is unknown`,
			`3:20: unknown type "rs" in sources.articles`,
			`4:27: 10.0.3.7 is a private address`,
			`6:37: the environment variable NOT_SET is not set`,
			`10:15: no source is called "article"`,
			`11:25: cron "0 7 31 2 *": February has no day 31`,
			`12:18: there is no field .Titel`,
			`13:5: unknown key "correction" in channels.brief`,
			`17:12: unknown name hasTags`,
			`18:20: hours "25:00-26:00"`,
		}},
		"missing quotes beside others": {`channels:
  brief:
    titel: Le brief
    title: Le brief
    digest:
      cron: */5 * * * *
  other:
    title: @handle
    foo: 1
  third: {title: C, digest: {cron: */10 8,20 * * mon, max_items: 3}, bar: 1}
`, []string{
			`3:5: unknown key "titel" in channels.brief`,
			`6:13: cron "*/5 * * * *" must be quoted: YAML reads a leading * as an alias; write cron: "*/5 * * * *"`,
			`8:12: title "@handle" must be quoted`,
			`9:5: unknown key "foo" in channels.other`,
			`10:36: cron "*/10 8,20 * * mon" must be quoted`,
			`10:70: unknown key "bar" in channels.third`,
		}},
		"a file that cannot be read on": {"channels:\n  a: {title: [\n", []string{`2:`}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "belfry.yaml")
			if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := configs.Load(configs.Options{Path: path, Specs: specs(), Checks: []func(*configs.Loaded) sdk.Problems{compose.Check}})
			var invalid *configs.Invalid
			if !errors.As(err, &invalid) {
				t.Fatalf("got %v", err)
			}
			var got []string
			for i, p := range invalid.Problems {
				line := strings.TrimPrefix(p.String(), path+":")
				if i < len(c.want) && strings.HasPrefix(line, c.want[i]) {
					line = c.want[i]
				}
				got = append(got, line)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
