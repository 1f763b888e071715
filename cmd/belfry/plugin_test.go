package main

import (
	"reflect"
	"strconv"
	"testing"

	"github.com/belfry-news/belfry/configs"
)

// What a plugin does under a command is what it does under the daemon: by themselves both give it the same memory.
func TestCommandsGiveTheDaemonsMemory(t *testing.T) {
	t.Parallel()
	want := strconv.Itoa(configs.Default().Plugins.Memory)
	for _, c := range []any{pluginCheckCmd{}, pluginDevCmd{}, pluginTestCmd{}, tryCmd{}} {
		kind := reflect.TypeOf(c)
		if f, there := kind.FieldByName("Memory"); !there || f.Tag.Get("default") != want {
			t.Errorf("%s: the default of --memory is %q; plugins.memory is %s", kind.Name(), f.Tag.Get("default"), want)
		}
	}
}
