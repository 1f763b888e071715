package sandbox

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/belfry-news/belfry/internal/filetree"
)

func TestMain(m *testing.M) {
	Main()
	if len(os.Args) > 1 && os.Args[1] == "try" {
		try(os.Args[2:])
		return
	}
	if len(os.Args) == 4 && os.Args[1] == "forbidden" {
		runtime.LockOSThread() // filters belong to threads
		launchForbidden(os.Args[2], os.Args[3])
	}
	if len(os.Args) == 4 && os.Args[1] == "start" {
		runtime.LockOSThread() // the kernel goes by the thread
		startAndWait(os.Args[2], os.Args[3])
		return
	}
	os.Exit(m.Run())
}

// script writes a program in a folder of its own and gives its path.
func script(t *testing.T, text string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "program")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "run")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+text), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

// policy of a script, with a run folder.
func policy(t *testing.T, path string) Policy {
	t.Helper()
	return Policy{Folder: filepath.Dir(path), Writable: []string{t.TempDir()}, Memory: -1}
}

// output runs a program under a policy and gives what it wrote to both its outputs, and its exit code.
func output(t *testing.T, p Policy, path string, args ...string) (string, int) {
	t.Helper()
	cmd, err := p.Command(t.Context(), path, args...)
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.CombinedOutput()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

func write(t *testing.T, path, text string, mode os.FileMode) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	return path
}

// The tests below ask for what this kernel must give; they mean nothing without it.
func TestThisKernelHasLandlock(t *testing.T) {
	t.Parallel()
	if abi := landlockABI(); abi < abiTruncate {
		t.Fatalf("Landlock is version %d here: the sandbox can only be tested on Linux 6.2 or newer with Landlock switched on", abi)
	}
}

func TestWhatAProgramReaches(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	secret := write(t, filepath.Join(dir, "secret"), "the secret", 0o644)
	granted := filepath.Join(dir, "granted")
	if err := os.Mkdir(granted, 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(granted, "note"), "the note", 0o644)
	for name, tc := range map[string]struct {
		do, want string
		fails    bool
	}{
		"its own file":                {do: `grep -c whom "$0" # for whom`, want: "1"},
		"a granted file":              {do: "cat " + granted + "/note", want: "the note"},
		"its run folder":              {do: `echo x > "$TMPDIR/f" && mkdir "$HOME/d" && mv "$HOME/f" "$HOME/g" && cat g && rm g`, want: "x"},
		"system programs":             {do: "ls /usr/bin >/dev/null && echo yes", want: "yes"},
		"nothing to write to":         {do: "echo x > /dev/null && echo yes", want: "yes"},
		"randomness":                  {do: "head -c 4 /dev/urandom | wc -c", want: "4"},
		"the resolver's files":        {do: "cat /etc/hosts >/dev/null && echo yes", want: "yes"},
		"itself through the launcher": {do: `cat /proc/self/environ`, fails: true},
		"its parent's environment":    {do: `cat /proc/$PPID/environ`, fails: true},
		"its parent's memory":         {do: `head -c 1 /proc/$PPID/mem`, fails: true},
		"its parent's files":          {do: `ls /proc/$PPID/fd`, fails: true},
		"the list of processes":       {do: `ls /proc`, fails: true},
		"accounts":                    {do: "cat /etc/passwd", fails: true},
		"keys of the system":          {do: "ls /etc/ssl/private", fails: true},
		"homes":                       {do: "ls /home", fails: true},
		"somebody's file":             {do: "cat " + secret, fails: true},
		"somebody's folder":           {do: "ls " + dir, fails: true},
		"a way around by a link":      {do: "ln -s " + secret + " l && cat l", fails: true},
		"its own file, to write":      {do: `echo x >> "$0"`, fails: true},
		"a granted folder, to write":  {do: "echo x > " + granted + "/new", fails: true},
		"a shorter file":              {do: ": > " + secret, fails: true},
		"a program it wrote":          {do: `cp /bin/true mine && ./mine`, fails: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := script(t, tc.do+"\n")
			p := policy(t, path)
			p.Read = []string{granted, filepath.Join(dir, "missing")}
			out, code := output(t, p, path)
			if tc.fails && (code == 0 || !strings.Contains(out, "ermission denied")) {
				t.Errorf("it succeeded: %d %q", code, out)
			}
			if !tc.fails && (code != 0 || strings.TrimSpace(out) != tc.want) {
				t.Errorf("got %d %q, want %q", code, out, tc.want)
			}
		})
	}
	if b, err := os.ReadFile(secret); err != nil || string(b) != "the secret" {
		t.Errorf("the file outside was changed: %q %v", b, err)
	}
}

// try does what a program could do by itself, and says of each whether it could.
func try(acts []string) {
	for _, act := range acts {
		what, path, _ := strings.Cut(act, ":")
		var err error
		switch what {
		case "execute":
			err = exec.Command(path, "try").Run()
		case "read":
			_, err = os.ReadFile(path)
		case "list":
			_, err = os.ReadDir(path)
		case "write":
			err = os.WriteFile(path, nil, 0o600)
		}
		if err != nil {
			fmt.Println(act, "refused")
			continue
		}
		fmt.Println(act, "done")
	}
}

// A program that is whole by itself can do less than others: it executes nothing else.
func TestAWholeProgram(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	run := t.TempDir()
	secret := write(t, filepath.Join(t.TempDir(), "secret"), "the secret", 0o644)
	programs := "refused"
	if Linked(self) { // a test that is built with cgo cannot run without them
		programs = "done"
	}
	zones := "refused"
	if _, err := os.Stat("/usr/share/zoneinfo"); err == nil {
		zones = "done"
	}
	want := []string{"execute:/bin/true " + programs, "execute:" + self + " done", "read:/usr/bin/env " + programs, "list:/usr/bin " + programs, "list:/usr/share/zoneinfo " + zones,
		"read:/etc/hosts done", "read:/etc/resolv.conf done", "read:/proc/self/smaps done", "read:/proc/self/environ refused", "read:/etc/passwd refused", "list:/home refused",
		"read:" + secret + " refused", "write:" + secret + " refused", "write:" + run + "/socket done"}
	acts := []string{"try"}
	for _, line := range want {
		act, _, _ := strings.Cut(line, " ")
		acts = append(acts, act)
	}
	for name, path := range map[string]string{"by its path": self, "as this process's own file": "/proc/self/exe"} {
		t.Run(name, func(t *testing.T) {
			out, code := output(t, Policy{Folder: path, Whole: true, Writable: []string{run}, Memory: -1}, path, acts...)
			if d := cmp.Diff(want, strings.Split(strings.TrimSpace(out), "\n")); d != "" || code != 0 {
				t.Errorf("%d %s", code, d)
			}
		})
	}
}

// launchForbidden launches where a filter of system calls, as a container has it, answers a call of Landlock with an error.
func launchForbidden(errno, order string) {
	number, err := strconv.ParseUint(errno, 10, 16)
	if err != nil {
		panic(err)
	}
	filter := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS}, // the number of the call
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: unix.SYS_LANDLOCK_RESTRICT_SELF, Jf: 1},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ERRNO | uint32(number)},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
	}
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		panic(err)
	}
	if err := unix.Prctl(unix.PR_SET_SECCOMP, unix.SECCOMP_MODE_FILTER, uintptr(unsafe.Pointer(&program)), 0, 0); err != nil {
		panic(err)
	}
	panic(syscall.Exec("/proc/self/exe", []string{"belfry", "plugin", "launch", order}, os.Environ()))
}

// A whole program is started without a sandbox where the system forbids one, and warns; nothing else that goes wrong is a reason to.
func TestAWholeProgramWithoutASandbox(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		errno   syscall.Errno
		foreign bool
		missing string
		want    string // that it is refused; empty: it runs
	}{
		"forbidden":                       {errno: unix.EPERM},
		"not there":                       {errno: unix.ENOSYS},
		"not supported":                   {errno: unix.EOPNOTSUPP},
		"too many open files":             {errno: unix.EMFILE, want: "too many open files"},
		"no memory":                       {errno: unix.ENOMEM, want: "cannot allocate memory"},
		"a strange answer":                {errno: unix.EINVAL, want: "invalid argument"},
		"a folder is missing":             {missing: "/no/such/folder", want: "its run folder /no/such/folder is not there"},
		"a third party's where forbidden": {errno: unix.EPERM, foreign: true, want: "operation not permitted"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := Policy{Folder: self, Whole: !tc.foreign, Writable: []string{t.TempDir()}, Memory: -1}
			if tc.missing != "" {
				p.Writable = append(p.Writable, tc.missing)
			}
			cmd, err := p.Command(t.Context(), self, "try", "list:/usr")
			if err != nil {
				t.Fatal(err)
			}
			if tc.errno != 0 {
				cmd.Args = []string{cmd.Args[0], "forbidden", strconv.Itoa(int(tc.errno)), cmd.Args[3]}
			}
			out, err := cmd.CombinedOutput()
			if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
				t.Fatal(err)
			}
			code, text := cmd.ProcessState.ExitCode(), string(out)
			if tc.want != "" {
				if code != ExitRefused || !strings.HasPrefix(text, "the program cannot be confined: ") || !strings.Contains(text, tc.want) {
					t.Errorf("%d %q", code, text)
				}
				return
			}
			line, rest, _ := strings.Cut(text, "\n")
			var said map[string]string
			if err := json.Unmarshal([]byte(line), &said); err != nil || said["@level"] != "warn" ||
				!strings.HasPrefix(said["@message"], "the program runs without a whole sandbox, which this system forbids: the program cannot be confined: ") {
				t.Errorf("it warns with %q, %v", line, err)
			}
			if rest != "list:/usr done\n" || code != 0 {
				t.Errorf("%d %q", code, rest)
			}
		})
	}
}

// TestTheWatcherIsNoCommand: whoever types what starts it ends nothing, whatever stands behind it.
func TestTheWatcherIsNoCommand(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		env           []string
		input         bool
		folder, lock  string
		refuses, ends bool
	}{
		"as it is started":     {env: []string{watcherWord}, input: true, folder: "pABCD", lock: FolderLock, ends: true},
		"without its word":     {input: true, folder: "pABCD", lock: FolderLock, refuses: true},
		"without a pipe":       {env: []string{watcherWord}, folder: "pABCD", lock: FolderLock, refuses: true},
		"of another folder":    {env: []string{watcherWord}, input: true, folder: "home", lock: FolderLock, refuses: true},
		"of a folder unlocked": {env: []string{watcherWord}, input: true, folder: "pABCD", lock: "other", refuses: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			folder := filepath.Join(t.TempDir(), tc.folder)
			if err := os.Mkdir(folder, 0o700); err != nil {
				t.Fatal(err)
			}
			write(t, filepath.Join(folder, tc.lock), "", 0o600)
			stray := exec.Command("/bin/sleep", "10000")
			stray.Env = []string{"HOME=" + folder}
			if err := stray.Start(); err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command("/proc/self/exe", watcherName, "watch", folder)
			cmd.Env = tc.env
			if tc.input {
				cmd.Stdin = strings.NewReader("") // a pipe
			}
			out, err := cmd.CombinedOutput()
			if code := cmd.ProcessState.ExitCode(); tc.refuses && (code != ExitRefused || len(out) == 0) || !tc.refuses && err != nil {
				t.Errorf("%d %q, %v", code, out, err)
			}
			if left := Marked(folder); len(left) == 0 != tc.ends {
				t.Errorf("what names the folder: %v", left)
			}
			_ = stray.Process.Kill()
			_ = stray.Wait()
		})
	}
	if _, err := Watch(t.TempDir()); err == nil {
		t.Error("any folder is watched")
	}
}

func TestNothingOfTheCallersEnvironment(t *testing.T) {
	t.Setenv("BELFRY_TEST_SECRET", "hunter2")
	path := script(t, "env | sort\n")
	p := policy(t, path)
	out, code := output(t, p, path)
	if code != 0 {
		t.Fatal(out)
	}
	run := p.Writable[0]
	want := []string{"HOME=" + run, "LANG=C.UTF-8", "PATH=/usr/local/bin:/usr/bin:/bin", "PWD=" + run, "PYTHONDONTWRITEBYTECODE=1", "TMPDIR=" + run}
	if d := cmp.Diff(want, strings.Fields(strings.ReplaceAll(out, "_=/usr/bin/env\n", ""))); d != "" {
		t.Error(d)
	}
}

func TestLimits(t *testing.T) {
	t.Parallel()
	path := script(t, `ulimit -d; ulimit -n; ulimit -f; ulimit -c
`)
	p := policy(t, path)
	p.Memory, p.Files, p.FileSize = 128<<20, 77, 1<<20
	out, _ := output(t, p, path)
	if d := cmp.Diff("131072\n77\n2048\n0\n", out); d != "" {
		t.Error(d)
	}
}

func TestPrivileges(t *testing.T) {
	t.Parallel()
	path := script(t, "echo ready; read line\n")
	cmd, err := policy(t, path).Command(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := out.Read(make([]byte, 6)); err != nil {
		t.Fatal(err)
	}
	status, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(cmd.Process.Pid), "status"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"NoNewPrivs:\t1", "CapPrm:\t0000000000000000", "CapEff:\t0000000000000000", "CapAmb:\t0000000000000000"} {
		if !strings.Contains(string(status), want) {
			t.Errorf("no %q in\n%s", want, status)
		}
	}
	if os.Geteuid() == 0 && !strings.Contains(string(status), "CapBnd:\t0000000000000000") {
		t.Errorf("capabilities can be had again:\n%s", status)
	}
	if _, err := in.Write([]byte("\n")); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
}

func TestMemoryIsBounded(t *testing.T) {
	t.Parallel()
	path := script(t, `x=$(head -c 300000000 /dev/zero | tr '\0' x); echo "${#x}"`+"\n")
	p := policy(t, path)
	p.Memory = 128 << 20
	if out, code := output(t, p, path); code == 0 {
		t.Errorf("it got its 300 MB: %q", out)
	}
}

func TestAFileHasABound(t *testing.T) {
	t.Parallel()
	path := script(t, "head -c 2000000 /dev/zero > f\n")
	p := policy(t, path)
	p.FileSize = 1 << 20
	if _, code := output(t, p, path); code == 0 {
		t.Error("it was written whole")
	}
	if info, err := os.Stat(filepath.Join(p.Writable[0], "f")); err != nil || info.Size() > 1<<20 {
		t.Errorf("%v %v", info, err)
	}
}

// A signal to somebody else is refused by kernels that can (Landlock 6); others are said to be unable to by Probe.
func TestSignals(t *testing.T) {
	t.Parallel()
	victim := exec.Command("/bin/sh", "-c", "read line")
	in, err := victim.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := victim.Start(); err != nil {
		t.Fatal(err)
	}
	path := script(t, `kill -9 "$1"`+"\n")
	_, code := output(t, policy(t, path), path, strconv.Itoa(victim.Process.Pid))
	_ = in.Close()
	_ = victim.Wait()
	guarded := slices.ContainsFunc(Probe(), func(a Ability) bool { return a.Name == "signals" && a.Have })
	if killed := victim.ProcessState.ExitCode() == -1; killed == guarded {
		t.Errorf("killed: %t (its kill ended with %d), and the kernel is said to prevent it: %t", killed, code, guarded)
	}
}

func TestTheWholeGroupEndsWithTheContext(t *testing.T) {
	t.Parallel()
	// What it starts holds the output open: its end is seen when both are gone.
	path := script(t, "sleep 1000 &\necho $!\nwait\n")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	cmd, err := policy(t, path).Command(ctx, path)
	if err != nil {
		t.Fatal(err)
	}
	cmd.WaitDelay = 0
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := out.Read(make([]byte, 16)); err != nil {
		t.Fatal(err)
	}
	cancel()
	var rest bytes.Buffer
	if _, err := rest.ReadFrom(out); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err == nil {
		t.Error("it ended well")
	}
}

func TestTheLauncherRefuses(t *testing.T) {
	t.Parallel()
	sum := func(path string) string {
		tree, err := filetree.Read(path)
		if err != nil {
			t.Fatal(err)
		}
		return tree.Sum()
	}
	good := script(t, "echo ran\n")
	changed := script(t, "echo ran\n")
	before := sum(filepath.Dir(changed))
	write(t, filepath.Join(filepath.Dir(changed), "new"), "", 0o644)
	text := write(t, filepath.Join(t.TempDir(), "text"), "hello", 0o755)
	strange := write(t, filepath.Join(t.TempDir(), "strange"), "#!/no/such/interpreter\n", 0o755)
	for name, tc := range map[string]struct {
		policy Policy
		path   string
		want   string // empty: it runs
	}{
		"the right checksum":       {Policy{Folder: filepath.Dir(good), Checksum: sum(filepath.Dir(good))}, good, ""},
		"the checksum of a file":   {Policy{Folder: good, Checksum: sum(good)}, good, ""},
		"another tree":             {Policy{Folder: filepath.Dir(changed), Checksum: before}, changed, "changed while it was being started"},
		"a folder that is missing": {Policy{Folder: "/no/such/folder", Checksum: before}, good, "/no/such/folder cannot be read"},
		"a program elsewhere":      {Policy{Folder: filepath.Dir(changed)}, good, "lies neither in its own folder nor in the system's"},
		"no program":               {Policy{Folder: text}, text, "its first line names no interpreter"},
		"no interpreter":           {Policy{Folder: strange}, strange, "it, or the interpreter it names, is missing"},
		"no run folder":            {Policy{Folder: good, Read: []string{good}, Writable: []string{t.TempDir(), good}}, good, "is not there"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tc.policy.Memory = -1
			out, code := output(t, tc.policy, tc.path)
			if tc.want == "" && (code != 0 || out != "ran\n") || tc.want != "" && (code != ExitRefused || !strings.Contains(out, tc.want)) {
				t.Errorf("got %d %q, want %q", code, out, tc.want)
			}
		})
	}
}

func TestPoliciesThatMakeNoSense(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		policy Policy
		path   string
		want   string
	}{
		"a relative program":        {Policy{}, "./x", `the path "./x" is not absolute`},
		"an unknown program":        {Policy{}, "no-such-program", `there is no program "no-such-program" in`},
		"no program":                {Policy{}, "", "is not absolute"},
		"a relative folder":         {Policy{Folder: "x"}, "/bin/sh", `the path "x" is not absolute`},
		"a relative run folder":     {Policy{Writable: []string{"x"}}, "/bin/sh", `the path "x" is not absolute`},
		"a checksum without a tree": {Policy{Checksum: "x"}, "/bin/sh", "no folder to compare it with"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := tc.policy.Command(t.Context(), tc.path); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want %q", err, tc.want)
			}
		})
	}
}

func TestProbeSaysWhatIsMissing(t *testing.T) {
	t.Parallel()
	lacks := func(abi int, root bool) (out []string) {
		for _, a := range abilities(abi, root) {
			if a.What == "" || strings.HasSuffix(a.What, ".") {
				t.Errorf("%q is no sentence of a table", a.What)
			}
			if a.Have != (a.Mend == "") {
				t.Errorf("%s: had: %t, and what would help: %q", a.Name, a.Have, a.Mend)
			}
			if !a.Have {
				out = append(out, a.Name)
			}
		}
		return out
	}
	for name, tc := range map[string]struct {
		abi  int
		root bool
		want []string
	}{
		"no Landlock":       {0, false, []string{"files", "truncate", "devices", "signals", "sockets"}},
		"Linux 5.13":        {1, false, []string{"truncate", "devices", "signals", "sockets"}},
		"Linux 6.12":        {6, false, []string{"sockets"}},
		"newest, as root":   {11, true, []string{"processes"}},
		"newest, as a user": {11, false, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if d := cmp.Diff(tc.want, lacks(tc.abi, tc.root)); d != "" {
				t.Error(d)
			}
		})
	}
}

// startAndWait starts a program under a policy, as a caller that is killed before it ends.
func startAndWait(path, run string) {
	cmd, err := Policy{Folder: filepath.Dir(path), Writable: []string{run}, Memory: -1}.Command(context.Background(), path)
	if err != nil {
		panic(err)
	}
	cmd.Stdout = os.Stdout
	if err := cmd.Run(); err != nil {
		panic(err)
	}
}

// The kernel ends the program with who started it, although it was the launcher that was started.
func TestTheProgramEndsWithWhoStartedIt(t *testing.T) {
	t.Parallel()
	path := script(t, "echo ready; exec sleep 10000\n")
	caller := exec.Command("/proc/self/exe", "start", path, t.TempDir())
	out, err := caller.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := caller.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := out.Read(make([]byte, 6)); err != nil {
		t.Fatal(err)
	}
	if err := caller.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	// The program holds the output as long as it lives.
	if rest, err := io.ReadAll(out); err != nil || len(rest) > 0 {
		t.Errorf("%q %v", rest, err)
	}
	_ = caller.Wait()
}

func TestAnOrderThatCannotBeRead(t *testing.T) {
	t.Parallel()
	out, err := exec.Command("/proc/self/exe", "plugin", "launch", "{").CombinedOutput()
	exit := (*exec.ExitError)(nil)
	if !errors.As(err, &exit) || exit.ExitCode() != ExitRefused || !strings.HasPrefix(string(out), "what the launcher was told to start cannot be read: ") {
		t.Errorf("%v %q", err, out)
	}
}
