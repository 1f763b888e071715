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
	// Hub says that a hub told what stands in a feed, which is about nobody in particular.
	Hub  bool
	Body []byte
}

// Found counts the kept calls in which a person is named.
type Found struct {
	// Dropped are gone now. Of Cut, which name others too, what was about the person is gone. Waiting are of sources that bring no
	// notices: they are articles that name the person, and are published.
	Dropped, Cut, Waiting int
}

// callsAtOnce bounds how many bodies are in memory.
const callsAtOnce = 20

// inCalls looks for a person in the calls that are kept, by their reference and their addresses, and drops those that are about
// them: what could not be mapped, and what waits to be mapped for a source that may bring notices, which may be paused for as long
// as anybody likes. Where a call is a list of which other entries name others, only the entry goes. What only the map of a source
// makes of a call cannot be found; of what could not be mapped that ends with retention.webhooks.
func (r *Registry) inCalls(ctx context.Context, who traces) (out Found, err error) {
	for after := int64(0); ; {
		calls, err := r.s.Store.KeptCalls(ctx, after, callsAtOnce)
		if err != nil || len(calls) == 0 {
			return out, err
		}
		var drop []int64
		for _, c := range calls {
			after = c.ID
			if !who.in(r, c.Body) {
				continue
			}
			if c.Waits && (c.Hub || !r.s.Notifies(c.Source)) {
				out.Waiting++
				continue
			}
			body, rest := who.without(r, c.Body)
			if !c.Waits || !rest {
				drop = append(drop, c.ID)
				continue
			}
			n, err := r.s.Store.CutKept(ctx, c.ID, body)
			if err != nil {
				return out, err
			}
			out.Cut += n
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

func (t traces) in(r *Registry, body []byte) bool { return t.among(r, words(body)) }

// among says whether one of some words is a name of the person.
func (t traces) among(r *Registry, list []string) bool {
	keys := r.s.Keys
	seen := map[string]bool{}
	return slices.ContainsFunc(list, func(word string) bool {
		if word = strings.TrimSpace(word); word == "" || len(word) > longestName || seen[word] {
			return false
		}
		seen[word] = true
		if t.external != "" && keys.Hash("reference", word) == t.external {
			return true
		}
		return slices.ContainsFunc(t.addresses, func(a Address) bool {
			_, compare, err := r.normalize(a.Medium, word)
			return err == nil && keys.Hash(a.Medium, compare) == a.Hash
		})
	})
}

// without takes the entries of lists that name the person out of a body, and says whether what is left names others and not them.
func (t traces) without(r *Registry, body []byte) (left []byte, rest bool) {
	var value any
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	if d.Decode(&value) != nil || d.More() {
		return nil, false
	}
	value, went, others := t.cut(r, value)
	if !went || !others {
		return nil, false
	}
	left, err := json.Marshal(value)
	return left, err == nil && !t.in(r, left)
}

// cut gives a value without the entries of its lists that name the person: went says that there was one, others that an entry
// about somebody else stays. Of an entry that holds a list of others, only that list is cut.
func (t traces) cut(r *Registry, value any) (left any, went, others bool) {
	switch v := value.(type) {
	case map[string]any:
		for name, x := range v {
			y, w, o := t.cut(r, x)
			v[name], went, others = y, went || w, others || o
		}
		return v, went, others
	case []any:
		kept := []any{}
		for _, x := range v {
			if !t.among(r, parted(scalars(x, nil))) {
				kept = append(kept, x)
				continue
			}
			went = true
			if y, w, o := t.cut(r, x); w && o && !t.among(r, parted(scalars(y, nil))) {
				kept = append(kept, y)
			}
		}
		for _, x := range kept {
			switch x.(type) {
			case map[string]any, []any:
				others = true
			default:
				others = others || went // a list of names, say; one that nothing was taken out of may be of anything
			}
		}
		return kept, went, others
	}
	return value, false, false
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
	return parted(append(out, string(body)))
}

// parted gives texts, whole and by what of them stands between spaces and marks.
func parted(texts []string) []string {
	out := slices.Clone(texts)
	for _, text := range texts {
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
