// Command sampleplugin is a plugin of Belfry: a source of articles.
package main

import "github.com/belfry-news/belfry/sdk/plugin"

func main() { plugin.Serve(Spec()) }
