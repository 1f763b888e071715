package sandbox

import (
	"debug/elf"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"

	"github.com/landlock-lsm/go-landlock/landlock"
	ll "github.com/landlock-lsm/go-landlock/landlock/syscall"
	"golang.org/x/sys/unix"

	"github.com/belfry-news/belfry/internal/filetree"
)

// mainCalled is set by Main. Without it, a program that starts itself would do everything again instead of launching.
var mainCalled atomic.Bool

// Main makes this process the program that a Command was made for, when a Command started it, or the watcher that Watch started;
// otherwise it does nothing.
// The main of every program that uses Command calls it first.
func Main() {
	mainCalled.Store(true)
	if len(os.Args) != 4 {
		return
	}
	switch {
	case os.Args[1] == "plugin" && os.Args[2] == "launch":
		// Capabilities belong to a thread; the one that gives them up must be the one that becomes the program.
		runtime.LockOSThread()
		fmt.Fprintln(os.Stderr, launch(os.Args[3]))
	case os.Args[1] == watcherName && os.Args[2] == "watch":
		if err := watch(os.Args[3]); err == nil {
			os.Exit(0)
		} else {
			fmt.Fprintln(os.Stderr, err)
		}
	default:
		return
	}
	os.Exit(ExitRefused)
}

// Compares says whether a launcher compares a program's checksum; where it does not, whoever calls Policy.Command has to.
const Compares = true

// launch becomes the program; it returns only when that fails.
func launch(text string) error {
	var o order
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		return fmt.Errorf("what the launcher was told to start cannot be read: %w", err)
	}
	if o.Checksum != "" {
		tree, err := filetree.Read(o.Folder)
		if err != nil {
			return err
		}
		if got := tree.Sum(); got != o.Checksum {
			return fmt.Errorf("%s changed while it was being started (checksum %s)", o.Folder, got)
		}
	}
	processes := o.Processes
	if processes > 0 {
		processes += threadsOfUser()
	}
	if err := dropCapabilities(); err != nil {
		if err = fmt.Errorf("the capabilities of root cannot be given up: %w", err); !o.goesOn(err) {
			return err
		}
	}
	if err := confine(o.Policy); err != nil {
		if err = fmt.Errorf("the program cannot be confined: %w", err); !o.goesOn(err) {
			return err
		}
	}
	// A core file would hold the addresses of people.
	limits := []struct {
		what  int
		limit int64
	}{{unix.RLIMIT_CORE, 0}, {unix.RLIMIT_FSIZE, o.FileSize}, {unix.RLIMIT_NPROC, processes}, {unix.RLIMIT_NOFILE, o.Files}, {unix.RLIMIT_DATA, o.Memory}}
	argv, env := append([]string{o.Path}, o.Args...), os.Environ()
	for _, l := range limits {
		if l.limit < 0 {
			continue
		}
		if err := limit(l.what, uint64(l.limit)); err != nil {
			return fmt.Errorf("a limit cannot be set: %w", err)
		}
	}
	err := syscall.Exec(o.Path, argv, env)
	switch {
	case errors.Is(err, syscall.EACCES):
		return fmt.Errorf("%s cannot be executed: it, or the interpreter its first line names, lies neither in its own folder nor in the system's, or has no right to be executed", o.Path)
	case errors.Is(err, syscall.ENOEXEC):
		return fmt.Errorf("%s is no program of this system: it is no executable, and its first line names no interpreter", o.Path)
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%s cannot be executed: it, or the interpreter it names, is missing", o.Path)
	}
	return fmt.Errorf("%s cannot be executed: %w", o.Path, err)
}

// goesOn says of a sandbox that cannot be made whether the program is started all the same: one of Belfry's own is where the system
// forbids sandboxes, since without it nothing would be read; the log of its host warns of it. Whatever else went wrong is no reason to
// read without one what strangers wrote.
func (o *order) goesOn(err error) bool {
	if !o.Whole || !forbidden(err) {
		return false
	}
	// As plugins write their log (hclog): it is read with its level.
	line, wrong := json.Marshal(map[string]string{"@level": "warn", "@message": "the program runs without a whole sandbox, which this system forbids: " + err.Error()})
	if wrong != nil {
		return false
	}
	fmt.Fprintln(os.Stderr, string(line))
	return true
}

// forbidden reports whether a system refuses a call whatever it is asked: by a filter of calls, or because it has no such call.
func forbidden(err error) bool {
	return errors.Is(err, unix.EPERM) || errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EOPNOTSUPP)
}

// limit sets a limit, or a lower one that holds already.
func limit(what int, most uint64) error {
	var now unix.Rlimit
	if err := unix.Getrlimit(what, &now); err != nil {
		return err
	}
	most = min(most, now.Max)
	return unix.Setrlimit(what, &unix.Rlimit{Cur: most, Max: most})
}

// threadsOfUser counts what the kernel compares with RLIMIT_NPROC: the threads of this process's user, everywhere.
func threadsOfUser() (n int64) {
	all, err := os.ReadDir("/proc")
	if err != nil {
		return math.MaxInt32
	}
	for _, e := range all {
		if _, err := strconv.Atoi(e.Name()); err != nil {
			continue
		}
		var st unix.Stat_t
		if unix.Stat(filepath.Join("/proc", e.Name(), "task"), &st) == nil && int(st.Uid) == os.Getuid() {
			n += int64(st.Nlink) - 2 // a folder for each thread
		}
	}
	return max(n, 0)
}

// dropCapabilities gives up what makes root more than the owner of its files, for this thread and what it becomes.
func dropCapabilities() error {
	for c := uintptr(0); ; c++ {
		err := unix.Prctl(unix.PR_CAPBSET_DROP, c, 0, 0, 0)
		if errors.Is(err, unix.EINVAL) {
			break // the kernel knows no more of them
		}
		if errors.Is(err, unix.EPERM) {
			break // there are none to give up
		}
		if err != nil {
			return err
		}
	}
	head := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var has, none [2]unix.CapUserData
	if err := unix.Capget(&head, &has[0]); err == nil && has == none {
		return nil // where there are none, asking may be forbidden (SystemCallFilter=~@privileged)
	}
	return unix.Capset(&head, &none[0])
}

// What a policy takes away where the kernel can: an older one takes away what it knows. The network is not among it.
const (
	handledFiles  = landlock.AccessFSSet(ll.AccessFSResolveUnix<<1 - 1)
	handledScopes = landlock.ScopedSet(ll.ScopeAbstractUnixSocket | ll.ScopeSignal)
)

// Rights to files and to what lies in folders.
const (
	readFile  = landlock.AccessFSSet(ll.AccessFSReadFile)
	readDir   = landlock.AccessFSSet(ll.AccessFSReadDir)
	execute   = landlock.AccessFSSet(ll.AccessFSExecute)
	writeFile = landlock.AccessFSSet(ll.AccessFSWriteFile | ll.AccessFSTruncate)
	manage    = landlock.AccessFSSet(ll.AccessFSRemoveDir | ll.AccessFSRemoveFile | ll.AccessFSMakeDir | ll.AccessFSMakeReg | ll.AccessFSMakeSock |
		ll.AccessFSMakeFifo | ll.AccessFSMakeSym)
)

// confine takes every access away from this process that the policy does not give, as far as the kernel can.
func confine(p Policy) error {
	config, err := landlock.NewConfig(handledFiles, handledScopes)
	if err != nil {
		return err
	}
	var rules []landlock.Rule
	allow := func(files, dirs landlock.AccessFSSet, unixSockets bool, paths ...string) {
		for _, path := range paths {
			info, err := os.Stat(path)
			if err != nil {
				continue
			}
			rights := files
			if info.IsDir() {
				rights |= dirs
			}
			rule := landlock.PathAccess(rights, path).IgnoreIfMissing()
			if unixSockets {
				rule = rule.WithResolveUnix()
			}
			rules = append(rules, rule)
		}
	}
	if p.Whole {
		allow(readFile, readDir, false, data...)
	}
	if !p.Whole || linked(p.Folder) {
		allow(readFile|execute, readDir, false, programs...)
	}
	allow(readFile, readDir, false, facts...)
	allow(readFile, readDir, true, resolvers()...)
	allow(readFile|writeFile, 0, false, "/dev/null")
	if p.Folder != "" {
		allow(readFile|execute, readDir, false, p.Folder)
	}
	allow(readFile, readDir, false, p.Read...)
	for _, dir := range p.Writable {
		if info, err := os.Stat(dir); err != nil || !info.IsDir() {
			return fmt.Errorf("its run folder %s is not there", dir)
		}
		allow(readFile|writeFile, readDir|manage, false, dir)
	}
	return config.BestEffort().Restrict(rules...)
}

// programs are what the system brings: programs, interpreters and libraries. /usr has everything that a shell or a Python
// needs to begin.
var programs = []string{"/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/nix/store", "/gnu/store"}

// linked reports whether a program needs the system's loader, and so its libraries. One that cannot be read does not.
func linked(path string) bool {
	f, err := elf.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	return slices.ContainsFunc(f.Progs, func(p *elf.Prog) bool { return p.Type == elf.PT_INTERP })
}

// data is what lies among the system's programs and is read about zones, certificates and types of files, wherever a
// distribution keeps it. The last is the process's own: it tells which of its pages are the program's.
var data = []string{
	"/usr/share/zoneinfo", "/usr/share/ca-certificates", "/usr/local/share/ca-certificates", "/usr/share/pki", "/etc/static", "/nix/store", "/gnu/store",
	"/usr/share/mime", "/proc/self/smaps",
}

// facts are what programs read about the system: where libraries are, certificates, names and zones, the machine's size.
// Nothing here is secret; /etc/ssl/private, for one, is left out.
var facts = []string{
	"/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d", "/etc/ld.so.preload", "/etc/ld-musl-x86_64.path", "/etc/ld-musl-aarch64.path",
	"/etc/ssl/certs", "/etc/ssl/cert.pem", "/etc/ssl/ca-bundle.pem", "/var/lib/ca-certificates", "/etc/ssl/openssl.cnf", "/etc/ssl/ct_log_list.cnf", "/etc/ca-certificates", "/etc/pki/ca-trust",
	"/etc/pki/tls/certs", "/etc/pki/tls/cert.pem", "/etc/pki/tls/openssl.cnf", "/etc/crypto-policies", "/etc/gnutls",
	"/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf", "/etc/host.conf", "/etc/gai.conf", "/etc/services", "/etc/protocols",
	"/etc/localtime", "/etc/timezone", "/etc/locale.alias", "/etc/locale.conf", "/etc/mime.types", "/etc/os-release", "/etc/debian_version",
	"/etc/alternatives", "/etc/python3", "/etc/perl", "/etc/inputrc",
	"/proc/meminfo", "/proc/cpuinfo", "/proc/stat", "/proc/loadavg", "/proc/filesystems", "/proc/sys/vm/overcommit_memory", "/proc/sys/kernel/ngroups_max",
	"/sys/devices/system/cpu", "/sys/kernel/mm/transparent_hugepage",
	"/dev/zero", "/dev/random", "/dev/urandom",
}

// Stamp tells the files apart that facts names: it changes when one of them is replaced by another file, which a program that
// was confined before cannot open.
func Stamp() string {
	var b strings.Builder
	for _, path := range facts {
		var st unix.Stat_t
		if unix.Stat(path, &st) == nil && st.Mode&unix.S_IFMT == unix.S_IFREG {
			fmt.Fprintf(&b, "%s %d %d\n", path, st.Dev, st.Ino)
		}
	}
	return b.String()
}

// resolvers are folders in which the file behind /etc/resolv.conf is replaced by another one whenever the network changes,
// and the socket that the C library may ask instead.
func resolvers() []string { return []string{"/run/systemd/resolve", "/run/resolvconf"} }
