// Command pager is a plugin for Belfry that writes to people and hears them: a paging service hands short texts to single persons,
// and tells what they answer.
//
// It is an example. The connector with its configuration is in pager.go, what it hears in hear.go, the conformance suites in
// pager_test.go, and a paging service for tests, stricter than a real one, in the folder fake.
package main

import "github.com/belfry-news/belfry/sdk/plugin"

func main() { plugin.Serve(Spec()) }
