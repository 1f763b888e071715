// Package webhook is the source for publishing systems that call when something happens. Its one promise: what a genuine
// call says becomes items, revisions and withdrawals, each under a key that stays, by a preset or by a mapping that is
// checked when the configuration is read; what is not genuine becomes nothing.
//
// Verify looks at the raw bytes alone and belongs into the daemon. Map reads a stranger's body and belongs into a process of
// its own. It is pure: the same call gives the same items, however often it is mapped.
//
// # What an expression sees
//
// The expressions of a mapping are those of github.com/expr-lang/expr. They see body (what the call holds), entry (the one of
// several things in it that becomes an item; see each), event (what the sender calls what happened), header (by their names
// in small letters), query, and events (the events of a CloudEvents call). pick(x, "a.b", "c") gives the first of several
// places in x that holds something, and nothing where none does.
package webhook
