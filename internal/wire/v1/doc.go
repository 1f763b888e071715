// Package wire is version 1 of the protocol between Belfry and a plugin process: the generated code of
// sdk/plugin/proto/belfry/plugin/v1, the conversions between its messages and the values of package sdk, an Instance that
// implements the interfaces of sdk over gRPC, and a Server that serves connectors behind it.
//
// Its one promise: what a connector does behind the wire is what it would do without it, and what a broken or lying
// process answers becomes an *sdk.Error of that one call.
//
// What crosses: every role of sdk.RoleSource, RoleWebhook, RoleChecker, RoleResolver, RolePublisher, RoleEditor,
// RoleDeleter, RoleFinder, RoleMessenger, RoleListener and RoleReceiver. The other roles do not cross in version 1, so sdk.As answers
// false for them.
//
// An address crosses in Instance.Message alone, for that one call, and only for the medium that bears the name of the
// instance's type. On the other side the Server makes a permit of it again, so that a connector is written as in the host.
//
// An event that comes back has the instance's own medium, whatever the process says, and is of a kind that Instance.Hear was given. What
// makes no sense is left out by itself. Listen is asked by calls that wait; the next one acknowledges what the last one gave, so a
// Server gives one event of a connector at a time.
//
// What changes on the way: empty lists and absent ones are the same, times lose their zone and come back in UTC, text that
// is not UTF-8 gets U+FFFD in place of what is not, durations are not negative, File.Data crosses only in Publish and
// Edit, and the cause of an error (Err) stays where it was.
//
// The answers of a process are bounded before they are decoded: MaxMessage for a message, MaxAnswer for the messages of
// one call and for the memory they would take.
//
// A FetchStream carries the fetches of all instances of a process. Each keeps its own deadline, its own end and its own bounds:
// its chunks are decoded by whoever waits for them. What breaks the stream itself makes every fetch go by itself.
package wire

//go:generate ./generate.sh
