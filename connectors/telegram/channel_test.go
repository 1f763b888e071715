package telegram_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/belfry-news/belfry/connectors/telegram/telegramtest"
	"github.com/belfry-news/belfry/sdk"
)

func options() telegramtest.Options { return telegramtest.Options{} }

func chats() []telegramtest.Chat {
	with := func(change func(*telegramtest.Chat)) telegramtest.Chat {
		c := channelChat()
		change(&c)
		return c
	}
	return []telegramtest.Chat{
		channelChat(),
		with(func(c *telegramtest.Chat) { c.ID, c.Username, c.Title = -1002, "", "Rédaction" }),
		with(func(c *telegramtest.Chat) {
			c.ID, c.Username, c.Bot = -1003, "outside", telegramtest.Member{Status: "left"}
		}),
		with(func(c *telegramtest.Chat) { c.ID, c.Username, c.Bot.PostMessages = -1004, "readonly", false }),
		with(func(c *telegramtest.Chat) {
			c.ID, c.Username, c.Bot = -1005, "subscriber", telegramtest.Member{Status: "member"}
		}),
		with(func(c *telegramtest.Chat) {
			c.ID, c.Username, c.Bot = -1006, "removed", telegramtest.Member{Status: "kicked"}
		}),
		{ID: -1007, Type: "supergroup", Title: "Lecteurs", Username: "lecteurs", Bot: telegramtest.Member{Status: "member"}},
		{ID: -1008, Type: "supergroup", Title: "Fermé", Username: "adminsonly", AdminsOnly: true,
			Bot: telegramtest.Member{Status: "member"}},
		{ID: -1011, Type: "supergroup", Title: "Muet", Username: "muted", AdminsOnly: true,
			Bot: telegramtest.Member{Status: "restricted"}},
		{ID: -9, Type: "group", Title: "Petit groupe", MigratedTo: -1007},
		{ID: -10, Type: "group", Title: "Équipe", Bot: telegramtest.Member{Status: "administrator", DeleteAny: true}},
		{ID: 777, Type: "private", Username: "anna", Bot: telegramtest.Member{Status: "member"}},
	}
}

func TestResolveChannel(t *testing.T) {
	t.Parallel()
	const deletesForEver, deletesOwn = sdk.Forever, 48 * time.Hour
	for name, c := range map[string]struct {
		chat, id, title, url string
		deleteFor            time.Duration
	}{
		"a public name": {"@gazette", "-1001234567890", "La Gazette", "https://t.me/gazette",
			deletesForEver},
		"its number": {"-1001234567890", "-1001234567890", "La Gazette", "https://t.me/gazette",
			deletesForEver},
		"a channel without a public name":  {"-1002", "-1002", "Rédaction", "", deletesForEver},
		"a supergroup as a member":         {"@lecteurs", "-1007", "Lecteurs", "https://t.me/lecteurs", deletesOwn},
		"a group that became a supergroup": {"-9", "-1007", "Lecteurs", "https://t.me/lecteurs", deletesOwn},
		"a group with the right to delete": {"-10", "-10", "Équipe", "", deletesForEver},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := unresolved(t, telegramtest.Options{Chats: chats()}, nil)
			ref, limits, err := b.ResolveChannel(t.Context(), c.chat)
			if err != nil {
				t.Fatal(err)
			}
			got := []any{ref.ID, ref.Title, ref.URL, limits.Rules.DeleteFor}
			if diff := cmp.Diff([]any{c.id, c.title, c.url, c.deleteFor}, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestLimits(t *testing.T) {
	t.Parallel()
	b := setup(t, options(), map[string]any{"overflow": "thread"})
	want := sdk.Limits{
		Text: 4096, Caption: 1024, Unit: sdk.UnitUTF16, Media: 10, MediaBytes: 10 << 20, Overflow: sdk.OverflowThread,
		Overflows: []sdk.Overflow{sdk.OverflowCut, sdk.OverflowSplit, sdk.OverflowThread},
		Rules: sdk.Rules{EditFor: sdk.Forever, DeleteFor: sdk.Forever, ReplyFor: sdk.Forever, Parallel: 4, Rates: []sdk.Rate{
			{Scope: sdk.RateChannel, Events: 3, Per: 3 * time.Second},
			{Scope: sdk.RateChannel, Events: 20, Per: time.Minute},
			{Scope: sdk.RateDestination, Events: 30, Per: time.Second},
		}},
	}
	if diff := cmp.Diff(want, b.limits); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestResolveChannelRefuses(t *testing.T) {
	t.Parallel()
	const mend = ` → Administrators → add @gazette_bot with "Post messages" and "Edit messages", then: belfry ` +
		`destination check telegram`
	for chat, c := range map[string]struct {
		code sdk.Code
		want string
	}{
		"": {sdk.CodeInvalid,
			`the channel is missing; write chat: "@name", or its number, like chat: "-1001234567890"`},
		"777": {sdk.CodeNotAChannel,
			"777 is the number of a person; the number of a channel begins with -100, that of a group with -"},
		"anna":                 {sdk.CodeInvalid, `"anna" is no name of a channel; did you mean "@anna"?`},
		"https://t.me/gazette": {sdk.CodeInvalid, `"https://t.me/gazette" is a link; write chat: "@gazette"`},
		"t.me/s/gazette":       {sdk.CodeInvalid, `"t.me/s/gazette" is a link; write chat: "@gazette"`},
		"https://t.me/+AbCdEfGh": {sdk.CodeInvalid,
			`"https://t.me/+AbCdEfGh" is an invitation, which no bot can use; add the bot to the channel and write ` +
				`the channel's number`},
		"La Gazette": {sdk.CodeInvalid,
			`"La Gazette" is no name of a channel; write "@name", or its number, like "-1001234567890"`},
		"@nobody": {sdk.CodeForbidden,
			`Telegram knows no @nobody, or bot @gazette_bot is not in it (Telegram: 400 "chat not found"); mend: ` +
				`check the spelling in chat:, or @nobody` + mend},
		"@outside": {sdk.CodeForbidden,
			`bot @gazette_bot may not post in @outside (Telegram: 400 "member list is inaccessible"); mend: @outside` + mend},
		"@readonly": {sdk.CodeForbidden,
			`bot @gazette_bot may not post in @readonly: it is an administrator without the right "Post messages"; ` +
				`mend: @readonly` + mend},
		"@subscriber": {sdk.CodeForbidden,
			`bot @gazette_bot may not post in @subscriber: it is a member but no administrator; mend: @subscriber` + mend},
		"@muted": {sdk.CodeForbidden,
			`bot @gazette_bot may not post in @muted: it is restricted there; mend: @muted` + mend},
		"@removed": {sdk.CodeForbidden,
			`bot @gazette_bot may not post in @removed (Telegram: 400 "member list is inaccessible"); mend: @removed` + mend},
		"@adminsonly": {sdk.CodeForbidden,
			`bot @gazette_bot may not post in @adminsonly: members may not write there, only administrators; mend: ` +
				`@adminsonly` + mend},
	} {
		t.Run(chat, func(t *testing.T) {
			t.Parallel()
			b := unresolved(t, telegramtest.Options{Chats: chats()}, nil)
			ref, _, err := b.ResolveChannel(t.Context(), chat)
			e := sdk.AsError(err)
			if e == nil || e.Code != c.code || e.Public != c.want || e.Scope != sdk.ScopeDestination {
				t.Errorf("got  %v\nwant %s: %s", err, c.code, c.want)
			}
			if ref.ID != "" {
				t.Error("refused, and gave a reference")
			}
		})
	}
}

// A public name of a person resolves to a private chat on servers that allow it.
func TestResolveChannelRefusesPrivateChats(t *testing.T) {
	t.Parallel()
	b := unresolved(t, options(), nil)
	f := telegramtest.Refusal(200, "", 0, 0)
	f.Body = `{"ok":true,"result":{"id":777,"type":"private","username":"annab"}}`
	f.On = telegramtest.On("getChat")
	b.server.Faults.Add(f)
	_, _, err := b.ResolveChannel(t.Context(), "@annab")
	if e := sdk.AsError(err); e == nil || e.Code != sdk.CodeNotAChannel || e.Public != "@annab is a private chat; Belfry posts to channels and groups only" {
		t.Errorf("got %v", err)
	}
}

func TestResolveChannelWithARevokedToken(t *testing.T) {
	t.Parallel()
	b := unresolved(t, options(), map[string]any{"token": "123456:another-token"})
	_, _, err := b.ResolveChannel(t.Context(), "@gazette")
	const want = `Telegram does not accept the token (Telegram: 401 "Unauthorized"): it was revoked, or it is not a ` +
		`token of @BotFather; ` +
		`put a valid one into token:, then: belfry destination check telegram`
	if e := sdk.AsError(err); e == nil || e.Code != sdk.CodeUnauthenticated || e.Scope != sdk.ScopeAccount || e.Public != want {
		t.Errorf("got %v", err)
	}
}
