// Command pack writes the bundle of the SDK's sources, and the overlay with which a build puts it into the program:
//
//	go run ./internal/scaffold/bundle/pack -into bin/sdk
//	go build -overlay bin/sdk/overlay.json ./cmd/belfry
//
// A program that is built without the overlay says so when it is asked for a plugin's project.
package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"

	"github.com/belfry-news/belfry/internal/scaffold/bundle"
)

func main() {
	into := flag.String("into", "bin/sdk", "the folder for the bundle and the overlay")
	root := flag.String("root", ".", "the root of the repository")
	flag.Parse()
	if err := pack(*root, *into); err != nil {
		fmt.Fprintln(os.Stderr, "pack:", err)
		os.Exit(1)
	}
}

func pack(root, into string) error {
	root, err := filepath.Abs(root)
	if err != nil {
		return err
	}
	if into, err = filepath.Abs(into); err != nil {
		return err
	}
	if err := os.MkdirAll(into, 0o750); err != nil {
		return err
	}
	var packed bytes.Buffer
	if err := bundle.Pack(&packed, root); err != nil {
		return err
	}
	file := filepath.Join(into, "sdk.tar.zst")
	if err := os.WriteFile(file, packed.Bytes(), 0o600); err != nil {
		return err
	}
	overlay, err := json.Marshal(map[string]any{"Replace": map[string]string{filepath.Join(root, filepath.FromSlash(bundle.Place)): file}})
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(into, "overlay.json"), overlay, 0o600)
}
