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
	// Channel is where a connector posts to.
	Channel string `yaml:"channel"`
	// Config holds the settings of the plugin, as they would stand in belfry.yaml.
	Config map[string]any `yaml:"config"`
}

// What stands in the settings for the address that the fake prints, and for the folder of the project. The files of belfry
// plugin test name them so, too.
const (
	fakeAddress = "$FAKE"
	ownFolder   = "$DIR"
)

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
	case len(s.Fake) == 0 && mentions(s.Config, fakeAddress):
		return s, fmt.Errorf("%s: %s stands below config, and no fake is named; write its command, like fake: [go, run, ./fake/serve]", path, fakeAddress)
	}
	return s, nil
}

// mentions says whether a text stands somewhere in the settings.
func mentions(v any, text string) (found bool) {
	each(v, func(s string) string { found = found || strings.Contains(s, text); return s })
	return found
}

// filled are the plugin's settings with addresses and folders in their places.
func filled(v any, address, dir string) any {
	r := strings.NewReplacer(fakeAddress, address, ownFolder, dir)
	return each(v, r.Replace)
}

// each changes the texts in settings.
func each(v any, change func(string) string) any {
	switch v := v.(type) {
	case string:
		return change(v)
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = each(v[i], change)
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for k := range v {
			out[k] = each(v[k], change)
		}
		return out
	}
	return v
}
