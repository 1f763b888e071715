package plugindev

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/belfry-news/belfry/configs"
	"github.com/belfry-news/belfry/internal/conformance/people"
	"github.com/belfry-news/belfry/internal/fake"
	"github.com/belfry-news/belfry/sdk"
)

// SettingsFile says in a project what the plugin is given.
const SettingsFile = "dev.yaml"

// settings are what stands in a dev.yaml.
type settings struct {
	// Type is the plugin's type.
	Type string `yaml:"type" required:"true" doc:"The name that the plugin declares." example:"our-cms"`
	// Build is the command that builds it, with ${out} for the program; empty builds the Go package of the folder. Program is
	// a file of the project that is the program as it stands; nothing is built then.
	Build   []string `yaml:"build" example:"[go, build, -o, \"${out}\", .]"`
	Program string   `yaml:"program" example:"our-cms.py"`
	// Fake is the command that starts what the plugin talks to; empty when there is none.
	Fake []string `yaml:"fake" example:"[go, run, ./fake/serve]"`
	// Channel is where a connector posts to.
	Channel string `yaml:"channel"`
	// Address is of whom a connector writes to that writes to people.
	Address string `yaml:"address" doc:"The reader whom the plugin writes to: an address that nobody has." example:"reader@example.invalid"`
	// Config holds the settings of the plugin, as they would stand in belfry.yaml.
	Config map[string]any `yaml:"config"`

	// file knows where something stands.
	file configs.File
}

var typeForm = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,62}$`)

// Validate says what cannot be used.
func (s *settings) Validate() error {
	var ps sdk.Problems
	if !typeForm.MatchString(s.Type) {
		ps.Add("/type", fmt.Sprintf("%.80q is no type of a plugin", s.Type), "write the name that the plugin declares, like our-cms")
	}
	if s.Program != "" && len(s.Build) > 0 {
		ps.Add("/program", "build and program do not go together", "program is for what needs no building")
	}
	if s.Program != "" && !filepath.IsLocal(s.Program) {
		ps.Add("/program", fmt.Sprintf("%q is no file of this project", s.Program), "write its path from the project's folder on")
	}
	if s.Address != "" {
		if err := people.CheckNobody(s.Address); err != nil {
			what, fix, _ := strings.Cut(err.Error(), "; ")
			ps.Add("/address", what, fix)
		}
	}
	if len(s.Fake) == 0 && mentions(s.Config, fake.Address) {
		ps.Add("/config", fake.Address+" stands below it, and no fake is named", "write its command, like fake: [go, run, ./fake/serve]", "/fake")
	}
	return ps.Err()
}

// readSettings reads the dev.yaml of a project. Its error is a sentence.
func readSettings(dir string) (settings, error) {
	var s settings
	path := filepath.Join(dir, SettingsFile)
	switch info, err := os.Stat(dir); {
	case errors.Is(err, fs.ErrNotExist):
		return s, fmt.Errorf("there is no folder %s; name that of a plugin, or write one with belfry plugin new NAME --kind source", dir)
	case err == nil && !info.IsDir():
		return s, fmt.Errorf("%s is a file; name the folder in which it lies", dir)
	}
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return s, fmt.Errorf("there is no %s in %s: name the folder of a plugin, or write one with belfry plugin new NAME --kind source", SettingsFile, dir)
	}
	var err error
	s.file, err = configs.ReadFile(path, &s, nil)
	return s, err
}

// reader is whom the plugin writes to.
func (s *settings) reader() string { return cmp.Or(s.Address, defaultReader) }

// refused are problems with the settings of the plugin, where they stand.
func (s *settings) refused(ps sdk.Problems) configs.Places { return s.file.Places("/config", ps) }

// decode reads what every source or destination has besides its type's own settings. Its error is a *troubleError.
func (s *settings) decode(options map[string]any, into sdk.Defaulter) error {
	if mentions(options, "${") {
		return nil // what references stand for is known when the configuration is read
	}
	into.SetDefaults()
	err := sdk.Decode(options, into)
	if ps := (sdk.Problems{}); errors.As(err, &ps) {
		return &troubleError{cannotBeUsed, s.refused(ps).Error()}
	}
	return err
}

// mentions says whether a text stands somewhere in the settings.
func mentions(config map[string]any, text string) (found bool) {
	configs.EachText(config, func(s string) string { found = found || strings.Contains(s, text); return s })
	return found
}

// filled are the plugin's settings with addresses and folders in their places.
func (s *settings) filled(address, dir string) map[string]any {
	out, _ := configs.EachText(s.Config, strings.NewReplacer(fake.Address, address, fake.Folder, dir).Replace).(map[string]any)
	if out == nil {
		out = map[string]any{}
	}
	return out
}
