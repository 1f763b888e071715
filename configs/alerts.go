package configs

import (
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/belfry-news/belfry/sdk"
)

// Alerts says who hears of trouble.
type Alerts struct {
	// Off says that the admin wrote "alerts: none"; Set, that alerts: is written at all.
	Off       bool          `yaml:"-"`
	Set       bool          `yaml:"-"`
	To        []AlertTarget `yaml:"to" doc:"Who is told of trouble: a destination, or one chat there as {destination: …, chat: …}. For operators only."`
	Repeat    sdk.Duration  `yaml:"repeat" doc:"How long an alert that lasts is not repeated."`
	Settle    sdk.Duration  `yaml:"settle" doc:"How long trouble that comes and goes by itself has to stay away until its end is told; what comes back within the hour is still the same alert. At most 1h; 0s tells every end at once."`
	Heartbeat Heartbeat     `yaml:"heartbeat" doc:"A dead man's switch elsewhere that is asked while Belfry works, and so notices when it does not."`
}

// SetDefaults implements sdk.Defaulter.
func (a *Alerts) SetDefaults() {
	a.Repeat, a.Settle = sdk.D(30*time.Minute), sdk.D(5*time.Minute)
	a.Heartbeat.SetDefaults()
}

// DecodeTree implements sdk.TreeDecoder: settings, or the word none.
func (a *Alerts) DecodeTree(tree any) error {
	a.SetDefaults()
	a.Set = true
	if s, ok := scalarText(tree); ok {
		if s != "none" {
			return sdk.Problems{{What: fmt.Sprintf("%q is not possible here", s), Fix: alertsFix}}
		}
		a.Off = true
		return nil
	}
	if _, is := tree.(map[string]any); !is && tree != nil {
		return sdk.Problems{{What: "settings or the word none expected", Fix: alertsFix}}
	}
	return sdk.Decode(tree, (*alertSettings)(a))
}

const alertsFix = "write alerts: {to: [a destination]}, or alerts: none"

// alertSettings are Alerts that are written as settings.
type alertSettings Alerts

// Validate checks the time.
func (a *alertSettings) Validate() error {
	var ps sdk.Problems
	if a.Settle.Std() < 0 || a.Settle.Std() > time.Hour {
		ps.Add("/settle", fmt.Sprintf("%s is not possible", a.Settle), "write a time up to 1h, such as 5m, or 0s")
	}
	return ps.Err()
}

// Tree implements sdk.TreeEncoder.
func (a Alerts) Tree() any {
	if a.Off || !a.Set {
		return "none"
	}
	to := make([]any, len(a.To))
	for i, t := range a.To {
		to[i] = t.Tree()
	}
	out := map[string]any{"to": to, "repeat": a.Repeat.String(), "settle": a.Settle.String()}
	if !a.Heartbeat.URL.Empty() {
		out["heartbeat"] = a.Heartbeat
	}
	return out
}

// AlertTarget is a place that hears of trouble: a destination, or one chat there.
type AlertTarget struct{ Destination, Chat string }

// DecodeTree implements sdk.TreeDecoder: the name of a destination, or settings.
func (t *AlertTarget) DecodeTree(tree any) error {
	if name, ok := scalarText(tree); ok {
		t.Destination = name
		return nil
	}
	var settings struct {
		Destination string `yaml:"destination" required:"true"`
		Chat        string `yaml:"chat"`
	}
	err := sdk.Decode(tree, &settings)
	*t = AlertTarget(settings)
	return err
}

// Tree implements sdk.TreeEncoder.
func (t AlertTarget) Tree() any {
	if t.Chat == "" {
		return t.Destination
	}
	return map[string]any{"destination": t.Destination, "chat": t.Chat}
}

// Key identifies the place, as Target.Key does.
func (t AlertTarget) Key() string { return Target{Destination: t.Destination, Chat: t.Chat}.Key() }

// JSONSchema describes the place to editors.
func (AlertTarget) JSONSchema() map[string]any {
	text := map[string]any{"type": "string"}
	return map[string]any{"oneOf": []any{text, map[string]any{"type": "object", "additionalProperties": false, "required": []any{"destination"},
		"properties": map[string]any{"destination": text, "chat": text}}}}
}

// TypeName names the type in the reference.
func (AlertTarget) TypeName() string { return "destinations" }

// UnmarshalText reads the name of a destination: for sdk.Fields the place is one setting.
func (t *AlertTarget) UnmarshalText(text []byte) error { return t.DecodeTree(string(text)) }

// Heartbeat is a dead man's switch: a service elsewhere that misses the calls when they stop.
type Heartbeat struct {
	URL          HeartbeatURL   `yaml:"url" doc:"The address that is fetched (GET). Its path and query may hold a secret and are shown nowhere." example:"https://hc.example/ping/…"`
	Every        sdk.Duration   `yaml:"every" doc:"How often, while the store answers and sources are read. Let the service wait three times as long."`
	AllowPrivate []netip.Prefix `yaml:"allow_private" doc:"Private networks the service may be in."`
}

// SetDefaults implements sdk.Defaulter.
func (h *Heartbeat) SetDefaults() { h.Every = sdk.D(time.Minute) }

// Validate checks the address and the time.
func (h *Heartbeat) Validate() error {
	var ps sdk.Problems
	if h.Every.Std() < 10*time.Second {
		ps.Add("/every", fmt.Sprintf("%s is too often", h.Every), "at least 10s; services ask for 1m or more")
	}
	if h.URL.Empty() {
		return ps.Err()
	}
	u, err := url.Parse(h.URL.raw)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || strings.ContainsAny(h.URL.raw, " \t\r\n"):
		ps.Add("/url", "this is no http or https address", "write it like https://hc.example/ping/…")
	case u.User != nil:
		ps.Add("/url", "the address holds a user or a password", "use a service that takes its key in the path")
	case u.Scheme == "http" && len(h.AllowPrivate) == 0:
		ps.Add("/url", "over plain http the key in the address could be read on the way", "use https, or name the service's own network under allow_private",
			"/allow_private")
	}
	return ps.Err()
}

// HeartbeatURL is an address whose path is a key. It shows its host only.
type HeartbeatURL struct{ raw string }

// UnmarshalText reads the address.
func (u *HeartbeatURL) UnmarshalText(text []byte) error {
	u.raw = string(text)
	return nil
}

// Hidden implements sdk.Hider.
func (u HeartbeatURL) Hidden() (string, bool) { return u.raw, u.raw != "" }

// MarshalText gives the scheme and the host.
func (u HeartbeatURL) MarshalText() ([]byte, error) { return []byte(u.String()), nil }

// TypeName names the type in the reference.
func (HeartbeatURL) TypeName() string { return "secret address" }

// String gives the scheme and the host.
func (u HeartbeatURL) String() string {
	if u.raw == "" {
		return ""
	}
	p, err := url.Parse(u.raw)
	if err != nil {
		return "[address]"
	}
	return p.Scheme + "://" + p.Host + "/[…]"
}

// GoString gives the scheme and the host in %#v.
func (u HeartbeatURL) GoString() string { return u.String() }

// Empty reports whether there is none.
func (u HeartbeatURL) Empty() bool { return u.raw == "" }

// Reveal gives the address itself.
func (u HeartbeatURL) Reveal() string { return u.raw }

// RequireAlerts is a check for Options.Checks: a daemon says who hears of its trouble, or that nobody does.
func RequireAlerts(l *Loaded) sdk.Problems {
	if l.Alerts.Set && (l.Alerts.Off || len(l.Alerts.To) > 0) {
		return nil
	}
	what, at := "nothing says who is told of trouble", ""
	if l.Alerts.Set {
		what, at = "alerts: names nobody who is told of trouble", "/alerts"
	}
	return sdk.Problems{{Pointer: at, OnKey: true, What: what, Fix: fmt.Sprintf("write alerts: {to: [%s]}, or alerts: none when you look at belfry status yourself", l.forOperators())}}
}

// forOperators is a destination that needs no chat and that no channel publishes to; without one, the words for it.
func (l *Loaded) forOperators() string {
	var free []string
	for name, d := range l.Destinations {
		spec := l.specs[d.Type]
		used := spec == nil || spec.CheckChannel(d.Options, "") != nil
		for _, ch := range l.Channels {
			used = used || slices.ContainsFunc(ch.PublishTo, func(t Target) bool { return t.Destination == name })
		}
		if !used {
			free = append(free, name)
		}
	}
	if len(free) == 0 {
		return "a destination of yours"
	}
	return slices.Min(free)
}

// checkAlerts looks at the places that hear of trouble.
func (l *Loaded) checkAlerts(c *collector, destinations []string) {
	for i, t := range l.Alerts.To {
		at := sdk.Pointer("alerts", "to", i)
		c.exists(at, "destination", t.Destination, destinations)
		d, ok := l.Destinations[t.Destination]
		spec := l.specs[d.Type]
		if !ok || spec == nil {
			continue
		}
		if err := spec.CheckChannel(d.Options, t.Chat); err != nil {
			what, fix := sdk.Sentence(err)
			if t.Chat == "" {
				fix = fmt.Sprintf("name the chat of your operators: {destination: %s, chat: …}", t.Destination)
			}
			c.at(at, what, fix)
		}
		if slices.ContainsFunc(l.Alerts.To[:i], func(other AlertTarget) bool { return other == t }) {
			c.at(at, fmt.Sprintf("%s stands twice", t.Key()), "take one out")
		}
	}
}

// warnOfReaders warns where a channel's readers would see what is for operators.
func (l *Loaded) warnOfReaders() {
	for i, t := range l.Alerts.To {
		for name, ch := range l.Channels {
			if slices.ContainsFunc(ch.PublishTo, func(p Target) bool { return p.Key() == t.Key() }) {
				l.Warnings = append(l.Warnings, l.Locate(sdk.Problem{Pointer: sdk.Pointer("alerts", "to", i),
					What: fmt.Sprintf("channel %s publishes to %s too, so its readers would see the alerts", name, t.Key()),
					Fix:  "give operators a destination, or a chat there, of their own"}))
			}
		}
	}
}
