package telegram

import (
	"context"
	"encoding/json"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/belfry-news/belfry/sdk"
)

const (
	// longPoll is the longest that the Bot API server lets a getUpdates wait.
	longPoll = 50 * time.Second
	// pollSlack is for the way there and back.
	pollSlack = 15 * time.Second
	// pollBytes is the most of an answer of getUpdates that is read: a hundred updates of a few KiB at most.
	pollBytes = 8 << 20
	// ackTime bounds the courtesy of ending a button's spinner, so that it cannot hold up the events.
	ackTime = 5 * time.Second
)

// Listen waits for what people write to the bot, by long polling. With webhook: set it registers the webhook instead, and
// Next then gives nothing until its context ends: the events come through ReceiveEvents.
//
// Errors, here or from Next: CodeForbidden with ScopeAccount when another program polls for this bot or has a webhook, with
// the way to mend it; CodeUnauthenticated for the token; CodeRateLimited and CodeUnavailable otherwise. After an error the
// host listens again from the last cursor it stored.
func (c *Connector) Listen(ctx context.Context, from sdk.Cursor) (sdk.Events, error) {
	offset, err := c.readCursor(from)
	if err != nil {
		return nil, err
	}
	switch {
	case c.config.Webhook != "":
		err = c.setWebhook(ctx)
	case c.config.ReplaceWebhook:
		params := fields{}
		params.set("drop_pending_updates", false)
		var done bool
		err = c.call(ctx, place{}, "deleteWebhook", reading, params, nil, &done)
	}
	if err != nil {
		return nil, err
	}
	e := &events{c: c, webhook: c.config.Webhook != "", offset: offset}
	e.open, e.close = context.WithCancel(context.WithoutCancel(ctx))
	return e, nil
}

func (c *Connector) setWebhook(ctx context.Context) error {
	params := fields{}
	params.set("url", c.config.Webhook)
	params.set("secret_token", c.config.WebhookSecret.Reveal())
	params.set("allowed_updates", allowedUpdates[:])
	params.set("drop_pending_updates", false)
	var done bool
	return c.call(ctx, place{}, "setWebhook", reading, params, nil, &done)
}

// events are those of one Listen.
type events struct {
	c       *Connector
	webhook bool
	offset  int64 // the first update that nobody acknowledged
	pending []json.RawMessage
	button  string // the query of the event given last
	open    context.Context
	close   context.CancelFunc
}

// Close implements sdk.Events.
func (e *events) Close() error {
	e.close()
	return nil
}

// Next implements sdk.Events.
func (e *events) Next(ctx context.Context) (sdk.InboxEvent, sdk.Cursor, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stop := context.AfterFunc(e.open, cancel)
	defer stop()
	if e.button != "" {
		e.c.endSpinner(ctx, e.button)
		e.button = ""
	}
	for {
		for len(e.pending) > 0 && e.open.Err() == nil {
			u, err := readUpdate(e.pending[0])
			if u.ID <= 0 {
				return sdk.InboxEvent{}, nil, &sdk.Error{Code: sdk.CodeUnavailable, Scope: sdk.ScopeAccount, Op: methodUpdates,
					Public: e.c.host + " gives an update that cannot be read", Err: err}
			}
			if err != nil {
				// One update in a form that nobody knows must not stop all that come after it.
				e.c.log.Warn("an update of Telegram cannot be read and is left out", "update", u.ID, "error", err)
			}
			e.pending = e.pending[1:]
			e.offset = u.ID + 1
			event, ok := e.c.event(u, time.Now())
			if !ok {
				continue
			}
			if event.Kind == sdk.EventButton {
				e.button = u.Callback.ID
			}
			return event, e.c.cursorAt(e.offset), nil
		}
		if e.webhook {
			<-ctx.Done()
		}
		if ctx.Err() != nil || e.open.Err() != nil {
			return sdk.InboxEvent{}, nil, &sdk.Error{Code: sdk.CodeUnavailable, Scope: sdk.ScopeAccount, Op: methodUpdates,
				Public: "listening was ended", Err: context.Cause(ctx)}
		}
		// Everything before offset was stored by the host, since it asks for more.
		params := fields{}
		params.set("timeout", int(longPoll/time.Second))
		params.set("allowed_updates", allowedUpdates[:])
		if e.offset > 0 {
			params.set("offset", e.offset)
		}
		if err := e.c.poll(ctx, params, &e.pending); err != nil {
			return sdk.InboxEvent{}, nil, err
		}
	}
}

// poll makes one getUpdates, which may wait long.
func (c *Connector) poll(ctx context.Context, params fields, out *[]json.RawMessage) error {
	err := c.call(ctx, place{}, methodUpdates, reading, params, nil, out)
	if e := sdk.AsError(err); err != nil && e.Code == sdk.CodeForbidden && strings.Contains(strings.ToLower(e.Public), "webhook") {
		var info struct {
			URL string `json:"url"`
		}
		// Who has the webhook helps to find it; without an answer the sentence is as good as it can be.
		if c.call(ctx, place{}, "getWebhookInfo", reading, fields{}, nil, &info) == nil {
			if u, bad := url.Parse(info.URL); bad == nil && u.Host != "" {
				named := *e
				named.Public = "the updates of this bot go to a webhook at " + u.Host + "; write webhook: to receive them " +
					"there yourself, or replace_webhook: true to take it away and poll"
				return &named
			}
		}
	}
	return err
}

// endSpinner tells Telegram that a press of a button has arrived. Nothing depends on it: the query may be too old by now.
func (c *Connector) endSpinner(ctx context.Context, query string) {
	ctx, cancel := context.WithTimeout(ctx, ackTime)
	defer cancel()
	params := fields{}
	params.set("callback_query_id", query)
	var done bool
	if err := c.call(ctx, place{}, "answerCallbackQuery", reading, params, nil, &done); err != nil {
		c.log.Debug("a press of a button was not acknowledged to Telegram", "error", err)
	}
}

// payloadForm is what a deep link carries.
var payloadForm = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`) })

// FollowLink implements sdk.Linker: https://t.me/BOT?start=PAYLOAD. A payload is 1 to 64 letters, digits, "_" and "-".
func (c *Connector) FollowLink(ctx context.Context, payload string) (string, error) {
	if !payloadForm().MatchString(payload) {
		return "", sdk.Errorf(sdk.CodeInvalid, "link", "%q cannot stand in a link to a bot; "+
			"1 to 64 letters, digits, - and _ can", payload)
	}
	name, err := c.botName(ctx)
	if err != nil {
		return "", err
	}
	return "https://t.me/" + name + "?start=" + payload, nil
}

// botName asks Telegram once for the bot's name.
func (c *Connector) botName(ctx context.Context) (string, error) {
	c.nameMu.Lock()
	defer c.nameMu.Unlock()
	if c.name != "" {
		return c.name, nil
	}
	var me user
	if err := c.call(ctx, place{}, "getMe", reading, fields{}, nil, &me); err != nil {
		return "", err
	}
	if !publicName().MatchString("@" + me.Username) {
		return "", &sdk.Error{Code: sdk.CodeUnavailable, Scope: sdk.ScopeAccount, Op: "getMe",
			Public: c.host + " does not tell the bot's name"}
	}
	c.name = me.Username
	return c.name, nil
}

var (
	commandForm  = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[a-z0-9_]{1,32}$`) })
	languageForm = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[a-z]{2}$`) })
)

// OfferCommands implements sdk.CommandMenu by setMyCommands for all private chats.
func (c *Connector) OfferCommands(ctx context.Context, lang string, commands []sdk.Command) error {
	type botCommand struct {
		Command     string `json:"command"`
		Description string `json:"description"`
	}
	if len(commands) == 0 || len(commands) > 100 || lang != "" && !languageForm().MatchString(lang) {
		return sdk.Errorf(sdk.CodeInvalid, "setMyCommands", "a menu holds 1 to 100 commands, for a language of two letters or for all")
	}
	list := make([]botCommand, len(commands))
	for i, cmd := range commands {
		if !commandForm().MatchString(cmd.Name) || cmd.Text == "" || len([]rune(cmd.Text)) > 256 {
			return sdk.Errorf(sdk.CodeInvalid, "setMyCommands", "%q cannot be a command: its name takes 1 to 32 letters a to z, "+
				"digits and _, its text 1 to 256 characters", cmd.Name)
		}
		list[i] = botCommand{cmd.Name, cmd.Text}
	}
	params := fields{"scope": json.RawMessage(`{"type":"all_private_chats"}`)}
	params.set("commands", list)
	if lang != "" {
		params.set("language_code", lang)
	}
	var done bool
	return c.call(ctx, place{}, "setMyCommands", reading, params, nil, &done)
}

// webhookPorts are those that Telegram calls.
var webhookPorts = [...]string{"", "443", "80", "88", "8443"}

// secretForm is what a secret_token may hold.
var secretForm = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z0-9_-]{1,256}$`) })

// validateWebhook checks the settings of the webhook.
func (c *Config) validateWebhook(ps *sdk.Problems) {
	secret := c.WebhookSecret.Reveal()
	switch {
	case c.Webhook == "" && secret != "":
		ps.Add("/webhook_secret", "a secret without a webhook protects nothing", "write the address under webhook, or take it out")
	case c.Webhook == "":
		return
	case c.ReplaceWebhook:
		ps.Add("/replace_webhook", "it takes webhooks away in order to poll, and webhook: sets one", "keep one of the two", "/webhook")
	}
	u, err := url.Parse(c.Webhook)
	known := false
	for _, port := range webhookPorts {
		known = known || err == nil && u.Port() == port
	}
	switch {
	case c.Webhook == "":
	case err != nil || u.Scheme != "https" || u.Hostname() == "" || u.User != nil || u.Fragment != "":
		ps.Add("/webhook", "Telegram calls https addresses only", "write it like https://news.example/hooks/telegram")
	case !known:
		ps.Add("/webhook", "Telegram calls the ports 443, 80, 88 and 8443 only", "choose one of them")
	}
	if c.Webhook != "" && (!secretForm().MatchString(secret) || len(secret) < 16) {
		ps.Add("/webhook_secret", "without a secret anybody could pretend to be Telegram",
			"16 to "+strconv.Itoa(256)+" letters, digits, - and _, from ${env:NAME} or ${file:path}")
	}
}
