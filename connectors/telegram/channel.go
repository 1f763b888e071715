package telegram

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/belfry-news/belfry/sdk"
)

// What the Bot API takes. Lengths are visible lengths, without tags; counting UTF-16 units never counts too little.
const (
	maxText    = 4096
	maxCaption = 1024
	maxAlbum   = 10
	maxPhoto   = 10 << 20 // bytes of an uploaded picture
	maxSides   = 10_000   // width plus height of a picture, in pixels
	maxRatio   = 20       // of a picture's sides
)

// ownFor is how long a bot without special rights can delete its own messages.
const ownFor = 48 * time.Hour

// channelState is what a ChannelRef carries besides the chat's number.
type channelState struct {
	Name string `json:"name,omitempty"`
	Bot  string `json:"bot,omitempty"`
}

func placeOf(to sdk.ChannelRef) place {
	var s channelState
	if json.Unmarshal(to.State, &s) != nil || s.Name == "" {
		s.Name = to.ID
	}
	return place(s)
}

var (
	publicName = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^@[A-Za-z][A-Za-z0-9_]{3,31}$`) })
	linkToName = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`^(?:https?://)?(?:t|telegram)\.me/(?:s/)?([A-Za-z][A-Za-z0-9_]{3,31})/?$`)
	})
)

// ResolveChannel finds a channel or group by its public name ("@gazette") or its number ("-1001234567890"), and makes
// sure that the bot may post there.
//
// Errors: CodeNotAChannel for a private chat; CodeForbidden when the channel is unknown or a right is missing, with the
// way to grant it; CodeUnauthenticated for a token that Telegram does not know; CodeInvalid for a name in another form.
func (c *Connector) ResolveChannel(ctx context.Context, name string) (sdk.ChannelRef, sdk.Limits, error) {
	id, err := chatID(name)
	if err != nil {
		return sdk.ChannelRef{}, sdk.Limits{}, err
	}
	at := place{Name: name}
	var me user
	if err := c.call(ctx, at, "getMe", reading, fields{}, nil, &me); err != nil {
		return sdk.ChannelRef{}, sdk.Limits{}, err
	}
	at.Bot = "@" + me.Username
	params := fields{"chat_id": id}
	var ch chat
	if err := c.call(ctx, at, "getChat", reading, params, nil, &ch); err != nil {
		return sdk.ChannelRef{}, sdk.Limits{}, err
	}
	if ch.ID >= 0 || (ch.Type != "channel" && ch.Type != "supergroup" && ch.Type != "group") {
		e := sdk.Errorf(sdk.CodeNotAChannel, "getChat", "%s is a private chat; Belfry posts to channels and groups only",
			name)
		e.Scope = sdk.ScopeDestination
		return sdk.ChannelRef{}, sdk.Limits{}, e
	}
	params.set("chat_id", ch.ID)
	params.set("user_id", me.ID)
	var m member
	if err := c.call(ctx, at, "getChatMember", reading, params, nil, &m); err != nil {
		return sdk.ChannelRef{}, sdk.Limits{}, err
	}
	if why := missingRight(ch, m); why != "" {
		r := &refusal{}
		e := &sdk.Error{Code: sdk.CodeForbidden, Scope: sdk.ScopeDestination, Op: "getChatMember"}
		e.Public = c.fill("{bot} may not post in {where}: "+why+"; mend: {grant}", at, "getChatMember", r)
		return sdk.ChannelRef{}, sdk.Limits{}, e
	}
	return c.reference(ch, at), c.limits(ch, m), nil
}

// CheckChannel implements sdk.ChannelChecker.
func (c *Config) CheckChannel(name string) error {
	_, err := chatID(name)
	return err
}

// chatID turns a name of the configuration into a chat_id field.
func chatID(name string) (json.RawMessage, error) {
	bad := func(code sdk.Code, format string, args ...any) error {
		e := sdk.Errorf(code, "chat", format, args...)
		e.Scope = sdk.ScopeDestination
		return e
	}
	link := linkToName().FindStringSubmatch(name)
	n, numberErr := strconv.ParseInt(name, 10, 64)
	switch {
	case name == "":
		return nil, bad(sdk.CodeInvalid,
			`the channel is missing; write chat: "@name", or its number, like chat: "-1001234567890"`)
	case publicName().MatchString(name):
		return encode(name), nil
	case numberErr == nil && n < 0:
		return encode(n), nil
	case numberErr == nil:
		return nil, bad(sdk.CodeNotAChannel,
			"%s is the number of a person; the number of a channel begins with -100, that of a group with -", name)
	case link != nil:
		return nil, bad(sdk.CodeInvalid, `%q is a link; write chat: "@%s"`, name, link[1])
	case strings.Contains(name, "t.me/"):
		return nil, bad(sdk.CodeInvalid,
			`%q is an invitation, which no bot can use; add the bot to the channel and write the channel's number`, name)
	case publicName().MatchString("@" + name):
		return nil, bad(sdk.CodeInvalid, `%q is no name of a channel; did you mean "@%s"?`, name, name)
	}
	return nil, bad(sdk.CodeInvalid, `%q is no name of a channel; write "@name", or its number, like "-1001234567890"`, name)
}

// missingRight says in words why the bot may not post; empty when it may.
func missingRight(ch chat, m member) string {
	refused := func(p *bool) bool { return p != nil && !*p }
	switch {
	case m.Status == "left":
		return "it is not a member"
	case m.Status == "kicked":
		return "it was removed"
	case ch.Type == "channel" && m.Status != "administrator":
		return "it is a member but no administrator"
	case ch.Type == "channel" && !m.CanPostMessages:
		return `it is an administrator without the right "Post messages"`
	case m.Status == "restricted" && !(m.CanSendMessages != nil && *m.CanSendMessages):
		return "it is restricted there"
	case m.Status == "member" && ch.Permissions != nil && refused(ch.Permissions.CanSendMessages):
		return "members may not write there, only administrators"
	}
	return ""
}

func (c *Connector) reference(ch chat, at place) sdk.ChannelRef {
	state := channelState(at)
	ref := sdk.ChannelRef{ID: strconv.FormatInt(ch.ID, 10), Title: ch.Title}
	switch {
	case ch.Username != "":
		state.Name = "@" + ch.Username
		ref.URL = "https://t.me/" + ch.Username
	case ch.Title != "":
		state.Name = fmt.Sprintf("%q", cutName(ch.Title))
	}
	if ref.Title == "" {
		ref.Title = state.Name
	}
	ref.State = encode(state)
	return ref
}

func cutName(s string) string {
	if r := []rune(s); len(r) > 60 {
		return string(r[:60]) + "…"
	}
	return s
}

func (c *Connector) limits(ch chat, m member) sdk.Limits {
	l := sdk.Limits{
		Text: maxText, Caption: maxCaption, Unit: sdk.UnitUTF16,
		Media: c.config.Photos, MediaBytes: maxPhoto,
		Overflow: c.config.Overflow, Overflows: []sdk.Overflow{sdk.OverflowCut, sdk.OverflowSplit, sdk.OverflowThread},
		Rules: sdk.Rules{
			EditFor: sdk.Forever, ReplyFor: sdk.Forever, DeleteFor: ownFor,
			// Telegram tolerates short bursts in one chat; the minute's limit holds for groups and, by experience, for channels.
			Rates: []sdk.Rate{
				{Scope: sdk.RateChannel, Events: 3, Per: 3 * time.Second},
				{Scope: sdk.RateChannel, Events: 20, Per: time.Minute},
				{Scope: sdk.RateDestination, Events: 30, Per: time.Second},
			},
			Parallel: 4,
		},
	}
	if m.CanDeleteMessages || (ch.Type == "channel" && m.CanPostMessages) {
		l.Rules.DeleteFor = sdk.Forever
	}
	return l
}
