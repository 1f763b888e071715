package pluginhost

import (
	"log/slog"
	"time"

	"google.golang.org/grpc"

	"github.com/belfry-news/belfry/internal/filetree"
	"github.com/belfry-news/belfry/sdk"
)

// Config says how plugins are run.
type Config struct {
	// Command tells how the process of a kind is started. Required.
	Command func(kind string) (Command, error)
	// AnyType lets a process serve other types than its kind's name: for asking a program what it is (Offers).
	AnyType bool
	// RunDir is a folder for sockets, made if it is missing. It is private to the daemon's user, on a local disk, and its
	// path is short: at most 59 bytes, because a socket's path has a bound and more names follow. Required.
	RunDir string
	// Log gets the lines of the plugins and what the host has to say of them.
	Log *slog.Logger
	// Limits that are zero take their defaults.
	Limits Limits
	// Crashed is told of the end of a process that nobody wanted; nil tells nobody.
	Crashed func(kind string)
	// Ended is told how each process ended, wanted or not ("exit status 0"); nil tells nobody.
	Ended func(kind, exit string)
	// Hears gives the kinds of events that a third party's kind is believed, of those that it says it tells of; nil believes all of these.
	Hears func(kind string) []sdk.EventKind
	// Refused is told of each event of a kind that was left out, and why, in a word; nil tells nobody.
	Refused func(kind, why string)
	// Offer are the major versions of the protocol that processes are offered, when a tool plays another host than this one;
	// nil means those that are spoken.
	Offer []int
	// Dial is added to what connections to processes are made with, for tools that look at the calls.
	Dial []grpc.DialOption
	// Now is the clock of budgets and back-off; nil means time.Now.
	Now func() time.Time
}

// Command is an executable.
type Command struct {
	// Path is absolute. For Belfry's own kinds "/proc/self/exe" starts the same binary even after the file was replaced.
	Path string
	Args []string
	// Env is added to the process's environment ("NAME=value"). The daemon's own environment is never passed on.
	Env []string
	// Confined says that a program of Belfry's own runs in a sandbox, too, in which it executes nothing but itself.
	Confined bool
	// Foreign says that the file is not Belfry's own: it is checked before each start, and runs in a sandbox.
	Foreign bool
	// Folder holds all that a foreign program consists of; empty means that Path is all of it. It can read and execute
	// nothing else besides the system's programs and libraries.
	Folder string
	// SHA256 is the checksum that Folder, or without one the file, must have (filetree.Tree.Sum); empty compares nothing.
	SHA256 string
	// Explain says what a tree has changed that has another checksum; nil says no more than that it has.
	Explain func(filetree.Tree) error
	// Read are further files and folders that a foreign program may read.
	Read []string
}

// Limits bound what a plugin may take.
type Limits struct {
	// Memory of a process, in bytes (Linux: its data segment); default 512 MiB, negative for none. A Go program begins
	// with about 120 MiB of it, most of which it never touches: 256 MiB is a sensible least.
	Memory int64
	// Start is how long a process may take until it can be called; default 15 s.
	Start time.Duration
	// Call is the longest call; default 2 min. A context that ends sooner counts.
	Call time.Duration
	// Calls is how many calls of a kind may be under way at once; further ones wait, at most Queue of them, and what comes
	// then is refused. Defaults 256 and 1024.
	Calls, Queue int
	// Health is how often a shared process is asked whether it is well, HealthWait how long it may take to answer; one that
	// does not answer three times in a row is killed. Defaults 30 s and 10 s; a negative Health asks nobody.
	Health, HealthWait time.Duration
	// Grace is how long a call may go on after its context has ended before its process is killed; default 5 s.
	Grace time.Duration
	// Starts is how many processes of Belfry's own kinds, and how many of third parties, may be starting at once; default 2.
	Starts int
	// Budget is how many crashes within Window hold an instance, or failed starts a kind; defaults 5 and 10 min.
	Budget int
	Window time.Duration
	// BackoffMin and BackoffMax bound the wait after a crash, which doubles with each; defaults 1 s and 1 min.
	BackoffMin, BackoffMax time.Duration
	// LogLine is where a line of a plugin's log is cut, in bytes; default 4 KiB. LogRate is how many lines a second are
	// passed on from one process, and LogBurst how many at once; defaults 50 and 500. What is more is dropped and counted.
	LogLine, LogRate, LogBurst int
	// Output is how many bytes a process may write to its standard output and error at once, and again within a minute;
	// one that writes more is killed, because reading it would cost the daemon a processor. Default 32 MiB.
	Output int
}

func (l Limits) withDefaults() Limits {
	def(&l.Memory, 512<<20)
	def(&l.Start, 15*time.Second)
	def(&l.Call, 2*time.Minute)
	def(&l.Calls, 256)
	def(&l.Queue, 1024)
	def(&l.Health, 30*time.Second)
	def(&l.HealthWait, 10*time.Second)
	def(&l.Grace, 5*time.Second)
	def(&l.Starts, 2)
	def(&l.Budget, 5)
	def(&l.Window, 10*time.Minute)
	def(&l.BackoffMin, time.Second)
	def(&l.BackoffMax, time.Minute)
	def(&l.LogLine, 4<<10)
	def(&l.LogRate, 50)
	def(&l.LogBurst, 500)
	def(&l.Output, 32<<20)
	return l
}

func def[T comparable](v *T, to T) {
	var zero T
	if *v == zero {
		*v = to
	}
}
