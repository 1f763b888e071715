package configs_test

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/belfry-news/belfry/configs"
	"github.com/belfry-news/belfry/sdk"
)

const pagerText = `plugins: {folder: plugins}
site: {url: "https://news.example"}
privacy: {key: "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=", controller: "La Gazette, Lyon"}
destinations: {pager: {type: pager, folder: x}}
channels:
  alertes: {title: Alertes, messages: [{destination: pager}]}
`

func pager(m *sdk.Medium, roles ...sdk.Role) configs.Trusted {
	t := trusted("pager-plugin", "pager", roles...)
	t.Medium = m
	return t
}

// TestAPluginWritesToPeople: by what was recorded when it was trusted, without running it.
func TestAPluginWritesToPeople(t *testing.T) {
	t.Parallel()
	messenger, listening := []sdk.Role{sdk.RoleMessenger}, []sdk.Role{sdk.RoleMessenger, sdk.RoleListener}
	heard := []sdk.EventKind{sdk.EventMessage, sdk.EventButton, sdk.EventStop}
	for name, tc := range map[string]struct {
		plugin configs.Trusted
		text   string
		want   string
	}{
		"well":                      {pager(&sdk.Medium{OwnChoice: true}, messenger...), pagerText, ""},
		"with templates":            {pager(&sdk.Medium{ReplyWindow: 24 * time.Hour, Templates: true}, messenger...), pagerText, ""},
		"as a notice":               {pager(&sdk.Medium{}, messenger...), pagerText + "notices: {parcels: {title: Colis, destinations: [pager]}}\n", ""},
		"it posts to channels":      {pager(nil, sdk.RolePublisher), pagerText, `belfry.yaml:6:54: pager is of type pager, which does not write to people; name a destination of type email or telegram, or of a plugin that is a messenger`},
		"in a notice":               {pager(nil, sdk.RolePublisher), strings.Replace(pagerText, ", messages: [{destination: pager}]", "", 1) + "notices: {parcels: {title: Colis, destinations: [pager]}}\n", `belfry.yaml:7:50: pager is of type pager, which does not write to people`},
		"it says no rules":          {pager(nil, messenger...), pagerText, `belfry.yaml:6:54: nobody can be written to by pager, of the plugin pager-plugin: it does not say what its medium allows; its author declares that`},
		"people write first":        {pager(&sdk.Medium{TheyBegin: true}, messenger...), pagerText, `belfry.yaml:6:54: nobody can be written to by pager, of the plugin pager-plugin: on its medium people have to write first, and the plugin does not tell what they write; write to them by another medium, or by a plugin that hears people`},
		"only after they wrote":     {pager(&sdk.Medium{ReplyWindow: 24 * time.Hour}, messenger...), pagerText, `within 1d after they wrote, and the plugin does not tell what they write`},
		"a window of the admin":     {pager(&sdk.Medium{}, messenger...), pagerText + "medium_rules: {pager: {reply_window: 24h}}\n", `belfry.yaml:7:38: pager is the medium of the plugin pager-plugin, which does not tell when people last wrote there; take the line out`},
		"people write first, heard": {pager(&sdk.Medium{TheyBegin: true, ReplyWindow: 24 * time.Hour, Hears: heard}, listening...), pagerText, ""},
		"a window, heard":           {pager(&sdk.Medium{Hears: heard}, listening...), pagerText + "medium_rules: {pager: {reply_window: 24h}}\n", ""},
		"heard, and no role":        {pager(&sdk.Medium{TheyBegin: true, Hears: heard}, messenger...), pagerText, `people have to write first, and the plugin does not tell what they write`},
		"a role, and nothing said":  {pager(&sdk.Medium{ReplyWindow: time.Hour}, listening...), pagerText, `within 1h after they wrote, and the plugin does not tell what they write`},
		"blocks alone are heard":    {pager(&sdk.Medium{TheyBegin: true, Hears: []sdk.EventKind{sdk.EventStop}}, listening...), pagerText, `the plugin does not tell what they write`},
		"no buttons are heard":      {pager(&sdk.Medium{TheyBegin: true, Hears: []sdk.EventKind{sdk.EventMessage}}, listening...), pagerText, `people follow by a button alone, and the plugin does not tell which they press`},
		"a rule of tomorrow":        {pager(&sdk.Medium{Address: "mindreading"}, messenger...), pagerText, `it has a rule for its addresses, "mindreading", which this Belfry does not know; take a newer Belfry`},
		"staff by a plugin":         {pager(&sdk.Medium{Hears: heard}, listening...), pagerText + "staff: {marie: {medium: pager, handle: \"7\", may: [create]}}\n", `belfry.yaml:7:25: pager is the medium of a plugin, and nothing but the plugin's word would say that it was marie who wrote; name a medium of Belfry's own`},
		"the law's hours":           {pager(&sdk.Medium{}, messenger...), pagerText + "medium_rules: {pager: {own_choice: true, quiet: {FR: \"22:00-08:00\"}}}\n", ""},
		"rules of another medium":   {pager(nil, sdk.RolePublisher), pagerText + "medium_rules: {pager: {own_choice: true}}\n", `no destination of type "pager" writes to people`},
		"twice by one medium": {pager(&sdk.Medium{}, messenger...), strings.NewReplacer("folder: x}}", "folder: x}, other: {type: pager, folder: x}}", "[{destination: pager}]", "[{destination: pager}, {destination: other}]").Replace(pagerText),
			`the channel writes to people by pager already`},
		"nobody trusted it": {trusted("notes", "notes", sdk.RoleSource), strings.Replace(pagerText, "plugins: {folder: plugins}", "plugins: {folder: plugins, external: {pager: {path: bin/pager}}}", 1),
			`belfry.yaml:6:54: pager is of type pager, a program that nobody has trusted: it would be told the addresses of people; put it into plugins.folder`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := trustedFolder{list: []configs.Trusted{tc.plugin}}
			l, _, err := f.load(t, tc.text)
			if tc.want == "" {
				if err != nil {
					t.Fatal(err)
				}
				if m := l.Medium("pager"); m.OwnChoice != (tc.plugin.Medium.OwnChoice || strings.Contains(tc.text, "own_choice")) || m.ReplyWindow != tc.plugin.Medium.ReplyWindow && !strings.Contains(tc.text, "reply_window") {
					t.Errorf("its medium is %+v", m)
				}
				if w := l.Writers(); !slices.Equal(w, []string{"pager"}) {
					t.Errorf("people are written to by %v", w)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want %q", err, tc.want)
			}
		})
	}
}

// TestMediaThatPluginsCannotBe: a plugin takes no other medium's name, nor one that reads like it.
func TestMediaThatPluginsCannotBe(t *testing.T) {
	t.Parallel()
	for typ, want := range map[string]string{
		"pager": "", "sms": "", "email2": "",
		"e-mail":      `the name of its type, "e-mail", reads like the medium email, which Belfry has itself`,
		"tele_gram":   `reads like the medium telegram`,
		"Email":       `cannot be that of a medium: small letters, digits, - and _`,
		"еmail":       `cannot be that of a medium`, // a Cyrillic letter
		"email\u00a0": `cannot be that of a medium`,
		"":            `cannot be that of a medium`,
	} {
		if got := configs.MediumClash(typ, []sdk.Role{sdk.RoleMessenger}, specs()); !strings.Contains(got, want) || want == "" && got != "" {
			t.Errorf("%q: %q, want %q", typ, got, want)
		}
		if got := configs.MediumClash(typ, []sdk.Role{sdk.RolePublisher}, specs()); got != "" {
			t.Errorf("%q that writes to nobody: %q", typ, got)
		}
	}
	f := trustedFolder{list: []configs.Trusted{{Name: "letters", Type: "e-mail", Roles: []sdk.Role{sdk.RoleMessenger}, Medium: &sdk.Medium{}, Checksum: "1"}}}
	if _, _, err := f.load(t, "plugins: {folder: plugins}\n"); err == nil || !strings.Contains(err.Error(), `belfry.yaml:1:19: the plugin letters cannot be used: it writes to people, and the name of its type, "e-mail", reads like the medium email`) {
		t.Errorf("got %v", err)
	}
	f = trustedFolder{list: []configs.Trusted{{Name: "letters", Type: "email", Roles: []sdk.Role{sdk.RoleMessenger}, Medium: &sdk.Medium{}, Checksum: "1"}}}
	if _, _, err := f.load(t, "plugins: {folder: plugins}\n"); err == nil || !strings.Contains(err.Error(), `the plugin letters provides the type email, which Belfry has itself`) {
		t.Errorf("got %v", err)
	}
	if _, _, err := (trustedFolder{}).load(t, "plugins: {folder: plugins, external: {email: {path: bin/letters}}}\n"); err == nil || !strings.Contains(err.Error(), `belfry.yaml:1:53: email is a type that Belfry has itself`) {
		t.Errorf("got %v", err)
	}
}

// TestATypeTrustedAgain: what a new look at the same files found makes another configuration.
func TestATypeTrustedAgain(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, map[string]string{"belfry.yaml": pagerText + "alerts: none\n"})
	hash := func(m *sdk.Medium, roles ...sdk.Role) string {
		t.Helper()
		l, err := configs.Load(configs.Options{Path: filepath.Join(dir, "belfry.yaml"), Specs: specs(), Trusted: func(string) ([]configs.Trusted, error) { return []configs.Trusted{pager(m, roles...)}, nil }})
		if err != nil {
			t.Fatal(err)
		}
		return l.Hash
	}
	before := hash(&sdk.Medium{}, sdk.RoleMessenger)
	if hash(&sdk.Medium{}, sdk.RoleMessenger) != before {
		t.Error("the same makes another configuration")
	}
	if hash(&sdk.Medium{OwnChoice: true}, sdk.RoleMessenger) == before {
		t.Error("other rules of the medium change nothing")
	}
	if hash(&sdk.Medium{}, sdk.RoleMessenger, sdk.RoleFinder) == before {
		t.Error("other abilities change nothing")
	}
}
