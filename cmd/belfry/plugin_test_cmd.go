package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"strings"

	"github.com/belfry-news/belfry/configs"
	"github.com/belfry-news/belfry/internal/app"
	"github.com/belfry-news/belfry/internal/desk"
	"github.com/belfry-news/belfry/internal/pluginhost"
	"github.com/belfry-news/belfry/internal/plugintest"
)

type pluginTestCmd struct {
	Path   string   `arg:"" help:"The program."`
	Args   []string `arg:"" optional:"" help:"Its arguments."`
	Type   string   `placeholder:"TYPE" help:"The type that is tested; without it, its file's name without belfry-plugin-."`
	Fake   string   `placeholder:"CMD" help:"A program that plays the platform; its first line of output is its address."`
	Only   []string `placeholder:"WHAT" enum:"process,source,checker,webhook,resolver,publisher,editor,deleter,finder,messenger,listener,receiver,faults,versions" help:"What is checked: process, faults, versions or an ability; without it, everything."`
	Save   string   `default:"belfry-plugin-test" placeholder:"FOLDER" help:"The folder for the calls that show what is broken."`
	Memory int      `default:"384" env:"BELFRY__PLUGINS__MEMORY" placeholder:"MIB" help:"The most memory of its process, in MiB."`
}

// Help is the long help.
func (*pluginTestCmd) Help() string {
	return `Starts the program as the daemon would and asks it, over the real protocol, whether it keeps what each of its abilities promises. For each
promise it says whether it is held, broken, or not offered, and saves the calls that show what is broken as JSON.

The file of --config says what to test with: below config: the settings of a source or a destination, and beside it what the
checks need, such as channel: and not_channels: for a destination, address: for one that writes to people, or change: for a source. What is missing there leaves checks out, which
is said. In the file $DIR is its own folder, $TMP an empty folder of this test, and $FAKE the address of the fake.

With --fake the program talks to a fake of its platform through a proxy, which cuts connections before and after the work was done, answers
late, or asks to wait: so "unavailable" is told from "unknown_outcome". What the fake says on standard error is shown with --log debug. The
guide is docs/plugin-protocol.md.

With --type exec the program is a command as the source exec runs it, in its sandbox; below config: stand the other settings of that source.

Examples:

    belfry plugin test ./belfry-plugin-notes --config test.yaml
    belfry plugin test ./board.py --type board-py --config board.test.yaml --fake ./fake_board.py
    belfry plugin test ./cms.py --type exec --config cms.test.yaml

With --json: {type, summary, roles, held, broken, suites: [{name, offered, results: [{promise, state, seconds, said, calls}], unchecked}]}.

Exit codes: 0 everything that was checked is held, 1 something is broken, nothing was checked, or it is no plugin, 2 the file or the fake cannot
be used.`
}

// Run tests a plugin.
func (c *pluginTestCmd) Run(ctx context.Context, g *global, std streams) error {
	path, err := filepath.Abs(c.Path)
	if err != nil {
		return unusable("%s is no path: %w", c.Path, err)
	}
	dir, err := os.MkdirTemp("", "belfry-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	work := filepath.Join(dir, "test")
	if err := os.Mkdir(work, 0o700); err != nil {
		return err
	}
	o := plugintest.Options{Command: pluginhost.Command{Path: path, Args: c.Args, Foreign: true}, Kind: typeOf(c.Type, path), RunDir: dir,
		Memory: int64(c.Memory) << 20, Only: c.Only, Save: c.Save, Log: g.quiet(std.err).Handler(),
		UserAgent: app.UserAgent(version, &configs.Loaded{Config: configs.Default()})}
	address := ""
	if c.Fake != "" {
		said := func(string) {}
		if g.Log == "debug" {
			said = func(line string) { fmt.Fprintf(std.err, "fake: %s\n", desk.Plain(line)) }
		}
		fake, err := plugintest.StartFake(ctx, c.Fake, said)
		if err != nil {
			return unusable("--fake: %w", err)
		}
		defer fake.Close()
		o.Fake, address = fake, fake.URL
	}
	if g.explicit {
		if o.Scenario, err = plugintest.ReadScenario(g.Config, address, work); err != nil {
			return unusable("%w", err)
		}
	}
	if o.Kind == commandType {
		if _, err := os.Stat(path); err != nil {
			return fmt.Errorf("%s cannot be found", c.Path)
		}
		if o.Command, err = app.PluginCommand(nil, commandType); err != nil {
			return err
		}
		o.Scenario.Config = c.commandConfig(path, o.Scenario.Config)
	}
	if !g.JSON {
		o.Told = func(suite string, r plugintest.Result) { tellPromise(std.out, suite, r) }
	}
	report, err := plugintest.Run(ctx, o)
	switch _, wrong := errors.AsType[*plugintest.ScenarioError](err); {
	case wrong:
		return unusable("%w", err)
	case errors.Is(err, context.Canceled):
		return err
	case err != nil:
		return pluginSentence(err)
	}
	if g.JSON {
		if err := writeJSON(std.out, report); err != nil {
			return err
		}
	} else {
		printTested(std.out, c.Path, report)
	}
	switch {
	case report.Broken > 0:
		return &exitError{exitFailed, nil}
	case report.Held == 0:
		return fmt.Errorf("nothing was checked of it: the plugin can %s; look at --only, --fake and the file of --config", strings.Join(report.Roles, ", "))
	}
	return nil
}

// commandType is the source that runs a command: what is tested of a command is that source with it.
const commandType = "exec"

// commandConfig is the configuration of a source that runs the program that is tested.
func (c *pluginTestCmd) commandConfig(path string, config map[string]any) map[string]any {
	command := []any{path}
	for _, arg := range c.Args {
		command = append(command, arg)
	}
	out := map[string]any{}
	maps.Copy(out, config)
	out["command"] = command
	return out
}

// tellPromise prints what became of a promise as it is found.
func tellPromise(out io.Writer, suite string, r plugintest.Result) {
	fmt.Fprintf(out, "%-11s  %s: %s\n", r.State, suite, r.Promise)
	for _, s := range r.Said {
		fmt.Fprintf(out, "    %s\n", strings.ReplaceAll(desk.Plain(s), "\n", "\n    "))
	}
	if r.Calls != "" {
		fmt.Fprintf(out, "    the calls: %s\n", r.Calls)
	}
}

func printTested(out io.Writer, path string, r *plugintest.Report) {
	fmt.Fprintf(out, "%s is a plugin for type %s: %s\n", path, r.Type, desk.Plain(r.Summary))
	t := newTable("WHAT", "HELD", "BROKEN", "")
	for _, s := range r.Suites {
		if !s.Offered {
			t.add(s.Name, "-", "-", "not offered")
			continue
		}
		held, broken := 0, 0
		for _, result := range s.Results {
			switch result.State {
			case plugintest.Held:
				held++
			case plugintest.Broken:
				broken++
			case plugintest.NotOffered:
			}
		}
		note := ""
		if len(s.Results) == 0 {
			note = "not checked"
		}
		t.add(s.Name, fmt.Sprint(held), fmt.Sprint(broken), note)
	}
	t.write(out)
	told := map[string]bool{}
	for _, s := range r.Suites {
		for _, what := range s.Unchecked {
			if !told[what] {
				told[what] = true
				fmt.Fprintf(out, "not checked (%s): %s\n", s.Name, what)
			}
		}
	}
	fmt.Fprintf(out, "%s held, %d broken.\n", count(r.Held, "promise"), r.Broken)
}

// typeOf is the type that a program is asked for.
func typeOf(named, path string) string {
	if named != "" {
		return named
	}
	name := strings.TrimSuffix(filepath.Base(path), ".exe")
	return strings.TrimPrefix(strings.TrimPrefix(name, "belfry-plugin-"), "belfry-")
}
