package main

import (
	"context"
	osexec "os/exec"
	"path/filepath"

	"github.com/belfry-news/belfry/internal/filetree"
	"github.com/belfry-news/belfry/internal/sandbox"
	"github.com/belfry-news/belfry/plugins/exec"
)

// commandSandbox is where sources of type exec start their commands.
func commandSandbox() exec.Sandbox {
	return exec.Sandbox{
		Command: func(ctx context.Context, p exec.Program) (*osexec.Cmd, error) {
			policy := sandbox.Policy{Read: p.Read, Writable: []string{p.Folder}, Memory: p.Memory}
			if filepath.IsAbs(p.Path) {
				policy.Folder = p.Path // the file alone: what lies beside it is not the command's
			}
			return policy.Command(ctx, p.Path, p.Args...)
		},
		End: func(pid int, folder string) bool {
			left := len(sandbox.Marked(folder)) > 0
			sandbox.EndStrays(folder)
			sandbox.EndGroup(pid)
			return left
		},
		Check: func(path string) error {
			_, err := filetree.Program(path)
			return err
		},
		Lacking: func() string {
			for _, a := range sandbox.Probe() {
				if a.Name == "files" && !a.Have {
					return a.What
				}
			}
			return ""
		},
	}
}
