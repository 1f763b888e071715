// Package telegram publishes posts to Telegram channels and groups through the Bot API (10.1): texts, pictures and
// albums, their corrections and their removal. As a bot it writes to people in private chats, and only with a permit: the
// address of a person comes from nowhere else, and what happens in groups and channels never makes somebody a reader.
//
// A post becomes sendMessage, sendPhoto or sendMediaGroup. Telegram has no idempotency key and a bot does not see its own
// posts, so a send whose answer is lost stays unknown; edits and deletions are idempotent and are simply repeated.
//
// What people write and press comes by long polling, or by webhook where one is configured. An update is confirmed to
// Telegram only when the host, which has stored it, asks for the next one; Telegram keeps what nobody confirmed for a day.
package telegram

import (
	"context"
	"log/slog"
	"net/netip"
	"net/url"
	"regexp"
	"strings"
	"sync"

	"github.com/belfry-news/belfry/sdk"
)

// Config is what an admin writes under a destination of type telegram.
type Config struct {
	Token        sdk.Secret     `yaml:"token" required:"true" doc:"The bot's token, as @BotFather gave it."`
	API          string         `yaml:"api" doc:"The Bot API server; another one than Telegram's own for a local server."`
	AllowPrivate []netip.Prefix `yaml:"allow_private" doc:"Private networks the server in api may be in." example:"[10.0.3.7/32]"`
	Timeout      sdk.Duration   `yaml:"timeout" doc:"How long one call may take, with its uploads."`

	Markup   string       `yaml:"markup" enum:"html|markdown" doc:"The formatting language used towards Telegram (parse_mode HTML or MarkdownV2)."`
	Overflow sdk.Overflow `yaml:"overflow" enum:"cut|split|thread" doc:"What happens to a text that is too long: it is cut, goes on in further messages, or in replies."`
	Photos   int          `yaml:"photos" min:"0" max:"10" doc:"The most pictures a post shows; two or more make an album. A digest shows none, its text is worth more than a caption holds."`

	Silent       bool   `yaml:"silent" doc:"Posts do not ring."`
	Protect      bool   `yaml:"protect" doc:"Posts cannot be forwarded or saved."`
	CaptionAbove bool   `yaml:"caption_above" doc:"The text stands above its picture."`
	LinkPreview  string `yaml:"link_preview" enum:"auto|off|small|large" doc:"The preview of the first link of a text without pictures."`
	PreviewAbove bool   `yaml:"preview_above" doc:"The link preview stands above the text."`

	Webhook        string     `yaml:"webhook" doc:"The public address at which Telegram calls with what people write; without it Belfry asks for it by long polling." example:"https://news.example/hooks/telegram"`
	WebhookSecret  sdk.Secret `yaml:"webhook_secret" doc:"Proves that a call is Telegram's: 16 to 256 letters, digits, - and _. Belfry tells it to Telegram by itself."`
	ReplaceWebhook bool       `yaml:"replace_webhook" doc:"Long polling takes away a webhook that the bot has elsewhere."`
}

func defaults() Config {
	return Config{
		API: "https://api.telegram.org", Timeout: sdk.D(30 * second), Markup: "html", Overflow: sdk.OverflowCut,
		Photos: maxAlbum, LinkPreview: "auto",
	}
}

// tokenForm is how @BotFather spells tokens: the bot's number, a colon, and a secret.
var tokenForm = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[0-9]{1,20}:[A-Za-z0-9_-]{1,200}$`) })

// Validate checks the token's spelling and the server's address. Its error is sdk.Problems.
func (c *Config) Validate() error {
	var ps sdk.Problems
	if !tokenForm().MatchString(c.Token.Reveal()) {
		fix := "copy it from @BotFather: a number, a colon, and letters, digits, - and _"
		if trimmed := strings.TrimSpace(c.Token.Reveal()); tokenForm().MatchString(trimmed) {
			fix = "take out the spaces or line ends around it"
		}
		ps.Add("/token", "this is not spelt like a bot's token", fix)
	}
	u, err := url.Parse(c.API)
	switch {
	case err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http"):
		ps.Add("/api", "this is no address of a Bot API server", "write it like https://api.telegram.org")
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		ps.Add("/api", "a Bot API server's address has no user, no question mark and no #",
			"write it like https://api.telegram.org")
	case u.Scheme == "http" && len(c.AllowPrivate) == 0:
		ps.Add("/api", "over plain http the token could be read on the way",
			"use https, or name the network of your own server under allow_private", "/allow_private")
	}
	c.validateWebhook(&ps)
	if c.Timeout.Std() < second {
		ps.Add("/timeout", "a call to Telegram needs longer than that", "at least 1s; 30s is usual")
	}
	return ps.Err()
}

// Spec declares the connector.
func Spec() *sdk.Spec {
	return sdk.Define("telegram", "Posts to Telegram channels and groups, with pictures, corrections and removals, and writes "+
		"to the people who follow by its bot.",
		defaults(), open).
		// A bot cannot begin a conversation; whom it may write to, it may write to at any time (Bots FAQ).
		WithMedium(sdk.Medium{TheyBegin: true, Hears: []sdk.EventKind{sdk.EventMessage, sdk.EventButton, sdk.EventStop, sdk.EventReopen}})
}

// Connector is one bot.
type Connector struct {
	config   Config
	instance string
	log      *slog.Logger
	client   *sdk.Client
	polls    *sdk.Client // for calls that wait long
	base     string      // up to and with the token, never shown
	host     string
	number   string // of the bot

	floods floods

	nameMu sync.Mutex
	name   string // of the bot, once asked
}

func open(_ context.Context, s sdk.Settings, c Config) (*Connector, error) {
	u, err := url.Parse(c.API)
	if err != nil {
		return nil, sdk.Errorf(sdk.CodeInvalid, "open", "api is no address")
	}
	log := s.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Connector{
		config:   c,
		instance: s.Instance,
		log:      log,
		client: sdk.NewClient(sdk.ClientConfig{AllowPrivate: c.AllowPrivate, UserAgent: s.UserAgent,
			Timeout: c.Timeout.Std()}),
		polls: sdk.NewClient(sdk.ClientConfig{AllowPrivate: c.AllowPrivate, UserAgent: s.UserAgent,
			Timeout: longPoll + pollSlack, MaxBody: pollBytes}),
		base:   strings.TrimRight(c.API, "/") + "/bot" + c.Token.Reveal() + "/",
		host:   u.Host,
		number: botNumber(c.Token.Reveal()),
	}, nil
}

// Close frees the connections.
func (c *Connector) Close(context.Context) error {
	c.client.CloseIdle()
	c.polls.CloseIdle()
	return nil
}

var (
	_ sdk.Resolver  = (*Connector)(nil)
	_ sdk.Publisher = (*Connector)(nil)
	_ sdk.Editor    = (*Connector)(nil)
	_ sdk.Deleter   = (*Connector)(nil)

	_ sdk.MessageLimiter = (*Connector)(nil) // and so a Messenger
	_ sdk.Listener       = (*Connector)(nil)
	_ sdk.Receiver       = (*Connector)(nil)
	_ sdk.Linker         = (*Connector)(nil)
	_ sdk.CommandMenu    = (*Connector)(nil)
)
