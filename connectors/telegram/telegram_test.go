package telegram_test

import (
	"bytes"
	"encoding/json"
	"image"
	"image/color"
	"image/png"
	"maps"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/belfry-news/belfry/connectors/telegram"
	"github.com/belfry-news/belfry/connectors/telegram/telegramtest"
	"github.com/belfry-news/belfry/sdk"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	token   = "123456:a-token_that-nobody-may-see"
	gazette = -1001234567890
)

// channelChat is a public channel in which the bot may post.
func channelChat() telegramtest.Chat {
	return telegramtest.Chat{ID: gazette, Type: "channel", Title: "La Gazette", Username: "gazette",
		Bot: telegramtest.Member{Status: "administrator", PostMessages: true, EditMessages: true}}
}

// bench is a connector in front of a fake.
type bench struct {
	*telegram.Connector
	server *telegramtest.Server
	url    string
	to     sdk.ChannelRef
	limits sdk.Limits
}

// setup opens a connector on a fake with one channel, resolved. Settings are those of the configuration.
func setup(t *testing.T, o telegramtest.Options, settings map[string]any) *bench {
	t.Helper()
	b := unresolved(t, o, settings)
	var err error
	b.to, b.limits, err = b.ResolveChannel(t.Context(), "@gazette")
	if err != nil {
		t.Fatalf("ResolveChannel: %v", err)
	}
	return b
}

func unresolved(t *testing.T, o telegramtest.Options, settings map[string]any) *bench {
	t.Helper()
	o.Token, o.BotID, o.Bot = token, 123456, "gazette_bot"
	if o.Chats == nil {
		o.Chats = []telegramtest.Chat{channelChat()}
	}
	b := &bench{server: telegramtest.New(o)}
	web := httptest.NewServer(b.server)
	t.Cleanup(web.Close)
	b.url = web.URL
	tree := map[string]any{"token": token, "api": web.URL, "allow_private": []any{"127.0.0.1/32"}}
	maps.Copy(tree, settings)
	b.Connector = open(t, tree)
	return b
}

func open(t *testing.T, tree map[string]any) *telegram.Connector {
	t.Helper()
	conn, err := telegram.Spec().Open(t.Context(), sdk.Settings{Instance: "telegram", UserAgent: "Belfry/test"}, tree)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	t.Cleanup(func() { _ = conn.Close(t.Context()) })
	return conn.(*telegram.Connector)
}

// plan plans a post that must have n parts, with the files' content filled in as the host does.
func (b *bench) plan(t *testing.T, p sdk.Post, n int) []sdk.Part {
	t.Helper()
	parts, err := b.Plan(b.to, p)
	if err != nil {
		t.Fatalf("Plan: %v", err)
	}
	if len(parts) != n {
		t.Fatalf("Plan gives %d parts, want %d", len(parts), n)
	}
	return fill(parts)
}

func fill(parts []sdk.Part) []sdk.Part {
	for i := range parts {
		for j := range parts[i].Files {
			parts[i].Files[j].Data = picture(parts[i].Files[j].Name)
		}
	}
	return parts
}

func (b *bench) publish(t *testing.T, p sdk.Post) sdk.PartRef {
	t.Helper()
	ref, err := b.Publish(t.Context(), b.to, b.plan(t, p, 1)[0])
	if err != nil {
		t.Fatalf("Publish: %v", err)
	}
	return ref
}

// picture is a small PNG whose colour follows from its name.
func picture(name string) []byte {
	img := image.NewRGBA(image.Rect(0, 0, 12, 8))
	for i := range img.Pix {
		img.Pix[i] = name[i%len(name)]
	}
	img.Set(0, 0, color.White)
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		panic(err)
	}
	return b.Bytes()
}

func media(names ...string) []sdk.Media {
	out := make([]sdk.Media, len(names))
	for i, name := range names {
		data := picture(name)
		out[i] = sdk.Media{Alt: name, File: sdk.File{SHA256: sum(data), Name: name, Type: "image/png",
			Size: int64(len(data)), Width: 12, Height: 8}}
	}
	return out
}

func article(text string, names ...string) sdk.Post {
	return sdk.Post{
		ID: "8f21", Revision: 1, Channel: "alertes", ChannelTitle: "Dernière minute", Lang: "fr", Title: text,
		State: sdk.PostLive,
		URL:   "https://news.example/a", Permalink: "https://news.example/c/alertes/8f21",
		Body: sdk.Body{sdk.Paragraph(sdk.Strong(sdk.Text(text))), sdk.Paragraph(sdk.Link("https://news.example/a",
			sdk.Text("Lire la suite")))},
		Published: time.Date(2026, 11, 20, 6, 0, 0, 0, time.UTC), Updated: time.Date(2026, 11, 20, 6, 0, 0, 0, time.UTC),
		Items: []sdk.PostItem{{Key: "a", Title: text, URL: "https://news.example/a"}}, Media: media(names...),
	}
}

func TestConfigProblems(t *testing.T) {
	t.Parallel()
	good := func(changes map[string]any) map[string]any {
		tree := map[string]any{"token": token}
		for key, value := range changes {
			if tree[key] = value; value == "-" {
				delete(tree, key)
			}
		}
		return tree
	}
	for name, c := range map[string]struct {
		tree map[string]any
		want string // empty when the configuration is fine
	}{
		"the shortest": {good(nil), ""},
		"everything": {good(map[string]any{"api": "http://10.0.3.7:8081/bots/",
			"allow_private": []any{"10.0.3.7/32"}, "markup": "markdown", "overflow": "thread", "photos": json.Number("1"),
			"silent": true, "protect": true, "caption_above": true, "link_preview": "large", "preview_above": true,
			"timeout": "1m"}), ""},
		"no token": {good(map[string]any{"token": "-"}),
			`/token: "token" is missing: the bot's token, as @BotFather gave it; write token: …`},
		"a misspelt key": {good(map[string]any{"slient": true}),
			`/slient: unknown key "slient"; did you mean "silent"?`},
		"a token of another kind": {good(map[string]any{"token": "xoxb-12"}),
			"/token: this is not spelt like a bot's token; copy it from @BotFather: a number, a colon, and letters, " +
				"digits, - and _"},
		"a token with a line end": {good(map[string]any{"token": token + "\n"}),
			"/token: this is not spelt like a bot's token; take out the spaces or line ends around it"},
		"plain http": {good(map[string]any{"api": "http://bots.example"}),
			"/api: over plain http the token could be read on the way; use https, or name the network of your own " +
				"server under allow_private"},
		"no address": {good(map[string]any{"api": "bots.example"}),
			"/api: this is no address of a Bot API server; write it like https://api.telegram.org"},
		"an address with a query": {good(map[string]any{"api": "https://bots.example/?a=b"}),
			"/api: a Bot API server's address has no user, no question mark and no #; write it like " +
				"https://api.telegram.org"},
		"a bare address": {good(map[string]any{"allow_private": []any{"10.0.3.7"}}),
			`/allow_private/0: "10.0.3.7" is no network; one address is written 10.0.3.7/32`},
		"a misspelt choice": {good(map[string]any{"overflow": "splti"}),
			`/overflow: "splti" is not possible here; did you mean "split"? (one of cut, split, thread)`},
		"too many pictures": {good(map[string]any{"photos": json.Number("11")}),
			"/photos: 11 is too large; at most 10"},
		"no time": {good(map[string]any{"timeout": "10ms"}),
			"/timeout: a call to Telegram needs longer than that; at least 1s; 30s is usual"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := telegram.Spec().Check(c.tree)
			got := ""
			if err != nil {
				got = err.Error()
			}
			if got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
			if strings.Contains(got, "a-token_that") {
				t.Error("the problem shows the token")
			}
		})
	}
}

func TestSpec(t *testing.T) {
	t.Parallel()
	spec := telegram.Spec()
	for _, role := range []sdk.Role{sdk.RoleResolver, sdk.RolePublisher, sdk.RoleEditor, sdk.RoleDeleter} {
		if !spec.Has(role) {
			t.Errorf("role %s is missing", role)
		}
	}
	if spec.Has(sdk.RoleFinder) {
		t.Error("Telegram has no way to find a post by a key")
	}
	if !strings.Contains(string(spec.SchemaJSON()), `"link_preview"`) {
		t.Error("the schema lacks link_preview")
	}
	tree := map[string]any{"token": "123456:a-token_that_is_long_enough_to_be_one"}
	if err := spec.CheckChannel(tree, "@gazette"); err != nil {
		t.Error(err)
	}
	if err := spec.CheckChannel(tree, "gazette"); err == nil || !strings.Contains(err.Error(), `did you mean "@gazette"?`) {
		t.Errorf("a name without @: %v", err)
	}
}
