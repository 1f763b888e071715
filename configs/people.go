package configs

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/belfry-news/belfry/scheduler"
	"github.com/belfry-news/belfry/sdk"
)

// Messages is one way for people to get a channel: a destination that writes to each of its followers.
type Messages struct {
	Destination string       `yaml:"destination" required:"true" doc:"The destination that writes to people, such as one of type email."`
	Modes       []string     `yaml:"modes" enum:"instant|digest" doc:"What a follower chooses between: each post as it is published (instant), or posts collected until a time of their own (digest). The first is what they get without choosing."`
	Times       []string     `yaml:"times" doc:"The local times of digests that a follower chooses from." example:"[\"07:00\", \"18:00\"]"`
	Topics      []string     `yaml:"topics" doc:"Tags that a follower chooses from; who chooses none gets everything."`
	Languages   []string     `yaml:"languages" doc:"Languages of posts that a follower chooses from, by their tags; who chooses none gets all."`
	Breaking    bool         `yaml:"breaking" doc:"Whether a follower can choose that urgent posts come in quiet hours too."`
	MaxAge      sdk.Duration `yaml:"max_age" doc:"News older than this is not sent to anybody any more, with a record."`
	PerDay      int          `yaml:"per_day" min:"1" max:"1000" doc:"The most messages of the channel that one person gets in a day of their zone; what is more comes with their next digest."`
	PerWeek     int          `yaml:"per_week" min:"1" max:"7000" doc:"The most messages of the channel that one person gets in a week of their zone, which begins on Monday; what is more comes with their next digest. Without it, only per_day counts."`
	Gap         sdk.Duration `yaml:"gap" doc:"The least time between two messages of the channel to one person."`
	Template    Template     `yaml:"template" doc:"The text of a message, in place of the channel's."`
}

// SetDefaults implements sdk.Defaulter.
func (m *Messages) SetDefaults() {
	*m = Messages{Modes: []string{"instant"}, MaxAge: sdk.D(6 * time.Hour), PerDay: 12}
}

var clockTime = regexp.MustCompile(`^([01][0-9]|2[0-3]):[0-5][0-9]$`)

// Validate checks what can be told from the entry alone.
func (m *Messages) Validate() error {
	var ps sdk.Problems
	for i, t := range m.Times {
		if !clockTime.MatchString(t) {
			ps.Add(sdk.Pointer("times", i), fmt.Sprintf("%q is no time of day", t), "write it like 07:00")
		}
		if slices.Contains(m.Times[:i], t) {
			ps.Add(sdk.Pointer("times", i), fmt.Sprintf("%s stands twice", t), "take one out")
		}
	}
	switch digests := slices.Contains(m.Modes, "digest"); {
	case len(m.Modes) == 0:
		ps.Add("/modes", "nothing can be chosen", "write modes: [instant], or [instant, digest] with times:")
	case digests && len(m.Times) == 0:
		ps.Add("/modes", "digests need times", "write times: [\"07:00\"]", "/times")
	case !digests && len(m.Times) > 0:
		ps.Add("/times", "nobody can choose digests", "write modes: [instant, digest], or take the times out", "/modes")
	}
	for i, l := range m.Languages {
		if !langTag.MatchString(l) {
			ps.Add(sdk.Pointer("languages", i), fmt.Sprintf("%q is no language tag", l), "write it like fr or en (BCP 47)")
		}
	}
	if m.MaxAge.Std() < time.Minute {
		ps.Add("/max_age", fmt.Sprintf("%s is too short for anybody to be written to", m.MaxAge), "at least 1m")
	}
	return ps.Err()
}

// Notice is something about one person that they asked to hear: a delivery, a changed gate, an appointment. It is sent through
// the API, to one person by the reference that your own system has for them. Never marketing.
type Notice struct {
	Title        Localized    `yaml:"title" required:"true" doc:"What people agree to hear, or one text for each language." example:"{fr: Suivi de colis, en: Parcel tracking}"`
	Description  Localized    `yaml:"description" doc:"One sentence about it, or one for each language."`
	Lang         string       `yaml:"lang" doc:"The language of the notices; without it, that of the site."`
	Destinations []string     `yaml:"destinations" required:"true" doc:"The destinations that write it."`
	Expires      sdk.Duration `yaml:"expires" doc:"How long a notice makes sense that does not say so itself."`
	PerDay       int          `yaml:"per_day" min:"1" max:"1000" doc:"The most notices of this kind that one person gets in a day of their zone; what is more waits."`
	PerWeek      int          `yaml:"per_week" min:"1" max:"7000" doc:"The most notices of this kind that one person gets in a week of their zone, which begins on Monday; what is more waits. Without it, only per_day counts."`
}

// SetDefaults implements sdk.Defaulter.
func (n *Notice) SetDefaults() { *n = Notice{Expires: sdk.D(24 * time.Hour), PerDay: 20} }

// BulkGuard holds notices that say the same to many.
type BulkGuard struct {
	SameBody int          `yaml:"same_body" min:"1" doc:"The most people who get the same notice, apart from what stands in its slots, within the window; more are held for a person."`
	Window   sdk.Duration `yaml:"window" doc:"The time over which the same notices are counted."`
}

// SetDefaults implements sdk.Defaulter.
func (b *BulkGuard) SetDefaults() { *b = BulkGuard{SameBody: 20, Window: sdk.D(24 * time.Hour)} }

// NewAudience lets the first messages to many new people through, and holds the rest for a person.
type NewAudience struct {
	First  int `yaml:"first" min:"1" doc:"How many messages go to a new audience before the rest is held: belfry message held."`
	Growth int `yaml:"growth" min:"2" max:"1000" doc:"How many times as many followers as at its last post make those who came since a new audience of a channel on a medium."`
	People int `yaml:"people" min:"1" doc:"Fewer new followers than this between two posts are never a new audience, whatever growth says."`
}

// SetDefaults implements sdk.Defaulter.
func (n *NewAudience) SetDefaults() { *n = NewAudience{First: 50, Growth: 2, People: 500} }

// MediumRules are rules of messages to people on one medium.
type MediumRules struct {
	Quiet       map[string]string `yaml:"quiet" key:"country" doc:"Hours in which nobody may be written to, on the clock of each person's zone, by country: two letters (ISO 3166-1), or EVERYWHERE. The country is that of the person's zone; of who gave none, the hours of all countries hold. No message passes them, breaking news neither." example:"{FR: \"mon-sat 22:00-08:00, sun 00:00-24:00\"}"`
	OwnChoice   bool              `yaml:"own_choice" doc:"Whether the platform forbids the same message to many: then of a channel's posts each person gets only what a choice of theirs selects (topics, digests, breaking news)."`
	ReplyWindow sdk.Duration      `yaml:"reply_window" doc:"How long after a person last wrote the platform lets them be written to. Later messages wait until the person writes again, or end when they are too old. Without it, at any time." example:"24h"`
}

// Everywhere is the country of hours that hold for everybody.
const Everywhere = "EVERYWHERE"

// Validate checks countries and hours.
func (m *MediumRules) Validate() error {
	var ps sdk.Problems
	for _, country := range slices.Sorted(maps.Keys(m.Quiet)) {
		at := sdk.Pointer("quiet", country)
		switch {
		case country == Everywhere, scheduler.KnownCountry(country):
		case scheduler.KnownCountry(strings.ToUpper(country)) || strings.EqualFold(country, Everywhere):
			ps.Add(at, fmt.Sprintf("%q is not written in capitals", country), "write "+strings.ToUpper(country))
		default:
			ps.Add(at, fmt.Sprintf("%q is no country", country), "write its two letters, such as FR, or EVERYWHERE")
		}
		if _, err := scheduler.ParseHours(m.Quiet[country]); err != nil {
			ps = append(ps, problemOf(at, err))
		}
	}
	return ps.Err()
}

// Medium gives what a platform says of messages to people by a type of destination, with what the configuration adds.
func (l *Loaded) Medium(typ string) (m sdk.Medium) {
	if spec := l.specs[typ]; spec != nil && spec.Medium != nil {
		m = *spec.Medium
	} else if t := l.trusted[typ]; t.Medium != nil {
		m = *t.Medium
	}
	own := l.MediumRules[typ]
	m.OwnChoice = m.OwnChoice || own.OwnChoice
	if w := own.ReplyWindow.Std(); w > 0 && (m.ReplyWindow == 0 || m.Templates || w < m.ReplyWindow) {
		m.ReplyWindow, m.Templates = w, false
	}
	return m
}

// LegalHours gives the hours in which nobody may be written to by a type of destination, by country; those under "" hold
// everywhere. They have no zone: they are each person's.
func (l *Loaded) LegalHours(typ string) map[string]scheduler.Windows {
	out := map[string]scheduler.Windows{}
	for country, text := range l.MediumRules[typ].Quiet {
		hours, err := scheduler.ParseHours(text)
		if err != nil {
			continue // Validate has refused it
		}
		if country == Everywhere {
			country = ""
		}
		out[country] = hours
	}
	return out
}

// Staff is somebody of the newsroom who may act from their phone, by a bot.
type Staff struct {
	Medium string   `yaml:"medium" required:"true" doc:"The type of the destination whose bot they write to: one of Belfry's own, not a plugin's." example:"telegram"`
	Handle string   `yaml:"handle" required:"true" doc:"The platform's own number of the person, or their public name beginning with @. A name may be somebody else's one day; the number is safer, and the bot tells it: /mydata." example:"\"123456789\""`
	May    []string `yaml:"may" required:"true" enum:"create|edit|retract|pause|release|settle" doc:"What they may do, each after a button that confirms it: write, correct and retract posts, pause channels, release what a source holds, settle what may have arrived."`
}

// Replies says who reads what people write that is no command.
type Replies struct {
	Forward AlertTarget `yaml:"forward" doc:"A destination, or one chat there as {destination: …, chat: …}: for operators only. Without one, people are told that nobody reads."`
}

// Privacy says how data about people is kept, and what they are told about it.
type Privacy struct {
	Key         sdk.Secret   `yaml:"key" doc:"The key that seals addresses, from a file that is kept apart from the database: \"${file:people.key}\". Make it with belfry keys new people.key." example:"\"${file:people.key}\""`
	Previous    []sdk.Secret `yaml:"previous_keys" doc:"Earlier keys, while addresses that they sealed are sealed anew."`
	IP          string       `yaml:"ip" enum:"none|truncated" doc:"What is kept of the network address of who signs up: nothing, or its network alone (24 bits of IPv4, 48 of IPv6). In memory that network also bounds how many sign-ups one place sends."`
	Controller  string       `yaml:"controller" doc:"Who writes, with a postal or web address, in one line: it stands under every message and every form." example:"\"La Gazette, 1 rue Haute, Lyon\""`
	Policy      string       `yaml:"policy" doc:"The address of the privacy policy." example:"https://news.example/privacy"`
	AskAfter    sdk.Duration `yaml:"ask_after" doc:"After so long without a sign of a person (a confirmation, a change on their page, a word to the bot) each message asks whether they still read; 0s never asks." example:"365d"`
	PauseAfter  sdk.Duration `yaml:"pause_after" doc:"How long after such a question nothing is sent any more to who has not answered it; 0s sends on."`
	Checkpoints string       `yaml:"checkpoints" doc:"A folder that keeps a signed checkpoint of the record of consent, at least once an hour when anything was added: best on another machine, since only what lies elsewhere shows that the whole record was written anew. Relative to the configuration."`
	Backups     sdk.Duration `yaml:"backups" doc:"How long backups are kept: who has their data erased is told until when a backup may still hold it."`
}

// SetDefaults implements sdk.Defaulter.
func (p *Privacy) SetDefaults() { *p = Privacy{IP: "none", Backups: sdk.D(30 * 24 * time.Hour)} }

// Validate checks the address.
func (p *Privacy) Validate() error {
	var ps sdk.Problems
	if p.Policy != "" && !strings.HasPrefix(p.Policy, "https://") && !strings.HasPrefix(p.Policy, "http://") {
		ps.Add("/policy", fmt.Sprintf("%q is no address of a page", p.Policy), "write it like https://news.example/privacy")
	}
	if p.PauseAfter > 0 && p.AskAfter == 0 {
		ps.Add("/pause_after", "nobody is paused who was not asked", "write ask_after: too, such as 365d", "/ask_after")
	}
	if p.AskAfter > 0 && p.AskAfter.Std() < 30*24*time.Hour {
		ps.Add("/ask_after", fmt.Sprintf("%s is too soon to doubt that somebody reads", p.AskAfter), "at least 30d; 365d is usual")
	}
	if strings.ContainsAny(p.Controller, "\r\n") {
		ps.Add("/controller", "it stands in one line under each message", "write it in one line")
	}
	return ps.Err()
}

// Writes reports whether any channel writes to people.
func (c *Config) Writes() bool {
	for _, ch := range c.Channels {
		if len(ch.Messages) > 0 {
			return true
		}
	}
	return len(c.Notices) > 0
}

// checkPeople looks at what only the whole configuration tells about messages to people.
func (l *Loaded) checkPeople(c *collector, destinations []string) {
	for _, name := range slices.Sorted(maps.Keys(l.Channels)) {
		ch, at := l.Channels[name], sdk.Pointer("channels", name)
		seen := map[string]bool{}
		for i, m := range ch.Messages {
			here := at + sdk.Pointer("messages", i)
			c.exists(here+"/destination", "destination", m.Destination, destinations)
			d := l.Destinations[m.Destination]
			if what, fix := l.writer(m.Destination); what != "" {
				c.at(here+"/destination", what, fix)
			}
			if seen[d.Type] {
				c.at(here+"/destination", fmt.Sprintf("the channel writes to people by %s already", d.Type), "take one of them out: nobody should get the same twice")
			}
			seen[d.Type] = true
		}
		if len(ch.Messages) > 0 && l.Site.URL == "" {
			c.at(at+"/messages", "messages need the address of the site, for the links by which people leave", "write site: {url: \"https://news.example\"}")
		}
	}
	for _, name := range slices.Sorted(maps.Keys(l.Notices)) {
		for i, d := range l.Notices[name].Destinations {
			here := sdk.Pointer("notices", name, "destinations", i)
			c.exists(here, "destination", d, destinations)
			if what, fix := l.writer(d); what != "" {
				c.at(here, what, fix)
			}
		}
		if l.Site.URL == "" {
			c.at(sdk.Pointer("notices", name), "notices need the address of the site, for the links by which people leave", "write site: {url: \"https://news.example\"}")
		}
	}
	for _, typ := range slices.Sorted(maps.Keys(l.MediumRules)) {
		var used []string
		for _, d := range l.Destinations {
			if l.writesBy(d) {
				used = append(used, d.Type)
			}
		}
		l.checkRules(c, typ)
		if !slices.Contains(used, typ) {
			fix := "take it out, or write the type of a destination that writes to people"
			if near := sdk.Nearest(typ, used); near != "" {
				fix = fmt.Sprintf("did you mean %q?", near)
			}
			c.at(sdk.Pointer("medium_rules", typ), fmt.Sprintf("no destination of type %q writes to people", typ), fix)
		}
	}
	l.checkStaff(c)
	if to := l.Replies.Forward.Destination; to != "" {
		c.exists("/replies/forward", "destination", to, destinations)
	}
	if l.Writes() && l.Privacy.Key.Empty() {
		c.at("/privacy/key", "addresses of people need a key that seals them", "make it with: belfry keys new people.key, and write privacy: {key: \"${file:people.key}\"}")
	}
	if l.Writes() && l.Privacy.Controller == "" {
		c.at("/privacy/controller", "every message says who writes", "write privacy: {controller: \"La Gazette, 1 rue Haute, Lyon\"}")
	}
}
