package sdk_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/belfry-news/belfry/sdk"
	"github.com/google/go-cmp/cmp"
)

// everything is a configuration with every kind of setting.
type everything struct {
	Name     string            `yaml:"name" required:"true" doc:"What it is called." example:"gazette"`
	Kind     string            `yaml:"kind" enum:"rss|webhook|calendar" doc:"What it is."`
	On       bool              `yaml:"on" doc:"Whether it runs."`
	Count    int               `yaml:"count" min:"1" max:"10" doc:"How many."`
	Small    int32             `yaml:"small"`
	Big      int64             `yaml:"big"`
	Ratio    float64           `yaml:"ratio" min:"0" max:"1"`
	Every    sdk.Duration      `yaml:"every" doc:"How often."`
	Token    sdk.Secret        `yaml:"token" doc:"The credential."`
	Network  netip.Prefix      `yaml:"network"`
	Tags     []string          `yaml:"tags" enum:"a|b"`
	Ports    []int             `yaml:"ports" min:"1" max:"65535"`
	Labels   map[string]string `yaml:"labels"`
	Nested   nested            `yaml:"nested" doc:"More."`
	Optional *nested           `yaml:"optional"`
	Each     map[string]nested `yaml:"each" key:"type"`
	List     []nested          `yaml:"list"`
	Any      any               `yaml:"any"`
	shared
	Hidden string `yaml:"-"`
	Untold string
	secret string
}

type shared struct {
	Note string `yaml:"note" doc:"Anything."`
}

type nested struct {
	URL   string `yaml:"url" required:"true" doc:"URL of it."`
	Depth int    `yaml:"depth" max:"3"`
}

func (n *nested) SetDefaults() { n.Depth = 2 }

func (n nested) Validate() error {
	if strings.HasPrefix(n.URL, "ftp:") {
		var ps sdk.Problems
		ps.Add("/url", "ftp is not spoken", "write https")
		return ps.Err()
	}
	return nil
}

type number = json.Number
type tree = map[string]any
type list = []any

func TestDecode(t *testing.T) {
	t.Parallel()
	got := everything{Count: 5, Kind: "rss"}
	err := sdk.Decode(tree{
		"name": "g", "on": true, "count": number("7"), "small": number("-1"), "big": number("9007199254740993"), "ratio": number("0.5"),
		"every": "1h30m", "token": "t", "network": "10.0.0.0/8", "tags": list{"a", "b"}, "ports": list{number("80")},
		"labels": tree{"x": "y"}, "nested": tree{"url": "u"}, "optional": tree{"url": "v"}, "each": tree{"one": tree{"url": "w", "depth": number("1")}},
		"list": list{tree{"url": "x"}}, "any": list{number("1"), "a"}, "note": "n",
	}, &got)
	if err != nil {
		t.Fatal(err)
	}
	if got.Hidden+got.Untold+got.secret != "" {
		t.Errorf("fields that are no settings were filled: %+v", got)
	}
	want := everything{Name: "g", Kind: "rss", On: true, Count: 7, Small: -1, Big: 9007199254740993, Ratio: 0.5, Every: sdk.D(90 * time.Minute),
		Token: sdk.NewSecret("t"), Network: netip.MustParsePrefix("10.0.0.0/8"), Tags: []string{"a", "b"}, Ports: []int{80},
		Labels: map[string]string{"x": "y"}, Nested: nested{URL: "u"}, Optional: &nested{URL: "v", Depth: 2},
		Each: map[string]nested{"one": {URL: "w", Depth: 1}}, List: []nested{{URL: "x", Depth: 2}}, Any: list{number("1"), "a"}, shared: shared{Note: "n"}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestDecodeOfNothing(t *testing.T) {
	t.Parallel()
	got := everything{Name: "kept", Optional: &nested{}, Tags: []string{"a"}, Labels: map[string]string{"a": "b"}, Any: 1, Each: map[string]nested{"x": {}}}
	err := sdk.Decode(tree{"name": "kept", "optional": nil, "tags": nil, "labels": nil, "any": nil, "each": nil, "list": nil}, &got)
	if err != nil {
		t.Fatal(err)
	}
	if got.Optional != nil || got.Tags != nil || got.Labels != nil || got.Any != nil || got.Each != nil {
		t.Errorf("%+v", got)
	}
	// A key with nothing below it is an empty mapping.
	var inner struct {
		N struct {
			A int `yaml:"a"`
		} `yaml:"n"`
	}
	if err := sdk.Decode(tree{"n": nil}, &inner); err != nil {
		t.Error(err)
	}
	if err := sdk.Decode(nil, &inner); err != nil {
		t.Error(err)
	}
}

// TestDecodeRefuses has one wrong tree for each rule, with the whole sentence a person reads.
func TestDecodeRefuses(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		in   any
		want string
	}{
		"a missing setting":         {tree{}, `/name: "name" is missing: what it is called; write name: gazette`},
		"an unknown key":            {tree{"name": "x", "cuont": number("1")}, `/cuont: unknown key "cuont"; did you mean "count"?`},
		"one far from everything":   {tree{"name": "x", "nested": tree{"url": "u", "zzzzzz": true}}, `/nested/zzzzzz: unknown key "zzzzzz" in nested; known are depth, url`},
		"a key with a slash":        {tree{"name": "x", "nested": tree{"url": "u", "a/b~c": true}}, `/nested/a~1b~0c: unknown key "a/b~c" in nested; known are depth, url`},
		"an unexported field":       {tree{"name": "x", "secret": "s"}, `/secret: unknown key "secret"`},
		"a field without a tag":     {tree{"name": "x", "Untold": "s"}, `/Untold: unknown key "Untold"`},
		"a field that is tagged -":  {tree{"name": "x", "Hidden": "s"}, `/Hidden: unknown key "Hidden"`},
		"a number for text":         {tree{"name": number("010")}, `/name: text expected, found the number 010; put it in quotes: "010"`},
		"a boolean for text":        {tree{"name": true}, `/name: text expected, found true; put it in quotes: "true"`},
		"nothing for text":          {tree{"name": nil}, `/name: text expected, found nothing; give it a value or take the line out`},
		"a list for text":           {tree{"name": list{"a"}}, `/name: text expected, found a list; write a single text`},
		"text for a number":         {tree{"name": "x", "count": "seven"}, `/count: a whole number expected, found text; write a whole number`},
		"a number in quotes":        {tree{"name": "x", "count": "7"}, `/count: a whole number expected, found text; write 7, without quotes`},
		"a ratio in quotes":         {tree{"name": "x", "ratio": "0.5"}, `/ratio: a number expected, found text; write 0.5, without quotes`},
		"a fraction":                {tree{"name": "x", "count": number("1.5")}, `/count: a whole number expected, found the number 1.5; write a whole number`},
		"too large for its kind":    {tree{"name": "x", "small": number("2147483648")}, `/small: 2147483648 is too large; at most 2147483647`},
		"too small for its kind":    {tree{"name": "x", "small": number("-2147483649")}, `/small: -2147483649 is too small; at least -2147483648`},
		"far too large":             {tree{"name": "x", "count": number("99999999999999999999")}, `/count: 99999999999999999999 is too large; at most 10`},
		"too small":                 {tree{"name": "x", "count": number("0")}, `/count: 0 is too small; at least 1`},
		"too large":                 {tree{"name": "x", "count": number("11")}, `/count: 11 is too large; at most 10`},
		"a ratio too large":         {tree{"name": "x", "ratio": number("1.01")}, `/ratio: 1.01 is too large; at most 1`},
		"text for a ratio":          {tree{"name": "x", "ratio": "half"}, `/ratio: a number expected, found text; write a number`},
		"yes":                       {tree{"name": "x", "on": "yes"}, `/on: true or false expected, found text; write true or false: true`},
		"off":                       {tree{"name": "x", "on": "off"}, `/on: true or false expected, found text; write true or false: false`},
		"a number for a boolean":    {tree{"name": "x", "on": number("1")}, `/on: true or false expected, found the number 1; write true or false`},
		"one of others":             {tree{"name": "x", "kind": "webhok"}, `/kind: "webhok" is not possible here; did you mean "webhook"? (one of rss, webhook, calendar)`},
		"one of others in a list":   {tree{"name": "x", "tags": list{"a", "q"}}, `/tags/1: "q" is not possible here; one of a, b`},
		"a bound in a list":         {tree{"name": "x", "ports": list{number("80"), number("0")}}, `/ports/1: 0 is too small; at least 1`},
		"a duration without a unit": {tree{"name": "x", "every": number("90")}, `/every: "90" is no duration; write it like 90s, 10m, 1h30m or 7d`},
		"nothing for a duration":    {tree{"name": "x", "every": nil}, `/every: a duration (90s, 10m, 1h30m, 7d) expected, found nothing; give it a value or take the line out`},
		"a list for a duration":     {tree{"name": "x", "every": list{}}, `/every: a duration (90s, 10m, 1h30m, 7d) expected, found a list; write one value`},
		"a number for a secret":     {tree{"name": "x", "token": number("1234")}, `/token: text expected, found a number; put it in quotes`},
		"one address for a network": {tree{"name": "x", "network": "10.0.3.7"}, `/network: "10.0.3.7" is no network; one address is written 10.0.3.7/32`},
		"text for a list":           {tree{"name": "x", "tags": "a"}, `/tags: a list expected, found text; write it as [a, b] or as lines that begin with "- "`},
		"text for settings":         {tree{"name": "x", "nested": "u"}, `/nested: settings expected (key: value), found text; write {key: value}, or lines of key: value below it`},
		"a list for named settings": {tree{"name": "x", "each": list{}}, `/each: settings expected (name: …), found a list; write lines of name: … below it`},
		"text for everything":       {"x", `settings expected (key: value), found text`},
		"missing below":             {tree{"name": "x", "nested": tree{}}, `/nested/url: "url" is missing: URL of it; write url: …`},
		"missing in a map":          {tree{"name": "x", "each": tree{"a/b": tree{}}}, `/each/a~1b/url: "url" is missing: URL of it`},
		"missing in a list":         {tree{"name": "x", "list": list{tree{"url": "u"}, nil}}, `/list/1/url: "url" is missing: URL of it`},
		"a validator below":         {tree{"name": "x", "list": list{tree{"url": "ftp://x"}}}, `/list/0/url: ftp is not spoken; write https`},
		"a default that is checked": {tree{"name": "x", "optional": tree{"url": "u", "depth": number("4")}}, `/optional/depth: 4 is too large; at most 3`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := sdk.Decode(tc.in, &everything{})
			var ps sdk.Problems
			if !errors.As(err, &ps) || len(ps) != 1 {
				t.Fatalf("got %v, want one problem", err)
			}
			if got := err.Error(); !strings.HasPrefix(got, tc.want) {
				t.Errorf("got  %s\nwant %s", got, tc.want)
			}
		})
	}
}

func TestAllProblemsAtOnce(t *testing.T) {
	t.Parallel()
	err := sdk.Decode(tree{"cuont": number("1"), "on": "yes", "count": number("99"), "nested": tree{}, "list": list{"x", tree{"url": "ftp://x"}},
		"each": tree{"b": tree{"url": "u", "depth": "1"}, "a": number("1")}}, &everything{})
	var ps sdk.Problems
	if !errors.As(err, &ps) {
		t.Fatal(err)
	}
	var got []string
	for _, p := range ps {
		got = append(got, fmt.Sprintf("%s %t", p.Pointer, p.OnKey))
	}
	want := []string{"/count false", "/cuont true", "/each/a false", "/each/b/depth false", "/list/0 false", "/list/1/url false", "/name false", "/nested/url false", "/on false"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestAValidatorRunsOnlyOnWhatIsWhole: a struct with a problem inside is not asked about itself.
func TestAValidatorRunsOnlyOnWhatIsWhole(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		in   tree
		want string
	}{
		"whole":  {tree{"from": number("2"), "to": number("1")}, "/range: from is after to"},
		"broken": {tree{"from": "2", "to": number("1")}, "/range/from: a whole number expected, found text; write 2, without quotes"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var c struct {
				Range span `yaml:"range"`
			}
			if err := sdk.Decode(tree{"range": tc.in}, &c); err == nil || err.Error() != tc.want {
				t.Errorf("got %v, want %s", err, tc.want)
			}
		})
	}
}

// group is a part whose checks are of one setting each, of two, and of the whole.
type group struct {
	URL   string `yaml:"url"`
	Proxy string `yaml:"proxy"`
	Port  int    `yaml:"port"`
	Deep  *span  `yaml:"deep"`
	Must  *span  `yaml:"must"`
}

func (g *group) Validate() error {
	var ps sdk.Problems
	if !strings.HasPrefix(g.URL, "https:") {
		ps.Add("/url", "no address", "write https")
	}
	if g.Proxy != "" && g.Port == 0 {
		ps.Add("/proxy", "a proxy needs a port", "write port", "/port")
	}
	if g.Port == 0 {
		ps.Add("", "something is missing", "write all of it")
	}
	if g.Must.From == 7 { // nil when it was not decoded
		ps.Add("/must", "seven", "eight")
	}
	return ps.Err()
}

// TestOneLookTellsAll: what is wrong beside a setting that cannot be decoded is told too, and what may be a consequence of
// it is not.
func TestOneLookTellsAll(t *testing.T) {
	t.Parallel()
	whole := tree{"from": number("0")}
	for name, tc := range map[string]struct {
		in   tree
		want string
	}{
		"an unknown key":            {tree{"url": "ftp:", "port": number("1"), "must": whole, "zzz": true}, "/g/url: no address; write https\n/g/zzz: unknown key \"zzz\" in g; known are deep, must, port, proxy, url"},
		"a misspelt key":            {tree{"ulr": "ftp:", "port": number("1"), "must": whole}, "/g/ulr: unknown key \"ulr\" in g; did you mean \"url\"?"},
		"its own setting":           {tree{"url": true, "port": number("1"), "must": whole}, "/g/url: text expected, found true; put it in quotes: \"true\""},
		"another setting":           {tree{"url": "ftp:", "port": number("1"), "proxy": true, "must": whole}, "/g/proxy: text expected, found true; put it in quotes: \"true\"\n/g/url: no address; write https"},
		"a setting that it needs":   {tree{"url": "https:", "proxy": "p", "port": true, "must": whole}, "/g/port: a whole number expected, found true; write a whole number"},
		"what is wrong below":       {tree{"url": "ftp:", "port": number("1"), "must": whole, "deep": tree{"from": number("2"), "to": number("1")}}, "/g/deep: from is after to\n/g/url: no address; write https"},
		"what it takes for granted": {tree{"url": "ftp:", "port": number("1"), "mus": whole}, "/g/mus: unknown key \"mus\" in g; did you mean \"must\"?"},
		"the whole":                 {tree{"url": "https:", "must": whole}, "/g: something is missing; write all of it"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var c struct {
				G group `yaml:"g"`
			}
			if err := sdk.Decode(tree{"g": tc.in}, &c); err == nil || err.Error() != tc.want {
				t.Errorf("got  %v\nwant %s", err, tc.want)
			}
		})
	}
}

func TestSentence(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		err       error
		what, fix string
	}{
		"both":           {errors.New("it is broken; mend it"), "it is broken", "mend it"},
		"no cure":        {errors.New("it is broken"), "it is broken", ""},
		"in quotes":      {errors.New(`"a; b" is broken; mend it; or not`), `"a; b" is broken`, "mend it; or not"},
		"of a connector": {&sdk.Error{Code: sdk.CodeInvalid, Op: "open", Public: "no; yes"}, "no", "yes"},
	} {
		if what, fix := sdk.Sentence(tc.err); what != tc.what || fix != tc.fix {
			t.Errorf("%s: got %q and %q", name, what, fix)
		}
	}
}

type span struct {
	From int `yaml:"from"`
	To   int `yaml:"to"`
}

func (s *span) Validate() error {
	if s.From > s.To {
		return errors.New("from is after to")
	}
	return nil
}

// TestUntyped: what comes from the environment or a flag takes the type of its setting.
func TestUntyped(t *testing.T) {
	t.Parallel()
	got := everything{}
	err := sdk.Decode(tree{"name": sdk.Untyped("010"), "on": sdk.Untyped("true"), "count": sdk.Untyped("7"), "ratio": sdk.Untyped("0.5"),
		"every": sdk.Untyped("10m"), "token": sdk.Untyped("1234"), "tags": sdk.Untyped(`["a", "b"]`), "ports": sdk.Untyped("[80, 443]"),
		"list": sdk.Untyped(`[{"url": "u", "depth": 1}]`)}, &got)
	if err != nil {
		t.Fatal(err)
	}
	want := everything{Name: "010", On: true, Count: 7, Ratio: 0.5, Every: sdk.D(10 * time.Minute), Token: sdk.NewSecret("1234"),
		Tags: []string{"a", "b"}, Ports: []int{80, 443}, List: []nested{{URL: "u", Depth: 1}}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	for name, tc := range map[string]struct {
		in   tree
		want string
	}{
		"no number":  {tree{"name": "x", "count": sdk.Untyped("seven")}, "/count: a whole number expected, found text"},
		"no boolean": {tree{"name": "x", "on": sdk.Untyped("maybe")}, "/on: true or false expected, found text; write true or false"},
		"no list":    {tree{"name": "x", "tags": sdk.Untyped("a,b")}, `/tags: a list expected, found text; write it as ["a", "b"]`},
		"settings":   {tree{"name": "x", "nested": sdk.Untyped("u")}, "/nested: settings expected (key: value), found text"},
		"a bound":    {tree{"name": "x", "count": sdk.Untyped("70")}, "/count: 70 is too large; at most 10"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if err := sdk.Decode(tc.in, &everything{}); err == nil || !strings.HasPrefix(err.Error(), tc.want) {
				t.Errorf("got %v, want %s", err, tc.want)
			}
		})
	}
}

func TestInline(t *testing.T) {
	t.Parallel()
	var c struct {
		Type string         `yaml:"type"`
		Rest map[string]any `yaml:",inline"`
	}
	if err := sdk.Decode(tree{"type": "rss", "url": "u", "n": number("1"), "none": nil}, &c); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(tree{"url": "u", "n": number("1"), "none": nil}, c.Rest); c.Type != "rss" || diff != "" {
		t.Errorf("%q %s", c.Type, diff)
	}
}

// TestDefaultsAreNotShared: decoding into one configuration leaves the next one's defaults alone.
func TestDefaultsAreNotShared(t *testing.T) {
	t.Parallel()
	defaults := everything{Name: "x", Tags: []string{"a"}, Labels: map[string]string{"k": "v"}}
	one, two := defaults, defaults
	if err := sdk.Decode(tree{"name": "x", "tags": list{"b"}, "labels": tree{"k": "w"}}, &one); err != nil {
		t.Fatal(err)
	}
	if two.Tags[0] != "a" || two.Labels["k"] != "v" {
		t.Errorf("%+v", two)
	}
}

// shape is a setting that may be written as text or as settings.
type shape struct{ Text string }

func (s *shape) DecodeTree(in any) error {
	switch t := in.(type) {
	case string:
		s.Text = t
		return nil
	case map[string]any:
		var c struct {
			Text string `yaml:"text" required:"true"`
		}
		err := sdk.Decode(t, &c)
		s.Text = c.Text
		return err
	}
	return errors.New("write text or settings")
}

func TestTreeDecoder(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		in         any
		want, fail string
	}{
		"text":       {"x", "x", ""},
		"settings":   {tree{"text": "y"}, "y", ""},
		"incomplete": {tree{}, "", `/s/text: "text" is missing; write text: …`},
		"misspelt":   {tree{"text": "y", "txet": 1}, "y", `/s/txet: unknown key "txet" in s; did you mean "text"?`},
		"a number":   {number("1"), "", "/s: write text or settings"},
		"nothing":    {nil, "", "/s: write text or settings"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var c struct {
				S shape `yaml:"s"`
			}
			err := sdk.Decode(tree{"s": tc.in}, &c)
			if (err == nil) != (tc.fail == "") || err != nil && err.Error() != tc.fail || c.S.Text != tc.want {
				t.Errorf("got %q, %v; want %q, %s", c.S.Text, err, tc.want, tc.fail)
			}
		})
	}
}

func TestNearest(t *testing.T) {
	t.Parallel()
	known := []string{"count", "corrections", "cron", "url", "on", "to"}
	for name, want := range map[string]string{"cuont": "count", "counts": "count", "COUNT": "count", "correction": "corrections", "corn": "cron",
		"ulr": "url", "o": "on", "zzzz": "", "": "", "of": "on", "translation": ""} {
		if got := sdk.Nearest(name, known); got != want {
			t.Errorf("%q: got %q, want %q", name, got, want)
		}
	}
}

func TestPointer(t *testing.T) {
	t.Parallel()
	if got := sdk.Pointer("a/b", 3, "~"); got != "/a~1b/3/~0" {
		t.Errorf("got %s", got)
	}
}

func TestProblems(t *testing.T) {
	t.Parallel()
	var ps sdk.Problems
	if ps.Err() != nil {
		t.Error("no problem is an error")
	}
	ps.Add("", "all wrong", "")
	ps.Add("/a", "wrong", "right")
	if got := ps.Err().Error(); got != "all wrong\n/a: wrong; right" {
		t.Errorf("got %q", got)
	}
}

// FuzzDecode: whatever the tree is, decoding gives problems or a value and never panics, and a tree that is taken once is
// taken again.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{`{"name":"x"}`, `{"name":1,"list":[{"url":"u"}],"each":{"a":null}}`, `null`, `[]`, `{"nested":{"url":"ftp:"}}`,
		`{"name":"x","every":"1d1h","network":"::/0","any":{"a":[1,2,{"b":null}]}}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		d := json.NewDecoder(strings.NewReader(string(in)))
		d.UseNumber()
		var tree any
		if d.Decode(&tree) != nil {
			return
		}
		var one, two everything
		err := sdk.Decode(tree, &one)
		if ps := (sdk.Problems{}); err != nil && (!errors.As(err, &ps) || len(ps) == 0) {
			t.Fatalf("an error without problems: %v", err)
		}
		if again := sdk.Decode(tree, &two); fmt.Sprint(err) != fmt.Sprint(again) || err == nil && !reflect.DeepEqual(one, two) {
			t.Fatalf("decoded twice, it differs: %v, %v", err, again)
		}
	})
}
