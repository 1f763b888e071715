package telegram_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/belfry-news/belfry/sdk"
)

var update = flag.Bool("update", false, "write the golden files anew")

func sum(data []byte) string {
	s := sha256.Sum256(data)
	return hex.EncodeToString(s[:])
}

// golden writes parts so that people can read them.
func golden(parts []sdk.Part) string {
	var b strings.Builder
	for i, p := range parts {
		fmt.Fprintf(&b, "part %d: %s %s", i+1, p.Kind, p.Type)
		if p.Thread {
			b.WriteString(" answers the part before")
		}
		b.WriteByte('\n')
		var request bytes.Buffer
		if err := json.Indent(&request, p.Request, "", "  "); err != nil {
			fmt.Fprintf(&request, "no JSON: %v", err)
		}
		b.Write(request.Bytes())
		b.WriteByte('\n')
		for _, f := range p.Files {
			fmt.Fprintf(&b, "file %s %s %dx%d\n", f.Name, f.Type, f.Width, f.Height)
		}
		fmt.Fprintf(&b, "text: %q\n", p.Text)
	}
	return b.String()
}

func checkGolden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}

func TestPlanGolden(t *testing.T) {
	t.Parallel()
	rich := article("Incendie <à la gare> & plus_que *ça*")
	rich.Body = append(rich.Body, sdk.Node{Kind: sdk.NodeQuote,
		Children: []sdk.Node{sdk.Paragraph(sdk.Text("« Tout va bien. »"))}},
		sdk.Node{Kind: sdk.NodeList, Ordered: true, Level: 1, Children: []sdk.Node{
			{Kind: sdk.NodeItem, Children: []sdk.Node{sdk.Paragraph(sdk.Text("un"))}},
			{Kind: sdk.NodeItem, Children: []sdk.Node{sdk.Paragraph(sdk.Node{Kind: sdk.NodeCode, Text: "a < b"})}},
		}})
	long := article("Titre", "one.png")
	long.Body = append(sdk.Body{sdk.Paragraph(sdk.Text(strings.Repeat("Une phrase de trente lettres. ", 60)))}, long.Body[1])
	digest := article("Le brief", "one.png", "two.png")
	digest.Items = append(digest.Items, sdk.PostItem{Key: "b", Title: "b"})
	withdrawn := article("Ce message a été retiré.")
	withdrawn.State, withdrawn.Revision = sdk.PostWithdrawn, 3

	for name, c := range map[string]struct {
		post     sdk.Post
		settings map[string]any
	}{
		"text":          {rich, nil},
		"text_markdown": {rich, map[string]any{"markup": "markdown"}},
		"text_options": {article("Titre"), map[string]any{"silent": true, "protect": true, "link_preview": "large",
			"preview_above": true}},
		"text_nopreview": {article("Titre"), map[string]any{"link_preview": "off", "preview_above": true}},
		"photo":          {article("Titre", "one.png"), nil},
		"photo_above":    {article("Titre", "one.png"), map[string]any{"caption_above": true, "markup": "markdown"}},
		"photos_none":    {article("Titre", "one.png"), map[string]any{"photos": json.Number("0")}},
		"album":          {article("Titre", "one.png", "two.png", "three.png"), map[string]any{"caption_above": true}},
		"album_two":      {article("Titre", "one.png", "two.png", "three.png"), map[string]any{"photos": json.Number("2")}},
		"long_cut":       {long, nil},
		"long_split":     {long, map[string]any{"overflow": "split"}},
		"long_thread":    {long, map[string]any{"overflow": "thread"}},
		"digest":         {digest, nil},
		"withdrawn":      {withdrawn, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tree := map[string]any{"token": token}
			maps.Copy(tree, c.settings)
			parts, err := open(t, tree).Plan(sdk.ChannelRef{ID: "-1001234567890"}, c.post)
			if err != nil {
				t.Fatal(err)
			}
			checkGolden(t, name, golden(parts))
		})
	}
}

func TestPlanLeavesOutPicturesThatTelegramRefuses(t *testing.T) {
	t.Parallel()
	good := media("one.png")[0]
	change := func(f func(*sdk.File)) sdk.Media {
		m := good
		f(&m.File)
		return m
	}
	conn := open(t, map[string]any{"token": token})
	for name, c := range map[string]struct {
		media sdk.Media
		kind  string
	}{
		"a good one":               {good, "sendPhoto"},
		"no copy":                  {sdk.Media{URL: "https://news.example/a.jpg", Type: "image/jpeg"}, "sendMessage"},
		"an animation":             {change(func(f *sdk.File) { f.Type = "image/gif" }), "sendMessage"},
		"a film":                   {change(func(f *sdk.File) { f.Type = "video/mp4" }), "sendMessage"},
		"10 MB":                    {change(func(f *sdk.File) { f.Size = 10 << 20 }), "sendPhoto"},
		"more than 10 MB":          {change(func(f *sdk.File) { f.Size = 10<<20 + 1 }), "sendMessage"},
		"sides of 10,000 together": {change(func(f *sdk.File) { f.Width, f.Height = 5000, 5000 }), "sendPhoto"},
		"sides of more":            {change(func(f *sdk.File) { f.Width, f.Height = 5000, 5001 }), "sendMessage"},
		"20 to 1":                  {change(func(f *sdk.File) { f.Width, f.Height = 2000, 100 }), "sendPhoto"},
		"21 to 1":                  {change(func(f *sdk.File) { f.Width, f.Height = 2100, 100 }), "sendMessage"},
		"a size nobody measured":   {change(func(f *sdk.File) { f.Width, f.Height = 0, 0 }), "sendPhoto"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := article("Titre")
			p.Media = []sdk.Media{c.media}
			parts, err := conn.Plan(sdk.ChannelRef{ID: "-100"}, p)
			if err != nil || len(parts) != 1 || parts[0].Kind != c.kind {
				t.Errorf("got %v, %v; want one %s", parts, err, c.kind)
			}
		})
	}
}

func TestPlanErrors(t *testing.T) {
	t.Parallel()
	conn := open(t, map[string]any{"token": token})
	empty, sideways := article("x"), article("x")
	empty.Body = sdk.Body{sdk.Paragraph(sdk.Text("  "))}
	sideways.Overflow = "sideways"
	for name, c := range map[string]struct {
		to   string
		post sdk.Post
		code sdk.Code
		want string
	}{
		"a person": {"777", article("x"), sdk.CodeNotAChannel,
			`chat: "777" is no channel or group; Belfry posts to nothing else`},
		"a name": {"@anna", article("x"), sdk.CodeNotAChannel,
			`chat: "@anna" is no channel or group; Belfry posts to nothing else`},
		"nobody": {"", article("x"), sdk.CodeNotAChannel,
			`chat: "" is no channel or group; Belfry posts to nothing else`},
		"no text": {"-1", empty, sdk.CodeInvalid,
			"plan: the template gives no text for -1; Telegram takes no empty post"},
		"an unknown overflow": {"-1", sideways, sdk.CodeUnsupported,
			`plan: overflow "sideways" is unknown; cut, split and thread are possible`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := conn.Plan(sdk.ChannelRef{ID: c.to}, c.post)
			if e := sdk.AsError(err); e == nil || e.Code != c.code || e.Error() != c.want {
				t.Errorf("got %v, want %s: %s", err, c.code, c.want)
			}
		})
	}
}

// Every length that a plan gives is taken by the strict server, whatever the text is made of.
func TestPlansFit(t *testing.T) {
	t.Parallel()
	texts := map[string]string{
		"letters":   strings.Repeat("Une phrase. ", 1500),
		"emoji":     strings.Repeat("👩‍👩‍👧‍👦", 2500),
		"escapes":   strings.Repeat("<&>*_[]()~`#+-=|{}.!\\", 800),
		"one word":  strings.Repeat("x", 9000),
		"right":     strings.Repeat("خبر عاجل ", 900),
		"just 4096": strings.Repeat("é", 4096),
		"just 4097": strings.Repeat("é", 4097),
	}
	for name, text := range texts {
		for _, markup := range []string{"html", "markdown"} {
			for _, overflow := range []string{"cut", "split", "thread"} {
				t.Run(name+" "+markup+" "+overflow, func(t *testing.T) {
					t.Parallel()
					b := setup(t, options(), map[string]any{"markup": markup, "overflow": overflow})
					for _, pictures := range [][]string{nil, {"one.png"}, {"one.png", "two.png"}} {
						p := article("Titre", pictures...)
						p.Body = append(sdk.Body{sdk.Paragraph(sdk.Text(text))}, p.Body[1])
						parts, err := b.Plan(b.to, p)
						if err != nil {
							t.Fatal(err)
						}
						var last *sdk.PartRef
						for i, part := range fill(parts) {
							if part.Thread {
								part.ReplyTo = last
							}
							ref, err := b.Publish(t.Context(), b.to, part)
							if err != nil {
								t.Fatalf("part %d with %d pictures: %v", i+1, len(pictures), err)
							}
							last = &ref
						}
					}
				})
			}
		}
	}
}
