package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

type versionCmd struct{}

// Help is the long help.
func (*versionCmd) Help() string {
	return `Example:

    belfry version --json

Exit codes: 0 printed.`
}

type versionJSON struct {
	Version  string `json:"version"`
	Commit   string `json:"commit"`
	Modified bool   `json:"modified"`
	Built    string `json:"built"`
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

func buildVersion() versionJSON {
	v := versionJSON{Version: version, Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return v
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			v.Commit = s.Value
		case "vcs.modified":
			v.Modified = s.Value == "true"
		case "vcs.time":
			v.Built = s.Value
		}
	}
	return v
}

// Run prints the version.
func (c *versionCmd) Run(g *global, std streams) error {
	v := buildVersion()
	if g.JSON {
		return writeJSON(std.out, v)
	}
	commit := "built outside its repository"
	if v.Commit != "" {
		commit = "commit " + v.Commit[:min(12, len(v.Commit))]
		if v.Modified {
			commit += " with changes"
		}
	}
	fmt.Fprintf(std.out, "belfry %s (%s, %s, %s)\n", v.Version, commit, v.Go, v.Platform)
	return nil
}
