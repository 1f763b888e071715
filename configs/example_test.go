package configs_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/belfry-news/belfry/configs"
	"github.com/belfry-news/belfry/connectors/http"
	"github.com/belfry-news/belfry/connectors/telegram"
	"github.com/belfry-news/belfry/internal/compose"
	"github.com/belfry-news/belfry/plugins/calendar"
	"github.com/belfry-news/belfry/plugins/rss"
	"github.com/belfry-news/belfry/sdk"
)

func specs() []*sdk.Spec {
	return []*sdk.Spec{http.Spec(), telegram.Spec(), rss.Spec(), calendar.Spec()}
}

var environ = []string{"TELEGRAM_TOKEN=123456:AbCdEf", "OPS_SECRET=whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="}

func load(t *testing.T, text string) *configs.Loaded {
	t.Helper()
	path := filepath.Join(t.TempDir(), "belfry.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := configs.Load(configs.Options{Path: path, Environ: environ, Specs: specs(), Checks: []func(*configs.Loaded) sdk.Problems{compose.Check}})
	if err != nil {
		t.Fatal(err)
	}
	if len(l.Warnings) > 0 {
		t.Errorf("warnings: %v", l.Warnings)
	}
	return l
}

func TestExamplesAreFine(t *testing.T) {
	t.Parallel()
	schema := compileSchema(t)
	for name, text := range map[string]string{"minimal": configs.Minimal, "example": configs.Example} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			load(t, text)
			if err := schema.Validate(plain(t, text)); err != nil {
				t.Errorf("the schema refuses it: %v", err)
			}
		})
	}
}

func TestSchemaRefuses(t *testing.T) {
	t.Parallel()
	schema := compileSchema(t)
	for name, change := range map[string][2]string{
		"an unknown key at the top":     {"listen: 127.0.0.1:8080", "lisen: 127.0.0.1:8080"},
		"an unknown key of a type":      {"max_new: 20", "max_news: 20"},
		"a missing setting of a type":   {"    token: \"${env:TELEGRAM_TOKEN}\"\n", ""},
		"a value that is not possible":  {"then: hold", "then: wait"},
		"a word where a list must be":   {"sources: [articles]\n    where", "sources: articles\n    where"},
		"an unknown rung of the ladder": {"[delete, mark, list]", "[remove, mark, list]"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text := strings.Replace(configs.Example, change[0], change[1], 1)
			if text == configs.Example {
				t.Fatal("nothing was changed")
			}
			if schema.Validate(plain(t, text)) == nil {
				t.Error("the schema takes it")
			}
		})
	}
}

func TestOrigin(t *testing.T) {
	t.Parallel()
	l := load(t, configs.Minimal)
	at, ok := l.Origin("/site/title")
	if !ok || at.Line != 3 || at.Column != 10 || filepath.Base(at.File) != "belfry.yaml" {
		t.Errorf("got %v, %v", at, ok)
	}
	if at, ok := l.Origin("/listen"); ok {
		t.Errorf("a default stands at %v", at)
	}
}

func compileSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	text, err := json.Marshal(configs.Schema(specs(), nil))
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("belfry.json", doc); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("belfry.json")
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

// plain reads YAML as an editor does.
func plain(t *testing.T, text string) any {
	t.Helper()
	j, err := yaml.YAMLToJSON([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(j))
	if err != nil {
		t.Fatal(err)
	}
	return v
}
