package configs

import (
	"fmt"
	"maps"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/belfry-news/belfry/sdk"
)

// Config is the whole configuration, decoded.
type Config struct {
	Timezone      string                 `yaml:"timezone" doc:"The zone of schedules, hours and shown times, by its IANA name." example:"Europe/Paris"`
	Site          Site                   `yaml:"site" doc:"The public pages."`
	Listen        string                 `yaml:"listen" doc:"Where the public pages are served."`
	AdminListen   string                 `yaml:"admin_listen" doc:"Where operators find metrics, the API, profiles and health: an address of this machine only, or any other when there are tokens; or none."`
	Admin         Admin                  `yaml:"admin" doc:"Who may use the admin address."`
	Proxies       []netip.Prefix         `yaml:"trusted_proxies" doc:"Proxies in front of the pages or of the admin address: many clients come through them, so that they may hold more connections than one client, and at the admin address their X-Forwarded-For is believed. Pages keep nobody's address, but what privacy.ip says. What runs on this machine counts as one for connections." example:"[10.0.0.7/32]"`
	DataDir       string                 `yaml:"data_dir" doc:"The folder of the database, the images and the run files. Relative to the configuration."`
	Storage       string                 `yaml:"storage" doc:"The database: sqlite, in data_dir."`
	Sources       map[string]Source      `yaml:"sources" doc:"Where items come from."`
	Destinations  map[string]Destination `yaml:"destinations" doc:"Where posts go."`
	Channels      map[string]Channel     `yaml:"channels" doc:"Editorial streams, each with a public page."`
	Blackouts     map[string]Blackout    `yaml:"blackouts" doc:"Times in which nothing new is posted; corrections and withdrawals always pass."`
	Notices       map[string]Notice      `yaml:"notices" doc:"What single people asked to hear about themselves, told by a webhook or through the API."`
	Staff         map[string]Staff       `yaml:"staff" doc:"Who of the newsroom may act from their phone, by a name of your choice, which the record has."`
	Replies       Replies                `yaml:"replies" doc:"Who reads what people write that is no command."`
	BulkGuard     BulkGuard              `yaml:"bulk_guard" doc:"How many people may get the same notice."`
	NewAudience   NewAudience            `yaml:"new_audience" doc:"How many messages go to a new audience before somebody has looked at what came back: to the people of an import, and to those who came when a channel's followers multiplied between two of its posts."`
	MediumRules   map[string]MediumRules `yaml:"medium_rules" key:"type" doc:"Rules of messages to people by the type of their destination: the law's hours, and what a platform allows. They add to what Belfry knows of the type." example:"{telegram: {quiet: {FR: \"22:00-08:00\"}}}"`
	Privacy       Privacy                `yaml:"privacy" doc:"How data about people is kept, where channels write to people."`
	Alerts        Alerts                 `yaml:"alerts" doc:"Where trouble is reported, or none."`
	Retired       []string               `yaml:"retired" doc:"Names of channels, sources, destinations and notices that are closed for good but hold posts or grants."`
	Media         Media                  `yaml:"media" doc:"Bounds on images."`
	Retention     Retention              `yaml:"retention" doc:"How long the store keeps what nothing needs any more."`
	DiskFloor     Bytes                  `yaml:"disk_floor" doc:"With less room than this on the disk of data_dir nothing is fetched any more, until there is a tenth more than this again, so that what a source withdraws is not noticed meanwhile; retractions by people and what was taken in go on. 0 never looks, and holds no reserve for a full disk."`
	Plugins       Plugins                `yaml:"plugins" doc:"Bounds on plugin processes, and plugins of third parties."`
	ShutdownGrace sdk.Duration           `yaml:"shutdown_grace" doc:"How long a stopping daemon waits for what is under way."`
}

// Default is the configuration before anything is configured.
func Default() Config {
	c := Config{Timezone: "UTC", Listen: "127.0.0.1:8080", AdminListen: "127.0.0.1:9080", DataDir: "data", Storage: "sqlite",
		Media:         Media{MaxBytes: 15 << 20, MaxPixels: 30_000_000, Width: 1280, Timeout: sdk.D(20 * time.Second)},
		Plugins:       Plugins{Memory: 384, Deadline: sdk.D(90 * time.Second)},
		ShutdownGrace: sdk.D(20 * time.Second)}
	c.Site = Site{Title: "Belfry", Lang: "en"}
	c.Alerts.SetDefaults()
	c.Privacy.SetDefaults()
	c.BulkGuard.SetDefaults()
	c.NewAudience.SetDefaults()
	c.Retention.SetDefaults()
	c.DiskFloor = 500e6
	return c
}

// Site describes the public pages.
type Site struct {
	Title       string `yaml:"title" doc:"The name over every page."`
	URL         string `yaml:"url" doc:"The address readers use, without a path; links in posts begin with it." example:"https://news.example"`
	Lang        string `yaml:"lang" doc:"The language of pages that have none of their own." enum:"en|fr"`
	Description string `yaml:"description" doc:"One sentence under the title of the front page."`
}

// Validate checks the address.
func (s *Site) Validate() error {
	var ps sdk.Problems
	if s.URL != "" {
		u, err := url.Parse(s.URL)
		switch {
		case err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "":
			ps.Add("/url", fmt.Sprintf("%q is no address of a site", s.URL), "write it like https://news.example")
		case strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "":
			ps.Add("/url", "the address has a path, and pages are served from the root", fmt.Sprintf("write %s://%s", u.Scheme, u.Host))
		}
	}
	return ps.Err()
}

// Callable is where others on the internet can call this daemon, without a slash at the end; empty unless the address of the site
// is a public one of https.
func (s *Site) Callable() string {
	u, err := url.Parse(s.URL)
	if err != nil || u.Scheme != "https" {
		return ""
	}
	host := strings.ToLower(strings.TrimSuffix(u.Hostname(), "."))
	if addr, err := netip.ParseAddr(host); err == nil {
		if (sdk.Guard{}).Check(addr) != nil {
			return ""
		}
	} else if !strings.Contains(host, ".") {
		return ""
	}
	for _, own := range []string{".localhost", ".local", ".internal", ".lan", ".home.arpa"} {
		if strings.HasSuffix(host, own) {
			return ""
		}
	}
	return "https://" + u.Host
}

// Source is one source. What its type reads itself stays in Options.
type Source struct {
	Type       string         `yaml:"type" required:"true" doc:"What kind of source it is." example:"rss"`
	Poll       sdk.Duration   `yaml:"poll" doc:"How often it is fetched at most; a quiet source and a server's wishes make it rarer."`
	Baseline   Baseline       `yaml:"baseline" doc:"What is posted of the items found at the first fetch: none, a number of the newest, or all."`
	MaxNew     int            `yaml:"max_new" min:"1" doc:"More new items than this in an hour of fetching are held for a person; of a source that is called, ten times as many."`
	MaxCall    Bytes          `yaml:"max_call" doc:"The largest body of a call, of a source that is called; at most 25MiB."`
	Calls      int            `yaml:"calls_per_second" min:"1" max:"100000" doc:"How many calls are taken in a second, of a source that is called; the sender is asked to repeat the others."`
	Future     string         `yaml:"future" enum:"hold|now" doc:"An item with a publication date ahead waits for it (hold) or counts as published (now). A date less than a minute ahead is no wait, since clocks differ."`
	Watch      sdk.Duration   `yaml:"watch" doc:"How long an item's own address is looked at to notice a withdrawal; 0s never."`
	StaleAfter sdk.Duration   `yaml:"stale_after" doc:"An alert is raised when nothing new came for so long; 0s never."`
	Isolation  string         `yaml:"isolation" enum:"process|none" doc:"Whether it runs in a process of its own kind or inside the daemon."`
	Was        string         `yaml:"was" doc:"The name it had before."`
	Options    map[string]any `yaml:",inline"`
}

// SetDefaults implements sdk.Defaulter.
func (s *Source) SetDefaults() {
	*s = Source{Poll: sdk.D(5 * time.Minute), MaxNew: 20, Future: "hold", Watch: sdk.D(7 * 24 * time.Hour),
		StaleAfter: sdk.D(0), Isolation: "process", MaxCall: 1 << 20, Calls: 1000}
}

// Validate checks what belongs to the host.
func (s *Source) Validate() error {
	var ps sdk.Problems
	if s.Poll.Std() < time.Second {
		ps.Add("/poll", fmt.Sprintf("%s is too often", s.Poll), "at least 1s; publishers ask for 5m or more")
	}
	if s.MaxCall < 1<<10 || s.MaxCall > 25<<20 {
		ps.Add("/max_call", fmt.Sprintf("%s is not possible", s.MaxCall), "between 1KiB and 25MiB")
	}
	return ps.Err()
}

// Baseline says how many items of the first fetch are posted.
type Baseline struct {
	// Newest is the number; All overrides it. The zero value posts none.
	Newest int
	All    bool
}

// DecodeTree implements sdk.TreeDecoder.
func (b *Baseline) DecodeTree(tree any) error {
	s, _ := scalarText(tree)
	switch s {
	case "none":
		*b = Baseline{}
		return nil
	case "all":
		*b = Baseline{All: true}
		return nil
	}
	if _, err := fmt.Sscanf(s, "%d", &b.Newest); err != nil || b.Newest < 0 || fmt.Sprint(b.Newest) != s {
		return sdk.Problems{{What: "none, all or a number expected", Fix: "write baseline: none, baseline: all, or how many of the newest are posted, such as baseline: 10"}}
	}
	return nil
}

// String writes the baseline as the configuration does.
func (b Baseline) String() string {
	switch {
	case b.All:
		return "all"
	case b.Newest > 0:
		return fmt.Sprint(b.Newest)
	}
	return "none"
}

// MarshalText writes the baseline as String does.
func (b Baseline) MarshalText() ([]byte, error) { return []byte(b.String()), nil }

// JSONSchema describes the baseline to editors.
func (Baseline) JSONSchema() map[string]any {
	return map[string]any{"oneOf": []any{map[string]any{"enum": []any{"none", "all"}}, map[string]any{"type": "integer", "minimum": 0}}, "default": "none"}
}

// TypeName names the type in the reference.
func (Baseline) TypeName() string { return "none, a number, or all" }

// Destination is one connector instance. What its type reads itself stays in Options.
type Destination struct {
	Type      string         `yaml:"type" required:"true" doc:"What kind of platform it is." example:"telegram"`
	OnUnknown string         `yaml:"on_unknown" enum:"hold|resend" doc:"What happens to a call that may have arrived where the platform cannot tell: a person decides (hold), or it is sent again (resend) and may appear twice."`
	Timeout   sdk.Duration   `yaml:"send_timeout" doc:"How long one call may take."`
	Retry     sdk.Duration   `yaml:"retry_for" doc:"How long a post that fails for a passing reason is tried again."`
	Parallel  int            `yaml:"parallel" min:"1" max:"64" doc:"How many channels are served at once."`
	Rates     Rates          `yaml:"rates" doc:"How many calls leave in which time: as many as the platform is known to allow (platform, the default), as they come (off), or rates of your own, which take the place of the platform's: events in any time of length per, in the whole destination unless scope says channel. What a platform answers is obeyed in any case." example:"[{events: 10, per: 1s}]"`
	Was       string         `yaml:"was" doc:"The name it had before."`
	Options   map[string]any `yaml:",inline"`
}

// SetDefaults implements sdk.Defaulter.
func (d *Destination) SetDefaults() {
	*d = Destination{OnUnknown: "hold", Timeout: sdk.D(15 * time.Second), Retry: sdk.D(24 * time.Hour), Parallel: 8}
}

// Channel is an editorial stream.
type Channel struct {
	Title       Localized    `yaml:"title" required:"true" doc:"The title, or one for each language."`
	Description Localized    `yaml:"description" doc:"One sentence on the front page, or one for each language."`
	Lang        string       `yaml:"lang" doc:"The language of the posts; without it, that of the site." example:"fr"`
	Sources     []string     `yaml:"sources" doc:"The sources it takes items from."`
	Where       string       `yaml:"where" doc:"Which items it takes: an expression over item." example:"hasTag(\"alerte\")"`
	Each        *Each        `yaml:"each" doc:"Post every item by itself."`
	Digest      *Digest      `yaml:"digest" doc:"Collect items into one post on a schedule."`
	PublishTo   []Target     `yaml:"publish_to" doc:"The destinations that receive its posts, besides its own page."`
	Messages    []Messages   `yaml:"messages" doc:"How people can get the channel personally: only who asked for it, confirmed it and has not left is written to."`
	Template    Template     `yaml:"template" doc:"The text of a post, in Markdown with template fields; a file name that ends in .tmpl, or the text itself."`
	Content     string       `yaml:"content" enum:"summary|full" doc:"What pages and feeds show: title, summary, image and link, or the full text."`
	UTM         UTM          `yaml:"utm" doc:"Campaign parameters of links to the article. When one is set here, they take the place of all utm_ parameters that the address has, so that a click counts for one campaign."`
	Hashtags    int          `yaml:"hashtags" min:"0" max:"10" doc:"How many of an item's tags are offered to templates as hashtags."`
	Corrections Corrections  `yaml:"corrections" doc:"How copies follow when an item is revised or withdrawn."`
	HideAfter   sdk.Duration `yaml:"hide_after" doc:"Posts older than this leave the channel's page and feeds; 0s never."`
	Listed      bool         `yaml:"listed" doc:"Whether the front page shows the channel."`
	Was         string       `yaml:"was" doc:"The name it had before."`
}

// SetDefaults implements sdk.Defaulter.
func (c *Channel) SetDefaults() {
	*c = Channel{Content: "summary", Hashtags: 3, Listed: true}
	c.Corrections.SetDefaults()
}

// Validate checks what can be told from the channel alone.
func (c *Channel) Validate() error {
	var ps sdk.Problems
	if c.Each != nil && c.Digest != nil {
		ps = append(ps, sdk.Problem{Pointer: "/digest", OnKey: true, What: "a channel posts each item or digests, not both", Fix: "make a second channel for the digest"})
	}
	if len(c.Sources) > 0 && c.Each == nil && c.Digest == nil {
		ps.Add("/sources", "nothing says what happens to the items of these sources", "add each: {} or digest: {cron: …}", "/each", "/digest")
	}
	if len(c.Sources) == 0 && (c.Each != nil || c.Digest != nil) {
		ps.Add("/sources", "the channel takes items from no source", "add sources: [a source]")
	}
	seen := map[string]int{}
	for i, t := range c.PublishTo {
		if j, twice := seen[t.Key()]; twice {
			ps.Add(sdk.Pointer("publish_to", i), fmt.Sprintf("the same place stands already as entry %d", j+1), "take one of them out", sdk.Pointer("publish_to", j))
		}
		seen[t.Key()] = i
	}
	if c.Lang != "" && !langTag.MatchString(c.Lang) {
		ps.Add("/lang", fmt.Sprintf("%q is no language tag", c.Lang), "write it like fr or pt-BR (BCP 47)")
	}
	return ps.Err()
}

var langTag = regexp.MustCompile(`^[a-zA-Z]{2,3}(-[a-zA-Z0-9]{2,8})*$`)

// Each posts every item by itself.
type Each struct {
	Settle sdk.Duration `yaml:"settle" doc:"How long an item rests before it is used, so that early revisions are not posted."`
	MaxAge sdk.Duration `yaml:"max_age" doc:"Items that waited longer are left out, with a record."`
	Pace   Pace         `yaml:"pace" doc:"How fast posts may follow each other."`
	Hours  string       `yaml:"hours" doc:"When posts may leave, in the daemon's zone; outside, they wait." example:"mon-fri 07:00-22:00"`
	Urgent string       `yaml:"urgent" doc:"Items for which settle, pace and hours do not count: an expression." example:"item.urgency <= 2"`
}

// SetDefaults implements sdk.Defaulter.
func (e *Each) SetDefaults() { *e = Each{MaxAge: sdk.D(24 * time.Hour), Pace: Pace{Prefer: "oldest"}} }

// Pace bounds how fast posts follow each other.
type Pace struct {
	Gap    sdk.Duration `yaml:"gap" doc:"The least time between two posts."`
	PerDay int          `yaml:"per_day" min:"0" doc:"The most posts in a day of the daemon's zone; 0 is no bound."`
	Prefer string       `yaml:"prefer" enum:"oldest|newest|urgency" doc:"Which waiting item goes first."`
}

// Digest collects items into one post.
type Digest struct {
	Cron     string       `yaml:"cron" required:"true" doc:"When it is made: five fields, @daily or @every." example:"0 7 * * mon-fri"`
	Timezone string       `yaml:"timezone" doc:"The zone of cron; without it, the daemon's."`
	MaxItems int          `yaml:"max_items" min:"1" max:"50" doc:"The most items in it; the others wait for the next."`
	MinItems int          `yaml:"min_items" min:"1" doc:"With fewer items there is no digest, and they wait."`
	MaxAge   sdk.Duration `yaml:"max_age" doc:"Items that waited longer are left out, with a record."`
	Order    string       `yaml:"order" enum:"newest|oldest|urgency" doc:"The order of the items, and which are taken first."`
	Title    string       `yaml:"title" doc:"The title of the digest, with template fields; without it, the channel's title and the date."`
	CatchUp  string       `yaml:"catch_up" enum:"none|last|all" doc:"What happens to digests missed while the daemon was down or blacked out."`
	Window   sdk.Duration `yaml:"catch_up_window" doc:"How late a missed digest is still made."`
}

// SetDefaults implements sdk.Defaulter.
func (d *Digest) SetDefaults() {
	*d = Digest{MaxItems: 10, MinItems: 1, MaxAge: sdk.D(7 * 24 * time.Hour), Order: "newest", CatchUp: "last", Window: sdk.D(3 * time.Hour)}
}

// Target is one place that a channel publishes to.
type Target struct {
	Destination string       `yaml:"destination" required:"true" doc:"The destination."`
	Chat        string       `yaml:"chat" doc:"The chat, channel, room or topic there; without it, the destination's own." example:"@gazette"`
	Template    Template     `yaml:"template" doc:"The text of a post there, in place of the channel's."`
	Overflow    string       `yaml:"overflow" enum:"cut|split|thread" doc:"What happens to longer texts; without it, the platform's habit."`
	Media       int          `yaml:"media" min:"0" max:"10" doc:"The most images with a post."`
	MaxAge      sdk.Duration `yaml:"max_age" doc:"Posts that could not leave for so long are dropped, with a record."`
	UTM         *UTM         `yaml:"utm" doc:"Campaign parameters there, in place of the channel's."`
	Where       string       `yaml:"where" doc:"Which posts go there: an expression over item; without it, all."`
}

// SetDefaults implements sdk.Defaulter.
func (t *Target) SetDefaults() { *t = Target{Media: 1, MaxAge: sdk.D(24 * time.Hour)} }

// Key identifies the place within its channel.
func (t Target) Key() string {
	if t.Chat == "" {
		return t.Destination
	}
	return t.Destination + "/" + t.Chat
}

// UTM are campaign parameters of links.
type UTM struct {
	Source   string `yaml:"source" doc:"utm_source."`
	Medium   string `yaml:"medium" doc:"utm_medium."`
	Campaign string `yaml:"campaign" doc:"utm_campaign."`
}

// Corrections is the ladder that a correction climbs down until a rung holds.
type Corrections struct {
	Revised   []string     `yaml:"revised" enum:"edit|reply|repost|list" doc:"What is tried, in order, when a post has a new revision."`
	Withdrawn []string     `yaml:"withdrawn" enum:"delete|mark|reply|list" doc:"What is tried, in order, when a post is withdrawn."`
	Messages  string       `yaml:"messages" enum:"next_digest|instant|none" doc:"What people hear who were sent a version that was corrected with a note or withdrawn: with their next digest where they chose digests, otherwise as a message (next_digest); a message at once (instant); nothing (none). Each goes the way of every message, quiet hours and all."`
	MinGap    sdk.Duration `yaml:"min_gap" doc:"The least time between two edits of one post on one destination; the last revision wins."`
}

// SetDefaults implements sdk.Defaulter.
func (c *Corrections) SetDefaults() {
	*c = Corrections{Revised: []string{"edit", "reply", "list"}, Withdrawn: []string{"delete", "mark", "list"}, Messages: "next_digest",
		MinGap: sdk.D(time.Minute)}
}

// Validate checks the rungs.
func (c *Corrections) Validate() error {
	var ps sdk.Problems
	for name, rungs := range map[string][]string{"revised": c.Revised, "withdrawn": c.Withdrawn} {
		for i, rung := range rungs {
			at := sdk.Pointer(name, i)
			switch {
			case slices.Contains(rungs[:i], rung):
				ps.Add(at, fmt.Sprintf("%q stands twice", rung), "take one out")
			case rung == "list" && i < len(rungs)-1:
				ps.Add(at, "nothing after list would ever be tried", "put list last")
			}
		}
	}
	return ps.Err()
}

// Blackout is a time in which nothing new is posted.
type Blackout struct {
	From     string   `yaml:"from" doc:"The beginning, in the zone." example:"2027-04-10 00:00"`
	Until    string   `yaml:"until" doc:"The end, in the zone." example:"2027-04-11 20:00"`
	Hours    string   `yaml:"hours" doc:"Instead of from and until, hours that come again." example:"sat-sun 00:00-24:00"`
	Source   string   `yaml:"source" doc:"Instead of from and until, a calendar source: each of its events is such a time, from its beginning to its end." example:"elections"`
	Timezone string   `yaml:"zone" doc:"The zone; without it, the daemon's."`
	Channels []string `yaml:"channels" doc:"The channels it silences; without it, all."`
	Where    string   `yaml:"where" doc:"Which items it silences: an expression; without it, all."`
	Then     string   `yaml:"then" enum:"hold|drop" doc:"Whether what was silenced is held for release by a person, or dropped with a record."`
}

// SetDefaults implements sdk.Defaulter.
func (b *Blackout) SetDefaults() { *b = Blackout{Then: "hold"} }

// Validate checks that the time is given in one way.
func (b *Blackout) Validate() error {
	var ps sdk.Problems
	timed := b.From != "" || b.Until != ""
	switch {
	case b.Hours != "" && timed:
		ps.Add("/hours", "the time is given twice", "keep hours, or from and until", "/from", "/until")
	case b.Source != "" && (timed || b.Hours != ""):
		ps.Add("/source", "the time is given twice", "keep source, or hours, or from and until", "/from", "/until", "/hours")
	case b.Source != "" && b.Timezone != "":
		ps.Add("/zone", "the events of a calendar have zones of their own", "take zone out; of whole days, the zone of the source counts", "/source")
	case b.Source == "" && b.Hours == "":
		return b.timed()
	}
	return ps.Err()
}

// timed refuses a blackout without a beginning or an end, when no hours are given.
func (b *Blackout) timed() error {
	var ps sdk.Problems
	const what, fix = "the time is missing", "give from and until, or hours, or source"
	switch {
	case b.From == "":
		ps.Add("/from", what, fix, "/hours", "/source")
	case b.Until == "":
		ps.Add("/until", what, fix, "/hours", "/source")
	}
	return ps.Err()
}

// Media bounds images.
type Media struct {
	MaxBytes     int            `yaml:"max_bytes" min:"1024" doc:"The largest image that is fetched, in bytes."`
	MaxPixels    int            `yaml:"max_pixels" min:"10000" doc:"The largest image that is decoded, width times height."`
	Width        int            `yaml:"width" min:"320" max:"4096" doc:"The largest width that is kept, in pixels."`
	Timeout      sdk.Duration   `yaml:"timeout" doc:"How long a post waits for its images at most."`
	AllowPrivate []netip.Prefix `yaml:"allow_private" doc:"Private networks that images may come from."`
}

// Plugins bounds plugin processes.
type Plugins struct {
	Memory   int                 `yaml:"memory" min:"256" doc:"The most memory of one plugin process, in MiB; a Go program reserves 120 of them before it begins."`
	Deadline sdk.Duration        `yaml:"deadline" doc:"How long one call to a plugin may take."`
	Folder   string              `yaml:"folder" doc:"The folder of third parties' plugins; each has to be trusted there once (belfry plugin trust)." example:"/opt/belfry/plugins"`
	External map[string]External `yaml:"external" key:"type" doc:"More about plugins of third parties, by the type they provide."`
}

// External is a plugin of a third party.
type External struct {
	Path   string   `yaml:"path" doc:"The program, of a plugin that is not trusted in plugins.folder."`
	SHA256 string   `yaml:"sha256" doc:"Its checksum; another program is not started."`
	Args   []string `yaml:"args" doc:"Its arguments."`
	Read   []string `yaml:"read" doc:"Files and folders that it may read besides its own." example:"/srv/notes"`
}

// Localized is a text, or one for each language.
type Localized map[string]string

// DecodeTree implements sdk.TreeDecoder.
func (l *Localized) DecodeTree(tree any) error {
	if s, ok := scalarText(tree); ok {
		if strings.TrimSpace(s) == "" {
			return sdk.Problems{{What: "the text is empty", Fix: "write it, or take the line out"}}
		}
		*l = Localized{"": s}
		return nil
	}
	var m map[string]string
	if err := sdk.Decode(tree, &m); err != nil {
		return err
	}
	var ps sdk.Problems
	for lang := range m {
		if !langTag.MatchString(lang) {
			ps.Add(sdk.Pointer(lang), fmt.Sprintf("%q is no language tag", lang), "write it like fr or en (BCP 47)")
		}
	}
	if len(m) == 0 {
		ps.Add("", "the text is missing", "write it, or one line for each language")
	}
	*l = m
	return ps.Err()
}

// In gives the text in the language, in its main language, or in any.
func (l Localized) In(lang string) string {
	main, _, _ := strings.Cut(lang, "-")
	for _, k := range []string{lang, main, "", "en"} {
		if s, ok := l[k]; ok {
			return s
		}
	}
	for _, k := range slices.Sorted(maps.Keys(l)) {
		return l[k]
	}
	return ""
}

// Tree implements sdk.TreeEncoder.
func (l Localized) Tree() any {
	if s, ok := l[""]; ok && len(l) == 1 {
		return s
	}
	return map[string]string(l)
}

// JSONSchema describes the text to editors.
func (Localized) JSONSchema() map[string]any {
	return map[string]any{"oneOf": []any{map[string]any{"type": "string"},
		map[string]any{"type": "object", "additionalProperties": map[string]any{"type": "string"}}}}
}

// TypeName names the type in the reference.
func (Localized) TypeName() string { return "text, or text by language" }

// Template is the text of a template, written in the configuration or in a file beside it.
type Template struct {
	Text string
	// File is the name that the configuration gives; empty for a text written there.
	File string
}

// DecodeTree implements sdk.TreeDecoder. The file is read by Load.
func (t *Template) DecodeTree(tree any) error {
	s, ok := scalarText(tree)
	if !ok {
		return sdk.Problems{{What: "the text of a template or the name of a .tmpl file expected", Fix: "write a text, or lines below template: |"}}
	}
	if strings.HasSuffix(s, ".tmpl") && !strings.ContainsAny(s, "\n{") {
		t.File = s
		return nil
	}
	t.Text = s
	return nil
}

// Empty reports whether there is no template.
func (t Template) Empty() bool { return t.Text == "" && t.File == "" }

// MarshalText writes the template as the configuration does.
func (t Template) MarshalText() ([]byte, error) {
	if t.File != "" {
		return []byte(t.File), nil
	}
	return []byte(t.Text), nil
}

// Hidden implements sdk.Hider: of a template in a file the name is shown.
func (t Template) Hidden() (string, bool) { return t.Text, t.File != "" }

// UnmarshalText reads the template as DecodeTree does.
func (t *Template) UnmarshalText(text []byte) error { return t.DecodeTree(string(text)) }

func scalarText(tree any) (string, bool) {
	switch t := tree.(type) {
	case string:
		return t, true
	case sdk.Untyped:
		return string(t), true
	case fmt.Stringer: // json.Number
		return t.String(), true
	}
	return "", false
}
