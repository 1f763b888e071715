package plugindev

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/belfry-news/belfry/internal/consent"
	"github.com/belfry-news/belfry/internal/filetree"
	"github.com/belfry-news/belfry/internal/trust"
	"github.com/belfry-news/belfry/internal/wire/v1"
	"github.com/belfry-news/belfry/sdk"
)

// A plugin writes to people only when somebody has trusted it. The daemon here knows nobody but a reader who is made up, so that
// each program is trusted as it was built.

// folderOf is the plugin folder for a program that writes to people.
func folderOf(program string) string { return program + ".plugins" }

// keyFile seals the address of the reader.
const keyFile = "readers.key"

// receive puts a program into a plugin folder of its own, and records the trust in it.
func (d *daemon) receive(program string, s settings, found wire.Description) error {
	folder := folderOf(program)
	target := filepath.Join(folder, s.Type)
	r := trust.Record{Name: s.Type, Program: ".", Trusted: time.Now().UTC()}
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	if s.Program == "" {
		built, err := filepath.EvalSymlinks(program)
		if err == nil {
			err = copyFile(built, target)
		}
		if err != nil {
			return err
		}
	} else {
		r.Program = filepath.ToSlash(filepath.Clean(s.Program))
		for name := range look(d.project) {
			to := filepath.Join(target, filepath.FromSlash(name))
			if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
				return err
			}
			if err := copyFile(filepath.Join(d.project, filepath.FromSlash(name)), to); err != nil {
				return err
			}
		}
	}
	var err error
	if r.Files, err = filetree.Read(target); err != nil {
		return err
	}
	r.Checksum = r.Files.Sum()
	r.Types = []trust.Type{{Type: found.Type, Summary: found.Summary, Roles: found.Roles, Medium: trust.MediumOf(found.Medium), Fields: trust.Settings(found.Fields), Schema: found.Schema}}
	if _, err := r.Write(folder); err != nil {
		return err
	}
	key := filepath.Join(d.dir, keyFile)
	if _, err := os.Stat(key); err == nil {
		return nil
	}
	return os.WriteFile(key, []byte(consent.NewKey()+"\n"), 0o600)
}

// copyFile copies a file with its right to be executed.
func copyFile(from, to string) error {
	info, err := os.Stat(from)
	if err != nil {
		return err
	}
	b, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, b, info.Mode().Perm()&^0o022) //nolint:gosec // into the folder of the session
}

// addReader lets the channel write to its followers by the plugin, if it can.
func (d *daemon) addReader(tree, channel map[string]any, s settings, roles []sdk.Role, program, listen string) {
	if !slices.Contains(roles, sdk.RoleMessenger) {
		return
	}
	tree["plugins"] = map[string]any{"memory": d.o.Memory, "folder": folderOf(program), "external": map[string]any{s.Type: map[string]any{"read": []string{d.project}}}}
	tree["site"] = map[string]any{"title": s.Type, "lang": "en", "url": "http://" + listen}
	tree["privacy"] = map[string]any{"key": "${file:" + filepath.Join(d.dir, keyFile) + "}", "controller": "belfry plugin dev"}
	channel["messages"] = []any{map[string]any{"destination": pluginName, "per_day": 1000}}
}

// freeAddress finds an address on which a daemon can listen.
func freeAddress() (string, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("the daemon cannot listen anywhere: %w", plainListen(err))
	}
	address := ln.Addr().String()
	return address, ln.Close()
}
