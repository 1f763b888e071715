package rehearse_test

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	httpconnector "github.com/belfry-news/belfry/connectors/http"
	"github.com/belfry-news/belfry/connectors/telegram"
	"github.com/belfry-news/belfry/internal/conn"
	"github.com/belfry-news/belfry/internal/rehearse"
	"github.com/belfry-news/belfry/sdk"
)

// stage opens a stand-in whose connector cannot reach anything, and gives the calls it records.
func stage(t *testing.T, spec *sdk.Spec, options map[string]any) (*rehearse.Connector, *[]rehearse.Call) {
	t.Helper()
	inner, err := spec.Open(t.Context(), sdk.Settings{Instance: "x", UserAgent: "Belfry/test"}, options)
	if err != nil {
		t.Fatal(err)
	}
	calls := &[]rehearse.Call{}
	c := rehearse.New(conn.Recovering(inner, nil), rehearse.Hide(spec, options), func(call rehearse.Call) { *calls = append(*calls, call) })
	t.Cleanup(func() {
		if err := c.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return c, calls
}

func post(files ...sdk.File) sdk.Post {
	at := time.Date(2026, 11, 20, 7, 0, 0, 0, time.UTC)
	p := sdk.Post{ID: "8f21abcd", Revision: 1, Channel: "alertes", Lang: "fr", Title: "La gare", URL: "https://news.example/gare", Published: at, Updated: at,
		Body: sdk.Body{sdk.Paragraph(sdk.Strong(sdk.Text("La gare")))}, State: sdk.PostLive}
	for _, f := range files {
		p.Media = append(p.Media, sdk.Media{Type: f.Type, File: f})
	}
	return p
}

func picture(n string) sdk.File {
	return sdk.File{SHA256: strings.Repeat(n, 64), Name: n + ".jpg", Type: "image/jpeg", Size: 3, Width: 640, Height: 360, Data: []byte("jpg")}
}

// life posts, corrects and deletes, and gives what was said in short.
func life(t *testing.T, c *rehearse.Connector, calls *[]rehearse.Call, chat string, p sdk.Post) []string {
	t.Helper()
	to, limits, err := c.ResolveChannel(t.Context(), chat)
	if err != nil {
		t.Fatal(err)
	}
	if len(*calls) > 0 {
		t.Error("asking for the channel was recorded as something that would be sent")
	}
	if limits.Rules.EditFor == 0 && limits.Rules.DeleteFor == 0 {
		t.Errorf("nothing could be corrected: %+v", limits)
	}
	parts, err := c.Plan(to, p)
	if err != nil {
		t.Fatal(err)
	}
	var ref sdk.PartRef
	for i, part := range parts {
		part.Key = "msg_" + string(rune('a'+i))
		for n := range part.Files {
			part.Files[n].Data = []byte("jpg")
		}
		if ref, err = c.Publish(t.Context(), to, part); err != nil {
			t.Fatal(err)
		}
		if len(ref.IDs) == 0 {
			t.Error("a part without a name")
		}
	}
	p.Revision, p.Body = 2, sdk.Body{sdk.Paragraph(sdk.Text("La gare, corrigé"))}
	if parts, err = c.Plan(to, p); err != nil {
		t.Fatal(err)
	}
	for n := range parts[0].Files {
		parts[0].Files[n].Data = []byte("jpg")
	}
	if ref, err = c.Edit(t.Context(), ref, parts[0]); err != nil {
		t.Fatal(err)
	}
	if err := c.Delete(t.Context(), ref); err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, call := range *calls {
		out = append(out, string(call.Op)+" "+call.Method+" "+call.URL)
	}
	return out
}

func TestTelegram(t *testing.T) {
	t.Parallel()
	const bot = "POST https://api.telegram.org/bot[secret]/"
	for name, c := range map[string]struct {
		chat string
		post sdk.Post
		want []string
	}{
		"a text":    {"@gazette", post(), []string{"publish " + bot + "sendMessage", "edit " + bot + "editMessageText", "delete " + bot + "deleteMessage"}},
		"a picture": {"-1001234567890", post(picture("a")), []string{"publish " + bot + "sendPhoto", "edit " + bot + "editMessageCaption", "delete " + bot + "deleteMessage"}},
		"an album of pictures": {"@gazette", post(picture("a"), picture("b")), []string{"publish " + bot + "sendMediaGroup", "edit " + bot + "editMessageCaption",
			"delete " + bot + "deleteMessages"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conn, calls := stage(t, telegram.Spec(), map[string]any{"token": "123456:VerySecret"})
			if diff := cmp.Diff(c.want, life(t, conn, calls, c.chat, c.post)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			first := (*calls)[0]
			if len(first.Files) != len(c.post.Media) {
				t.Errorf("%d files", len(first.Files))
			}
			for _, f := range first.Files {
				if !strings.HasPrefix(f.Field, "photo") || f.Width != 640 || f.Name == "" {
					t.Errorf("%+v", f)
				}
			}
			free(t, *calls, "VerySecret")
		})
	}
}

// A channel known by its name has the same made-up number each time; a number stays.
func TestTelegramChannels(t *testing.T) {
	t.Parallel()
	conn, _ := stage(t, telegram.Spec(), map[string]any{"token": "123456:VerySecret"})
	resolve := func(name string) string {
		ref, _, err := conn.ResolveChannel(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		return ref.ID
	}
	if a, b, other := resolve("@gazette"), resolve("@gazette"), resolve("@sport"); a != b || a == other || !strings.HasPrefix(a, "-100") {
		t.Errorf("%s, %s, %s", a, b, other)
	}
	if id := resolve("-1001234567890"); id != "-1001234567890" {
		t.Error(id)
	}
	if _, _, err := conn.ResolveChannel(t.Context(), "777"); sdk.AsError(err) == nil || sdk.AsError(err).Code != sdk.CodeNotAChannel {
		t.Errorf("a person's number gives %v", err)
	}
}

func TestHTTP(t *testing.T) {
	t.Parallel()
	const hook = "POST https://chat.example/[…]"
	for name, c := range map[string]struct {
		options map[string]any
		want    []string
	}{
		"the standard form": {map[string]any{"url": "https://chat.example/hooks/SeCrEt", "secret": "whsec_U2VDckV0U2VDckV0U2VDckV0U2VDckV0"},
			[]string{"publish " + hook, "edit " + hook, "delete " + hook}},
		"a body, a name in the answer and an accepted value": {map[string]any{"url": "https://chat.example/hooks/SeCrEt", "body": `{"text":{{json .Text}}}`,
			"headers": map[string]any{"Authorization": "Bearer SeCrEtToken"}, "ref": "/message/0/id", "accept": map[string]any{"/ok": true},
			"update": map[string]any{"url": "https://chat.example/hooks/SeCrEt/{{.Ref}}", "method": "PUT"},
			"delete": map[string]any{"url": "https://chat.example/hooks/SeCrEt/{{.Ref}}"}},
			[]string{"publish " + hook, "edit PUT https://chat.example/[…]", "delete DELETE https://chat.example/[…]"}},
		"basic authentication and an accepted text": {map[string]any{"url": "https://chat.example/hooks/SeCrEt", "body": "{{.Text}}", "content_type": "text/plain",
			"basic": map[string]any{"user": "u", "password": "SeCrEtPass"}, "accept": "ok", "ref": "", "update": nil}, nil},
		"a form": {map[string]any{"url": "https://chat.example/hooks/SeCrEt", "body": "token=SeCrEt&text={{urlquery .Text}}", "content_type": "application/x-www-form-urlencoded"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conn, calls := stage(t, httpconnector.Spec(), c.options)
			if c.want != nil {
				if diff := cmp.Diff(c.want, life(t, conn, calls, "", post())); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
				free(t, *calls, "SeCrEt")
				return
			}
			to, _, err := conn.ResolveChannel(t.Context(), "")
			if err != nil {
				t.Fatal(err)
			}
			parts, err := conn.Plan(to, post())
			if err != nil {
				t.Fatal(err)
			}
			if _, err := conn.Publish(t.Context(), to, parts[0]); err != nil {
				t.Fatal(err)
			}
			call := (*calls)[0]
			if name == "a form" {
				if want := `{"text":"La gare","token":"SeCrEt"}`; string(call.Body) != want {
					t.Errorf("got %s, want %s", call.Body, want)
				}
				return
			}
			if call.Headers["Authorization"] != "Basic [secret]" || string(call.Body) != `"La gare"` {
				t.Errorf("%v, %s", call.Headers, call.Body)
			}
			free(t, *calls, "SeCrEt")
		})
	}
}

// free says that no record holds a text.
func free(t *testing.T, calls []rehearse.Call, secret string) {
	t.Helper()
	text, err := json.Marshal(calls)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(text), secret) {
		t.Errorf("a record holds %q:\n%s", secret, text)
	}
}

// stranger is a connector that cannot play its platform's part.
type stranger struct{ reached bool }

func (*stranger) Close(context.Context) error { return nil }
func (s *stranger) ResolveChannel(context.Context, string) (sdk.ChannelRef, sdk.Limits, error) {
	s.reached = true
	return sdk.ChannelRef{}, sdk.Limits{}, nil
}
func (*stranger) Plan(sdk.ChannelRef, sdk.Post) ([]sdk.Part, error) {
	return []sdk.Part{{Kind: "say", Type: "application/json", Request: []byte(`{"say":"hi"}`), Text: "hi", Files: []sdk.File{picture("a")}}}, nil
}
func (s *stranger) Publish(context.Context, sdk.ChannelRef, sdk.Part) (sdk.PartRef, error) {
	s.reached = true
	return sdk.PartRef{}, nil
}
func (s *stranger) Edit(context.Context, sdk.PartRef, sdk.Part) (sdk.PartRef, error) {
	s.reached = true
	return sdk.PartRef{}, nil
}
func (s *stranger) Delete(context.Context, sdk.PartRef) error { s.reached = true; return nil }

// Of a connector that cannot answer for its platform, nothing but Plan is called.
func TestStranger(t *testing.T) {
	t.Parallel()
	inner := &stranger{}
	var calls []rehearse.Call
	c := rehearse.New(inner, rehearse.Hidden{}, func(call rehearse.Call) { calls = append(calls, call) })
	got := life(t, c, &calls, "room", post())
	if diff := cmp.Diff([]string{"publish  ", "edit  ", "delete  "}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if inner.reached {
		t.Error("the connector was called")
	}
	if first := calls[0]; string(first.Body) != `{"say":"hi"}` || first.Kind != "say" || first.Channel != "room" || len(first.Files) != 1 {
		t.Errorf("%+v", first)
	}
}

// The stand-in has no ability besides those towards channels, and only those that its connector has.
func TestAbilities(t *testing.T) {
	t.Parallel()
	c := rehearse.New(&stranger{}, rehearse.Hidden{}, nil)
	if _, ok := sdk.As[sdk.Finder](c); ok {
		t.Error("it finds")
	}
	if _, ok := sdk.As[sdk.Messenger](c); ok {
		t.Error("it writes to people")
	}
	if _, ok := sdk.As[sdk.Deleter](c); !ok {
		t.Error("it does not delete")
	}
	if _, ok := sdk.As[sdk.Editor](rehearse.New(&mute{}, rehearse.Hidden{}, nil)); ok {
		t.Error("it edits, and its connector does not")
	}
}

type mute struct{}

func (*mute) Close(context.Context) error { return nil }

// Nothing is dialled under an exchange of one's own, not even what the guard would refuse.
func TestExchange(t *testing.T) {
	t.Parallel()
	client := sdk.NewClient(sdk.ClientConfig{})
	ctx := sdk.WithExchange(t.Context(), func(r *http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: http.StatusTeapot, Body: http.NoBody, Request: r}, nil
	})
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://169.254.169.254/", nil)
	if err != nil {
		t.Fatal(err)
	}
	if a, err := client.Send(req, "try"); err != nil || a.Status != http.StatusTeapot {
		t.Errorf("%d, %v", a.Status, err)
	}
	if _, err := client.Send(req.WithContext(t.Context()), "try"); sdk.AsError(err) == nil || sdk.AsError(err).Code != sdk.CodeForbidden {
		t.Errorf("without it: %v", err)
	}
}
