package alert_test

import (
	"context"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/belfry-news/belfry/internal/alert"
	"github.com/belfry-news/belfry/sdk"
	"github.com/belfry-news/belfry/sdk/render"
)

// Codes lists every constant of the type Code.
func TestCodes(t *testing.T) {
	t.Parallel()
	file, err := parser.ParseFile(token.NewFileSet(), "alert.go", nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	var declared []string
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if typ, ok := spec.Type.(*ast.Ident); ok && typ.Name == "Code" {
			for _, v := range spec.Values {
				text, err := strconv.Unquote(v.(*ast.BasicLit).Value)
				if err != nil {
					t.Fatal(err)
				}
				declared = append(declared, text)
			}
		}
		return true
	})
	var listed []string
	for _, c := range alert.Codes() {
		listed = append(listed, string(c))
	}
	if diff := cmp.Diff(declared, listed); diff != "" || len(declared) < 14 {
		t.Errorf("declared and listed (-declared +listed):\n%s", diff)
	}
}

// place is a destination that keeps what it is told.
type place struct {
	chats  []string
	posts  []sdk.Post
	keys   []string
	err    error
	panics bool
}

func (*place) Close(context.Context) error { return nil }

func (p *place) ResolveChannel(_ context.Context, name string) (sdk.ChannelRef, sdk.Limits, error) {
	p.chats = append(p.chats, name)
	return sdk.ChannelRef{ID: name}, sdk.Limits{}, nil
}

func (p *place) Plan(_ sdk.ChannelRef, post sdk.Post) ([]sdk.Part, error) {
	p.posts = append(p.posts, post)
	return []sdk.Part{{Kind: "send"}}, nil
}

func (p *place) Publish(_ context.Context, _ sdk.ChannelRef, part sdk.Part) (sdk.PartRef, error) {
	if p.panics {
		panic("the platform is upside down")
	}
	p.keys = append(p.keys, part.Key)
	return sdk.PartRef{}, p.err
}

// silent cannot be posted to.
type silent struct{}

func (silent) Close(context.Context) error { return nil }

func TestTell(t *testing.T) {
	t.Parallel()
	paris, err := time.LoadLocation("Europe/Paris")
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 11, 20, 6, 12, 0, 0, time.UTC)
	site := alert.Site{Title: "La Gazette", Zone: paris}
	row := alert.Row{ID: 7, Alert: alert.Alert{Code: alert.SourceFailing, Subject: "articles", Sentence: "source articles cannot be read: 404", Mend: "belfry source fetch articles"},
		First: at, Last: at, Count: 1}
	again, over := row, row
	again.Count = 3
	over.Resolved = at.Add(time.Hour)
	const link = "https://github.com/belfry-news/belfry/blob/main/docs/operations.md#source_failing"
	for name, c := range map[string]struct {
		row      alert.Row
		key      string
		revision int
		text     []string
	}{
		"new":    {row, "alert_7_1_0", 1, []string{"La Gazette: source failing", "source articles cannot be read: 404", "belfry source fetch articles", "source_failing", link}},
		"folded": {again, "alert_7_3_0", 5, []string{"source articles cannot be read: 404 (3 times since 2026-11-20 07:12 CET)", "belfry source fetch articles"}},
		"over":   {over, "alert_7_1_0_over", 2, []string{"La Gazette: source failing, over", "It is over since 2026-11-20 08:12 CET: source articles cannot be read: 404", link}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := &place{}
			if err := alert.Tell(t.Context(), p, "@ops", c.row, site); err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(p.keys, []string{c.key}) || !slices.Equal(p.chats, []string{"@ops"}) || p.posts[0].ID != "alert-7" || p.posts[0].Revision != c.revision {
				t.Errorf("keys %v at %v, post %s revision %d", p.keys, p.chats, p.posts[0].ID, p.posts[0].Revision)
			}
			text := render.Render(p.posts[0].Body, render.Plain)
			for _, part := range c.text {
				if !strings.Contains(text, part) {
					t.Errorf("it does not say %q:\n%s", part, text)
				}
			}
			if err := p.posts[0].Body.Validate(); err != nil {
				t.Error(err)
			}
		})
	}
	t.Run("what goes wrong comes back", func(t *testing.T) {
		t.Parallel()
		refused := errors.New("refused")
		if err := alert.Tell(t.Context(), &place{err: refused}, "", row, site); !errors.Is(err, refused) {
			t.Errorf("got %v", err)
		}
		if err := alert.Tell(t.Context(), &place{panics: true}, "", row, site); err == nil || !strings.Contains(err.Error(), "upside down") {
			t.Errorf("got %v", err)
		}
		if err := alert.Tell(t.Context(), silent{}, "", row, site); err == nil || !strings.Contains(err.Error(), "cannot be posted to") {
			t.Errorf("got %v", err)
		}
	})
}

// An end is believed at once where a person made it, and later where trouble comes and goes by itself.
func TestOver(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 20, 6, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		code     alert.Code
		cameBack bool
		settle   time.Duration
		after    time.Duration // when it is believed first
	}{
		"a person mended it":            {alert.DestinationStop, false, alert.Settle, 0},
		"a person mended it once more":  {alert.DestinationStop, true, alert.Settle, 0},
		"it passed":                     {alert.SourceFailing, false, alert.Settle, alert.Settle},
		"it passed and came back":       {alert.DestinationDown, true, alert.Settle, alert.SameWithin},
		"it passed; every end is told":  {alert.DiskLow, false, 0, 0},
		"it came back; every end is so": {alert.DiskLow, true, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := alert.Row{Alert: alert.Alert{Code: c.code}, Resolved: at, CameBack: c.cameBack}
			if !r.Over(c.settle, at.Add(c.after)) {
				t.Errorf("it is not believed after %s", c.after)
			}
			if c.after > 0 && r.Over(c.settle, at.Add(c.after-time.Microsecond)) {
				t.Errorf("it is believed before %s", c.after)
			}
			r.Resolved = time.Time{}
			if r.Over(c.settle, at.Add(24*time.Hour)) {
				t.Error("what lasts is over")
			}
		})
	}
}
