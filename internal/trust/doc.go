// Package trust keeps what an admin agreed to. Its one promise: a third party's plugin runs only as it was when somebody
// looked at it, every file of it, and what it said of itself then can be known without running it.
//
// # The folder
//
// Plugins lie in one folder (plugins.folder), which only root and the daemon's user may change. Each is a program, or a
// folder with a program and what belongs to it. Beside it lies the record of the trust in it:
//
//	/opt/belfry/plugins/
//	  notes                  a program
//	  notes.trust.json       its record
//	  agenda/                a plugin of several files
//	    agenda               its program
//	    lib/…
//	  agenda.trust.json
//
// The record lies beside the plugin because whoever can write the one can replace the other: they need the same rights.
//
// # The record
//
// It holds the checksum of the whole tree and the list of its files, so that a change can be named; the types that the
// program offers with their abilities, settings, defaults and JSON Schema; and how it is started. Write makes it,
// atomically; it is never changed by the daemon.
package trust
