package configs_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/belfry-news/belfry/configs"
)

// What newsrooms write without quotation marks, and other slips of YAML, are told in the words of the place, with what to
// write; the rest of the file is read on.
func TestPlainMistakes(t *testing.T) {
	t.Parallel()
	const site, list, channel, destination = "site:\n  ", "retired:\n", "channels:\n  c:\n    title: C\n    ", "destinations:\n  d: "
	for text, want := range map[string]string{
		site + "title: @gazette":                                           `2:10: title "@gazette" must be quoted: YAML keeps a leading @ for itself; write title: "@gazette"`,
		site + "title: %T":                                                 `2:10: title "%T" must be quoted: YAML keeps a leading % for itself; write title: "%T"`,
		site + "title: `La Gazette`":                                       "2:10: title \"`La Gazette`\" must be quoted: YAML keeps a leading ` for itself; write title: \"`La Gazette`\"",
		site + "title: *Gazette*":                                          `2:10: title "*Gazette*" must be quoted: YAML reads a leading * as an alias; write title: "*Gazette*"`,
		site + "title: *Gazette":                                           `2:10: *Gazette names no anchor above it; write title: "*Gazette" if it is text`,
		site + "title: & Co":                                               `2:10: title "& Co" must be quoted: YAML reads a leading & as an anchor; write title: "& Co"`,
		site + "title: !Alerte":                                            `2:10: title "!Alerte" must be quoted: YAML reads a leading ! as a tag; write title: "!Alerte"`,
		site + "title: | une":                                              `2:10: title "| une" must be quoted: YAML reads a leading | as a text on the lines below; write title: "| une"`,
		site + "title: > une":                                              `2:10: title "> une" must be quoted: YAML reads a leading > as a text on the lines below; write title: "> une"`,
		site + "title: [Direct] une":                                       `2:10: title "[Direct] une" must be quoted: YAML reads a leading [ as a list; write title: "[Direct] une"`,
		site + "title: {Direct} une":                                       `2:10: title "{Direct} une" must be quoted: YAML reads a leading { as settings; write title: "{Direct} une"`,
		site + "title: - une":                                              `2:10: title "- une" must be quoted: YAML reads a leading - as an entry of a list; write title: "- une"`,
		site + "title: ? une":                                              `2:10: title "? une" must be quoted: YAML reads a leading ? as a name; write title: "? une"`,
		site + "title: #une":                                               `2:10: text expected, found nothing; a # begins a comment; write title: "#une" if it belongs to the value`,
		site + "title: Le Monde: une":                                      `2:10: title "Le Monde: une" must be quoted: YAML reads the ": " in it as another setting; write title: "Le Monde: une"`,
		site + "title: Le Monde: une  # ici":                               `2:10: title "Le Monde: une" must be quoted: YAML reads the ": " in it as another setting; write title: "Le Monde: une"`,
		site + "title: L'actualité: tout":                                  `2:10: title "L'actualité: tout" must be quoted: YAML reads the ": " in it as another setting; write title: "L'actualité: tout"`,
		site + "title: 'L'actualité'":                                      `2:13: the text of title ends at the second ', and something follows; write title: "L'actualité"`,
		site + `title: "une "citation" ici"`:                               `2:16: the text of title ends at the second ", and something follows; write title: 'une "citation" ici'`,
		site + "title: “La Gazette”":                                       `2:10: typographic quotation marks are a part of the text for YAML; write title: "La Gazette", or "“La Gazette”" if they belong to the text`,
		site + "title:La Gazette\n  lang: fr":                              `2:9: a space is missing after title:; write title: La Gazette`,
		site + "title:La Gazette":                                          `2:9: a space is missing after title:; write title: La Gazette`,
		site + "title La Gazette\n  lang: fr":                              `2:8: a colon is missing after title; write title: La Gazette`,
		"site\n  title: La Gazette":                                        `1:5: a colon is missing after site; write site:`,
		site + "title: x\n    lang: fr":                                    `3:5: lang stands deeper than title above it, which has a value already; begin it at column 3`,
		site + "\ttitle: x":                                                `2:3: a tab in the indentation; YAML indents with spaces only`,
		"site:\n\ttitle: x\n\tlang: fr":                                    `2:1: a tab in the indentation; YAML indents with spaces only`,
		"site: {title: @gazette, lang: fr}":                                `1:15: title "@gazette" must be quoted: YAML keeps a leading @ for itself; write title: "@gazette"`,
		"site: {title:La Gazette, lang: fr}":                               `1:14: a space is missing after title:; write title: La Gazette`,
		"site: {title: Le Monde: une, lang: fr}":                           `1:15: title "Le Monde: une" must be quoted: YAML reads the ": " in it as another setting; write title: "Le Monde: une"`,
		"site: {title: 'L'actu', lang: fr}":                                `1:18: the text of title ends at the second ', and something follows; write title: "L'actu"`,
		"site: {title: !x, lang: fr}":                                      `1:15: title "!x" must be quoted: YAML reads a leading ! as a tag; write title: "!x"`,
		"site: {title: x, lang: fr}}":                                      `1:27: there is a } too many; take it out`,
		"site: {title: x, lang: fr":                                        `1:7: the { that opens here is not closed; close it with }`,
		"site: title: x":                                                   `1:7: settings cannot begin on the line of their name; write site: {…}, or put them on the lines below`,
		"retired: [#a, #b]":                                                "1:11: retired \"#a\" must be quoted: YAML reads what follows a # as a comment; write \"#a\"\n1:15: retired \"#b\" must be quoted: YAML reads what follows a # as a comment; write \"#b\"",
		"retired: [a, b\nlisten: 127.0.0.1:1":                              `1:10: the [ that opens here is not closed; close it with ]`,
		list + "  - @a":                                                    `2:5: retired "@a" must be quoted: YAML keeps a leading @ for itself; write "@a"`,
		list + "  - a: b: c":                                               "2:5: text expected, found settings; write a single text\n2:8: the value of a must be quoted: YAML reads the \": \" in it as another setting; put it in quotes: a: \"…\"",
		list + "  -b":                                                      `2:3: a list expected, found text; write a space after each -`,
		list + "- a\n - b":                                                 `3:2: this goes on with the text of the line above, and is no entry of a list; give the - the same indentation as those of the other entries`,
		list + "    - a\n  - b":                                            `3:3: this entry stands less deep than its list; begin it at column 5, as in line 2`,
		channel + "template: {{.Title}} et {{.URL}}":                       `4:15: template "{{.Title}} et {{.URL}}" must be quoted: YAML reads a leading { as settings; write template: "{{.Title}} et {{.URL}}"`,
		channel + "template: **{{.Title}}**":                               `4:15: template "**{{.Title}}**" must be quoted: YAML reads a leading * as an alias; write template: "**{{.Title}}**"`,
		"channels: {c: {title: C, template: {{.Title}}}}":                  `1:36: template "{{.Title}}" must be quoted: YAML reads a leading { as settings; write template: "{{.Title}}"`,
		channel + `where: "hasTag("a")"`:                                   `4:21: the text of where ends at the second ", and something follows; write where: 'hasTag("a")'`,
		channel + `where: hasTag("a: b") or hasTag("c")`:                   `4:12: where 'hasTag("a: b") or hasTag("c")' must be quoted: YAML reads the ": " in it as another setting; write where: 'hasTag("a: b") or hasTag("c")'`,
		channel + "publish_to:\n    - destination: x\n   - destination: y": `6:4: this entry stands less deep than its list; begin it at column 5, as in line 5`,
		destination + "{type: http, url: ${env:RECEIVER}, secret: \"${env:OPS_SECRET}\"}":                                             `2:24: url "${env:RECEIVER}" must be quoted: YAML reads the { in it as settings; write url: "${env:RECEIVER}"`,
		destination + "{type: http, url: https://a.example/${env:KEY}, secret: \"${env:OPS_SECRET}\"}":                                `2:24: the value of url must be quoted: YAML reads the { in it as settings; put it in quotes: url: "…"`,
		destination + "{type: http, url: \"https://a.example/\", secret: \"${env:OPS_SECRET}\", headers: {X-Key: @hunter2}}":          `2:92: the value of X-Key must be quoted: YAML keeps a leading @ for itself; put it in quotes: X-Key: "…"`,
		destination + "{type: http, url: \"https://a.example/\", secret: \"${env:OPS_SECRET}\", headers: {X-Key: Bearer ${env:KEY}}}": `2:92: the value of X-Key must be quoted: YAML reads the { in it as settings; put it in quotes: X-Key: "…"`,
	} {
		for _, end := range []string{"", "\n", "\r\n"} {
			path := filepath.Join(t.TempDir(), "belfry.yaml")
			written := text + "\nalerts: none\n"
			if end == "" && strings.Contains(want, "in line") {
				continue // it stands in another line there
			}
			if end == "" { // what stands last in a file without a line end
				written = "alerts: none\n" + text
			}
			if err := os.WriteFile(path, []byte(strings.ReplaceAll(written, "\n", max(end, "\n"))), 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := configs.Load(configs.Options{Path: path, Specs: specs(), Environ: append([]string{"RECEIVER=https://r.example/x", "KEY=abc"}, environ...)})
			invalid, ok := errors.AsType[*configs.Invalid](err)
			if !ok {
				t.Errorf("%q: got %v", text, err)
				continue
			}
			var got []string
			for _, p := range invalid.Problems {
				if end == "" {
					p.Line--
				}
				got = append(got, strings.TrimPrefix(p.String(), path+":"))
			}
			if diff := cmp.Diff(want, strings.Join(got, "\n")); diff != "" {
				t.Errorf("%q, ended by %q (-want +got):\n%s", text, end, diff)
			}
		}
	}
}

// What is YAML, and means what it seems to, is taken without a word.
func TestFineYAMLIsTaken(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"alerts: none", "alerts: none # here", "alerts: none\n# here", "# here\nalerts: none\n\n\n", "---\nalerts: none\n...\n", "\ufeffalerts: none\n", "alerts: none   \n", "alerts:\tnone\n",
		"\"alerts\": 'none'\n", "{\"alerts\": \"none\", \"site\":{\"title\":\"x\"}}\n", "{alerts: none, site: {title: x,}, retired: []}\n", "alerts: none\nsite:\n", "alerts: none\nretired:\n- a\n- b\n",
		"alerts: none\nretired: # here\n  # and here\n  - a # b\n\n  - \"c\\\n    d\"\n", "alerts: none\nsite:\n  title: x # it's\n  description: it's # \"so\"\n",
		"alerts: none\nsite:\n  title: C# et F#\n  description: http://x.example/#a, 12:30 et a:b\n", "alerts: none\nsite: {title: 'a: b', description: \"a # b\"} # c: d\n",
		"alerts: none\nsite:\n  description: |\n    a: b: c\n    - @x\n    \t{{x}} #\n\n  title: x\n", "alerts: none\nsite:\n  description: >-\n    “x”\n     *y*\n  title: x\n", "alerts: none\nsite:\n  description: one\n    two\n    three\n",
		"alerts: none\nx-a: &a\n  title: x\n", "alerts: none\nsite: &s {title: x}\n", "alerts: none\nsite: !!str x\n", "alerts: none\r\nsite:\r\n  title: x\r\n", "alerts: none\nsite:\n  title: « x »\n  description: “x” et y\n",
		"alerts: none\nsite:\n  title: \"\\u00e9 \\xe9 \\U0001F600\"\n  description: x\nretired: [a]\n", "alerts: none\ndestinations:\n  d: {type: telegram, token: '${env:TELEGRAM_TOKEN}'}\n", "alerts: none\nretired:\n  - a-b\n  - \"@c\"\n",
		"alerts: none\nsite:\n    title: x\n    description: |+\n        x\n\n\n", "alerts: none\nsite:\n  title: x\n  description: 'it''s\n\n    so'\n",
	} {
		path := filepath.Join(t.TempDir(), "belfry.yaml")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := configs.Load(configs.Options{Path: path, Specs: specs(), Environ: environ})
		invalid, _ := errors.AsType[*configs.Invalid](err)
		if err != nil && (invalid == nil || strings.Contains(invalid.Problems[0].What, "YAML") || !strings.Contains(text, "x-a") && !strings.Contains(text, "!!str")) {
			t.Errorf("%q: %v", text, err)
		}
	}
}
