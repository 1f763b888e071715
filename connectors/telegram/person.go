package telegram

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/belfry-news/belfry/sdk"
	"github.com/belfry-news/belfry/sdk/render"
)

// Medium is the name of the medium in handles and addresses. An address is the number of a private chat, which is the
// number of the person.
const Medium = "telegram"

const (
	maxFooter = 1024 // visible UTF-16 units of the reason and the links, so that most of a message is what it is about
	maxData   = 64   // bytes of a button's callback_data
	gap       = 2    // the empty line between text and footer
)

type (
	directMessage struct {
		ChatID  int64           `json:"chat_id"`
		Text    string          `json:"text"`
		Mode    string          `json:"parse_mode"`
		Preview *linkPreview    `json:"link_preview_options,omitempty"`
		ReplyTo *replyTo        `json:"reply_parameters,omitempty"`
		Markup  *inlineKeyboard `json:"reply_markup,omitempty"`
	}
	replyTo struct {
		MessageID int64 `json:"message_id"`
		Without   bool  `json:"allow_sending_without_reply"`
	}
	inlineKeyboard struct {
		Rows [][]inlineButton `json:"inline_keyboard"`
	}
	inlineButton struct {
		Text string `json:"text"`
		URL  string `json:"url,omitempty"`
		Data string `json:"callback_data,omitempty"`
	}
)

// Message writes to the one person whom the message's permit names, in their private chat with the bot. A text that is
// too long is cut; the reason, the links and the buttons stay whole. Telegram has no idempotency key, so a message whose
// answer is lost stays unknown. Pictures are not sent, and a subject only where there is no text.
//
// The link preview, which Telegram makes by opening an address itself, is of the first link in the shared text, and never
// of an address that is this person's own.
//
// Errors: CodeNoConsent without a permit that is still good; CodeGone with ScopePerson when the person blocked the bot,
// deleted their account, or never pressed Start; CodeInvalid for what is no private chat, for buttons that Telegram would
// refuse and for an empty message; CodeUnsupported for a template. No error holds the address or the text.
func (c *Connector) Message(ctx context.Context, m sdk.DirectMessage) (sdk.MessageRef, error) {
	// The request is made first, so that nothing slow stands between the look at the permit and the first byte.
	request, err := c.direct(m.MessageContent)
	if err != nil {
		return sdk.MessageRef{}, err
	}
	to, err := m.Recipient(time.Now())
	if err != nil {
		return sdk.MessageRef{}, err
	}
	value, _ := to.Reveal()
	id, err := strconv.ParseInt(value, 10, 64)
	if to.Medium() != Medium || err != nil || id <= 0 {
		return sdk.MessageRef{}, sdk.Errorf(sdk.CodeInvalid, kindText, "the address is no private chat of Telegram")
	}
	request.ChatID = id
	params := fields{}
	if err := json.Unmarshal(encode(request), &params); err != nil {
		return sdk.MessageRef{}, sdk.Errorf(sdk.CodeInvalid, kindText, "the message cannot be written")
	}
	var sent message
	// Not by call, which follows a group to its new number: what is meant for a person goes nowhere else.
	if err := c.once(ctx, kindText, messaging, params, nil, &sent); err != nil {
		if r, ok := errors.AsType[*refusal](err); ok {
			r.Description = strings.ReplaceAll(r.Description, value, "[address]")
			return sdk.MessageRef{}, c.judgePerson(r, id, time.Now())
		}
		return sdk.MessageRef{}, err
	}
	if sent.ID <= 0 || sent.Chat.ID != id {
		return sdk.MessageRef{}, sdk.Errorf(sdk.CodeUnknownOutcome, kindText,
			"Telegram took the message without saying which one it became; whether it arrived is not known")
	}
	return sdk.MessageRef{ID: strconv.FormatInt(sent.ID, 10)}, nil
}

// MessageLimits implements sdk.MessageLimiter. Telegram names its rates as about one message a second in a chat, with
// short bursts tolerated, and thirty a second in all.
func (c *Connector) MessageLimits() sdk.Limits {
	return sdk.Limits{
		Text: maxText, Unit: sdk.UnitUTF16, Overflow: sdk.OverflowCut, Overflows: []sdk.Overflow{sdk.OverflowCut},
		Rules: sdk.Rules{
			Rates: []sdk.Rate{
				{Scope: sdk.RatePerson, Events: 3, Per: 3 * time.Second},
				{Scope: sdk.RateDestination, Events: 30, Per: time.Second},
			},
			Parallel: 8,
		},
	}
}

// direct makes the request of a message, without its recipient.
func (c *Connector) direct(m sdk.MessageContent) (directMessage, error) {
	r := directMessage{Mode: c.parseMode()}
	if m.Template != "" {
		return r, sdk.Errorf(sdk.CodeUnsupported, kindText, "Telegram has no templates; the message must hold its own text")
	}
	if m.Common == nil {
		return r, sdk.Errorf(sdk.CodeInvalid, kindText, "the message holds no text")
	}
	text := c.fit(m.Common, m.Slots)
	if len(text) == 0 {
		return r, sdk.Errorf(sdk.CodeInvalid, kindText, "the message holds no text")
	}
	r.Text = render.Render(text, c.markup())
	r.Preview = c.previewOf(m.Common)
	if n, err := strconv.ParseInt(m.ReplyTo, 10, 64); err == nil && n > 0 {
		// Whoever deleted the message that is answered still gets the answer.
		r.ReplyTo = &replyTo{MessageID: n, Without: true}
	}
	var err error
	r.Markup, err = keyboard(m.Buttons)
	return r, err
}

// fit makes the whole text of a message, at most as long as Telegram takes.
//
// The person's own values are put into the tree before it is rendered, not into the finished markup: render's promise that
// text stays text then holds for them as for every other text, and what is measured is what will be read.
func (c *Connector) fit(common *sdk.Common, values map[string]string) sdk.Body {
	bound := render.Bound{Markup: c.markup(), Unit: sdk.UnitUTF16, Max: maxText, Visible: true}
	footer := footerOf(common, values, bound)
	if len(footer) > 0 {
		bound.Max -= render.Measure(footer, bound) + gap
	}
	body := filled(common.Body, values)
	if render.Measure(body, bound) == 0 && common.Subject != "" {
		body = sdk.Body{sdk.Paragraph(sdk.Strong(sdk.Text(sdk.Fill(common.Subject, values))))}
	}
	if link, err := sdk.CheckLink(common.Permalink); err == nil && firstLink(body) == "" && render.Measure(body, bound) > bound.Max {
		body = append(body, sdk.Paragraph(sdk.Link(link, sdk.Text(link)))) // the rest can be read there
	}
	body = render.Cut(body, bound)
	return slices.Concat(body, footer)
}

// footerOf says why the message came and where it can be changed or ended. A link without an address is left out; where it
// gets too long it is the reason that is cut, and never the way out.
func footerOf(common *sdk.Common, values map[string]string, bound render.Bound) sdk.Body {
	var links []sdk.Node
	for _, l := range common.Links {
		address, err := sdk.CheckLink(values[l.Slot])
		if err != nil || values[l.Slot] == "" {
			continue
		}
		if len(links) > 0 {
			links = append(links, sdk.Text(" · "))
		}
		links = append(links, sdk.Link(address, sdk.Text(sdk.Fill(l.Text, values))))
	}
	bound.Max = maxFooter - render.Measure(sdk.Body{sdk.Paragraph(links...)}, bound) - 1
	var line []sdk.Node
	if reason := render.Line(sdk.Fill(common.Reason, values)); reason != "" && bound.Max > 0 {
		for _, p := range render.Cut(sdk.Body{sdk.Paragraph(sdk.Node{Kind: sdk.NodeEmphasis, Children: []sdk.Node{sdk.Text(reason)}})}, bound) {
			line = append(line, p.Children...)
		}
	}
	if len(line) > 0 && len(links) > 0 {
		line = append(line, sdk.Node{Kind: sdk.NodeBreak})
	}
	if line = append(line, links...); len(line) == 0 {
		return nil
	}
	return sdk.Body{sdk.Paragraph(line...)}
}

// filled copies nodes with the values in the places of their slots.
func filled(nodes []sdk.Node, values map[string]string) []sdk.Node {
	out := make([]sdk.Node, len(nodes))
	for i, n := range nodes {
		n.Text = sdk.Fill(n.Text, values)
		n.Children = filled(n.Children, values)
		out[i] = n
	}
	return out
}

// previewOf is the link preview of a message: as for posts, but of a named address, since the first one in the text may
// hold a person's token.
func (c *Connector) previewOf(common *sdk.Common) *linkPreview {
	link := firstLink(common.Body)
	if c.config.LinkPreview == "off" || link == "" || common.Kind == sdk.CommonConfirm || common.Kind == sdk.CommonAnswer {
		return &linkPreview{Disabled: true}
	}
	return &linkPreview{URL: link, Small: c.config.LinkPreview == "small", Large: c.config.LinkPreview == "large",
		Above: c.config.PreviewAbove}
}

// firstLink is the first web address that nodes link to; empty when there is none.
func firstLink(nodes []sdk.Node) string {
	for i := range nodes {
		if nodes[i].Kind == sdk.NodeLink {
			if link, err := sdk.CheckLink(nodes[i].URL); err == nil && !strings.HasPrefix(link, "mailto:") {
				return link
			}
		}
		if link := firstLink(nodes[i].Children); link != "" {
			return link
		}
	}
	return ""
}

// keyboard puts buttons under a message.
func keyboard(rows [][]sdk.Button) (*inlineKeyboard, error) {
	bad := func(format string, args ...any) (*inlineKeyboard, error) {
		return nil, sdk.Errorf(sdk.CodeInvalid, kindText, format, args...)
	}
	var out inlineKeyboard
	for _, row := range rows {
		var buttons []inlineButton
		for _, b := range row {
			text := render.Line(b.Text)
			switch {
			case text == "":
				return bad("a button has no text")
			case (b.URL == "") == (b.Data == ""):
				return bad("the button %q must open an address or send data, and not both", text)
			case len(b.Data) > maxData:
				return bad("the button %q would send %d bytes; Telegram takes %d", text, len(b.Data), maxData)
			}
			button := inlineButton{Text: text, Data: b.Data}
			if b.URL != "" {
				link, err := sdk.CheckLink(b.URL)
				if err != nil || strings.HasPrefix(link, "mailto:") {
					return bad("the button %q leads to no web address", text)
				}
				button.URL = link
			}
			buttons = append(buttons, button)
		}
		if len(buttons) > 0 {
			out.Rows = append(out.Rows, buttons)
		}
	}
	if len(out.Rows) == 0 {
		return nil, nil
	}
	return &out, nil
}

// personRules say what Telegram's refusals mean when a person is written to. The first that fits counts. Only a person who
// blocked the bot or whose account is gone ends what they agreed to: to a bot that took another's place everybody is unknown.
var personRules = []rule{
	{401, "", sdk.CodeUnauthenticated, sdk.ScopeAccount, badToken},
	{404, "", sdk.CodeUnauthenticated, sdk.ScopeAccount, badMethod},
	{403, "bot was blocked by the user", sdk.CodeGone, sdk.ScopePerson, `the person blocked {bot} ({said})`},
	{403, "user is deactivated", sdk.CodeGone, sdk.ScopePerson, `the person's account is gone ({said})`},
	{403, "bot can't initiate conversation", sdk.CodeForbidden, sdk.ScopePerson, `the person never pressed Start ({said})`},
	{403, "bot can't send messages to bots", sdk.CodeForbidden, sdk.ScopePerson, `this is a bot and no person ({said})`},
	{403, "", sdk.CodeForbidden, sdk.ScopePerson, `Telegram will not let {bot} write to this person ({said})`},
	{400, "chat not found", sdk.CodeForbidden, sdk.ScopePerson, unknownPerson},
	{400, "user not found", sdk.CodeForbidden, sdk.ScopePerson, unknownPerson},
	{400, "peer_id_invalid", sdk.CodeForbidden, sdk.ScopePerson, unknownPerson},
	{400, "input_user_deactivated", sdk.CodeGone, sdk.ScopePerson, `the person's account is gone ({said})`},
	{400, "is too long", sdk.CodeTooLarge, sdk.ScopeMessage, `the message is too long for Telegram ({said})`},
	{400, "entities too long", sdk.CodeTooLarge, sdk.ScopeMessage, `the message is too long for Telegram ({said})`},
	{400, "can't parse entities", sdk.CodeInvalid, sdk.ScopeMessage, `Telegram refuses the text of the message ({said})`},
	{400, "message text is empty", sdk.CodeInvalid, sdk.ScopeTemplate, `the template gives no text ({said})`},
	{400, "button", sdk.CodeInvalid, sdk.ScopeMessage, `Telegram refuses a button of the message ({said})`},
	{400, "", sdk.CodeInvalid, sdk.ScopeMessage, `Telegram refuses the message ({said})`},
}

const unknownPerson = `Telegram knows no such private chat with {bot} ({said})`

// judgePerson turns Telegram's "no" to a message into an Error. A 429 is about one chat, until a second chat meets one
// while the first still waits: then it is about the bot.
func (c *Connector) judgePerson(r *refusal, id int64, now time.Time) *sdk.Error {
	e := &sdk.Error{Op: kindText, RetryAfter: r.RetryAfter, Err: r}
	sentence := `Telegram refuses the message ({said})`
	e.Code, e.Scope = sdk.CodeInvalid, sdk.ScopeMessage
	switch {
	case r.Status == 429:
		e.Code, e.Scope, sentence = sdk.CodeRateLimited, sdk.ScopePerson, `Telegram asks to wait {wait} before the next message`
		if c.floods.met(id, now.Add(max(r.RetryAfter, second)), now) {
			e.Scope, sentence = sdk.ScopeAccount, `Telegram asks {bot} to wait {wait} before the next message to anybody`
		}
	case r.Status >= 500:
		e.Code, e.Scope = sdk.CodeUnknownOutcome, sdk.ScopeMessage
		sentence = `Telegram failed while it took the message ({said}); whether it arrived is not known`
	default:
		for _, known := range personRules {
			if known.status == r.Status && strings.Contains(strings.ToLower(r.Description), known.says) {
				e.Code, e.Scope, sentence = known.code, known.scope, known.sentence
				break
			}
		}
	}
	e.Public = c.fill(sentence, place{}, kindText, r)
	return e
}

// floods remembers the chat that was last told to wait, in memory only: it decides how wide a wait is, and a wait that is
// taken too narrow after a restart is asked for again.
type floods struct {
	mu    sync.Mutex
	chat  int64
	until time.Time
}

// met notes that a chat has to wait, and reports whether another one has to as well.
func (f *floods) met(chat int64, until, now time.Time) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	another := f.chat != 0 && f.chat != chat && now.Before(f.until)
	f.chat, f.until = chat, until
	return another
}
