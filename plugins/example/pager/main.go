// Command pager is a plugin for Belfry that writes to people: a paging service hands short texts to single persons.
//
// It is an example. The connector with its configuration is in pager.go, the conformance suite in pager_test.go, and a paging
// service for tests, stricter than a real one, in the folder fake.
package main

import "github.com/belfry-news/belfry/sdk/plugin"

func main() { plugin.Serve(Spec()) }
