// Package sandbox starts programs that are not trusted, or read what strangers wrote. Its one promise: a program started by Policy.Command reaches the files
// that its policy names and what every program of the system needs, and no other; it is given nothing of the caller's
// environment; it takes no more than its limits; and it ends with whoever started it, as a whole.
//
// # How
//
// The command that Policy.Command makes starts the caller's own executable again as `belfry plugin launch`. That launcher
// compares the program's checksum, gives up every capability, confines itself with Landlock, sets its limits and becomes
// the program (execve); all of it is inherited by what the program starts. The executable's main therefore calls Main
// before anything else.
//
//	caller ──Start──▶ launcher: checksum → capabilities → Landlock → limits ──execve──▶ program
//
// # What a program may touch
//
//	read and execute   the system's programs and libraries (/usr, /bin, /lib…), its own folder or file
//	read               CA certificates, resolver files, zone files, the loader's cache, a few facts about the machine
//	read and write     its run folders, /dev/null
//	signal             itself and what it started
//
// A program that is whole by itself (Policy.Whole), as Belfry's own, executes nothing but itself, and reads of the first row
// zones and certificates.
//
// Nothing else can be opened: no other folder, no account file, no process in /proc, not even its own. The network is
// open, because platforms lie there.
//
// # What it cannot do
//
// It is best effort: a kernel without Landlock starts the program all the same, with the other limits. Probe says in
// sentences what this system gives and what it does not. Systems other than Linux give a process group and no more.
package sandbox
