// Command notes is a plugin for Belfry: a folder of text files is a source, each file is an item.
//
// It is an example. Everything a plugin needs is here: one line of main, a source with its configuration in source.go,
// and the conformance suite in source_test.go.
package main

import "github.com/belfry-news/belfry/sdk/plugin"

func main() { plugin.Serve(Spec()) }
