package hostile

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"html"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// aviary makes canaries: words that must be seen nowhere.
type aviary struct{ birds []string }

const species = "cAnAry"

// word makes one canary.
func (a *aviary) word() string {
	w := fmt.Sprintf(species+"%02dx7fQ", len(a.birds))
	a.birds = append(a.birds, w)
	return w
}

// signing makes a canary that is a signing secret.
func (a *aviary) signing() string {
	return "whsec_" + base64.StdEncoding.EncodeToString([]byte(a.word()+"-and-enough-of-it"))
}

// tracesOf are the forms of a word: plain; as the middle of base64, which depends on how many bytes stand in front; as
// hexadecimal digits; and with every letter escaped for an address, for JSON or for HTML.
func tracesOf(word string) (out [][]byte) {
	out = append(out, []byte(word))
	for before := range 3 {
		text := strings.Repeat("\x00", before) + word
		whole := len(text) * 8 / 6 // characters that depend on nothing behind
		first := (before*8 + 5) / 6
		for _, enc := range []*base64.Encoding{base64.StdEncoding, base64.URLEncoding} {
			out = append(out, []byte(enc.EncodeToString([]byte(text + "\x00\x00"))[first:whole]))
		}
	}
	digits := hex.EncodeToString([]byte(word))
	out = append(out, []byte(digits), []byte(strings.ToUpper(digits)))
	var address, lower, json, decimal, hexadecimal strings.Builder
	for _, c := range []byte(word) {
		fmt.Fprintf(&address, "%%%02X", c)
		fmt.Fprintf(&lower, "%%%02x", c)
		fmt.Fprintf(&json, `\u%04x`, c)
		fmt.Fprintf(&decimal, "&#%d;", c)
		fmt.Fprintf(&hexadecimal, "&#x%x;", c)
	}
	for _, s := range []string{address.String(), lower.String(), json.String(), decimal.String(), hexadecimal.String(), strings.Trim(fmt.Sprintf("%d", []byte(word)), "[]")} {
		out = append(out, []byte(s))
	}
	return out
}

var escaped = regexp.MustCompile(`\\u00([0-9a-fA-F]{2})`)

// in lists the canaries that a text holds in any form.
func (a *aviary) in(text []byte) (found []string) {
	texts := [][]byte{text}
	// What is escaped only in part is read once as each form.
	if plain, err := url.PathUnescape(string(text)); err == nil {
		texts = append(texts, []byte(plain))
	}
	texts = append(texts, []byte(html.UnescapeString(string(text))), escaped.ReplaceAllFunc(text, func(e []byte) []byte {
		b, _ := hex.DecodeString(string(e[4:]))
		return b
	}))
	texts = slices.DeleteFunc(texts, func(t []byte) bool { return !holds(t, tracesOf(species)) })
	for _, w := range a.birds {
		traces := tracesOf(w)
		if slices.ContainsFunc(texts, func(t []byte) bool { return holds(t, traces) }) {
			found = append(found, w)
		}
	}
	return found
}

func holds(text []byte, traces [][]byte) bool {
	return slices.ContainsFunc(traces, func(trace []byte) bool { return bytes.Contains(text, trace) })
}

// TestCanariesAreSeen holds that a canary is found in whatever it is wrapped.
func TestCanariesAreSeen(t *testing.T) {
	t.Parallel()
	a := &aviary{}
	other, w := a.word(), a.word()
	cases := map[string]string{
		"plain":              "a " + w + " b",
		"quoted":             strconv.Quote(`x"` + w),
		"hexadecimal":        hex.EncodeToString([]byte("key:" + w)),
		"upper hexadecimal":  strings.ToUpper(hex.EncodeToString([]byte(w + "!"))),
		"an address":         url.QueryEscape("u:" + w + "/"),
		"an address in full": strings.ReplaceAll(fmt.Sprintf("% X", "x"+w), " ", "%"),
		"a part of one":      "%63" + w[1:],
		"JSON":               `"\u0063` + w[1:] + `"`,
		"HTML":               "&#99;" + w[1:],
		"bytes":              fmt.Sprintf("%d", []byte("a"+w+"b")),
	}
	for i := range 7 {
		for j := range 4 {
			text := []byte(strings.Repeat("u", i) + ":" + w + strings.Repeat("z", j))
			cases[fmt.Sprintf("base64 after %d, before %d", i, j)] = "Basic " + base64.StdEncoding.EncodeToString(text)
			cases[fmt.Sprintf("base64 of addresses after %d, before %d", i, j)] = base64.RawURLEncoding.EncodeToString(text)
		}
	}
	for name, text := range cases {
		if found := a.in([]byte(text)); len(found) != 1 || found[0] != w {
			t.Errorf("%s: %q is found in %q", name, found, text)
		}
	}
	if found := a.in([]byte("cAnAry, " + other[:8] + " " + w[8:] + " " + base64.StdEncoding.EncodeToString([]byte("nothing of it")))); len(found) != 0 {
		t.Errorf("%q are found where there is none", found)
	}
}
