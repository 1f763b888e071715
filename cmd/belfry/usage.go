package main

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/belfry-news/belfry/sdk"
)

// printHelp prints the help of a command. Flags of which one must be given stand as a choice.
func printHelp(o kong.HelpOptions, ctx *kong.Context) error {
	out := ctx.Stdout
	var text bytes.Buffer
	ctx.Stdout = &text
	err := kong.DefaultHelpPrinter(o, ctx)
	ctx.Stdout = out
	if err != nil {
		return err
	}
	first, rest, _ := strings.Cut(text.String(), "\n")
	if n := ctx.Selected(); n != nil {
		for _, choice := range choices(n) {
			first = strings.Replace(first, strings.Join(choice, " "), "("+strings.Join(choice, " | ")+")", 1)
		}
	}
	_, err = fmt.Fprintf(out, "%s\n%s", first, rest)
	return err
}

// choices are the groups of flags of a command of which one must be given.
func choices(n *kong.Node) [][]string {
	var order []string
	groups := map[string][]string{}
	for _, f := range n.Flags {
		if !f.Required || len(f.Xor) == 0 {
			continue
		}
		group := f.Xor[0]
		if groups[group] == nil {
			order = append(order, group)
		}
		groups[group] = append(groups[group], f.Summary())
	}
	var out [][]string
	for _, group := range order {
		out = append(out, groups[group])
	}
	return out
}

// flagHelp is what the help says of a flag or an argument, with its default.
func flagHelp(v *kong.Value) string {
	text := kong.DefaultHelpValueFormatter(v)
	if v.HasDefault && v.Default != "" {
		text += fmt.Sprintf(" Default: %s.", v.Default)
	}
	return text
}

// mistakes are what the parser says of a command line that cannot be used, and what is said in its place.
var mistakes = []struct {
	parser *regexp.Regexp
	say    func(m []string) string
}{
	{regexp.MustCompile(`^(--\S+): expected .*value but got "(-.*)" \(.*flag\).*$`), func(m []string) string {
		return fmt.Sprintf("%s needs a value, and %q begins like a flag; such a value is written %s=%s", m[1], m[2], m[1], m[2])
	}},
	{regexp.MustCompile(`^(--\S+): expected .*value but got "EOL".*$`), func(m []string) string { return m[1] + " needs a value" }},
	{regexp.MustCompile(`^(?:(--\S+)|\S+) must be one of (".*") but got "(.*)"$`), func(m []string) string {
		var known []string
		for s := range strings.SplitSeq(m[2], ",") {
			if s = strings.Trim(s, `"`); s != "" {
				known = append(known, s)
			}
		}
		said := strings.TrimSpace(fmt.Sprintf("%s %q is none of %s", m[1], m[3], strings.Join(known, ", ")))
		if near := sdk.Nearest(m[3], known); near != "" {
			said += fmt.Sprintf("; did you mean %q?", near)
		}
		return said
	}},
	{regexp.MustCompile(`^missing flags: (.+)$`), func(m []string) string { return "give " + strings.ReplaceAll(m[1], ", ", " and ") }},
	{regexp.MustCompile(`^(?:expected|missing positional arguments) "?([^"]*<[^"]+>[^"]*)"?$`), func(m []string) string {
		var names []string
		for _, name := range argument.FindAllStringSubmatch(m[1], -1) {
			names = append(names, strings.ToUpper(name[1]))
		}
		if len(names) == 1 {
			return names[0] + " is missing"
		}
		return strings.Join(names, " and ") + " are missing"
	}},
	{regexp.MustCompile(`^expected (?:one of )?("[^<]+)$`), func(m []string) string {
		return "which one? " + strings.ReplaceAll(strings.ReplaceAll(m[1], `"`, ""), ", ...", " and others")
	}},
	{regexp.MustCompile(`^unexpected argument (.+?)(?:, did you mean (.+)\?)?$`), func(m []string) string {
		return perhaps(fmt.Sprintf("%q has no place here", m[1]), m[2])
	}},
	{regexp.MustCompile(`^unknown flag (\S+?)(?:, did you mean (.+)\?)?$`), func(m []string) string {
		return perhaps("there is no flag "+m[1], m[2])
	}},
	{regexp.MustCompile(`^(--\S+) and (--\S+) can't be used together$`), func(m []string) string {
		return fmt.Sprintf("%s and %s do not go together; give one of them", m[1], m[2])
	}},
	{regexp.MustCompile(`^(\S+): expected an? (?:valid \d+ bit )?u?int but got "(.*?)".*$`), func(m []string) string {
		return fmt.Sprintf("%s: %q is no whole number", named(m[1]), m[2])
	}},
	{regexp.MustCompile(`^(\S+): expected a float but got "(.*?)".*$`), func(m []string) string {
		return fmt.Sprintf("%s: %q is no number", named(m[1]), m[2])
	}},
	{regexp.MustCompile(`^(\S+): expected "<key>=<value>" but got "(.*)"$`), func(m []string) string {
		return fmt.Sprintf("%s: %q gives nothing a value; write it like site.lang=fr", m[1], m[2])
	}},
	{regexp.MustCompile(`^(\S+): bool value must be .* but got "(.*)"$`), func(m []string) string {
		return fmt.Sprintf("%s: %q is neither true nor false", m[1], m[2])
	}},
	{regexp.MustCompile(`^unexpected flag argument (".*")$`), func(m []string) string {
		return m[1] + " is given to a flag that takes no value"
	}},
}

var argument = regexp.MustCompile(`<([^>]+)>`)

// named writes an argument as the help does.
func named(name string) string {
	if m := argument.FindStringSubmatch(name); m != nil {
		return strings.ToUpper(m[1])
	}
	return name
}

func perhaps(said, near string) string {
	if near == "" {
		return said
	}
	return fmt.Sprintf("%s; did you mean %s?", said, near)
}

// mistake says what is wrong with a command line, and where help is.
func mistake(err error) string {
	said := err.Error()
	for _, m := range mistakes {
		if found := m.parser.FindStringSubmatch(said); found != nil {
			said = m.say(found)
			break
		}
	}
	return said + moreHelp(err)
}

// moreHelp points from a mistake on the command line to the page that helps.
func moreHelp(err error) string {
	var pe *kong.ParseError
	if !errors.As(err, &pe) || pe.Context == nil {
		return ""
	}
	path := "belfry"
	if n := pe.Context.Selected(); n != nil {
		path = n.FullPath()
	} else if len(pe.Context.Path) > 0 {
		for _, p := range pe.Context.Path {
			if p.Command != nil {
				path = p.Command.FullPath()
			}
		}
	}
	// Kong repeats flags in a node's path; its words up to the first flag are enough.
	path, _, _ = strings.Cut(path, " [")
	return fmt.Sprintf("; see: %s --help", path)
}
