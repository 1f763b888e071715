package http_test

import (
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/belfry-news/belfry/configs"
	belfry "github.com/belfry-news/belfry/connectors/http"
	"github.com/belfry-news/belfry/connectors/http/receivertest"
	"github.com/belfry-news/belfry/sdk"
	"github.com/belfry-news/belfry/sdk/sdktest/fault"
)

const recipeFolder = "../../docs/recipes"

var (
	yamlBlock = regexp.MustCompile("(?s)```yaml\n(.*?)```")
	anyHost   = regexp.MustCompile(`https://[a-z]+\.example`)
)

// recipe loads the n-th configuration of a page as the daemon does, with this environment. Only the receiver's address is put
// in, and that it may be on this machine.
func recipe(t *testing.T, page string, n int, address string, env map[string]string) configs.Destination {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(recipeFolder, page))
	if err != nil {
		t.Fatal(err)
	}
	blocks := yamlBlock.FindAllSubmatch(text, -1)
	if n >= len(blocks) {
		t.Fatalf("%s has %d configurations", page, len(blocks))
	}
	here := func(s string) string { return anyHost.ReplaceAllString(s, address) }
	written := strings.Replace(here(string(blocks[n][1])), "    type: http\n", "    type: http\n    allow_private: [127.0.0.1/32]\n", 1)
	path := filepath.Join(t.TempDir(), "belfry.yaml")
	if err := os.WriteFile(path, []byte(written), 0o600); err != nil {
		t.Fatal(err)
	}
	var environ []string
	for name, value := range env {
		environ = append(environ, name+"="+here(value))
	}
	l, err := configs.Load(configs.Options{Path: path, Environ: environ, Specs: []*sdk.Spec{belfry.Spec()}})
	if err != nil {
		t.Fatalf("%s: %v", page, err)
	}
	for _, d := range l.Destinations {
		if d.Type != "http" {
			t.Fatalf("%s is no recipe for type http", page)
		}
		return d
	}
	t.Fatalf("%s configures no destination", page)
	return configs.Destination{}
}

// loud would ring everybody.
const loud = "Avis @all @channel @everyone @here @**all** @_**Anna** @*desk* @anna <!channel> <!here>, " +
	"et <at>Tous</at> https://m.example/@anna desk@news.example"

type product struct {
	page  string
	index int
	env   map[string]string
	make  func() *receivertest.Product
	chat  string
	// wrong are environments with a credential that is refused, and what that means.
	wrong map[string]string
	code  sdk.Code
	// edits and deletes say what the product can do; missing is what an edit of a deleted message means.
	edits, deletes bool
	missing        sdk.Code
	longest        int
}

var products = map[string]product{
	"ntfy": {page: "http-ntfy.md", env: map[string]string{"NTFY_TOKEN": "tk_abc"},
		wrong: map[string]string{"NTFY_TOKEN": "tk_no"}, code: sdk.CodeUnauthenticated,
		make: func() *receivertest.Product { return receivertest.Ntfy(receivertest.Options{}, "tk_abc") }, edits: true,
		deletes: true, longest: 4096},
	"gotify": {page: "http-gotify.md", env: map[string]string{"GOTIFY_APP_TOKEN": "A1b2", "GOTIFY_CLIENT_TOKEN": "C1d2"},
		wrong: map[string]string{"GOTIFY_APP_TOKEN": "A-no", "GOTIFY_CLIENT_TOKEN": "C1d2"}, code: sdk.CodeUnauthenticated,
		make:    func() *receivertest.Product { return receivertest.Gotify(receivertest.Options{}, "A1b2", "C1d2") },
		deletes: true},
	"mattermost webhook": {page: "http-mattermost.md",
		env:   map[string]string{"MATTERMOST_HOOK": "https://chat.example/hooks/k3y"},
		wrong: map[string]string{"MATTERMOST_HOOK": "https://chat.example/hooks/no"}, code: sdk.CodeForbidden, longest: 16383,
		make: func() *receivertest.Product { return receivertest.Mattermost(receivertest.Options{}, "k3y", "b0t") }},
	"mattermost bot": {page: "http-mattermost.md", index: 1, env: map[string]string{"MATTERMOST_TOKEN": "b0t"},
		chat:  "channel-id",
		wrong: map[string]string{"MATTERMOST_TOKEN": "no"}, code: sdk.CodeUnauthenticated, edits: true, deletes: true,
		missing: sdk.CodeGone, longest: 16383,
		make: func() *receivertest.Product { return receivertest.Mattermost(receivertest.Options{}, "k3y", "b0t") }},
	"rocketchat integration": {page: "http-rocketchat.md",
		env:   map[string]string{"ROCKETCHAT_HOOK": "https://chat.example/hooks/id/t0ken"},
		wrong: map[string]string{"ROCKETCHAT_HOOK": "https://chat.example/hooks/id/no"}, code: sdk.CodeUnauthenticated,
		longest: 5000,
		make: func() *receivertest.Product {
			return receivertest.RocketChat(receivertest.Options{}, "id/t0ken", "u1", "t1")
		}},
	"rocketchat user": {page: "http-rocketchat.md", index: 1, env: map[string]string{"ROCKETCHAT_USER": "u1",
		"ROCKETCHAT_TOKEN": "t1"}, chat: "GENERAL",
		wrong: map[string]string{"ROCKETCHAT_USER": "u1", "ROCKETCHAT_TOKEN": "no"}, code: sdk.CodeUnauthenticated,
		edits: true, deletes: true, missing: sdk.CodeGone, longest: 5000,
		make: func() *receivertest.Product {
			return receivertest.RocketChat(receivertest.Options{}, "id/t0ken", "u1", "t1")
		}},
	"zulip": {page: "http-zulip.md", env: map[string]string{"ZULIP_BOT_EMAIL": "bot@chat.example", "ZULIP_API_KEY": "k1"},
		chat:  "news",
		wrong: map[string]string{"ZULIP_BOT_EMAIL": "bot@chat.example", "ZULIP_API_KEY": "no"},
		code:  sdk.CodeUnauthenticated, edits: true, deletes: true, missing: sdk.CodeGone, longest: 10000,
		make: func() *receivertest.Product {
			return receivertest.Zulip(receivertest.Options{}, "bot@chat.example", "k1", "news")
		}},
	"teams": {page: "http-teams.md", env: map[string]string{"TEAMS_WORKFLOW": "https://logic.example/workflows/w1?sig=s1"},
		wrong: map[string]string{"TEAMS_WORKFLOW": "https://logic.example/workflows/w1?sig=no"},
		code:  sdk.CodeUnauthenticated,
		make:  func() *receivertest.Product { return receivertest.Teams(receivertest.Options{}, "/workflows/w1", "s1") }},
}

func (r product) open(t *testing.T, env map[string]string) (*bench, *receivertest.Product) {
	t.Helper()
	p := r.make()
	web := httptest.NewServer(p)
	t.Cleanup(web.Close)
	b := &bench{Connector: open(t, recipe(t, r.page, r.index, web.URL, env).Options), url: web.URL}
	var err error
	if b.to, b.limits, err = b.ResolveChannel(t.Context(), r.chat); err != nil {
		t.Fatal(err)
	}
	return b, p
}

func TestRecipes(t *testing.T) {
	t.Parallel()
	for name, r := range products {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			t.Run("life", r.life)
			t.Run("texts", r.texts)
			t.Run("credentials", func(t *testing.T) {
				t.Parallel()
				b, p := r.open(t, r.wrong)
				_, err := b.Publish(t.Context(), b.to, b.plan(t, article("un")))
				if e := sdk.AsError(err); e == nil || e.Code != r.code || len(p.Messages()) > 0 {
					t.Errorf("got %v, want %s", err, r.code)
				}
			})
			t.Run("faults", r.faults)
		})
	}
}

// life is a post, its correction and its withdrawal.
func (r product) life(t *testing.T) {
	t.Parallel()
	b, p := r.open(t, r.env)
	ref := b.publish(t, article("un"))
	got := p.Messages()
	if len(got) != 1 || !strings.Contains(got[0].Title+got[0].Text, "un") || !strings.Contains(got[0].Text+got[0].Link, "https://news.example/a") {
		t.Fatalf("%+v", got)
	}
	other := article("autre")
	other.ID = "9a00"
	b.publish(t, other)
	edited, err := b.Edit(t.Context(), ref, b.plan(t, article("deux")))
	e := sdk.AsError(err)
	switch {
	case r.edits != (err == nil) || r.edits != (b.limits.Rules.EditFor > 0):
		t.Errorf("edit: %v, %+v", err, b.limits.Rules)
	case !r.edits && e.Code != sdk.CodeUnsupported:
		t.Errorf("edit: %v", err)
	case r.edits:
		ref = edited
		if m := p.Messages(); len(m) != 2 || !strings.Contains(m[0].Text, "deux") || m[0].Edited.IsZero() || !strings.Contains(m[1].Text, "autre") {
			t.Errorf("after the edit: %+v", m)
		}
		if _, err := b.Edit(t.Context(), ref, b.plan(t, article("deux"))); err != nil {
			t.Errorf("the same edit again: %v", err)
		}
	}
	err = b.Delete(t.Context(), ref)
	e = sdk.AsError(err)
	switch {
	case r.deletes != (err == nil) || r.deletes != (b.limits.Rules.DeleteFor > 0):
		t.Errorf("delete: %v, %+v", err, b.limits.Rules)
	case !r.deletes && e.Code != sdk.CodeUnsupported:
		t.Errorf("delete: %v", err)
	case r.deletes:
		if err := b.Delete(t.Context(), ref); err != nil {
			t.Errorf("the same deletion again: %v", err)
		}
		if m := p.Messages(); m[0].Deleted.IsZero() || !m[1].Deleted.IsZero() {
			t.Errorf("after the deletion: %+v", m)
		}
	}
	if r.missing != "" {
		if _, err := b.Edit(t.Context(), ref, b.plan(t, article("trois"))); sdk.AsError(err) == nil || sdk.AsError(err).Code != r.missing {
			t.Errorf("an edit of what is gone: %v, want %s", err, r.missing)
		}
	}
}

// texts of every kind are taken, none breaks out, none rings, and none is longer than the product takes.
func (r product) texts(t *testing.T) {
	t.Parallel()
	b, p := r.open(t, r.env)
	posts := map[string]sdk.Post{"digest": digestPost(), "loud": article(loud),
		"quotes": article(`"};{{.Title}}&content=x` + "\n\\"), "emoji": article("👩‍👩‍👧‍👦 خبر")}
	for name, unit := range map[string]string{"letters": "Une phrase. ", "emoji": "👩‍👩‍👧‍👦", "marks": "*_`[]()#<>&\"\\", "mentions": "@all <!here> ", "profiles": "https://m.example/@a "} {
		long := article("long " + name)
		long.Body = append(sdk.Body{sdk.Paragraph(sdk.Text(strings.Repeat(unit, 40_000/len(unit))))}, long.Body[1])
		posts["long "+name] = long
	}
	bare := article("Nu")
	bare.URL, bare.Summary, bare.Media, bare.Authors, bare.Tags, bare.Content, bare.Permalink = "", "", nil, nil, nil, nil, ""
	posts["bare"] = bare
	for name, post := range posts {
		post.ID = strings.ReplaceAll(name, " ", "-")
		before := len(p.Messages())
		ref, err := b.Publish(t.Context(), b.to, b.plan(t, post))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		m := p.Messages()[before]
		if r.longest > 0 && strings.HasPrefix(name, "long") && len(m.Text) < r.longest/5 {
			t.Errorf("%s: only %d bytes of it are left", name, len(m.Text))
		}
		if name == "loud" && (!strings.Contains(m.Text, "desk@news.example") || !strings.Contains(strings.ReplaceAll(m.Text, "%40", "@"), "https://m.example/@anna")) {
			t.Errorf("addresses suffered: %s", m.Text)
		}
		if !r.edits {
			continue
		}
		if _, err := b.Edit(t.Context(), ref, b.plan(t, post)); err != nil {
			t.Errorf("edit of %s: %v", name, err)
		}
	}
	for _, m := range p.Messages() {
		if len(m.Rings) > 0 {
			t.Errorf("%q rings %q", m.Text, m.Rings)
		}
	}
}

func (r product) faults(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		fault fault.Fault
		code  sdk.Code
	}{
		"too many calls": {answering(429, "Retry-After", "3"), sdk.CodeRateLimited},
		"a failure":      {answering(500), sdk.CodeUnknownOutcome},
		"a lost answer":  {fault.Fault{Accepted: true, Drop: true}, sdk.CodeUnknownOutcome},
	} {
		b, p := r.open(t, r.env)
		p.Faults.Add(c.fault)
		_, err := b.Publish(t.Context(), b.to, b.plan(t, article("un")))
		if e := sdk.AsError(err); e == nil || e.Code != c.code {
			t.Errorf("%s: got %v, want %s", name, err, c.code)
		}
	}
	if b, _ := r.open(t, r.env); b.limits.Rules.SameKeyFor != 0 {
		t.Error("no product of these knows a repeated call again")
	}
}

func TestRecipeStandardWebhooks(t *testing.T) {
	t.Parallel()
	s := standard(t, receivertest.StandardOptions{})
	web := httptest.NewServer(s)
	t.Cleanup(web.Close)
	b := &bench{Connector: open(t, recipe(t, "http-standard-webhooks.md", 0, web.URL,
		map[string]string{"OPS_SECRET": secret}).Options)}
	var err error
	if b.to, _, err = b.ResolveChannel(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	if err := b.Delete(t.Context(), b.publish(t, article("un"))); err != nil {
		t.Fatal(err)
	}
	if got := s.State(); len(got.Posts) != 1 || got.Posts[0].State != "withdrawn" || len(got.Refused) > 0 {
		t.Errorf("%+v", got)
	}
}

// The rates that pages give are kept to: they reach the host.
func TestRecipesHaveRates(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]sdk.Rate{"ntfy": {Events: 60, Per: 5 * time.Minute}, "mattermost webhook": {Events: 10, Per: time.Second},
		"mattermost bot": {Events: 10, Per: time.Second}, "zulip": {Events: 200, Per: time.Minute}, "teams": {Events: 4, Per: time.Second}} {
		r := products[name]
		want.Scope = sdk.RateDestination
		if got := recipe(t, r.page, r.index, "https://receiver.example", r.env).Rates.Own(); len(got) != 1 || got[0] != want {
			t.Errorf("%s: got %v, want %v", name, got, want)
		}
	}
}

// Every configuration on a page is tried by a test of this file.
func TestRecipesAreTried(t *testing.T) {
	t.Parallel()
	tried := map[string]int{"http-standard-webhooks.md": 1}
	for _, r := range products {
		tried[r.page] = max(tried[r.page], r.index+1)
	}
	pages, err := filepath.Glob(filepath.Join(recipeFolder, "http-*.md"))
	if err != nil || len(pages) < 7 {
		t.Fatalf("%d pages, %v", len(pages), err)
	}
	for _, page := range pages {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		if n := len(yamlBlock.FindAll(text, -1)); n != tried[filepath.Base(page)] {
			t.Errorf("%s has %d configurations, %d are tried", page, n, tried[filepath.Base(page)])
		}
	}
}
