package sandbox

import (
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// Policy says what a program may touch and take. A zero limit takes its default, a negative one means none.
type Policy struct {
	// Folder is the program's own folder, or its own file: it may be read and executed. Absolute; empty for a program of
	// the system.
	Folder string `json:"folder,omitempty"`
	// Whole says that Folder is a program that needs no other one and no library: it can execute itself alone, and reads what
	// the system keeps about the network, zones and certificates. One that is linked with the system's libraries is given them
	// and its programs all the same; and where the system forbids a sandbox, the program is started without one, of which
	// the launcher warns on standard error, in a line of hclog's JSON.
	Whole bool `json:"whole,omitempty"`
	// Read are further files and folders that may be read. Those that are missing are passed over.
	Read []string `json:"read,omitempty"`
	// Writable are folders in which the program may read, write, make and remove files and sockets. The first is its
	// HOME and TMPDIR. They must exist.
	Writable []string `json:"writable,omitempty"`
	// Checksum is the filetree.Tree.Sum that Folder must have when the program is started; empty compares nothing.
	Checksum string `json:"checksum,omitempty"`

	// Memory of a process, in bytes (RLIMIT_DATA); default 512 MiB. A Go program begins with about 120 MiB of it.
	Memory int64 `json:"memory,omitempty"`
	// Files is how many files and connections a process may have open (RLIMIT_NOFILE); default 1024.
	Files int64 `json:"files,omitempty"`
	// Processes is how many processes and threads the program's user may have beyond those there are at its start
	// (RLIMIT_NPROC); default 256. The kernel does not hold root to it.
	Processes int64 `json:"processes,omitempty"`
	// FileSize is how large a file may be written, in bytes (RLIMIT_FSIZE); default 64 MiB.
	FileSize int64 `json:"file_size,omitempty"`
}

// How the folder of a host is called, in which its programs have theirs, and the file inside that the host keeps locked.
const (
	FolderPrefix = "p"
	FolderLock   = "lock"
)

// ExitRefused is the exit code of a launcher that did not start its program; it said why on standard error.
const ExitRefused = 125

// waitDelay is how long the outputs of a program are read after its end, should something it started still hold them.
const waitDelay = 500 * time.Millisecond

// Command makes the command that starts a program under the policy. path is absolute, or the name of a program of the
// system. The caller sets what is to be connected (Stdin, Stdout, Stderr), may append to Env and set Dir, and calls Start.
//
// Env begins as Environment; never empty it, or the caller's own environment is inherited. The process is the leader of a
// group of its own, which the end of ctx kills as a whole; after Wait, EndGroup kills what the program left behind. On
// Linux the process is killed at the death of the thread that called Start: start from a thread that lives long enough.
//
// Errors are about the policy and the path; that the program cannot be started is said by the launcher (ExitRefused).
func (p Policy) Command(ctx context.Context, path string, args ...string) (*exec.Cmd, error) {
	if !filepath.IsAbs(path) {
		found, err := lookPath(path)
		if err != nil {
			return nil, err
		}
		path = found
	}
	for _, f := range append(append([]string{p.Folder}, p.Read...), p.Writable...) {
		if f != "" && !filepath.IsAbs(f) {
			return nil, fmt.Errorf("the path %q is not absolute; write it from the root on", f)
		}
	}
	if p.Checksum != "" && p.Folder == "" {
		return nil, fmt.Errorf("a checksum is given and no folder to compare it with")
	}
	order, err := json.Marshal(order{Policy: p.withDefaults(), Path: path, Args: args})
	if err != nil {
		return nil, err
	}
	cmd, err := launcher(ctx, string(order), path, args)
	if err != nil {
		return nil, err
	}
	cmd.Env = p.Environment()
	cmd.WaitDelay = waitDelay
	if len(p.Writable) > 0 {
		cmd.Dir = p.Writable[0]
	}
	return cmd, nil
}

// folders are where programs of the system lie.
var folders = []string{"/usr/local/bin", "/usr/bin", "/bin"}

// Environment is what every program is told, and nothing of what the caller was told.
func (p Policy) Environment() []string {
	env := []string{"PATH=" + strings.Join(folders, ":"), "LANG=C.UTF-8",
		"PYTHONDONTWRITEBYTECODE=1"} // a program's folder is not its own to write, and must stay as it was trusted
	if len(p.Writable) > 0 {
		env = append(env, "HOME="+p.Writable[0], "TMPDIR="+p.Writable[0])
	}
	return env
}

func (p Policy) withDefaults() Policy {
	def := func(v *int64, to int64) {
		if *v == 0 {
			*v = to
		}
	}
	def(&p.Memory, 512<<20)
	def(&p.Files, 1024)
	def(&p.Processes, 256)
	def(&p.FileSize, 64<<20)
	return p
}

// order is what a launcher is told to start.
type order struct {
	Policy
	Path string   `json:"path"`
	Args []string `json:"args"`
}

// Ability is something that a sandbox needs of the system.
type Ability struct {
	// Name is a short one for tables: "files", "signals", "memory".
	Name string `json:"name"`
	// Have says whether this system gives it.
	Have bool `json:"have"`
	// What says it in a sentence without a full stop: what is kept from plugins, or what is not.
	What string `json:"what"`
	// Mend is what would help; empty where nothing is missing.
	Mend string `json:"mend"`
}
