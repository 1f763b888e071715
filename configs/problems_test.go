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
			`2:3: the channel takes items from no source`,
			`3:5: unknown key "titel" in channels.brief`,
			`6:13: cron "*/5 * * * *" must be quoted: YAML reads a leading * as an alias; write cron: "*/5 * * * *"`,
			`8:12: title "@handle" must be quoted`,
			`9:5: unknown key "foo" in channels.other`,
			`10:3: the channel takes items from no source`,
			`10:36: cron "*/10 8,20 * * mon" must be quoted`,
			`10:70: unknown key "bar" in channels.third`,
		}},
		"beside an unknown key": {"site: {url: foo, nope: 1}\nmedia: {nope: 1, width: 5}\nretention: {items: 1h, posts: x, media: 2h}\n", []string{
			`1:13: "foo" is no address of a site`,
			`1:18: unknown key "nope" in site`,
			`2:9: unknown key "nope" in media`,
			`2:25: 5 is too small`,
			`3:20: 1h is too short`,
			`3:31: "x" is no duration`,
			`3:41: 2h is too short`,
		}},
		"beside an option that is not possible": {"sources:\n  a: {type: rss, url: \"gopher://x\", zone: Paris, body: foo, max_size: 1, nope: 2}\n", []string{
			`2:23: "gopher://x" is no http or https address`,
			`2:43: the time zone "Paris" is unknown`,
			`2:56: "foo" is not possible here`,
			`2:71: 1 is not possible`,
			`2:74: unknown key "nope" in sources.a`,
		}},
		"of a blackout": {"blackouts:\n  a: {hours: \"sat-sun\", where: item.x, zone: Foo/Bar, channels: [b], then: wait}\n  b: {from: x, until: y, where: hasTag()}\n", []string{
			`2:15: hours "sat-sun": the days have no hours`,
			`2:37: item has no field x`,
			`2:46: time zone "Foo/Bar" is unknown`,
			`2:66: no channel is called "b"`,
			`2:76: "wait" is not possible here`,
			`3:13: "x" is no date with a time`,
			`3:23: "y" is no date with a time`,
			`3:33: hasTag asks for nothing`,
		}},
		"of a channel": {"channels:\n  a:\n    title: A\n    lang: x1\n    sources: [s, s]\n    each: {settle: soon, hours: never, urgent: \"1\"}\n    digest: {cron: daily, max_items: 99}\n    nope: 1\n    corrections: {revised: [list, edit], withdrawn: x}\n", []string{
			`4:11: "x1" is no language tag`,
			`5:15: no source is called "s"`,
			`5:18: no source is called "s"`,
			`5:18: s stands twice`,
			`6:20: "soon" is no duration`,
			`6:33: hours "never"`,
			`6:49: the expression gives a number`,
			`7:5: a channel posts each item or digests, not both`,
			`7:20: cron "daily"`,
			`7:38: 99 is too large`,
			`8:5: unknown key "nope" in channels.a`,
			`9:29: nothing after list would ever be tried`,
			`9:53: a list expected, found text`,
		}},
		"and nothing that is a consequence": {"site: {urll: foo}\ndestinations:\n  v: {type: http, url: \"https://v.example/\", bdy: x, update: {}, ref: /id}\n  w: {type: http, url: \"http://10.0.3.7/\", secrt: x, allow_private: [10.0.3.7]}\nchannels:\n  a: {title: A, sources: [s], eahc: {}}\n  b: {titel: B}\nsources:\n  s: {type: rss, url: \"http://10.0.3.7/\", allow_privat: [10.0.3.7]}\nalerts: {setle: 2h, repeat: x, heartbeat: {url: \"http://x.example/\", every: 1s, allow_private: [x]}}\n", []string{
			`1:8: unknown key "urll" in site`,
			`3:46: unknown key "bdy" in destinations.v`,
			`4:44: unknown key "secrt" in destinations.w`,
			`4:70: "10.0.3.7" is no network`,
			`6:31: unknown key "eahc" in channels.a`,
			`7:7: unknown key "titel" in channels.b`,
			`9:43: unknown key "allow_privat" in sources.s`,
			`10:10: unknown key "setle"`,
			`10:29: "x" is no duration`,
			`10:77: 1s is too often`,
			`10:97: "x" is no network`,
		}},
		"an alias bomb": {"alerts: none\nnope: 1\na: &a [x,x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: [*d,*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: 1\n", []string{
			`7:26: the aliases of this file unfold to more than 100000 values; use fewer of them`,
		}},
		"too deep": {"alerts: none\na: " + strings.Repeat("[", 120) + strings.Repeat("]", 120) + "\n", []string{
			`2:105: settings stand more than 100 levels deep here`,
		}},
		"another YAML": {"%YAML 1.1\n---\nalerts: none\nsite: {nope: 1}\n", []string{`1:1: the file asks to be read as another YAML, and it is read as YAML 1.2; take the line out`, `4:8: unknown key "nope" in site`}},
		"this YAML":    {"%YAML 1.2\n---\nalerts: none\nsite: {nope: 1}\n", []string{`4:8: unknown key "nope" in site`}},
		"a directive":  {"%TAG ! x\n---\nsite: {title: x}\n", []string{`1:1: a directive stands here, and none is used; take the line out`}},
		"the same word": {"sources: {a: {type: rss, url: \"https://n.example/\"}}\nchannels:\n  c: {title: C, sources: [a, a], each: {}, was: c}\n  d: {title: D, was: e}\n  f: {title: F, was: e}\nblackouts: {b: {hours: \"sat 10:00-11:00\", channels: [c, d, c]}}\nretired: [x, x]\n", []string{
			`3:30: a stands twice; take one out`,
			`3:49: this is its name now; write the name it had before, or take was: out`,
			`5:22: d was e already; only one can go on with what a name holds; take one was: out`,
			`6:60: c stands twice; take one out`,
			`7:14: x stands twice; take one out`,
		}},
		"empty and odd texts": {"site: {title: \"\", description: \"a\\eb\"}\nchannels:\n  c: {title: {fr: \"a\\tb\", en: \" \"}, description: {fr: \"a\\nb\"}, utm: {source: \"\", medium: x}}\n  d: {title: \"a\\u2028b\", utm: {campaign:}}\n", []string{
			`1:15: the text is empty; write a title`,
			`1:34: the text holds the control character U+001B; take it out`,
			`3:21: the text holds the control character U+0009; a title is one line of text`,
			`3:31: the text is empty; write a title`,
			`3:78: utm_source would be empty; give it a value or take the line out`,
			`4:16: the text holds the control character U+2028; a title is one line of text`,
			`4:41: text expected, found nothing; give it a value or take the line out`,
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
