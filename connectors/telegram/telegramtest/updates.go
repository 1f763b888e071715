package telegramtest

import (
	"context"
	"encoding/json"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// update is one that nobody has confirmed yet.
type update struct {
	id   int64
	at   time.Time
	json json.RawMessage
}

// keptFor is how long Telegram keeps an update.
const keptFor = 24 * time.Hour

// usual are the kinds of updates that come when nobody named any.
var usual = []string{"message", "edited_message", "channel_post", "edited_channel_post", "callback_query", "my_chat_member",
	"poll", "poll_answer"}

type webhook struct{ url, secret string }

// arrive queues an update of a kind, unless the bot does not want it. The lock is held.
func (s *Server) arrive(kind string, what map[string]any) {
	wanted := usual
	if len(s.allowed) > 0 {
		wanted = s.allowed
	}
	if !slices.Contains(wanted, kind) {
		return
	}
	s.lastUpdate++
	text, err := json.Marshal(map[string]any{"update_id": s.lastUpdate, kind: what})
	if err != nil {
		panic(err) // maps of strings, numbers and booleans
	}
	s.updates = append(s.updates, update{s.lastUpdate, s.options.Now(), text})
	s.wake()
}

// wake lets the getUpdates that wait look again. The lock is held.
func (s *Server) wake() {
	close(s.arrived)
	s.arrived = make(chan struct{})
}

// Waiting is how many updates nobody has confirmed.
func (s *Server) Waiting() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.updates)
}

// Polling is closed as soon as a getUpdates waits for something to happen.
func (s *Server) Polling() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.polling
}

// getUpdates gives what waits from an offset on and forgets what is before it. It waits as long as the call asks for, at
// most 50 s; a second call ends the first with a conflict.
func (s *Server) getUpdates(ctx context.Context, p *parameters) (any, *refusal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	limit, timeout := int64(100), int64(0)
	for name, to := range map[string]*int64{"limit": &limit, "timeout": &timeout} {
		if n, ok := p.number(name); ok {
			*to = n
		} else if p.text(name) != "" {
			return nil, refuse(400, "Bad Request: invalid %s specified", name)
		}
	}
	limit, timeout = min(max(limit, 1), 100), min(max(timeout, 0), 50)
	var allowed []string
	given, bad := p.object("allowed_updates", &allowed)
	if bad != nil {
		return nil, bad
	}
	if s.webhook.url != "" {
		return nil, refuse(409, "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook to "+
			"delete the webhook first")
	}
	if given {
		s.allowed = allowed
	}
	offset, _ := p.number("offset")
	s.poll++
	mine := s.poll
	s.wake()
	wait := time.NewTimer(time.Duration(timeout) * time.Second)
	defer wait.Stop()
	for over := timeout == 0; ; {
		out := s.confirm(offset, int(limit))
		if len(out) > 0 || over {
			return out, nil
		}
		arrived, polling := s.arrived, s.polling
		s.polling = make(chan struct{})
		s.mu.Unlock()
		close(polling)
		select {
		case <-arrived:
		case <-wait.C:
			over = true
		case <-ctx.Done():
			over = true
		}
		s.mu.Lock()
		switch {
		case s.webhook.url != "":
			return nil, refuse(409, "Conflict: terminated by setWebhook request")
		case s.poll != mine:
			return nil, refuse(409, "Conflict: terminated by other getUpdates request; make sure that only one bot "+
				"instance is running")
		}
	}
}

// confirm forgets the updates before an offset and gives those that follow; a negative one counts from the end.
func (s *Server) confirm(offset int64, limit int) []json.RawMessage {
	now := s.options.Now()
	if offset < 0 {
		offset = s.lastUpdate + 1 + offset
	}
	s.updates = slices.DeleteFunc(s.updates, func(u update) bool {
		return u.id < offset || now.Sub(u.at) > keptFor
	})
	out := []json.RawMessage{}
	for _, u := range s.updates[:min(limit, len(s.updates))] {
		out = append(out, u.json)
	}
	return out
}

var (
	secretToken  = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z0-9_-]{1,256}$`) })
	commandName  = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[a-z0-9_]{1,32}$`) })
	languageCode = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[a-z]{2}$`) })
)

func (s *Server) setWebhook(p *parameters) (any, *refusal) {
	var allowed []string
	given, bad := p.object("allowed_updates", &allowed)
	if bad != nil {
		return nil, bad
	}
	drop, bad := p.flag("drop_pending_updates")
	if bad != nil {
		return nil, bad
	}
	address, secret := p.text("url"), p.text("secret_token")
	if address == "" {
		return s.deleteWebhook(p)
	}
	u, err := url.Parse(address)
	switch {
	case err != nil || u.Scheme != "https" || u.Host == "":
		return nil, refuse(400, "Bad Request: bad webhook: An HTTPS URL must be provided for webhook")
	case !slices.Contains([]string{"", "443", "80", "88", "8443"}, u.Port()):
		return nil, refuse(400, "Bad Request: bad webhook: Webhook can be set up only on ports 80, 88, 443 or 8443")
	case secret != "" && !secretToken().MatchString(secret):
		return nil, refuse(400, "Bad Request: secret token contains unallowed characters")
	}
	if n, ok := p.number("max_connections"); p.text("max_connections") != "" && (!ok || n < 1 || n > 100) {
		return nil, refuse(400, "Bad Request: invalid max_connections specified")
	}
	s.webhook = webhook{address, secret}
	if given {
		s.allowed = allowed
	}
	if drop {
		s.updates = nil
	}
	s.wake()
	return true, nil
}

func (s *Server) deleteWebhook(p *parameters) (any, *refusal) {
	drop, bad := p.flag("drop_pending_updates")
	if bad != nil {
		return nil, bad
	}
	s.webhook = webhook{}
	if drop {
		s.updates = nil
	}
	return true, nil
}

func (s *Server) getWebhookInfo(*parameters) (any, *refusal) {
	return map[string]any{"url": s.webhook.url, "has_custom_certificate": false, "pending_update_count": len(s.updates)}, nil
}

func (s *Server) answerCallbackQuery(p *parameters) (any, *refusal) {
	if len([]rune(p.text("text"))) > 200 {
		return nil, refuse(400, "Bad Request: MESSAGE_TOO_LONG")
	}
	query := p.text("callback_query_id")
	if !s.open[query] {
		return nil, refuse(400, "Bad Request: query is too old and response timeout expired or query ID is invalid")
	}
	s.open[query] = false
	return true, nil
}

// Command is an entry of the menu.
type Command struct {
	Command     string `json:"command"`
	Description string `json:"description"`
}

// Commands gives the menu of private chats for a language; "" for all others.
func (s *Server) Commands(lang string) []Command {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.commands[lang])
}

func (s *Server) setMyCommands(p *parameters) (any, *refusal) {
	var list []Command
	if given, bad := p.object("commands", &list); bad != nil || !given {
		return nil, refuse(400, "Bad Request: can't parse commands JSON object")
	}
	var scope struct {
		Type string `json:"type"`
	}
	given, bad := p.object("scope", &scope)
	lang := p.text("language_code")
	switch {
	case bad != nil:
		return nil, bad
	case given && !slices.Contains([]string{"default", "all_private_chats"}, scope.Type):
		return nil, refuse(400, "Bad Request: this fake knows the scopes default and all_private_chats only")
	case lang != "" && !languageCode().MatchString(lang):
		return nil, refuse(400, "Bad Request: invalid language_code specified")
	case len(list) > 100:
		return nil, refuse(400, "Bad Request: BOT_COMMANDS_TOO_MUCH")
	}
	for _, c := range list {
		if !commandName().MatchString(c.Command) {
			return nil, refuse(400, "Bad Request: BOT_COMMAND_INVALID")
		}
		if n := len([]rune(c.Description)); n < 1 || n > 256 {
			return nil, refuse(400, "Bad Request: BOT_COMMAND_DESCRIPTION_INVALID")
		}
	}
	next := maps.Clone(s.commands)
	next[lang] = list
	s.commands = next
	return true, nil
}

// Button is one button of an inline keyboard: it opens URL, or sends Data.
type Button struct {
	Text string `json:"text"`
	URL  string `json:"url,omitempty"`
	Data string `json:"callback_data,omitempty"`
}

// readKeyboard reads reply_markup, of which this fake knows inline keyboards only.
func readKeyboard(p *parameters) ([][]Button, *refusal) {
	var markup struct {
		Rows [][]Button `json:"inline_keyboard"`
	}
	given, bad := p.object("reply_markup", &markup)
	if bad != nil || !given {
		return nil, bad
	}
	count := 0
	for _, row := range markup.Rows {
		for _, b := range row {
			count++
			u, err := url.Parse(b.URL)
			switch {
			case strings.TrimSpace(b.Text) == "":
				return nil, refuse(400, "Bad Request: can't parse inline keyboard button: text is empty")
			case b.URL == "" && b.Data == "":
				return nil, refuse(400, "Bad Request: can't parse inline keyboard button: Text buttons are unallowed in the "+
					"inline keyboard")
			case b.URL != "" && b.Data != "":
				return nil, refuse(400, "Bad Request: this fake takes one action for each button")
			case len(b.Data) > 64:
				return nil, refuse(400, "Bad Request: BUTTON_DATA_INVALID")
			case b.URL != "" && (err != nil || u.Host == "" || !slices.Contains([]string{"http", "https", "tg"}, u.Scheme)):
				return nil, refuse(400, "Bad Request: inline keyboard button URL %s is invalid: Wrong HTTP URL",
					strconv.Quote(b.URL))
			}
		}
	}
	if count > 100 {
		return nil, refuse(400, "Bad Request: reply markup is too long")
	}
	return markup.Rows, nil
}
