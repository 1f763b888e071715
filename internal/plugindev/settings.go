package plugindev

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/goccy/go-yaml"
)

// SettingsFile says in a project what the plugin is given.
const SettingsFile = "dev.yaml"

// settings are what stands in a dev.yaml.
type settings struct {
	// Type is the plugin's type.
	Type string `yaml:"type"`
	// Build is the command that builds it, with ${out} for the program; empty builds the Go package of the folder. Program is
	// a file of the project that is the program as it stands; nothing is built then.
	Build   []string `yaml:"build"`
	Program string   `yaml:"program"`
	// Fake is the command that starts what the plugin talks to; empty when there is none.
	Fake []string `yaml:"fake"`
	// Chat is where a connector posts to.
	Chat string `yaml:"chat"`
	// Settings are those of the plugin, as they would stand in belfry.yaml.
	Settings map[string]any `yaml:"settings"`
}

// fakeAddress stands in the settings for the address that the fake prints.
const fakeAddress = "${fake}"

var typeForm = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,62}$`)

// readSettings reads the dev.yaml of a project.
func readSettings(dir string) (settings, error) {
	var s settings
	path := filepath.Join(dir, SettingsFile)
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return s, fmt.Errorf("there is no %s in %s: name the folder of a plugin, or write one with belfry plugin new NAME --kind source", SettingsFile, dir)
	}
	if err != nil {
		return s, err
	}
	if err := yaml.UnmarshalWithOptions(text, &s, yaml.Strict()); err != nil {
		return s, fmt.Errorf("%s cannot be used: %s", path, strings.TrimSpace(yaml.FormatError(err, false, false)))
	}
	switch {
	case !typeForm.MatchString(s.Type):
		return s, fmt.Errorf("%s: type %q is no type of a plugin; write the name that sdk.Define gives it, like type: our-cms", path, s.Type)
	case s.Program != "" && len(s.Build) > 0:
		return s, fmt.Errorf("%s: build and program do not go together; program is for what needs no building", path)
	case s.Program != "" && !filepath.IsLocal(s.Program):
		return s, fmt.Errorf("%s: program %q is no file of this project; write its path from the project's folder on", path, s.Program)
	case len(s.Fake) == 0 && strings.Contains(string(text), fakeAddress+"/"):
		return s, fmt.Errorf("%s: %s stands in the settings, and no fake is named; write its command, like fake: [go, run, ./fake/serve]", path, fakeAddress)
	}
	return s, nil
}

// filled are the plugin's settings with the fake's address in its places.
func filled(v any, address string) any {
	switch v := v.(type) {
	case string:
		return strings.ReplaceAll(v, fakeAddress, address)
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = filled(v[i], address)
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for k := range v {
			out[k] = filled(v[k], address)
		}
		return out
	}
	return v
}
