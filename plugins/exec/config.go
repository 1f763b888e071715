package exec

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/belfry-news/belfry/sdk"
)

// Config is what an admin writes for one command.
type Config struct {
	Command    []string              `yaml:"command" required:"true" doc:"The program, with its whole path or as the name of a program of the system, and its arguments." example:"[/srv/belfry/cms.py]"`
	Config     map[string]any        `yaml:"config" doc:"What the command is told as its config: any settings." example:"{section: politics}"`
	Env        map[string]sdk.Secret `yaml:"env" doc:"Variables of the command's environment. Besides them it has PATH, LANG, HOME and TMPDIR, and none of Belfry's own." example:"{CMS_TOKEN: \"${env:CMS_TOKEN}\"}"`
	Read       []string              `yaml:"read" doc:"Further files and folders that the command may read. What stands in command with its whole path it may read anyway." example:"[/srv/cms/export]"`
	Timeout    sdk.Duration          `yaml:"timeout" doc:"Longest time for one run; plugins.deadline ends it too."`
	Memory     int                   `yaml:"memory" min:"16" max:"16384" doc:"The most memory of each of its processes, in MiB, and no more than plugins.memory."`
	BaseURL    string                `yaml:"base_url" doc:"What relative links are resolved against." example:"https://news.example/"`
	Zone       string                `yaml:"zone" doc:"Time zone of times that name none; without it such a time is an error." example:"Europe/Paris"`
	Unconfined bool                  `yaml:"unconfined" doc:"Whether the command runs even where the system cannot keep it from the files that Belfry's user can open."`
}

const (
	defaultTimeout = time.Minute
	longestTimeout = time.Hour
)

func defaults() Config {
	return Config{Timeout: sdk.D(defaultTimeout), Memory: 256}
}

// Sandbox starts commands. The source knows no more of it than this.
type Sandbox struct {
	// Command makes the command that starts a program, ready but for its connections, its environment, to which more is
	// appended, and Start. Its process leads a group of its own, which the end of ctx kills. Required.
	Command func(ctx context.Context, p Program) (*exec.Cmd, error)
	// End ends what a process, after its end, has left behind: in its group, or elsewhere with an environment that names its
	// folder. It tells whether there was anything.
	End func(pid int, folder string) (left bool)
	// Check refuses a program that others could replace. It may be nil.
	Check func(path string) error
	// Lacking says in a few words what keeps the system from confining a program; empty when it does confine.
	Lacking func() string
}

// Program is what is to be started.
type Program struct {
	// Path is absolute, or the name of a program of the system.
	Path string
	Args []string
	// Read are the files and folders that it may read besides the system's.
	Read []string
	// Folder is its own to write, and its HOME and TMPDIR.
	Folder string
	// Memory of one of its processes, in bytes.
	Memory int64
}

// maxRuns is how many commands run at once, of all sources together; further ones wait.
const maxRuns = 4

// Spec declares the source, whose commands are started in the sandbox.
func Spec(sandbox Sandbox) *sdk.Spec {
	turns := make(chan struct{}, maxRuns)
	return sdk.Define("exec", "Items that a command of your own prints, in any language", defaults(),
		func(_ context.Context, s sdk.Settings, c Config) (*Source, error) { return open(sandbox, turns, s, c) })
}

// reserved are the variables that a command is always told.
var reserved = []string{"PATH", "LANG", "HOME", "TMPDIR"}

var variable = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,127}$`)

// Validate checks everything that can be known without starting the command. Whether the program is there is not part of
// it: the machine that checks a configuration may be another one than the one that runs it.
func (c *Config) Validate() error {
	var ps sdk.Problems
	switch {
	case len(c.Command) == 0 || c.Command[0] == "":
		ps.Add("/command", "no command is named", "write command: [/srv/belfry/cms.py]")
	case !filepath.IsAbs(c.Command[0]) && strings.ContainsRune(c.Command[0], filepath.Separator):
		ps.Add("/command/0", fmt.Sprintf("%q is no whole path", c.Command[0]), "write it from the root on, like /srv/belfry/cms.py, or the name of a program of the system, like python3")
	case len(c.Command) == 1 && strings.ContainsAny(c.Command[0], " \t"):
		ps.Add("/command/0", fmt.Sprintf("%q holds a blank", c.Command[0]), "write each argument by itself: command: [/srv/belfry/cms.py, --all]")
	}
	for i, arg := range c.Command {
		if strings.ContainsRune(arg, 0) {
			ps.Add(sdk.Pointer("command", i), "a zero byte is no part of an argument", "take it out")
		}
	}
	for i, path := range c.Read {
		if !filepath.IsAbs(path) {
			ps.Add(sdk.Pointer("read", i), fmt.Sprintf("%q is no whole path", path), "write it from the root on, like /srv/cms/export")
		}
	}
	for name, value := range c.Env {
		switch {
		case !variable.MatchString(name):
			ps.Add(sdk.Pointer("env", name), fmt.Sprintf("%q is no name of a variable", name), "use letters, digits and _, like CMS_TOKEN")
		case slices.Contains(reserved, name) || strings.HasPrefix(name, "LD_"):
			ps.Add(sdk.Pointer("env", name), name+" is not yours to set", "leave it out; pass what the command needs as config")
		case strings.ContainsRune(value.Reveal(), 0):
			ps.Add(sdk.Pointer("env", name), "a zero byte is no part of a variable", "take it out")
		}
	}
	if t := c.Timeout.Std(); t < time.Second || t > longestTimeout {
		ps.Add("/timeout", fmt.Sprintf("%s is not possible", c.Timeout), "between 1s and 1h")
	}
	if u, err := url.Parse(c.BaseURL); c.BaseURL != "" && (err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "") {
		ps.Add("/base_url", "this is no address of a site", "write it like https://news.example/")
	}
	if strings.EqualFold(c.Zone, "local") {
		ps.Add("/zone", "a zone must be named", "write a name such as Europe/Paris or UTC")
	} else if _, err := time.LoadLocation(c.Zone); err != nil {
		ps.Add("/zone", fmt.Sprintf("the time zone %q is unknown", c.Zone), "write a name such as Europe/Paris or UTC")
	}
	return ps.Err()
}

// program is the file that decides what the command does: the program, or what a program of the system is told to run. Empty
// when both are the system's.
func (c *Config) program() string {
	if filepath.IsAbs(c.Command[0]) {
		return c.Command[0]
	}
	for _, arg := range c.Command[1:] {
		if !filepath.IsAbs(arg) {
			continue
		}
		if info, err := os.Stat(arg); err == nil && info.Mode().IsRegular() {
			return arg
		}
	}
	return ""
}

// readable are the files and folders that the command may read: those it was given by name.
func (c *Config) readable() []string {
	out := slices.Clone(c.Read)
	for _, arg := range c.Command {
		if !filepath.IsAbs(arg) {
			continue
		}
		if _, err := os.Stat(arg); err == nil {
			out = append(out, arg)
		}
	}
	return out
}
