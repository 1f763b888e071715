package bot

import (
	"context"
	"slices"
	"strings"

	"github.com/belfry-news/belfry/internal/i18n"
	"github.com/belfry-news/belfry/sdk"
)

// act does what a command says, with what follows its name.
type act func(t *turn, ctx context.Context, rest string) (Reply, error)

// entry is a command: its own name, other names, what it does, and whether the menu shows it.
type entry struct {
	name    string
	aliases []string
	do      act
	menu    bool
}

// entries are the commands of everybody, in the order of the menu. Each has its words under bot.command.
func entries() []entry {
	return []entry{
		{"channels", []string{"canaux"}, (*turn).channels, true},
		{"topics", []string{"sujets", "themes"}, (*turn).topics, true},
		{"digest", []string{"rythme", "recapitulatif"}, (*turn).digest, true},
		{"quiet", []string{"calme", "silence"}, (*turn).quiet, true},
		{"zone", []string{"fuseau"}, (*turn).zone, false},
		{"pause", nil, (*turn).pause, true},
		{"resume", []string{"reprendre"}, func(t *turn, ctx context.Context, _ string) (Reply, error) { return t.pause(ctx, pauseOff) }, false},
		{"lang", []string{"langue", "language"}, (*turn).lang, true},
		{"mydata", []string{"mesdonnees"}, (*turn).myData, true},
		{"forget", []string{"oublier"}, (*turn).forget, true},
		{"privacy", []string{"confidentialite"}, (*turn).privacy, false},
		{"stop", []string{"arret", "unsubscribe"}, (*turn).stopCommand, true},
		{"help", []string{"aide"}, (*turn).help, true},
		{"start", nil, (*turn).start, false},
	}
}

// Menu is what a platform may show beside the field where people write, in a language.
func Menu(lang string) (out []sdk.Command) {
	words := i18n.For(lang)
	for _, e := range entries() {
		if e.menu {
			out = append(out, sdk.Command{Name: e.name, Text: words.Text("bot.command." + e.name)})
		}
	}
	return out
}

// command reads "/name rest" or "/name@bot rest"; a hyphen in a name is an underscore.
func command(text string) (name, rest string, ok bool) {
	text, ok = strings.CutPrefix(text, "/")
	if !ok {
		return "", "", false
	}
	i := strings.IndexAny(text, " \t\n\r")
	if i < 0 {
		i = len(text)
	}
	name, rest = text[:i], strings.TrimSpace(text[i:])
	name, _, _ = strings.Cut(name, "@")
	return strings.ReplaceAll(strings.ToLower(name), "-", "_"), rest, name != ""
}

// find gives what a command does; nil for one that this person does not have.
func (t *turn) find(name string) act {
	all := entries()
	if t.staff != nil && t.s.Newsroom != nil {
		all = append(all, staffEntries()...)
	}
	i := slices.IndexFunc(all, func(e entry) bool { return e.name == name || slices.Contains(e.aliases, name) })
	if i < 0 {
		return nil
	}
	return all[i].do
}

// help lists the commands. It answers everybody, whether they follow anything or not.
func (t *turn) help(_ context.Context, _ string) (Reply, error) {
	p := &page{}
	p.say(t.words.Text("bot.help", "site", t.s.Site))
	var lines []string
	for _, e := range entries() {
		if e.menu {
			lines = append(lines, "/"+e.name+": "+t.words.Text("bot.command."+e.name))
		}
	}
	if t.words.Lang() == "fr" {
		for i := range lines {
			lines[i] = strings.Replace(lines[i], ": ", "\u00a0: ", 1)
		}
	}
	p.say(strings.Join(lines, "\n"))
	p.say(t.words.Text("bot.help.stop"))
	if t.staff != nil && t.s.Newsroom != nil {
		p.say(t.staffHelp())
	}
	p.button(t.words.Text("bot.button.channels"), data(verbChannels))
	return t.reply(p), nil
}
