package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

type completionCmd struct {
	Shell string `arg:"" enum:"bash,zsh,fish" help:"bash, zsh or fish."`
}

// Help is the long help.
func (*completionCmd) Help() string {
	return `Examples:

    belfry completion bash > /etc/bash_completion.d/belfry
    belfry completion zsh > "${fpath[1]}/_belfry"
    belfry completion fish > ~/.config/fish/completions/belfry.fish

Exit codes: 0 printed, 2 another shell.`
}

// Run prints a completion script.
func (c *completionCmd) Run(ctx *kong.Context, std streams) error {
	paths := commandPaths(ctx.Model.Node)
	switch c.Shell {
	case "bash":
		bashCompletion(std.out, paths)
	case "zsh":
		zshCompletion(std.out, paths)
	default:
		fishCompletion(std.out, paths)
	}
	return nil
}

// commandPath is one point of the command line with what may follow there.
type commandPath struct {
	// words lead there: "", "post", "post create".
	words string
	// commands and flags that may follow, with what they are.
	commands, flags []choice
	// values of the next argument.
	values []string
}

type choice struct {
	name, help string
	// takes says that a flag wants a value; values are those it may have, when they are few.
	takes  bool
	values []string
}

// commandPaths lists every point of the command line.
func commandPaths(root *kong.Node) []commandPath {
	var out []commandPath
	var walk func(n *kong.Node, words []string)
	walk = func(n *kong.Node, words []string) {
		p := commandPath{words: strings.Join(words, " ")}
		for _, sub := range n.Children {
			if !sub.Hidden {
				p.commands = append(p.commands, choice{name: sub.Name, help: sub.Help})
			}
		}
		for _, level := range n.AllFlags(true) {
			for _, f := range level {
				p.flags = append(p.flags, choice{name: "--" + f.Name, help: f.Help, takes: !f.IsBool(), values: enumOf(f.Value)})
			}
		}
		if len(n.Positional) > 0 {
			p.values = enumOf(n.Positional[0])
		}
		out = append(out, p)
		for _, sub := range n.Children {
			if !sub.Hidden {
				walk(sub, append(slices.Clone(words), sub.Name))
			}
		}
	}
	walk(root, nil)
	return out
}

func enumOf(v *kong.Value) []string {
	if v.Enum == "" {
		return nil
	}
	return slices.DeleteFunc(v.EnumSlice(), func(s string) bool { return s == "" })
}

func names(list []choice) []string {
	out := make([]string, len(list))
	for i, c := range list {
		out[i] = c.name
	}
	return out
}

// quote is a word in single quotes, as all three shells read it.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// alternatives are the paths of commands as the pattern of a shell's case.
func alternatives(paths []commandPath) string {
	var out []string
	for _, p := range paths {
		if p.words != "" {
			out = append(out, quote(p.words))
		}
	}
	return strings.Join(out, "|")
}

// enumFlags are the flags with few values, each once.
func enumFlags(paths []commandPath) []choice {
	var out []choice
	for _, p := range paths {
		for _, f := range p.flags {
			if f.values != nil && !slices.ContainsFunc(out, func(c choice) bool { return c.name == f.name }) {
				out = append(out, f)
			}
		}
	}
	return out
}

func bashCompletion(w io.Writer, paths []commandPath) {
	fmt.Fprintf(w, `# bash completion for belfry; made by: belfry completion bash
_belfry() {
  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} at= word i
  for ((i = 1; i < COMP_CWORD; i++)); do
    word=${COMP_WORDS[i]}
    case "${at:+$at }$word" in
      %s) at="${at:+$at }$word" ;;
    esac
  done
  COMPREPLY=()
  case "$prev" in
`, alternatives(paths))
	for _, f := range enumFlags(paths) {
		fmt.Fprintf(w, "    %s) COMPREPLY=($(compgen -W %s -- \"$cur\")); return ;;\n", f.name, quote(strings.Join(f.values, " ")))
	}
	fmt.Fprint(w, "  esac\n  case \"$at\" in\n")
	for _, p := range paths {
		words := append(append(names(p.commands), p.values...), names(p.flags)...)
		fmt.Fprintf(w, "    %s) COMPREPLY=($(compgen -W %s -- \"$cur\")) ;;\n", quote(p.words), quote(strings.Join(words, " ")))
	}
	fmt.Fprint(w, "  esac\n}\ncomplete -o bashdefault -o default -F _belfry belfry\n")
}

func zshCompletion(w io.Writer, paths []commandPath) {
	fmt.Fprintf(w, `#compdef belfry
# zsh completion for belfry; made by: belfry completion zsh
_belfry() {
  local at= word
  local -a choices
  for word in ${words[2,CURRENT-1]}; do
    case "${at:+$at }$word" in
      %s) at="${at:+$at }$word" ;;
    esac
  done
  case "${words[CURRENT-1]}" in
`, alternatives(paths))
	for _, f := range enumFlags(paths) {
		fmt.Fprintf(w, "    %s) compadd -- %s; return ;;\n", f.name, strings.Join(f.values, " "))
	}
	fmt.Fprint(w, "  esac\n  case \"$at\" in\n")
	for _, p := range paths {
		fmt.Fprintf(w, "    %s)\n      choices=(\n", quote(p.words))
		for _, c := range append(slices.Clone(p.commands), p.flags...) {
			fmt.Fprintf(w, "        %s\n", quote(c.name+":"+c.help))
		}
		for _, v := range p.values {
			fmt.Fprintf(w, "        %s\n", quote(v))
		}
		fmt.Fprint(w, "      ) ;;\n")
	}
	fmt.Fprint(w, "  esac\n  _describe belfry choices || _files\n}\ncompdef _belfry belfry\n")
}

func fishCompletion(w io.Writer, paths []commandPath) {
	var known []string
	for _, p := range paths {
		if p.words != "" {
			known = append(known, quote(p.words))
		}
	}
	fmt.Fprintf(w, `# fish completion for belfry; made by: belfry completion fish
function __belfry_at
  set -l at
  for word in (commandline -opc)[2..-1]
    set -l next (string trim -- "$at $word")
    contains -- $next %s; and set at $next
  end
  test "$at" = "$argv[1]"
end
`, strings.Join(known, " "))
	for _, p := range paths {
		at := quote("__belfry_at " + quote(p.words))
		for _, c := range p.commands {
			fmt.Fprintf(w, "complete -c belfry -n %s -f -a %s -d %s\n", at, c.name, quote(c.help))
		}
		if p.values != nil {
			fmt.Fprintf(w, "complete -c belfry -n %s -f -a %s\n", at, quote(strings.Join(p.values, " ")))
		}
		for _, f := range p.flags {
			more := ""
			switch {
			case f.values != nil:
				more = " -x -a " + quote(strings.Join(f.values, " "))
			case f.takes:
				more = " -r"
			}
			fmt.Fprintf(w, "complete -c belfry -n %s -l %s -d %s%s\n", at, strings.TrimPrefix(f.name, "--"), quote(f.help), more)
		}
	}
}
