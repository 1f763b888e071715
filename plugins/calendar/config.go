package calendar

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/belfry-news/belfry/sdk"
	"github.com/belfry-news/belfry/sdk/fetch"
)

// Config is what an admin writes for one calendar.
type Config struct {
	URL          string                `yaml:"url" required:"true" doc:"Address of the calendar: a document (http, https, webcal), or a CalDAV server, account or collection (caldav)." example:"webcal://news.example/agenda.ics"`
	Announce     []sdk.Duration        `yaml:"announce" doc:"How long before it begins an event is announced; each lead makes a post of its own, and 0s is the beginning itself." example:"[1d, 2h]"`
	Horizon      sdk.Duration          `yaml:"horizon" doc:"How far ahead events are known and can be announced."`
	Protocol     string                `yaml:"protocol" enum:"auto|document|caldav" doc:"How the address is read. With auto, caldav: addresses are CalDAV, and all others documents."`
	Calendar     string                `yaml:"calendar" doc:"Which calendar of a CalDAV account is read, by its name or the last part of its address; needed where there are several." example:"Agenda"`
	Private      bool                  `yaml:"private" doc:"Whether events are taken that the calendar marks as private or confidential."`
	AllowPrivate []fetch.Prefix        `yaml:"allow_private" doc:"Private addresses that this calendar may be fetched from, such as those of your own server." example:"[10.0.3.7/32]"`
	Username     string                `yaml:"username" doc:"User name for HTTP basic authentication. Sent to the calendar's own origin only."`
	Password     sdk.Secret            `yaml:"password" doc:"Password for HTTP basic authentication; many services want one made for this use."`
	Headers      map[string]sdk.Secret `yaml:"headers" doc:"Further request headers, such as Authorization. Sent to the calendar's own origin only."`
	Zone         string                `yaml:"zone" doc:"Time zone of whole days and of times that name none; without it the calendar's own hint counts, or UTC." example:"Europe/Paris"`
	MaxSize      fetch.Size            `yaml:"max_size" doc:"Largest document, after decompression; at most 15MiB." example:"10MiB"`
	Timeout      sdk.Duration          `yaml:"timeout" doc:"Longest time for one request, without waiting for its turn."`
	Contact      string                `yaml:"contact" doc:"Web or mail address at which the calendar's publisher can reach you, told in the User-Agent." example:"https://gazette.example/contact"`
}

const (
	day = 24 * time.Hour
	// defaultHorizon is five weeks.
	defaultHorizon = 35 * day
	longestHorizon = 3660 * day
	maxLeads       = 8
)

func defaults() Config {
	return Config{Announce: []sdk.Duration{sdk.D(day)}, Horizon: sdk.D(defaultHorizon), Protocol: "auto", MaxSize: fetch.DefaultMaxSize,
		Timeout: sdk.D(fetch.DefaultTimeout)}
}

// Spec declares the source. Instances opened through one Spec share their connections and their manners towards hosts.
func Spec() *sdk.Spec {
	shared := fetch.New()
	return sdk.Define("calendar", "Events of an iCalendar document or a CalDAV collection", defaults(),
		func(_ context.Context, s sdk.Settings, c Config) (*Source, error) { return open(shared, s, c) })
}

// Validate checks everything that can be known without the network.
func (c *Config) Validate() error {
	var ps sdk.Problems
	_, err := c.address()
	fetch.Access{AddressErr: err, Document: "calendar", Example: "webcal://news.example/agenda.ics", Username: c.Username, Password: c.Password,
		Headers: c.Headers, Zone: c.Zone, MaxSize: c.MaxSize, Timeout: c.Timeout, Contact: c.Contact}.Check(&ps)
	if h := c.Horizon.Std(); h < time.Hour || h > longestHorizon {
		ps.Add("/horizon", fmt.Sprintf("%s is not possible", c.Horizon), "between 1h and 3660d")
	}
	if len(c.Announce) == 0 || len(c.Announce) > maxLeads {
		ps.Add("/announce", fmt.Sprintf("%d leads are not possible", len(c.Announce)), fmt.Sprintf("one to %d, such as [1d, 2h]", maxLeads))
	}
	for i, lead := range c.Announce {
		if l := lead.Std(); l > 0 && l > c.Horizon.Std()-fullEvery-day {
			ps.Add(sdk.Pointer("announce", fmt.Sprint(i)), fmt.Sprintf("%s is too early for a horizon of %s", lead, c.Horizon),
				"two days less than the horizon at most; raise horizon", "/horizon")
		}
	}
	if c.Calendar != "" && !c.caldav() {
		ps.Add("/calendar", "only a CalDAV account has several calendars", "take it out, or set protocol: caldav", "/protocol")
	}
	return ps.Err()
}

// caldav tells whether the address is spoken to by CalDAV.
func (c *Config) caldav() bool {
	scheme, _, _ := strings.Cut(strings.ToLower(strings.TrimSpace(c.URL)), ":")
	return c.Protocol == "caldav" || c.Protocol == "auto" && (scheme == "caldav" || scheme == "caldavs")
}

// address gives the URL as it is fetched. The schemes webcal and caldav stand for https.
func (c *Config) address() (*url.URL, error) {
	raw := strings.TrimSpace(c.URL)
	if scheme, rest, ok := strings.Cut(raw, ":"); ok && slices.Contains([]string{"webcal", "webcals", "caldav", "caldavs"}, strings.ToLower(scheme)) {
		raw = "https:" + rest
	}
	if u, err := url.Parse(raw); err == nil && u.User != nil {
		return nil, sdk.Errorf(sdk.CodeInvalid, "", "the address holds a user name or a password; write them as username and password")
	}
	u, err := fetch.Guard(c.AllowPrivate).CheckURL(raw)
	if u != nil {
		u.Fragment, u.RawFragment = "", ""
	}
	return u, err
}

// leads are the leads of announce, the longest first, each once.
func (c *Config) leads() []time.Duration {
	var out []time.Duration
	for _, d := range c.Announce {
		out = append(out, d.Std())
	}
	slices.Sort(out)
	out = slices.Compact(out)
	slices.Reverse(out)
	return out
}
