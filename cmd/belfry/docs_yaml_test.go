package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/belfry-news/belfry/configs"
	"github.com/belfry-news/belfry/internal/api"
	"github.com/belfry-news/belfry/internal/compose"
	"github.com/belfry-news/belfry/sdk"
)

const (
	shownToken  = "123456:abcdefghijklmnopqrstuvwxyzABCDEFGHI"
	shownSecret = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
)

// shownReferences are what the variables and files stand for that the pages name.
var shownReferences = map[string]string{
	"TELEGRAM_TOKEN": shownToken, "OPS_SECRET": shownSecret, "NTFY_TOKEN": "tk_abc", "GOTIFY_APP_TOKEN": "A1b2", "GOTIFY_CLIENT_TOKEN": "C1d2",
	"MATTERMOST_HOOK": "https://chat.example/hooks/k3y", "MATTERMOST_TOKEN": "b0t", "ROCKETCHAT_HOOK": "https://chat.example/hooks/id/t0ken", "ROCKETCHAT_USER": "u1",
	"ROCKETCHAT_TOKEN": "t1", "ZULIP_BOT_EMAIL": "bot@chat.example", "ZULIP_API_KEY": "k1", "TEAMS_WORKFLOW": "https://logic.example/workflows/w1?sig=s1",
	"secrets/heartbeat": "https://hc.example/ping/x", "secrets/telegram": shownToken, "secrets/ops-url": "https://ops.example/hook/x", "secrets/ops-key": shownSecret,
	"secrets/relay": "r3lay", "secrets/bounces": "a-secret-of-the-bounce-address", "secrets/desk": "a secret of the desk", "CALDAV_PASSWORD": "p", "CMS_TOKEN": "t0ken", "secrets/imap": "1map", "people.key": "belfry-key-AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
}

var (
	shownBlock     = regexp.MustCompile("(?ms)^```yaml[^\n]*\n(.*?)^```$")
	shownReference = regexp.MustCompile(`\$\{(env|file):([^}]*)\}`)
)

// Every configuration that a page shows is one that the daemon takes as it stands, and that an editor takes by the schema.
// Parts of one say nothing of what is told of trouble; whole ones do, which other tests hold.
func TestConfigurationsOfThePages(t *testing.T) {
	t.Parallel()
	root := filepath.Join("..", "..")
	schema := compiledSchema(t)
	shown := 0
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && strings.HasPrefix(d.Name(), ".") && d.Name() != ".." {
			return fs.SkipDir
		}
		if filepath.Ext(path) != ".md" {
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for i, block := range shownBlock.FindAllStringSubmatch(string(text), -1) {
			shown++
			if err := loadShown(t, block[1]); err != nil {
				t.Errorf("%s, configuration %d: %v", path, i+1, err)
			}
			if err := schema.Validate(asEditor(t, block[1])); err != nil {
				t.Errorf("%s, configuration %d: the schema refuses it: %v", path, i+1, err)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if shown < 12 {
		t.Errorf("only %d configurations were found", shown)
	}
}

// loadShown loads a configuration as the daemon does.
func loadShown(t *testing.T, text string) error {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, "belfry.yaml")
	var environ []string
	for _, ref := range shownReference.FindAllStringSubmatch(text, -1) {
		value, known := shownReferences[ref[2]]
		if !known {
			return errors.New("what is " + ref[2] + "? give it a value in shownReferences")
		}
		if ref[1] == "env" {
			environ = append(environ, ref[2]+"="+value)
			continue
		}
		file := filepath.Join(dir, ref[2])
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o700), os.WriteFile(file, []byte(value), 0o600)); err != nil {
			return err
		}
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		return err
	}
	l, err := configs.Load(configs.Options{Path: path, Environ: environ, Specs: builtIn(), Checks: []func(*configs.Loaded) sdk.Problems{compose.Check, api.Check}})
	if err == nil && len(l.Warnings) > 0 {
		t.Errorf("it is warned of: %v", l.Warnings)
	}
	return err
}

func compiledSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	text, err := json.Marshal(configs.Schema(builtIn(), nil))
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

// asEditor reads YAML as an editor does.
func asEditor(t *testing.T, text string) any {
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

// No built-in type has a setting that a configuration could not reach.
func TestTypesDoNotClash(t *testing.T) {
	t.Parallel()
	for _, s := range builtIn() {
		if what, clashes := configs.Clash(s.Roles, s.Fields()); clashes {
			t.Errorf("%s: %s", s.Type, what)
		}
	}
}
