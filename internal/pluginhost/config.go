package pluginhost

import (
	"log/slog"
	"time"

	"google.golang.org/grpc"
)

// Config says how plugins are run.
type Config struct {
	// Command tells how the process of a kind is started. Required.
	Command func(kind string) (Command, error)
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
	// Foreign says that the file is not Belfry's own, so that its owner and mode are checked.
	Foreign bool
	// SHA256 is the hex digest that a foreign file must have; empty means that it is not compared.
	SHA256 string
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
	// Grace is how long a call may go on after its context has ended before its process is killed; default 5 s.
	Grace time.Duration
	// Starts is how many processes may be starting at once; default 2.
	Starts int
	// Budget is how many crashes within Window hold an instance, or failed starts a kind; defaults 5 and 10 min.
	Budget int
	Window time.Duration
	// BackoffMin and BackoffMax bound the wait after a crash, which doubles with each; defaults 1 s and 1 min.
	BackoffMin, BackoffMax time.Duration
	// LogLine is where a line of a plugin's log is cut, in bytes; default 4 KiB. LogRate is how many lines a second are
	// passed on from one process, and LogBurst how many at once; defaults 50 and 500. What is more is dropped and counted.
	LogLine, LogRate, LogBurst int
}

func (l Limits) withDefaults() Limits {
	def(&l.Memory, 512<<20)
	def(&l.Start, 15*time.Second)
	def(&l.Call, 2*time.Minute)
	def(&l.Grace, 5*time.Second)
	def(&l.Starts, 2)
	def(&l.Budget, 5)
	def(&l.Window, 10*time.Minute)
	def(&l.BackoffMin, time.Second)
	def(&l.BackoffMax, time.Minute)
	def(&l.LogLine, 4<<10)
	def(&l.LogRate, 50)
	def(&l.LogBurst, 500)
	return l
}

func def[T comparable](v *T, to T) {
	var zero T
	if *v == zero {
		*v = to
	}
}
