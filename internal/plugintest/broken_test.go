//go:build linux

package plugintest

func serveBroken(string) {}
