// Command sampleplugin is a plugin of Belfry: a connector that posts to the boards of a platform.
package main

import "github.com/belfry-news/belfry/sdk/plugin"

func main() { plugin.Serve(Spec()) }
