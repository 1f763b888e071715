package sdk_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/belfry-news/belfry/sdk"
	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"pgregory.net/rapid"
)

// compile checks a schema against the meta-schema of draft-07 and readies it.
func compile(t testing.TB, defaults any) *jsonschema.Schema {
	t.Helper()
	b, err := json.Marshal(sdk.SchemaOf(defaults))
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft7)
	if err := c.AddResource("schema.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("schema.json")
	if err != nil {
		t.Fatalf("%v\n%s", err, b)
	}
	return s
}

// plain is everything that a schema can judge: without a Validate method and without texts that only a parser can judge.
type plain struct {
	Name     string            `yaml:"name" required:"true"`
	Kind     string            `yaml:"kind" enum:"rss|webhook"`
	On       bool              `yaml:"on"`
	Count    int               `yaml:"count" min:"1" max:"10"`
	Small    int32             `yaml:"small"`
	Ratio    float64           `yaml:"ratio" min:"0" max:"1"`
	Every    sdk.Duration      `yaml:"every"`
	Token    sdk.Secret        `yaml:"token"`
	Tags     []string          `yaml:"tags" enum:"a|b"`
	Ports    []int             `yaml:"ports" min:"1" max:"9"`
	Labels   map[string]string `yaml:"labels"`
	Nested   inner             `yaml:"nested"`
	Loose    loose             `yaml:"loose"`
	Optional *inner            `yaml:"optional"`
	Word     *string           `yaml:"word" enum:"yes|no"`
	Each     map[string]inner  `yaml:"each"`
	List     []inner           `yaml:"list"`
	Any      any               `yaml:"any"`
	shared
}

type inner struct {
	URL   string       `yaml:"url" required:"true"`
	Depth int          `yaml:"depth" max:"3"`
	Wait  sdk.Duration `yaml:"wait"`
}

type loose struct {
	Name string         `yaml:"name"`
	Rest map[string]any `yaml:",inline"`
}

// somebody's values: mostly right ones for the names, often something else.
func anyValue(depth int) *rapid.Generator[any] {
	return rapid.Custom(func(t *rapid.T) any {
		kinds := 9
		if depth == 0 {
			kinds = 7
		}
		switch rapid.IntRange(0, kinds).Draw(t, "kind") {
		case 0:
			return nil
		case 1:
			return rapid.Bool().Draw(t, "bool")
		case 2:
			return json.Number(strconv.Itoa(rapid.IntRange(-2, 12).Draw(t, "int")))
		case 3:
			return json.Number(rapid.SampledFrom([]string{"0.5", "-0.5", "1.5", "2147483648", "-2147483649", "2147483647"}).Draw(t, "number"))
		case 4, 5:
			return rapid.SampledFrom([]string{"", "x", "a", "b", "rss", "webhook", "yes", "0"}).Draw(t, "word")
		case 6, 7:
			return rapid.SampledFrom([]string{"10m", "1d", "2w3d4h", "1h30m", "0s", "1.5h", "90", "-1h", "+1h", "1d-1h", "1h1d", "1..5h", ".5h",
				"1.h", "5ms", "5us", "5µs", "1h 30m", " 1h", "1H", "w", "1ww"}).Draw(t, "duration")
		case 8:
			return rapid.SliceOfN(anyValue(depth-1), 0, 3).Draw(t, "list")
		}
		return anyTree(depth-1).Draw(t, "tree")
	})
}

func anyTree(depth int) *rapid.Generator[map[string]any] {
	return rapid.Custom(func(t *rapid.T) map[string]any {
		names := []string{"name", "kind", "on", "count", "small", "ratio", "every", "token", "tags", "ports", "labels", "nested", "loose",
			"optional", "word", "each", "list", "any", "note", "url", "depth", "wait", "misspelt"}
		out := map[string]any{}
		for _, name := range rapid.SliceOfN(rapid.SampledFrom(names), 0, 4).Draw(t, "names") {
			out[name] = anyValue(depth).Draw(t, name)
		}
		return out
	})
}

// rightValue is one that its setting takes.
func rightValue(t *rapid.T, name string) any {
	in := func() any {
		out := map[string]any{"url": "u"}
		if rapid.Bool().Draw(t, "depth") {
			out["depth"] = json.Number("2")
		}
		return out
	}
	switch name {
	case "on":
		return true
	case "count", "small":
		return json.Number("7")
	case "ratio":
		return json.Number("0.5")
	case "every":
		return rapid.SampledFrom([]any{"10m", "1w2d", "0", json.Number("0")}).Draw(t, "every")
	case "kind":
		return "rss"
	case "tags":
		return []any{"a", "b"}
	case "ports":
		return []any{json.Number("1")}
	case "labels":
		return map[string]any{"k": "v"}
	case "word":
		return rapid.SampledFrom([]any{"yes", nil}).Draw(t, "word")
	case "nested", "optional":
		return in()
	case "loose":
		return map[string]any{"name": "n", "other": json.Number("1")}
	case "each":
		return map[string]any{"one": in()}
	case "list":
		return []any{in()}
	}
	return "text"
}

// TestSchemaAndDecodeAgree: the schema takes exactly the trees that Decode takes.
func TestSchemaAndDecodeAgree(t *testing.T) {
	t.Parallel()
	schema := compile(t, plain{})
	names := []string{"kind", "on", "count", "small", "ratio", "every", "token", "tags", "ports", "labels", "nested", "loose", "optional", "word", "each", "list", "any", "note"}
	taken, refused := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		tree := map[string]any{"name": "n"}
		for _, name := range rapid.SliceOfNDistinct(rapid.SampledFrom(names), 0, 6, rapid.ID[string]).Draw(t, "right") {
			tree[name] = rightValue(t, name)
		}
		for name, v := range anyTree(rapid.IntRange(0, 2).Draw(t, "depth")).Draw(t, "wild") {
			if rapid.Bool().Draw(t, "keep") {
				tree[name] = v
			}
		}
		decoded, schemed := sdk.Decode(tree, &plain{}), schema.Validate(tree)
		if (decoded == nil) != (schemed == nil) {
			b, _ := json.Marshal(tree)
			t.Fatalf("%s\nDecode: %v\nschema: %v", b, decoded, schemed)
		}
		if decoded == nil {
			taken++
		} else {
			refused++
		}
	})
	if taken < 10 || refused < 10 {
		t.Errorf("%d trees taken and %d refused: this shows nothing", taken, refused)
	}
}

func TestSchemaOf(t *testing.T) {
	t.Parallel()
	b, err := json.Marshal(sdk.SchemaOf(&everything{Count: 5, Every: sdk.D(600e9), Token: sdk.NewSecret("hunter2"), Tags: []string{"a"}}))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(b), "hunter2") {
		t.Errorf("the schema holds a secret: %s", b)
	}
	var s struct {
		Required   []string
		Properties map[string]map[string]any
	}
	if err := json.Unmarshal(b, &s); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"name"}, s.Required); diff != "" {
		t.Error(diff)
	}
	for name, want := range map[string]map[string]any{
		"name":  {"type": "string", "description": "What it is called.", "examples": []any{"gazette"}},
		"count": {"type": "integer", "description": "How many.", "minimum": 1.0, "maximum": 10.0, "default": 5.0},
		"kind":  {"type": "string", "description": "What it is.", "enum": []any{"rss", "webhook", "calendar"}},
		"tags":  {"type": []any{"array", "null"}, "items": map[string]any{"type": "string", "enum": []any{"a", "b"}}, "default": []any{"a"}},
		"ports": {"type": []any{"array", "null"}, "items": map[string]any{"type": "integer", "minimum": 1.0, "maximum": 65535.0}},
		"note":  {"type": "string", "description": "Anything."},
		"any":   {},
	} {
		if diff := cmp.Diff(want, s.Properties[name]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	if got := s.Properties["every"]["default"]; got != "10m" {
		t.Errorf("the default of a duration is written %v", got)
	}
	for _, name := range []string{"Hidden", "Untold", "secret", "-", ""} {
		if _, ok := s.Properties[name]; ok {
			t.Errorf("the schema offers %q", name)
		}
	}
	compile(t, everything{Count: 5})
}

// described is a setting that tells its own schema.
type described struct{ s string }

func (d *described) UnmarshalText(b []byte) error { d.s = string(b); return nil }
func (d *described) JSONSchema() map[string]any {
	return map[string]any{"type": "string", "format": "uri"}
}
func (d *described) TypeName() string { return "address" }

func TestATypeDescribesItself(t *testing.T) {
	t.Parallel()
	type config struct {
		At described `yaml:"at" doc:"Where."`
	}
	got := sdk.SchemaOf(config{})["properties"].(map[string]any)["at"]
	if diff := cmp.Diff(map[string]any{"type": "string", "format": "uri", "description": "Where."}, got); diff != "" {
		t.Error(diff)
	}
	if f := sdk.Fields(config{}); f[0].Type != "address" {
		t.Errorf("%+v", f)
	}
}

func TestFields(t *testing.T) {
	t.Parallel()
	var got []string
	for _, f := range sdk.Fields(&everything{Count: 5, Every: sdk.D(600e9), Token: sdk.NewSecret("hunter2"), Nested: nested{Depth: 1}}) {
		got = append(got, fmt.Sprintf("%s|%s|%s|%t|%s", f.Path, f.Type, f.Default, f.Required, strings.Join(f.Enum, ",")))
	}
	want := []string{
		"name|text||true|", "kind|text||false|rss,webhook,calendar", "on|true or false|false|false|", "count|whole number|5|false|",
		"small|whole number||false|", "big|whole number||false|", "ratio|number||false|", "every|duration|10m|false|",
		"token|secret|[secret]|false|", "network|text||false|", "tags|list of text||false|a,b", "ports|list of whole number||false|",
		"labels|settings by name||false|", "nested|settings||false|", "nested.url|text||true|", "nested.depth|whole number|1|false|",
		"optional|settings||false|", "optional.url|text||true|", "optional.depth|whole number|2|false|",
		"each|settings by type||false|", "each.<type>.url|text||true|", "each.<type>.depth|whole number|2|false|",
		"list|list of settings||false|", "list[].url|text||true|", "list[].depth|whole number|2|false|", "any|any||false|", "note|text||false|",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
