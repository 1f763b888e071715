package configs

import _ "embed"

// Demo is the configuration of `belfry demo`. Its references are filled in by package internal/demo.
//
//go:embed demo.yaml
var Demo string

// DemoFeed is the configuration of `belfry demo --feed`.
//
//go:embed demo.feed.yaml
var DemoFeed string
