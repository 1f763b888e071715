package configs

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"unicode"

	"github.com/belfry-news/belfry/sdk"
)

// reference finds a reference in a text. One with a second dollar sign before it is text.
var reference = regexp.MustCompile(`\$?\$\{(env|file):([^}]*)\}`)

// referred is a value that holds references.
type referred struct {
	// text is the whole value, and parts are what the references in it stand for.
	text  string
	parts []string
}

// substitute replaces the references of a tree by what they name.
func (l *Loaded) substitute(at string, tree any, c *collector) any {
	switch t := tree.(type) {
	case map[string]any:
		out := make(map[string]any, len(t))
		for k, v := range t {
			out[k] = l.substitute(at+sdk.Pointer(k), v, c)
		}
		return out
	case []any:
		out := make([]any, len(t))
		for i, v := range t {
			out[i] = l.substitute(at+sdk.Pointer(i), v, c)
		}
		return out
	}
	text, ok := scalarText(tree)
	if !ok || !reference.MatchString(text) {
		return tree
	}
	var value referred
	var problems sdk.Problems
	value.text = reference.ReplaceAllStringFunc(text, func(written string) string {
		if whole, doubled := strings.CutPrefix(written, "$$"); doubled {
			return "$" + whole
		}
		m := reference.FindStringSubmatch(written)
		if written != text && strings.Contains(text, "{{") {
			problems = sdk.Problems{{Pointer: at, What: "a reference inside a template is not replaced",
				Fix: "put the whole text into the variable or the file, and write ${env:NAME} or ${file:path} alone"}}
			return written
		}
		part, err := l.lookUp(m[1], m[2], c.environ)
		if err != nil {
			what, fix := sdk.Sentence(err)
			problems = append(problems, sdk.Problem{Pointer: at, What: what, Fix: fix})
			return written
		}
		value.parts = append(value.parts, part)
		return part
	})
	if problems != nil {
		c.addAll(problems)
		return tree
	}
	if value.parts == nil { // nothing but doubled dollar signs
		if _, isUntyped := tree.(sdk.Untyped); isUntyped {
			return sdk.Untyped(value.text)
		}
		return value.text
	}
	l.referred[at] = value
	return sdk.Untyped(value.text)
}

func (l *Loaded) lookUp(kind, name string, environ func(string) (string, bool)) (string, error) {
	if kind == "env" {
		value, ok := environ(name)
		switch {
		case !ok:
			return "", fmt.Errorf("the environment variable %s is not set; set it where Belfry is started", name)
		case value == "":
			return "", fmt.Errorf("the environment variable %s is empty; set it where Belfry is started", name)
		}
		return value, nil
	}
	path := name
	if !filepath.IsAbs(path) {
		path = filepath.Join(l.Dir, path)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("the file %s cannot be read: %w; write the value into it, for the user that runs Belfry alone", name, pathCause(err))
	}
	value := strings.TrimSuffix(strings.TrimSuffix(string(text), "\n"), "\r")
	if value == "" {
		return "", fmt.Errorf("the file %s is empty; write the value into it", name)
	}
	if info, err := os.Stat(path); err == nil && info.Mode().Perm()&0o004 != 0 {
		l.Warnings = append(l.Warnings, Located{Position{File: path}, "others can read this file", "chmod 600 " + path})
	}
	return value, nil
}

// keyPrefix begins every master key, and tells nothing of it.
const keyPrefix = "belfry-key-"

// discreet takes what a reference stands for, and every word of it, out of a problem. One of the whole configuration is about
// no value.
func (l *Loaded) discreet(p sdk.Problem) sdk.Problem {
	if p.Pointer == "" {
		return p
	}
	for at, value := range l.referred {
		if at != p.Pointer && !strings.HasPrefix(at, p.Pointer+"/") && !strings.HasPrefix(p.Pointer, at+"/") {
			continue
		}
		for _, part := range value.parts {
			if tells(p.What+p.Fix, strings.TrimPrefix(part, keyPrefix)) {
				p.What, p.Fix = "what the reference stands for does not fit here", "look at the value of the variable or at the file"
				p.Line = 0
			}
		}
	}
	return p
}

// tells reports whether a sentence repeats a value or a word of it.
func tells(sentence, value string) bool {
	for _, word := range strings.FieldsFunc(value, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }) {
		if (len(word) > 2 || value == word) && strings.Contains(sentence, word) {
			return true
		}
	}
	return false
}
