// Package pluginhost runs connectors in processes of their own. Its one promise: a plugin that crashes, hangs, floods or
// lies costs its own instance, never the daemon and never the instances beside it.
//
// # Processes
//
// There is one process for each kind ("rss", a third party's type), started by the first call, which holds all instances
// of the kind. Belfry's own kinds are the daemon's executable started again; a third party's are files whose owner, mode
// and, where configured, SHA-256 are checked before each start. A process gets an explicit environment, a folder of its
// own for its socket, a limit of memory, and its configuration over the socket only; it runs in a sandbox (Command.Foreign,
// Command.Confined). It ends with the host: by Host.Close, by the kernel when the daemon is killed (Linux), and by its own watch
// of its parent. What it had started when the daemon was killed is ended by a watcher (sandbox.Watch), which is there while a
// process runs that can start programs, or by the next host with the same RunDir.
//
// # Who answers
//
// A process with a certificate, as every plugin in Go, speaks mutual TLS made for it alone. One that says the word "socket" in its
// handshake has none: at every connection the host asks the kernel who listens on its socket, and believes the process and
// its group only; and it says a token with every call. Neither is chosen by the absence of something.
//
// # Who is to blame
//
// The host believes only what it sees: which instances had a call under way when the process ended.
//
//	shared ──process ended during a call──▶ suspect ──a call alone went well──▶ shared
//	                                           │
//	                             the process ended again, alone
//	                                           ▼
//	                                        struck ──Budget strikes within Window──▶ held ──Release──▶ shared
//	                                           │ back-off, then alone again
//
// A suspect's call is made again, alone, in a fresh process, unless it sends (Publish): then its outcome is unknown, and
// the next call is made alone. A call that goes on after its context has ended is given Grace and then ends its process:
// nothing else stops a parser that hangs. The instance that hung is struck; those beside it are suspects.
//
// Who hears people has a call under way nearly always, which mostly waits (wire.Op.Waits). Such calls and the others are suspected,
// made alone and cleared each by themselves, so that a message which ends the process is not excused by listening. When another call
// was under way, those that wait are suspects from the second end within Window on. In a process that is renewed they are given up at
// once and made in the next, when the instance is closed there.
//
// A shared process that ends more than Budget times within Window while every suspect is cleared is a fault that needs
// company: until the window has passed, every call of the kind is made alone. A process that cannot be started is tried
// again with back-off; after Budget failures within Window the whole kind is held.
//
// A hold is an *sdk.Error with CodeUnavailable whose cause is a *HeldError.
//
// # What keeps one from costing the others
//
// A shared process is asked every Limits.Health whether it is well; one that is silent three times is ended, so that a process
// which hangs as a whole does not cost the next call all its time. Limits.Calls of a kind are under way at once, Limits.Queue
// wait, and more are refused. Whoever is called alone yields the processors to the others (nice 10). The fourteen ways to
// misbehave that TestMisbehaviour knows are the contract; BenchmarkNeighbour measures what they cost a plugin of another kind.
//
// # What a process can do to the host
//
// Standard output before the handshake line and everything on standard error becomes lines of the log, cut and counted
// (Limits.LogLine, LogRate); a process that writes more than Limits.Output is ended. What a process started ends with it, also
// what left its group (Linux). The socket must lie in the process's own folder. The broker of go-plugin, over which a
// process could make the host start goroutines, is refused. Answers are bounded by package wire before they are decoded.
package pluginhost
