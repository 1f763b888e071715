package telegram

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode"

	"github.com/belfry-news/belfry/sdk"
)

// place names a channel and the bot in sentences.
type place struct {
	Name string // "@gazette", a title, or a number
	Bot  string // "@gazette_bot"; empty when it was not asked yet
}

func (p place) name() string {
	if p.Name == "" {
		return "the channel"
	}
	return p.Name
}

func (p place) bot() string {
	if p.Bot == "" {
		return "the bot"
	}
	return "bot " + p.Bot
}

// rule says what one kind of refusal means. The sentence may hold {bot}, {where}, {said}, {method}, {host}, {wait},
// {grant}, which is the way to give the bot its rights, and {check}, the command that tries again.
type rule struct {
	status   int
	says     string // in the description, in lower case; empty matches every one
	code     sdk.Code
	scope    sdk.Scope
	sentence string
}

// missing is the rule for a right that the bot lacks. For a correction or a removal it does not stop what is posted next.
func missing(says string) rule {
	return rule{400, says, sdk.CodeForbidden, sdk.ScopeDestination, noRights}
}

const (
	badToken = `Telegram does not accept the token ({said}): it was revoked, or it is not a token of @BotFather; put a valid ` +
		`one into token:, then: {check}`
	badMethod = `{host} knows no such bot or no call {method} ({said}): the token is not spelt as @BotFather gave it, or the ` +
		`server in api: is too old; then: {check}`
	noRights   = `{bot} may not post in {where} ({said}); mend: {grant}`
	noChange   = `{bot} may not change or delete its post in {where} ({said}); mend: {grant}`
	noPlace    = `Telegram knows no {where}, or {bot} is not in it ({said}); mend: check the spelling in chat:, or {grant}`
	badText    = `Telegram refuses the text for {where} ({said})`
	longText   = `the text for {where} is too long for Telegram ({said})`
	badPicture = `Telegram refuses a picture for {where} ({said})`
	personGone = `Telegram will not let {bot} write there ({said})`
)

// rules are read from the top; the first that fits counts. They follow the Bot API server's own descriptions.
var rules = []rule{
	{429, "", sdk.CodeRateLimited, sdk.ScopeDestination, `Telegram asks to wait {wait} before the next call to {where}`},
	{401, "", sdk.CodeUnauthenticated, sdk.ScopeAccount, badToken},
	{404, "", sdk.CodeUnauthenticated, sdk.ScopeAccount, badMethod},
	{409, "", sdk.CodeForbidden, sdk.ScopeAccount,
		`another program reads this bot's updates ({said}); one program for each token is possible`},
	{413, "", sdk.CodeTooLarge, sdk.ScopeMessage,
		`a picture for {where} is too large for Telegram ({said}); 10 MB are the limit`},

	{403, "bot was blocked by the user", sdk.CodeGone, sdk.ScopePerson, personGone},
	{403, "user is deactivated", sdk.CodeGone, sdk.ScopePerson, personGone},
	{403, "bot can't initiate conversation", sdk.CodeGone, sdk.ScopePerson, personGone},
	{403, "bot can't send messages to bots", sdk.CodeNotAChannel, sdk.ScopeDestination, personGone},
	{403, "was deleted", sdk.CodeForbidden, sdk.ScopeDestination,
		`{where} was deleted ({said}); name another channel in chat:, or take this destination out`},
	{403, "", sdk.CodeForbidden, sdk.ScopeDestination, noRights},

	{400, "bad webhook", sdk.CodeInvalid, sdk.ScopeAccount,
		`Telegram cannot call the address in webhook: ({said}); it must be reachable from the internet, with a valid certificate`},
	{400, "message can't be edited", sdk.CodeWindowClosed, sdk.ScopeMessage,
		`Telegram will not change the post in {where} any more ({said}); publish a correction instead`},
	{400, "message to edit not found", sdk.CodeGone, sdk.ScopeMessage, `the post is no longer in {where} ({said})`},
	{400, "message_id_invalid", sdk.CodeGone, sdk.ScopeMessage, `the post is no longer in {where} ({said})`},
	{400, "there is no text in the message", sdk.CodeUnsupported, sdk.ScopeMessage,
		`Telegram cannot take the picture out of a post ({said}); delete it and post it again`},
	{400, "there is no caption in the message", sdk.CodeUnsupported, sdk.ScopeMessage,
		`the post in {where} has no picture to write under ({said}); delete it and post it again`},
	{400, "message can't be deleted", sdk.CodeWindowClosed, sdk.ScopeMessage,
		`Telegram will not delete the post in {where} any more ({said}): after 48 hours {bot} needs the right "Delete ` +
			`messages" there; grant it, or delete the post by hand`},
	{400, "chat not found", sdk.CodeForbidden, sdk.ScopeDestination, noPlace},
	{400, "peer_id_invalid", sdk.CodeForbidden, sdk.ScopeDestination, noPlace},
	{400, "group is deactivated", sdk.CodeForbidden, sdk.ScopeDestination,
		`{where} was closed ({said}); name another channel in chat:, or take this destination out`},
	{400, "upgraded to a supergroup", sdk.CodeForbidden, sdk.ScopeDestination,
		`{where} has become a supergroup with another number ({said}); write the new number into chat:, then: {check}`},
	{400, "migrated to a supergroup", sdk.CodeForbidden, sdk.ScopeDestination,
		`{where} has become a supergroup with another number ({said}); write the new number into chat:, then: {check}`},
	missing("not enough rights"),
	missing("need administrator rights"),
	missing("chat_write_forbidden"),
	missing("have no rights"),
	missing("chat_admin_required"),
	missing("member list is inaccessible"),
	{400, "can't parse entities", sdk.CodeInvalid, sdk.ScopeMessage, badText},
	{400, "entities too long", sdk.CodeTooLarge, sdk.ScopeMessage, longText},
	{400, "is too long", sdk.CodeTooLarge, sdk.ScopeMessage, longText},
	{400, "media_caption_too_long", sdk.CodeTooLarge, sdk.ScopeMessage, longText},
	{400, "message text is empty", sdk.CodeInvalid, sdk.ScopeTemplate, `the template gives no text for {where} ({said})`},
	{400, "file is too big", sdk.CodeTooLarge, sdk.ScopeMessage, badPicture},
	{400, "photo_invalid_dimensions", sdk.CodeInvalid, sdk.ScopeMessage, badPicture},
	{400, "image_process_failed", sdk.CodeInvalid, sdk.ScopeMessage, badPicture},
	{400, "wrong http url", sdk.CodeInvalid, sdk.ScopeMessage, badPicture},
	{400, "failed to get http url content", sdk.CodeInvalid, sdk.ScopeMessage, badPicture},
	{400, "wrong type of the web page content", sdk.CodeInvalid, sdk.ScopeMessage, badPicture},
	{400, "", sdk.CodeInvalid, sdk.ScopeMessage, `Telegram refuses the call {method} for {where} ({said})`},
}

// judge turns Telegram's "no" into an Error.
func (c *Connector) judge(r *refusal, method string, v verb, at place) *sdk.Error {
	e := &sdk.Error{Op: method, RetryAfter: r.RetryAfter, Err: r}
	sentence := ""
	for _, known := range rules {
		if known.status == r.Status && strings.Contains(strings.ToLower(r.Description), known.says) {
			e.Code, e.Scope, sentence = known.code, known.scope, known.sentence
			break
		}
	}
	switch {
	case r.MigrateTo != 0 && (v == editing || v == removing):
		e.Code, e.Scope = sdk.CodeWindowClosed, sdk.ScopeMessage
		sentence = `{where} has become a supergroup, and what was posted before cannot be changed there any more ` +
			`({said}); publish a correction instead`
	case sentence != "":
		if r.Status == 400 && sentence == noRights && (v == editing || v == removing) {
			e.Scope, sentence = sdk.ScopeMessage, noChange
		}
	case r.Status >= 500 && v.once():
		e.Code, e.Scope = sdk.CodeUnknownOutcome, sdk.ScopeMessage
		sentence = `Telegram failed while it took the post ({said}); whether it is out is not known: look into {where}`
	case r.Status >= 500:
		e.Code, e.Scope = sdk.CodeUnavailable, sdk.ScopeAccount
		sentence = `Telegram fails at the moment ({said})`
	default:
		e.Code, e.Scope = sdk.CodeInvalid, sdk.ScopeMessage
		sentence = `Telegram refuses the call {method} for {where} ({said})`
	}
	e.Public = c.fill(sentence, at, method, r)
	return e
}

func (c *Connector) fill(sentence string, at place, method string, r *refusal) string {
	said := fmt.Sprintf("Telegram: %d", r.Status)
	if d := strings.TrimSpace(withoutPrefix(r.Description)); d != "" {
		said += fmt.Sprintf(" %q", d)
	}
	check := "belfry destination check"
	if c.instance != "" {
		check += " " + c.instance
	}
	bot := at.Bot
	if bot == "" {
		bot = "the bot"
	}
	grant := fmt.Sprintf(`%s → Administrators → add %s with "Post messages" and "Edit messages", then: %s`, at.name(),
		bot, check)
	pause := "a while"
	switch {
	case r.RetryAfter > 24*time.Hour:
		pause = "for longer than a day"
	case r.RetryAfter > 0:
		pause = r.RetryAfter.Round(time.Second).String()
	}
	return strings.NewReplacer("{bot}", at.bot(), "{where}", at.name(), "{said}", said, "{method}", method, "{host}", c.host,
		"{wait}", pause, "{grant}", grant, "{check}", check).Replace(sentence)
}

// withoutPrefix takes the HTTP reason off a description: "Bad Request: chat not found" is "chat not found".
func withoutPrefix(description string) string {
	for _, p := range []string{"[Error]: ", "Bad Request: ", "Forbidden: ", "Too Many Requests: ", "Conflict: "} {
		description = strings.TrimPrefix(description, p)
	}
	return description
}

// clean makes a description fit for people and logs: no token, no control characters, no novel.
func (c *Connector) clean(description string) string {
	description = strings.ReplaceAll(description, c.config.Token.Reveal(), "[secret]")
	if _, secret, ok := strings.Cut(c.config.Token.Reveal(), ":"); ok {
		description = strings.ReplaceAll(description, secret, "[secret]")
	}
	var b strings.Builder
	for i, r := range []rune(strings.ToValidUTF8(description, "")) {
		switch {
		case i == 200:
			return b.String() + "…"
		case unicode.IsControl(r):
			b.WriteByte(' ')
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// stranger judges an answer that is not the Bot API's: a page of a proxy, half an answer, or {"ok":true} with nothing
// that can be used. A send behind which such an answer comes may have had its effect.
func (c *Connector) stranger(a sdk.Answer, method string, v verb) *sdk.Error {
	e := &sdk.Error{Op: method, Scope: sdk.ScopeAccount}
	status := fmt.Sprintf("%d %s", a.Status, http.StatusText(a.Status))
	if after, ok := sdk.RetryAfter(a.Header, a.At); ok {
		e.RetryAfter = after
	}
	switch {
	case a.Status == http.StatusTooManyRequests:
		e.Code = sdk.CodeRateLimited
		e.Public = fmt.Sprintf("%s answers %s: it asks for fewer calls", c.host, status)
	case a.Status == http.StatusRequestEntityTooLarge:
		e.Code, e.Scope = sdk.CodeTooLarge, sdk.ScopeMessage
		e.Public = fmt.Sprintf("%s answers %s: the request is too large for it", c.host, status)
	case a.Status >= 300 && a.Status < 400:
		e.Code = sdk.CodeUnavailable
		e.Public = fmt.Sprintf("%s sends on to %s instead of answering as the Bot API does; check api:", c.host,
			locationHost(a.Header))
	case a.Status >= 400 && a.Status < 500:
		e.Code = sdk.CodeForbidden
		e.Public = fmt.Sprintf("%s answers %s, but not as the Bot API does; check api:, and whether a proxy stands in "+
			"between", c.host, status)
	case v == sending:
		e.Code, e.Scope = sdk.CodeUnknownOutcome, sdk.ScopeMessage
		e.Public = fmt.Sprintf("%s took the post and answered %s, but not as the Bot API does; whether it is out is "+
			"not known", c.host, status)
	case v == messaging:
		e.Code, e.Scope = sdk.CodeUnknownOutcome, sdk.ScopeMessage
		e.Public = fmt.Sprintf("%s took the message and answered %s, but not as the Bot API does; whether it arrived is "+
			"not known", c.host, status)
	default:
		e.Code = sdk.CodeUnavailable
		e.Public = fmt.Sprintf("%s answers %s, but not as the Bot API does", c.host, status)
	}
	return e
}

func locationHost(h http.Header) string {
	u, err := url.Parse(h.Get("Location"))
	if err != nil || u.Hostname() == "" {
		return "somewhere else"
	}
	return u.Hostname()
}
