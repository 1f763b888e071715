package operations

import (
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// hardenEnv makes this program the helper that puts restrictions on itself and then becomes another one.
const hardenEnv = "BELFRY_TEST_HARDEN"

func TestMain(m *testing.M) {
	if os.Getenv(hardenEnv) != "" {
		fmt.Fprintln(os.Stderr, "harden:", harden())
		os.Exit(1)
	}
	os.Exit(m.Run())
}

const errnoPerm = int(unix.EPERM)

// families are the numbers of address families.
var families = map[string]int{"AF_UNIX": unix.AF_UNIX, "AF_INET": unix.AF_INET, "AF_INET6": unix.AF_INET6}

// probes are what the restrictions refuse or allow, and the answer.
var probes = map[string]string{
	"write /etc":                  "read-only file system",
	"write /usr":                  "read-only file system",
	"write the state":             "allowed",
	"write /tmp":                  "allowed",
	"a namespace":                 "operation not permitted",
	"memory that is executed":     "operation not permitted",
	"memory made executable":      "operation not permitted",
	"a netlink socket":            "address family not supported by protocol",
	"an internet socket":          "allowed",
	"another personality":         "operation not permitted",
	"a real-time schedule":        "operation not permitted",
	"a program of its owner":      "operation not permitted",
	"a mount":                     "operation not permitted",
	"a debugger":                  "operation not permitted",
	"the kernel's settings":       "no such file or directory",
	"others' homes":               "no such file or directory",
	"more capabilities":           "operation not permitted",
	"more files than LimitNOFILE": "operation not permitted",
}

// harden puts the restrictions on this thread, and becomes the command.
func harden() error {
	runtime.LockOSThread()
	text, err := os.ReadFile(inside)
	if err != nil {
		return err
	}
	var r restrictions
	if err := json.Unmarshal(text, &r); err != nil {
		return err
	}
	numbers, err := callNumbers()
	if err != nil {
		return err
	}
	unix.Umask(r.Umask)
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: r.Files, Max: r.Files}); err != nil {
		return err
	}
	for c := uintptr(0); ; c++ {
		if err := unix.Prctl(unix.PR_CAPBSET_DROP, c, 0, 0, 0); errors.Is(err, unix.EINVAL) {
			break
		} else if err != nil {
			return fmt.Errorf("drop capability %d: %w", c, err)
		}
	}
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var none [2]unix.CapUserData
	if err := unix.Capset(&header, &none[0]); err != nil {
		return err
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	if err := os.Chdir(r.Dir); err != nil {
		return err
	}
	for _, program := range [][]bpf.Instruction{denials(numbers, r.Families), allowing(numbers, r.Allowed, r.Errno)} {
		if err := install(program); err != nil {
			return fmt.Errorf("a filter is not taken: %w", err)
		}
	}
	if r.Probe {
		probe()
		os.Exit(0)
	}
	return syscall.Exec(r.Command[0], r.Command, []string{"PATH=/usr/local/bin:/usr/bin:/bin"})
}

// install adds a filter to this thread.
func install(program []bpf.Instruction) error {
	raw, err := bpf.Assemble(program)
	if err != nil {
		return err
	}
	filter := make([]unix.SockFilter, len(raw))
	for i, in := range raw {
		filter[i] = unix.SockFilter{Code: in.Op, Jt: in.Jt, Jf: in.Jf, K: in.K}
	}
	prog := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	return unix.Prctl(unix.PR_SET_SECCOMP, unix.SECCOMP_MODE_FILTER, uintptr(unsafe.Pointer(&prog)), 0, 0)
}

const (
	retAllow = 0x7fff0000
	retKill  = 0x80000000
	retErrno = 0x00050000
	// Where the kernel shows a filter what is called (seccomp(2), struct seccomp_data).
	offNumber, offArch, offArgs = 0, 4, 16
)

// begin checks the architecture, and loads the number of the call.
func begin() []bpf.Instruction {
	arch := map[string]uint32{"amd64": unix.AUDIT_ARCH_X86_64, "arm64": unix.AUDIT_ARCH_AARCH64}[runtime.GOARCH]
	return []bpf.Instruction{bpf.LoadAbsolute{Off: offArch, Size: 4}, bpf.JumpIf{Cond: bpf.JumpEqual, Val: arch, SkipTrue: 1}, bpf.RetConstant{Val: retKill},
		bpf.LoadAbsolute{Off: offNumber, Size: 4}}
}

// allowing refuses every call that is not named.
func allowing(numbers map[string]uint32, names []string, errno int) []bpf.Instruction {
	out := begin()
	for _, name := range names {
		if n, ok := numbers[name]; ok { // others are of other architectures
			out = append(out, bpf.JumpIf{Cond: bpf.JumpEqual, Val: n, SkipFalse: 1}, bpf.RetConstant{Val: retAllow})
		}
	}
	return append(out, bpf.RetConstant{Val: retErrno | uint32(errno)})
}

// denials refuse calls by their arguments, as systemd does for the single restrictions.
func denials(numbers map[string]uint32, families []int) []bpf.Instruction {
	out := begin()
	deny := func(call string, errno unix.Errno, test ...bpf.Instruction) {
		n, ok := numbers[call]
		if !ok {
			return // not on this architecture
		}
		// The test leaves out the last instruction, which refuses, where the call is fine.
		out = append(out, bpf.JumpIf{Cond: bpf.JumpEqual, Val: n, SkipFalse: uint8(len(test) + 2)})
		out = append(out, test...)
		out = append(out, bpf.RetConstant{Val: retErrno | uint32(errno)}, bpf.LoadAbsolute{Off: offNumber, Size: 4})
	}
	arg := func(n int) bpf.Instruction { return bpf.LoadAbsolute{Off: uint32(offArgs + 8*n), Size: 4} }
	some := func(n int, bits uint32) []bpf.Instruction {
		return []bpf.Instruction{arg(n), bpf.JumpIf{Cond: bpf.JumpBitsSet, Val: bits, SkipFalse: 1}}
	}
	all := func(n int, bits uint32) []bpf.Instruction {
		return []bpf.Instruction{arg(n), bpf.ALUOpConstant{Op: bpf.ALUOpAnd, Val: bits}, bpf.JumpIf{Cond: bpf.JumpEqual, Val: bits, SkipFalse: 1}}
	}
	const spaces = unix.CLONE_NEWNS | unix.CLONE_NEWCGROUP | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC | unix.CLONE_NEWUSER | unix.CLONE_NEWPID | unix.CLONE_NEWNET
	deny("clone", unix.EPERM, some(0, spaces)...)
	deny("unshare", unix.EPERM, some(0, spaces)...)
	deny("clone3", unix.ENOSYS)
	deny("setns", unix.EPERM)
	deny("mmap", unix.EPERM, all(2, unix.PROT_WRITE|unix.PROT_EXEC)...)
	deny("mprotect", unix.EPERM, some(2, unix.PROT_EXEC)...)
	deny("pkey_mprotect", unix.EPERM, some(2, unix.PROT_EXEC)...)
	deny("shmat", unix.EPERM, some(2, 0o100000)...) // SHM_EXEC
	for call, n := range map[string]int{"chmod": 1, "fchmod": 1, "fchmodat": 2, "mkdir": 1, "mkdirat": 2, "mknod": 1, "mknodat": 2} {
		deny(call, unix.EPERM, some(n, unix.S_ISUID|unix.S_ISGID)...)
	}
	deny("personality", unix.EPERM, arg(0), bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: 0, SkipFalse: 1})
	deny("sched_setscheduler", unix.EPERM, arg(1), bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: 0, SkipFalse: 1})
	family := []bpf.Instruction{arg(0)}
	for i, f := range families {
		family = append(family, bpf.JumpIf{Cond: bpf.JumpEqual, Val: uint32(f), SkipTrue: uint8(len(families) - i)})
	}
	deny("socket", unix.EAFNOSUPPORT, family...)
	return append(out, bpf.RetConstant{Val: retAllow})
}

// callNumbers are the numbers of the system calls of this architecture, as the library has them.
func callNumbers() (map[string]uint32, error) {
	text, err := os.ReadFile("/etc/calls.json")
	if err != nil {
		return nil, err
	}
	out := map[string]uint32{}
	return out, json.Unmarshal(text, &out)
}

// writeCallNumbers reads them out of the source of golang.org/x/sys.
func writeCallNumbers(t *testing.T, dir, file string) {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), filepath.Join(dir, "unix", "zsysnum_linux_"+runtime.GOARCH+".go"), nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]uint32{}
	for _, decl := range parsed.Decls {
		constants, is := decl.(*ast.GenDecl)
		if !is || constants.Tok != token.CONST {
			continue
		}
		for _, spec := range constants.Specs {
			v := spec.(*ast.ValueSpec)
			var n uint32
			if _, err := fmt.Sscan(v.Values[0].(*ast.BasicLit).Value, &n); err != nil {
				t.Fatal(err)
			}
			out[strings.ToLower(strings.TrimPrefix(v.Names[0].Name, "SYS_"))] = n
		}
	}
	text, err := json.Marshal(out)
	if err != nil || len(out) < 300 {
		t.Fatalf("%d calls, %v", len(out), err)
	}
	write(t, file, string(text))
}

// probe asks for what is refused, and prints each answer.
func probe() {
	say := func(name string, err error) {
		if err == nil {
			err = errors.New("allowed")
		}
		if cause, ok := errors.AsType[syscall.Errno](err); ok {
			err = cause
		}
		fmt.Printf("%s: %v\n", name, err)
	}
	create := func(path string) error {
		f, err := os.Create(path)
		if err == nil {
			err = f.Close()
		}
		return err
	}
	open := func(path string) error {
		f, err := os.Open(path)
		if err == nil {
			err = f.Close()
		}
		return err
	}
	socket := func(family, kind int) error {
		fd, err := unix.Socket(family, kind, 0)
		if err == nil {
			err = unix.Close(fd)
		}
		return err
	}
	say("write /etc", create("/etc/x"))
	say("write /usr", create("/usr/x"))
	say("write the state", create("/var/lib/belfry/x"))
	say("write /tmp", create("/tmp/x"))
	say("a namespace", unix.Unshare(unix.CLONE_NEWUSER))
	_, err := unix.Mmap(-1, 0, 4096, unix.PROT_READ|unix.PROT_WRITE|unix.PROT_EXEC, unix.MAP_ANON|unix.MAP_PRIVATE)
	say("memory that is executed", err)
	memory, err := unix.Mmap(-1, 0, 4096, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err == nil {
		err = unix.Mprotect(memory, unix.PROT_READ|unix.PROT_EXEC)
	}
	say("memory made executable", err)
	say("a netlink socket", socket(unix.AF_NETLINK, unix.SOCK_RAW))
	say("an internet socket", socket(unix.AF_INET, unix.SOCK_STREAM))
	say("another personality", refusalOf(unix.SYS_PERSONALITY, 0x0040000, 0, 0)) // ADDR_NO_RANDOMIZE
	param := struct{ priority int32 }{1}
	say("a real-time schedule", refusalOf(unix.SYS_SCHED_SETSCHEDULER, 0, 1, uintptr(unsafe.Pointer(&param)))) // SCHED_FIFO
	say("a program of its owner", unix.Chmod("/var/lib/belfry/x", 0o4700))
	say("a mount", unix.Mount("tmpfs", "/tmp", "tmpfs", 0, ""))
	say("a debugger", refusalOf(unix.SYS_PTRACE, unix.PTRACE_TRACEME, 0, 0))
	say("the kernel's settings", open("/proc/sys/kernel/hostname"))
	say("others' homes", open("/home"))
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	some := [2]unix.CapUserData{{Effective: 1, Permitted: 1}}
	say("more capabilities", unix.Capset(&header, &some[0]))
	say("more files than LimitNOFILE", unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 1 << 20, Max: 1 << 20}))
}

func refusalOf(call, a, b, c uintptr) error {
	if _, _, errno := unix.Syscall(call, a, b, c); errno != 0 {
		return errno
	}
	return nil
}
