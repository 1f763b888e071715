package configs

import _ "embed"

// Minimal is a configuration to begin with: one feed on one channel's page.
//
//go:embed minimal.yaml
var Minimal string

// Example is a configuration that shows what there is, with a word on each part.
//
//go:embed belfry.example.yaml
var Example string
