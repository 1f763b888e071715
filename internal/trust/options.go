package trust

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"

	"github.com/belfry-news/belfry/sdk"
)

// Checker checks options by a type's JSON Schema, without running its plugin.
type Checker struct {
	typ     Type
	compile func() (*jsonschema.Schema, error)
}

// Checker makes the checker of a type.
func (t Type) Checker() *Checker {
	return &Checker{t, sync.OnceValues(func() (*jsonschema.Schema, error) { return compile(t.Schema) })}
}

// compile reads a schema. What it refers to outside of itself is refused: a plugin makes Belfry read nothing.
func compile(schema []byte) (*jsonschema.Schema, error) {
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(schema))
	if err != nil {
		return nil, fmt.Errorf("it is no JSON: %w", err)
	}
	const here = "plugin:schema"
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft7)
	c.UseLoader(nothing{})
	if err := c.AddResource(here, doc); err != nil {
		return nil, err
	}
	return c.Compile(here)
}

// nothing loads nothing.
type nothing struct{}

// Load implements jsonschema.URLLoader.
func (nothing) Load(url string) (any, error) {
	return nil, fmt.Errorf("it refers to %s, and a plugin's schema may refer to nothing outside of itself", url)
}

// CheckSchema reports why the schema of a type cannot be used.
func (t Type) CheckSchema() error {
	if len(t.Schema) == 0 {
		return fmt.Errorf("the type %s has no JSON Schema of its settings", t.Type)
	}
	if _, err := compile(t.Schema); err != nil {
		return fmt.Errorf("the JSON Schema of type %s cannot be used: %w", t.Type, err)
	}
	return nil
}

// Check finds what is wrong with options, as sdk.Decode gives them; its error is sdk.Problems. No value is repeated in it:
// which settings are secret is known to the plugin alone.
func (c *Checker) Check(options map[string]any) error {
	schema, err := c.compile()
	if err != nil {
		return fmt.Errorf("the JSON Schema of type %s cannot be used: %w", c.typ.Type, err)
	}
	typed, _ := c.typed(nil, options).(map[string]any)
	err = schema.Validate(typed)
	failed, ok := errors.AsType[*jsonschema.ValidationError](err)
	if !ok {
		return err
	}
	var ps sdk.Problems
	c.collect(failed, &ps)
	slices.SortStableFunc(ps, func(a, b sdk.Problem) int { return strings.Compare(a.Pointer, b.Pointer) })
	return slices.CompactFunc(ps, func(a, b sdk.Problem) bool { return a.Pointer == b.Pointer && a.What == b.What })
}

// typed gives values that came without a type (from the environment) the one that their setting wants.
func (c *Checker) typed(location []string, tree any) any {
	switch t := tree.(type) {
	case map[string]any:
		out := make(map[string]any, len(t))
		for k, v := range t {
			out[k] = c.typed(append(slices.Clone(location), k), v)
		}
		return out
	case []any:
		out := make([]any, len(t))
		for i, v := range t {
			out[i] = c.typed(append(slices.Clone(location), strconv.Itoa(i)), v)
		}
		return out
	case sdk.Untyped:
		return c.scalar(location, string(t))
	}
	return tree
}

func (c *Checker) scalar(location []string, text string) any {
	s, _ := c.setting(location)
	switch s.Type {
	case "whole number", "number":
		if n, err := strconv.ParseFloat(text, 64); err == nil {
			return n
		}
	case "true or false":
		if b, err := strconv.ParseBool(text); err == nil {
			return b
		}
	}
	return text
}

// collect makes problems of the leaves of what a validation found.
func (c *Checker) collect(e *jsonschema.ValidationError, ps *sdk.Problems) {
	at := make([]any, len(e.InstanceLocation))
	for i, token := range e.InstanceLocation {
		at[i] = token
	}
	pointer := sdk.Pointer(at...)
	switch k := e.ErrorKind.(type) {
	case *kind.AnyOf, *kind.OneOf:
		ps.Add(pointer, "the value has none of the forms that are allowed here", c.help(e.InstanceLocation))
		return
	case *kind.AdditionalProperties:
		keys := c.keys(e.InstanceLocation)
		for _, key := range k.Properties {
			*ps = append(*ps, sdk.UnknownKey(pointer, key, keys))
		}
		return
	case *kind.Required:
		for _, key := range k.Missing {
			what, fix := fmt.Sprintf("%q is missing", key), fmt.Sprintf("write %s: …", key)
			if f, known := c.setting(append(slices.Clone(e.InstanceLocation), key)); known && f.Doc != "" {
				what += ": " + strings.TrimSuffix(f.Doc, ".")
			}
			ps.Add(pointer+sdk.Pointer(key), what, fix)
		}
		return
	}
	if len(e.Causes) > 0 {
		for _, cause := range e.Causes {
			c.collect(cause, ps)
		}
		return
	}
	ps.Add(pointer, sentence(e.ErrorKind), c.help(e.InstanceLocation))
}

// sentence says what is wrong with a value, without the value.
func sentence(k jsonschema.ErrorKind) string {
	switch k := k.(type) {
	case *kind.Type:
		want := make([]string, 0, len(k.Want))
		for _, t := range k.Want {
			if t != "null" {
				want = append(want, kindOf(t))
			}
		}
		return fmt.Sprintf("%s stands where %s is wanted", kindOf(k.Got), strings.Join(want, " or "))
	case *kind.Enum:
		words := make([]string, len(k.Want))
		for i, w := range k.Want {
			words[i] = fmt.Sprint(w)
		}
		return "the value is none of " + strings.Join(words, ", ")
	case *kind.Const:
		return fmt.Sprintf("the value is not %v", k.Want)
	case *kind.Pattern:
		return fmt.Sprintf("the value does not have the form %s", k.Want)
	case *kind.Format:
		return fmt.Sprintf("the value is no %s", k.Want)
	case *kind.MinLength:
		return fmt.Sprintf("the value is shorter than %d characters", k.Want)
	case *kind.MaxLength:
		return fmt.Sprintf("the value is longer than %d characters", k.Want)
	case *kind.Minimum:
		return fmt.Sprintf("the value is less than %s", k.Want.RatString())
	case *kind.Maximum:
		return fmt.Sprintf("the value is more than %s", k.Want.RatString())
	case *kind.MinItems:
		return fmt.Sprintf("the list has %d entries, and at least %d are wanted", k.Got, k.Want)
	case *kind.MaxItems:
		return fmt.Sprintf("the list has %d entries, and at most %d are allowed", k.Got, k.Want)
	}
	return "the value is not what the plugin takes (" + strings.Join(k.KeywordPath(), " ") + ")"
}

// kindOf names a type of JSON as the reference of settings does.
func kindOf(t string) string {
	if name, ok := map[string]string{"string": "text", "array": "a list", "object": "a block of settings", "number": "a number", "integer": "a whole number",
		"boolean": "true or false", "null": "nothing"}[t]; ok {
		return name
	}
	return t
}

// setting finds a setting by its place.
func (c *Checker) setting(location []string) (Setting, bool) {
	i := slices.IndexFunc(c.typ.Fields, func(s Setting) bool { return slices.EqualFunc(steps(s.Path), location, leads) })
	if i < 0 {
		return Setting{}, false
	}
	return c.typ.Fields[i], true
}

// help says what a setting is for.
func (c *Checker) help(location []string) string {
	f, ok := c.setting(location)
	if !ok {
		return ""
	}
	name := f.Path[strings.LastIndexByte(f.Path, '.')+1:]
	if f.Example != "" {
		return fmt.Sprintf("%s is %s, such as %s", name, f.Type, f.Example)
	}
	return fmt.Sprintf("%s is %s: %s", name, f.Type, strings.TrimSuffix(f.Doc, "."))
}

// keys are the settings that may stand at a place.
func (c *Checker) keys(location []string) (out []string) {
	for _, f := range c.typ.Fields {
		path := steps(f.Path)
		if last := len(path) - 1; last == len(location) && slices.EqualFunc(path[:last], location, leads) {
			out = append(out, path[last])
		}
	}
	slices.Sort(out)
	return out
}

// anyEntry is the step to an entry of a list.
const anyEntry = "[]"

// steps are the parts of a setting's path: keys, <name> for any key, and anyEntry.
func steps(path string) (out []string) {
	for part := range strings.SplitSeq(path, ".") {
		key, isList := strings.CutSuffix(part, anyEntry)
		if out = append(out, key); isList {
			out = append(out, anyEntry)
		}
	}
	return out
}

// leads reports whether a step leads to a part of a place.
func leads(step, part string) bool {
	if step == anyEntry {
		_, err := strconv.Atoi(part)
		return err == nil
	}
	return step == part || strings.HasPrefix(step, "<")
}
