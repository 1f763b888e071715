package consent

import (
	"bytes"
	"context"
	"encoding/json"
	"net/url"
	"slices"
	"strings"
)

// KeptCall is a webhook that was not mapped, whole as it came: what a notice says of a person may stand in it.
type KeptCall struct {
	ID     int64
	Source string
	// Waits says that it is still to be mapped; otherwise it could not be, and is kept for somebody to look at.
	Waits bool
	Body  []byte
}

// Found counts the kept calls in which a person is named.
type Found struct {
	// Dropped could not be mapped, and are gone now; Waiting are mapped as soon as their source goes on, and go then.
	Dropped, Waiting int
}

// callsAtOnce bounds how many bodies are in memory.
const callsAtOnce = 20

// inCalls looks for a person in the calls that are kept, by their reference and their addresses, and drops those that could not
// be mapped. What only the map of a source makes of a call cannot be found; that ends with retention.webhooks.
func (r *Registry) inCalls(ctx context.Context, who traces) (out Found, err error) {
	for after := int64(0); ; {
		calls, err := r.s.Store.KeptCalls(ctx, after, callsAtOnce)
		if err != nil || len(calls) == 0 {
			return out, err
		}
		var drop []int64
		for _, c := range calls {
			after = c.ID
			switch {
			case !who.in(r.s.Keys, c.Body):
			case c.Waits:
				out.Waiting++
			default:
				drop = append(drop, c.ID)
			}
		}
		if len(drop) == 0 {
			continue
		}
		n, err := r.s.Store.DropKept(ctx, drop, r.now())
		if err != nil {
			return out, err
		}
		out.Dropped += n
	}
}

// traces are what a person is known by: keyed hashes.
type traces struct {
	external  string
	addresses []Address
}

// longestName bounds what of a body is taken for a reference or an address.
const longestName = 256

func (t traces) in(keys *Keys, body []byte) bool {
	seen := map[string]bool{}
	return slices.ContainsFunc(words(body), func(word string) bool {
		if word = strings.TrimSpace(word); word == "" || len(word) > longestName || seen[word] {
			return false
		}
		seen[word] = true
		if t.external != "" && keys.Hash("reference", word) == t.external {
			return true
		}
		return slices.ContainsFunc(t.addresses, func(a Address) bool {
			_, compare, err := Normalize(a.Medium, word)
			return err == nil && keys.Hash(a.Medium, compare) == a.Hash
		})
	})
}

// words takes a body apart: the values of JSON or of a form, whole, and what of any text stands between spaces and marks.
func words(body []byte) (out []string) {
	var value any
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	if d.Decode(&value) == nil {
		out = scalars(value, out)
	} else if form, err := url.ParseQuery(string(body)); err == nil {
		for _, list := range form {
			out = append(out, list...)
		}
	}
	for _, text := range slices.Clone(append(out, string(body))) {
		out = append(out, strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(" \t\r\n<>\"'`()[]{},;:=&|\\", r) })...)
	}
	return out
}

func scalars(value any, out []string) []string {
	switch v := value.(type) {
	case map[string]any:
		for name, x := range v {
			out = scalars(x, append(out, name))
		}
	case []any:
		for _, x := range v {
			out = scalars(x, out)
		}
	case string:
		out = append(out, v)
	case json.Number:
		out = append(out, v.String())
	}
	return out
}
