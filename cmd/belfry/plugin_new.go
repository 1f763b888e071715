package main

import (
	"errors"
	"fmt"
	"os/exec"
	"runtime/debug"

	"github.com/belfry-news/belfry/internal/scaffold"
	"github.com/belfry-news/belfry/internal/scaffold/bundle"
	"github.com/belfry-news/belfry/plugins/example-python"
)

type pluginNewCmd struct {
	Name   string `arg:"" help:"The type's name in the configuration, such as our-cms; also the name of the new folder."`
	Kind   string `required:"" placeholder:"KIND" help:"What it is: source (it brings items) or connector (it posts to channels)."`
	Lang   string `default:"go" placeholder:"LANGUAGE" help:"The language it is written in: go or python."`
	Module string `placeholder:"PATH" help:"The path of its Go module; without it, example.org/NAME."`
	SDK    string `name:"sdk" placeholder:"VERSION" help:"The release of Belfry whose SDK is fetched; without it, the SDK comes out of this program."`
}

// Help is the long help.
func (*pluginNewCmd) Help() string {
	return `Writes a whole project into a new folder: the plugin, a strict stand-in for the system that it talks to, the conformance suite in
the same process and over the wire, and a README with the next commands. It builds and passes its tests as it stands, without
the network: the SDK and all that it imports are written beside it.

In Python it speaks the protocol with Debian's python3-grpcio, and belfry plugin test runs the suite.

Examples:

    belfry plugin new our-cms --kind source
    belfry plugin new our-cms --kind source --lang python
    belfry plugin new boards --kind connector --module git.news.example/boards

With --json: {dir, files}.

Exit codes: 0 written, 1 it could not be written, and nothing was, 2 the command line cannot be used.`
}

// Run writes the project.
func (c *pluginNewCmd) Run(g *global, std streams) error {
	o := scaffold.Options{Name: c.Name, Parent: ".", Kind: scaffold.Kind(c.Kind), Module: c.Module, SDK: c.SDK}
	for _, s := range builtIn() {
		o.Taken = append(o.Taken, s.Type)
	}
	switch {
	case c.Lang == "python":
		o.Python = examplepython.Files()
	case c.Lang != "go":
		return unusable("there is no project in %q; --lang is go or python", c.Lang)
	case c.SDK == "":
		var err error
		if o.Bundle, err = scaffold.Bundle(); err != nil && !errors.Is(err, scaffold.ErrNoBundle) {
			return err
		}
	}
	p, err := scaffold.New(o)
	switch wrong := (*scaffold.UsageError)(nil); {
	case errors.As(err, &wrong):
		return unusable("%w", err)
	case errors.Is(err, scaffold.ErrNoBundle):
		return fmt.Errorf("%w; fetch them with --sdk %s, or build belfry with make build", err, ownRelease())
	case err != nil:
		return fmt.Errorf("the project cannot be written, and nothing was: %w", err)
	}
	if g.JSON {
		return writeJSON(std.out, map[string]any{"dir": p.Dir, "files": p.Files})
	}
	if c.Lang == "python" {
		fake := ""
		if o.Kind == scaffold.Connector {
			fake = " --fake ./fake.py"
		}
		fmt.Fprintf(std.out, "%[1]s is written. README.md says what you replace.\n\n    cd %[1]s\n    belfry plugin test ./%[1]s.py --type %[1]s --config test.yaml%[2]s\n    belfry plugin dev .\n", p.Dir, fake)
		return nil
	}
	fmt.Fprintf(std.out, "%[1]s is written. What you replace is marked in api.go; README.md says the rest.\n\n    cd %[1]s\n", p.Dir)
	if c.SDK != "" {
		fmt.Fprintf(std.out, "    go mod tidy\n")
	}
	fmt.Fprintf(std.out, "    go test ./...\n    belfry plugin dev .\n")
	if _, err := exec.LookPath("go"); err != nil {
		fmt.Fprintf(std.err, "belfry: there is no go in the PATH of this machine; these commands need Go 1.26 or later: https://go.dev/doc/install\n")
	}
	return nil
}

// ownRelease is the release of this program, as an argument of --sdk.
func ownRelease() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Path == bundle.Belfry && bundle.IsRelease(info.Main.Version) {
		return info.Main.Version
	}
	return "VERSION"
}
