package web_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/belfry-news/belfry/configs"
	"github.com/belfry-news/belfry/internal/compose"
)

// order gives the channels of a front page in the order in which they stand.
func order(t *testing.T, n *newsroom, path string) []string {
	t.Helper()
	var out []string
	doc := parse(t, n.get(path).Body)
	for d := range doc.Descendants() {
		if d.Data == "h2" && d.FirstChild != nil && d.FirstChild.Data == "a" {
			out = append(out, text(d))
		}
	}
	return out
}

// Of two channels with news of the same moment the reader's language stands first; otherwise the later news does.
func TestTheLeadIsInTheReadersLanguage(t *testing.T) {
	t.Parallel()
	due := paris(t, "2026-11-20 07:00:00")
	for name, c := range map[string]struct {
		kind compose.PostKind
		// published and after are of the French post and the English one: the second is when it was made, since 07:00.
		published [2]time.Time
		after     [2]time.Duration
		fr, en    string
	}{
		"digests of one occurrence, across a second": {compose.KindDigest, [2]time.Time{due, due}, [2]time.Duration{900 * time.Millisecond, 1100 * time.Millisecond}, "Le brief", "The brief"},
		"digests of one occurrence, the other way":   {compose.KindDigest, [2]time.Time{due, due}, [2]time.Duration{1100 * time.Millisecond, 900 * time.Millisecond}, "Le brief", "The brief"},
		"posts of one second":                        {compose.KindEach, [2]time.Time{}, [2]time.Duration{100 * time.Millisecond, 400 * time.Millisecond}, "Le brief", "The brief"},
		"a later post":                               {compose.KindEach, [2]time.Time{}, [2]time.Duration{100 * time.Millisecond, 2 * time.Second}, "The brief", "The brief"},
		"a digest that was made late":                {compose.KindDigest, [2]time.Time{due, due.Add(-time.Hour)}, [2]time.Duration{time.Second, 5 * time.Second}, "The brief", "The brief"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			config := gazette()
			config.Channels = map[string]configs.Channel{
				"a-brief": channel(configs.Localized{"": "Le brief"}, func(c *configs.Channel) { c.Lang = "fr" }),
				"b-brief": channel(configs.Localized{"": "The brief"}, func(c *configs.Channel) { c.Lang = "en" }),
				"silent":  channel(configs.Localized{"": "Silence"}, nil),
			}
			n := open(t, config)
			for i, ch := range []string{"a-brief", "b-brief"} {
				content := compose.Content{Lang: []string{"fr", "en-GB"}[i], Title: ch, Published: c.published[i]}
				if _, err := n.db.CreatePost(t.Context(), compose.NewPost{Channel: ch, Kind: c.kind, Status: compose.PostLive, Content: content, VisibleAt: due.Add(c.after[i])},
					nil, "test", due.Add(c.after[i])); err != nil {
					t.Fatal(err)
				}
			}
			for path, lead := range map[string]string{"/?lang=fr": c.fr, "/?lang=en": c.en} {
				other := map[string]string{"Le brief": "The brief", "The brief": "Le brief"}[lead]
				if diff := cmp.Diff([]string{lead, other, "Silence"}, order(t, n, path)); diff != "" {
					t.Errorf("%s (-want +got):\n%s", path, diff)
				}
			}
		})
	}
}
